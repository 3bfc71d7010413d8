/*
 * Host functions in queue order: as native kernels where the driver has them, else between finish
 * and map.
 */
#include "device/opencl.h"

#include <stddef.h>
#include <string.h>

enum { MAX_NATIVE_BUFFERS = 64, MAX_NATIVE_ARGS = 1024 };

/*
 * What travels through the queue for a host function. Drivers fill `memory`, one place per distinct
 * buffer in the order of their creation, and call_native passes the pointers on. Both matter:
 * PoCL 3.1 sorts the buffers it is given by age and drops repetitions, but leaves the places where
 * they were. What follows the arguments in use does not travel.
 */
typedef struct native_call {
  void (*run)(void *args);
  uint32_t count;
  uint8_t which[MAX_NATIVE_BUFFERS]; /* slot i gets memory[which[i]] */
  uint16_t slot[MAX_NATIVE_BUFFERS];
  void *memory[MAX_NATIVE_BUFFERS];
  char args[MAX_NATIVE_ARGS];
} native_call;

static void CL_CALLBACK call_native(void *packet) {
  native_call *call = packet;
  for (uint32_t i = 0; i < call->count; i++)
    memcpy(call->args + call->slot[i], &call->memory[call->which[i]], sizeof(void *));
  call->run(call->args);
}

/* Where the driver cannot run host functions: finish, map, call, unmap. */
static lac_status call_mapped(lac_device *device, const char *name, native_call *call,
                              const cl_mem *mems, uint32_t distinct) {
  cl_int code = CL_SUCCESS;
  uint32_t done = 0;
  for (; done < distinct; done++) {
    size_t bytes = 0;
    clGetMemObjectInfo(mems[done], CL_MEM_SIZE, sizeof bytes, &bytes, NULL);
    call->memory[done] =
        clEnqueueMapBuffer(device->queue, mems[done], CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, bytes,
                           0, NULL, NULL, &code);
    if (code != CL_SUCCESS) break;
  }
  if (code == CL_SUCCESS) call_native(call);
  for (uint32_t i = 0; i < done; i++)
    clEnqueueUnmapMemObject(device->queue, mems[i], call->memory[i], 0, NULL, NULL);
  if (code != CL_SUCCESS) return lac_cl_fail(code, "%s: mapping its buffers", name);
  return lac_device_finish(device);
}

/* Insert a buffer into a list sorted by age, unless it is there; the new length. */
static uint32_t insert_by_age(const lac_buffer **order, uint32_t n, const lac_buffer *buffer) {
  uint32_t at = 0;
  while (at < n && order[at]->serial < buffer->serial)
    at++;
  if (at < n && order[at] == buffer) return n;
  for (uint32_t i = n; i > at; i--)
    order[i] = order[i - 1];
  order[at] = buffer;
  return n + 1;
}

lac_status lac_device_native(lac_device *device, const char *name, void (*run)(void *args),
                             const void *args, size_t args_bytes, lac_buffer *const *buffers,
                             const size_t *slots, uint32_t count) {
  native_call call;
  const lac_buffer *order[MAX_NATIVE_BUFFERS];
  cl_mem mems[MAX_NATIVE_BUFFERS];
  const void *places[MAX_NATIVE_BUFFERS];
  uint32_t distinct = 0;
  if (args_bytes > sizeof call.args || count > MAX_NATIVE_BUFFERS)
    return lac_fail(LAC_EINVAL, "%s: %zu bytes of arguments and %u buffers are too many", name,
                    args_bytes, count);
  if (!device->caps.unified)
    return lac_fail(LAC_EUNSUPPORTED, "%s: the host cannot see the memory of %s", name,
                    device->caps.name);
  call.run = run;
  call.count = count;
  memcpy(call.args, args, args_bytes);
  for (uint32_t i = 0; i < count; i++)
    distinct = insert_by_age(order, distinct, buffers[i]);
  for (uint32_t j = 0; j < distinct; j++) {
    mems[j] = order[j]->mem;
    places[j] = &call.memory[j];
  }
  for (uint32_t i = 0; i < count; i++) {
    call.slot[i] = (uint16_t)slots[i];
    call.which[i] = 0;
    while (order[call.which[i]] != buffers[i])
      call.which[i]++;
  }
  if (!device->caps.native_kernels) return call_mapped(device, name, &call, mems, distinct);
  const cl_int code = clEnqueueNativeKernel(device->queue, call_native, &call,
                                            offsetof(native_call, args) + args_bytes, distinct,
                                            mems, places, 0, NULL, lac_profile_slot(device, name));
  return code == CL_SUCCESS ? LAC_OK : lac_cl_fail(code, "%s: enqueueing a host function", name);
}

bool lac_device_is_host(const lac_device *device) {
  const lac_caps *caps = &device->caps;
  return caps->is_cpu && caps->native_kernels && caps->unified;
}

