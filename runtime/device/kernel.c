/*
 * Programs and kernels are kept per device in one open-addressed table keyed by "program" and
 * "program.kernel". A program is cl/prelude.cl followed by cl/<program>.cl, built with the same
 * options everywhere, so source + options + device + driver say all about a binary.
 */
#include "device/kernel.h"

#include "core/memory.h"
#include "device/binaries.h"
#include "device/opencl.h"
#include "device/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 96 };

typedef struct entry {
  char name[NAME_BYTES]; /* "" in a free slot */
  cl_program program;    /* of a program's entry */
  cl_kernel kernel;      /* of a kernel's entry */
  size_t max_group;      /* of a kernel's entry */
} entry;

typedef struct lac_kernel_cache {
  entry *slots; /* room is a power of two, at most half full */
  size_t room, used;
  char *made[LAC_PROGRAMS_MADE]; /* sources of the programs "made 0", "made 1", ... */
  uint32_t made_count;
} lac_kernel_cache;

static size_t hash_name(const char *name) {
  size_t hash = 2166136261u;
  for (; *name; name++)
    hash = (hash ^ (unsigned char)*name) * 16777619u;
  return hash;
}

/* The entry of that name, or the free slot where it belongs. */
static entry *find_entry(lac_kernel_cache *cache, const char *name) {
  size_t i = hash_name(name) & (cache->room - 1);
  while (cache->slots[i].name[0] && strcmp(cache->slots[i].name, name) != 0)
    i = (i + 1) & (cache->room - 1);
  return &cache->slots[i];
}

static lac_status grow(lac_kernel_cache *cache) {
  lac_kernel_cache larger = *cache;
  larger.room = cache->room ? 2 * cache->room : 128;
  LAC_TRY(lac_alloc(&larger.slots, larger.room, sizeof(entry), "the kernel table"));
  for (size_t i = 0; i < cache->room; i++)
    if (cache->slots[i].name[0]) *find_entry(&larger, cache->slots[i].name) = cache->slots[i];
  free(cache->slots);
  *cache = larger;
  return LAC_OK;
}

static lac_status add_entry(lac_kernel_cache *cache, const char *name, entry **out) {
  if (2 * (cache->used + 1) > cache->room) LAC_TRY(grow(cache));
  entry *slot = find_entry(cache, name);
  snprintf(slot->name, sizeof slot->name, "%s", name);
  cache->used++;
  *out = slot;
  return LAC_OK;
}

lac_status lac_kernel_cache_new(lac_device *device) {
  LAC_TRY(lac_alloc(&device->kernels, 1, sizeof *device->kernels, "the kernel table"));
  return grow(device->kernels);
}

void lac_kernel_cache_release(lac_device *device) {
  lac_kernel_cache *cache = device->kernels;
  if (!cache) return;
  for (size_t i = 0; i < cache->room; i++) {
    if (cache->slots[i].kernel) clReleaseKernel(cache->slots[i].kernel);
    if (cache->slots[i].program) clReleaseProgram(cache->slots[i].program);
  }
  for (uint32_t i = 0; i < cache->made_count; i++)
    free(cache->made[i]);
  free(cache->slots);
  free(cache);
  device->kernels = NULL;
}

static const char *find_source(const char *name) {
  for (const lac_source *source = lac_sources; source->name; source++)
    if (strcmp(source->name, name) == 0) return source->text;
  return NULL;
}

static const char *build_options(const lac_device *device) {
  return device->caps.is_cpu ? "-cl-std=CL1.2 -DLAC_CPU=1" : "-cl-std=CL1.2";
}

/* Everything that decides what a build gives, as one text. */
static lac_status cache_key(char **out, const lac_device *device, const char *source) {
  const lac_caps *c = &device->caps;
  const char *prelude = find_source("prelude");
  const size_t room = strlen(prelude) + strlen(source) + 8 * LAC_TEXT_BYTES;
  LAC_TRY(lac_alloc(out, room, 1, "a program's key"));
  snprintf(*out, room, "%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s%s", c->platform, c->platform_version,
           c->name, c->vendor, c->version, c->driver, build_options(device), prelude, source);
  return LAC_OK;
}

/* A program from its cached binary; NULL where there is none or the driver will not have it. */
static cl_program load_program(lac_device *device, const char *key) {
  unsigned char *bytes;
  size_t size;
  cl_int code, binary_code = CL_SUCCESS;
  if (!lac_binaries_load(key, &bytes, &size)) return NULL;
  cl_program program = clCreateProgramWithBinary(
      device->context, 1, &device->id, &size, (const unsigned char **)&bytes, &binary_code, &code);
  free(bytes);
  if (code != CL_SUCCESS) return NULL;
  if (binary_code == CL_SUCCESS &&
      clBuildProgram(program, 1, &device->id, build_options(device), NULL, NULL) == CL_SUCCESS)
    return program;
  clReleaseProgram(program);
  return NULL;
}