typedef struct fill_job {
  char *to;
  size_t at, bytes;
  uint32_t pattern;
} fill_job;

static void run_fill(void *args) {
  const fill_job *job = args;
  char *to = job->to + job->at;
  if (job->pattern == 0)
    memset(to, 0, job->bytes);
  else
    for (size_t i = 0; i < job->bytes; i += sizeof job->pattern)
      memcpy(to + i, &job->pattern, sizeof job->pattern);
}

/* PoCL fills four bytes at a time. */
lac_status lac_native_fill(lac_buffer *buffer, size_t offset, size_t bytes, const void *pattern) {
  static const size_t slot = offsetof(fill_job, to);
  fill_job job = {.at = offset, .bytes = bytes};
  memcpy(&job.pattern, pattern, sizeof job.pattern);
  return lac_device_native(buffer->device, "(fill)", run_fill, &job, sizeof job, &buffer, &slot, 1);
}

enum { PIECES = 24 };

/* Some pieces, copied by one command. */
typedef struct gather_job {
  char *to;
  const char *from[PIECES];
  size_t at, offset[PIECES], bytes[PIECES];
  uint32_t count;
} gather_job;

static void run_gather(void *args) {
  const gather_job *job = args;
  char *to = job->to + job->at;
  for (uint32_t i = 0; i < job->count; i++) {
    memcpy(to, job->from[i] + job->offset[i], job->bytes[i]);
    to += job->bytes[i];
  }
}

static lac_status gather_some(lac_buffer *target, size_t at, const lac_piece *pieces,
                              uint32_t count) {
  gather_job job = {.at = at, .count = count};
  lac_buffer *buffers[PIECES + 1] = {target};
  size_t slots[PIECES + 1] = {offsetof(gather_job, to)};
  for (uint32_t i = 0; i < count; i++) {
    job.offset[i] = pieces[i].offset;
    job.bytes[i] = pieces[i].bytes;
    buffers[i + 1] = pieces[i].buffer;
    slots[i + 1] = offsetof(gather_job, from) + i * sizeof *job.from;
  }
  return lac_device_native(target->device, "(copy)", run_gather, &job, sizeof job, buffers, slots,
                           count + 1);
}

/* A command costs more than a small copy, so several go together where the host can make them. */
lac_status lac_buffer_gather(lac_buffer *target, const lac_piece *pieces, size_t count) {
  const bool together = target->device->caps.unified && target->device->caps.native_kernels;
  const size_t most = together ? PIECES : 1;
  size_t at = 0;
  for (size_t i = 0; i < count; i += most) {
    const size_t n = count - i < most ? count - i : most;
    if (together)
      LAC_TRY(gather_some(target, at, pieces + i, (uint32_t)n));
    else
      LAC_TRY(lac_buffer_copy(target, at, pieces[i].buffer, pieces[i].offset, pieces[i].bytes));
    for (size_t j = i; j < i + n; j++)
      at += pieces[j].bytes;
  }
  return LAC_OK;
}

enum { TRIAL = 4 };

typedef struct trial {
  const float *in[TRIAL];
  float *out;
} trial;

static void run_trial(void *args) {
  const trial *t = args;
  for (int i = 0; i < TRIAL; i++)
    t->out[i] = *t->in[i];
}

/* Each of four buffers holds its number. */
lac_status lac_native_try(lac_device *device, bool *good) {
  static const size_t slots[] = {offsetof(trial, in[0]), offsetof(trial, in[1]),
                                 offsetof(trial, in[2]), offsetof(trial, in[3]),
                                 offsetof(trial, out)};
  static const int order[TRIAL] = {2, 0, 3, 1}; // neither the order of creation nor its reverse
  lac_buffer *made[TRIAL + 1] = {NULL}, *given[TRIAL + 1];
  const trial args = {{NULL}, NULL};
  float result[TRIAL] = {0};
  lac_status status = LAC_OK;
  for (int i = 0; i <= TRIAL && status == LAC_OK; i++) {
    const float number = (float)i + 1;
    status = lac_buffer_new(&made[i], device, sizeof result, "a trial");
    if (status == LAC_OK) status = lac_buffer_write(made[i], 0, &number, sizeof number);
  }
  for (int i = 0; i < TRIAL; i++)
    given[i] = made[order[i]];
  given[TRIAL] = made[TRIAL];
  if (status == LAC_OK)
    status =
        lac_device_native(device, "trial", run_trial, &args, sizeof args, given, slots, TRIAL + 1);
  if (status == LAC_OK) status = lac_buffer_read(made[TRIAL], 0, result, sizeof result);
  *good = true;
  for (int i = 0; i < TRIAL; i++)
    *good = *good && result[i] == (float)order[i] + 1;
  for (int i = 0; i <= TRIAL; i++)
    lac_buffer_release(made[i]);
  return status;
}