static void store_program(cl_program program, const char *key) {
  size_t size = 0;
  unsigned char *bytes;
  if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS ||
      size == 0 || lac_alloc(&bytes, size, 1, "a program binary") != LAC_OK)
    return;
  if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof bytes, &bytes, NULL) == CL_SUCCESS)
    lac_binaries_store(key, bytes, size);
  free(bytes);
}

static lac_status fail_build(lac_device *device, cl_program program, const char *name,
                             cl_int code) {
  char log[800] = "";
  size_t size = 0;
  char *whole = NULL;
  clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
  if (size && lac_alloc(&whole, size + 1, 1, "a build log") == LAC_OK) {
    clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, size, whole, NULL);
    snprintf(log, sizeof log, "%s", whole);
    free(whole);
  }
  return lac_fail(LAC_EDEVICE, "program %s does not build on %s (code %d): %s", name,
                  device->caps.name, (int)code, log);
}

static lac_status build_program(cl_program *out, lac_device *device, const char *name,
                                const char *source) {
  const char *texts[2] = {find_source("prelude"), source};
  cl_int code;
  cl_program program = clCreateProgramWithSource(device->context, 2, texts, NULL, &code);
  if (code != CL_SUCCESS) return lac_cl_fail(code, "program %s", name);
  code = clBuildProgram(program, 1, &device->id, build_options(device), NULL, NULL);
  if (code != CL_SUCCESS) {
    const lac_status status = fail_build(device, program, name, code);
    clReleaseProgram(program);
    return status;
  }
  *out = program;
  return LAC_OK;
}

static lac_status get_program(lac_device *device, const char *name, cl_program *out) {
  const entry *known = find_entry(device->kernels, name);
  if (known->name[0]) {
    *out = known->program;
    return LAC_OK;
  }
  const char *source = find_source(name);
  if (!source) return lac_fail(LAC_EINVAL, "program %s: there is no cl/%s.cl", name, name);
  char *key;
  LAC_TRY(cache_key(&key, device, source));
  cl_program program = load_program(device, key);
  lac_status status = LAC_OK;
  if (!program) {
    status = build_program(&program, device, name, source);
    if (status == LAC_OK) store_program(program, key);
  }
  free(key);
  entry *fresh;
  if (status == LAC_OK) status = add_entry(device->kernels, name, &fresh);
  if (status != LAC_OK) {
    if (program) clReleaseProgram(program);
    return status;
  }
  fresh->program = *out = program;
  return LAC_OK;
}

lac_status lac_program_add(lac_device *device, const char *name, const char *source) {
  cl_program program = NULL;
  entry *fresh;
  if (strlen(name) >= NAME_BYTES || find_entry(device->kernels, name)->name[0])
    return lac_fail(LAC_EINVAL, "program %s: the name is too long or taken", name);
  LAC_TRY(build_program(&program, device, name, source));
  const lac_status status = add_entry(device->kernels, name, &fresh);
  if (status == LAC_OK) fresh->program = program;
  if (status != LAC_OK) clReleaseProgram(program);
  return status;
}

lac_status lac_program_make(lac_device *device, const char *source, char name[LAC_PROGRAM_NAME]) {
  lac_kernel_cache *cache = device->kernels;
  const size_t bytes = strlen(source) + 1;
  uint32_t i = 0;
  char *copy;
  while (i < cache->made_count && strcmp(cache->made[i], source) != 0)
    i++;
  if (i == LAC_PROGRAMS_MADE)
    return lac_fail(LAC_EUNSUPPORTED, "more than %d different expressions on one device",
                    LAC_PROGRAMS_MADE);
  snprintf(name, LAC_PROGRAM_NAME, "made %u", (unsigned)i);
  if (i < cache->made_count) return LAC_OK;
  LAC_TRY(lac_alloc(&copy, bytes, 1, "a program"));
  memcpy(copy, source, bytes);
  const lac_status status = lac_program_add(device, name, source);
  if (status != LAC_OK) {
    free(copy);
    return status;
  }
  cache->made[cache->made_count++] = copy;
  return LAC_OK;
}

/* Work items that a group may have: what the kernel states (it was compiled for exactly that,
 * whatever rusticl answers to the other question), else what the driver allows it. */
static size_t largest_group(const lac_device *device, cl_kernel kernel) {
  size_t stated[3] = {0}, group = LAC_REDUCE_GROUP;
  clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof stated,
                           stated, NULL);
  if (stated[0] && stated[1] && stated[2]) return stated[0] * stated[1] * stated[2];
  clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof group, &group,
                           NULL);
  return group;
}

static lac_status get_kernel(lac_device *device, const char *program_name, const char *name,
                             entry **out) {
  char full[NAME_BYTES];
  cl_program program = NULL;
  cl_int code;
  const int n = snprintf(full, sizeof full, "%s.%s", program_name, name);
  if (n < 0 || (size_t)n >= sizeof full)
    return lac_fail(LAC_EINVAL, "kernel %s.%s: the name is too long", program_name, name);
  entry *known = find_entry(device->kernels, full);
  if (known->name[0]) {
    *out = known;
    return LAC_OK;
  }
  LAC_TRY(get_program(device, program_name, &program));
  cl_kernel kernel = clCreateKernel(program, name, &code);
  if (code != CL_SUCCESS) return lac_cl_fail(code, "kernel %s", full);
  const size_t group = largest_group(device, kernel);
  const lac_status status = add_entry(device->kernels, full, out);
  if (status != LAC_OK) {
    clReleaseKernel(kernel);
    return status;
  }
  (*out)->kernel = kernel;
  (*out)->max_group = group;
  return LAC_OK;
}

lac_launch lac_launch_new(lac_device *device, const char *program, const char *kernel) {
  lac_launch run = {.device = device, .name = kernel};
  entry *found = NULL;
  run.status = get_kernel(device, program, kernel, &found);
  if (!found) return run;
  run.kernel = found->kernel;
  run.max_group = found->max_group;
  run.name = found->name + strlen(program) + 1;
  return run;
}

static void set_arg(lac_launch *run, size_t bytes, const void *value) {
  if (run->status != LAC_OK) return;
  const cl_int code = clSetKernelArg(run->kernel, run->args, bytes, value);
  if (code != CL_SUCCESS)
    run->status = lac_cl_fail(code, "kernel %s: argument %u", run->name, run->args);
  run->args++;
}

void lac_arg_buffer(lac_launch *run, lac_buffer *buffer, uint64_t offset) {
  set_arg(run, sizeof buffer->mem, &buffer->mem);
  lac_arg_u64(run, offset);
}

void lac_arg_u32(lac_launch *run, uint32_t value) {
  set_arg(run, sizeof value, &value);
}

void lac_arg_i32(lac_launch *run, int32_t value) {
  set_arg(run, sizeof value, &value);
}

void lac_arg_u64(lac_launch *run, uint64_t value) {
  set_arg(run, sizeof value, &value);
}

void lac_arg_f32(lac_launch *run, float value) {
  set_arg(run, sizeof value, &value);
}

/* The group size for kernels that accept any: one size per device, so that drivers which specialise
 * by local size compile each kernel once. */
static size_t item_group(const lac_launch *run) {
  return run->max_group < LAC_GROUP ? run->max_group : LAC_GROUP;
}

static void set_range(lac_launch *run, uint32_t dim, uint64_t groups, size_t size) {
  run->global[dim] = (size_t)groups * size;
  run->local[dim] = size;
  if (run->dims < dim + 1) run->dims = dim + 1;
}

void lac_launch_items(lac_launch *run, uint64_t count) {
  if (run->status != LAC_OK) return;
  const size_t size = item_group(run);
  set_range(run, 0, (count + size - 1) / size, size);
}

void lac_launch_items2(lac_launch *run, uint64_t items, uint64_t rows) {
  lac_launch_items(run, items);
  set_range(run, 1, rows, 1);
}

void lac_launch_groups(lac_launch *run, uint64_t groups, uint32_t size) {
  set_range(run, 0, groups, size);
}

void lac_launch_groups2(lac_launch *run, uint64_t groups_x, uint64_t groups_y, uint32_t size_x,
                        uint32_t size_y) {
  set_range(run, 0, groups_x, size_x);
  set_range(run, 1, groups_y, size_y);
}

/* Whether a group is too large is for the driver to say: rusticl on llvmpipe reports 32 work items
 * for every kernel and runs more. */
lac_status lac_launch_run(lac_launch *run) {
  LAC_TRY(run->status);
  size_t group = 1;
  for (uint32_t i = 0; i < run->dims; i++) {
    if (run->global[i] == 0) return LAC_OK; // nothing to do
    group *= run->local[i];
  }
  const cl_int code =
      clEnqueueNDRangeKernel(run->device->queue, run->kernel, run->dims, NULL, run->global,
                             run->local, 0, NULL, lac_profile_slot(run->device, run->name));
  if (code == CL_INVALID_WORK_GROUP_SIZE || code == CL_INVALID_WORK_ITEM_SIZE)
    return lac_fail(LAC_EUNSUPPORTED,
                    "kernel %s: needs %zu work items in a group, but %s allows %zu", run->name,
                    group, run->device->caps.name, run->max_group);
  return code == CL_SUCCESS ? LAC_OK : lac_cl_fail(code, "kernel %s", run->name);
}
