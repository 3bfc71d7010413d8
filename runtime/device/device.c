/*
 * Finding, opening and ending devices.
 *
 * A device ends when its last holder lets go; buffers hold it, so by then every buffer is back in
 * the pool. It keeps no reference to anything that refers back to it.
 */
#include "device/opencl.h"

#include "core/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_PLATFORMS = 16, MAX_DEVICES = 64 };

/* A device id together with where it was found. */
typedef struct place {
  cl_platform_id platform;
  cl_device_id id;
  uint32_t platform_index, device_index;
} place;

static lac_status list_places(place *places, uint32_t *count) {
  cl_platform_id platforms[MAX_PLATFORMS];
  cl_uint platform_count = 0;
  const cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &platform_count);
  *count = 0;
  if (code == -1001) return LAC_OK; // the loader found no driver at all
  if (code != CL_SUCCESS) return lac_cl_fail(code, "listing OpenCL platforms");
  if (platform_count > MAX_PLATFORMS) platform_count = MAX_PLATFORMS;
  for (cl_uint p = 0; p < platform_count; p++) {
    cl_device_id ids[MAX_DEVICES];
    cl_uint n = 0;
    if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, ids, &n) != CL_SUCCESS)
      continue; // a platform without devices is common and no error
    for (cl_uint d = 0; d < n && d < MAX_DEVICES && *count < MAX_DEVICES; d++)
      places[(*count)++] = (place){platforms[p], ids[d], p, d};
  }
  return LAC_OK;
}

static const char *trim(char *text) {
  size_t n = strlen(text);
  while (n && isspace((unsigned char)text[n - 1]))
    text[--n] = '\0';
  while (isspace((unsigned char)*text))
    text++;
  return text;
}

static const char *device_text(cl_device_id id, cl_device_info what, char *room) {
  if (clGetDeviceInfo(id, what, LAC_TEXT_BYTES, room, NULL) != CL_SUCCESS)
    snprintf(room, LAC_TEXT_BYTES, "?");
  room[LAC_TEXT_BYTES - 1] = '\0';
  return trim(room);
}

static const char *platform_text(cl_platform_id id, cl_platform_info what, char *room) {
  if (clGetPlatformInfo(id, what, LAC_TEXT_BYTES, room, NULL) != CL_SUCCESS)
    snprintf(room, LAC_TEXT_BYTES, "?");
  room[LAC_TEXT_BYTES - 1] = '\0';
  return trim(room);
}

static const char *kind_of(cl_device_type type) {
  if (type & CL_DEVICE_TYPE_CPU) return "cpu";
  if (type & CL_DEVICE_TYPE_GPU) return "gpu";
  if (type & CL_DEVICE_TYPE_ACCELERATOR) return "accelerator";
  return "custom";
}

static void read_caps(const place *at, lac_caps *caps, char text[6][LAC_TEXT_BYTES]) {
  cl_device_type type = 0;
  cl_device_exec_capabilities exec = 0;
  cl_bool unified = CL_FALSE;
  cl_uint units = 0, clock = 0, align_bits = 0;
  size_t group = 1;
  cl_ulong global = 0, alloc = 0, local = 0;
  const cl_device_id id = at->id;
  clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
  clGetDeviceInfo(id, CL_DEVICE_EXECUTION_CAPABILITIES, sizeof exec, &exec, NULL);
  clGetDeviceInfo(id, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof unified, &unified, NULL);
  clGetDeviceInfo(id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
  clGetDeviceInfo(id, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof clock, &clock, NULL);
  clGetDeviceInfo(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof align_bits, &align_bits, NULL);
  clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof group, &group, NULL);
  clGetDeviceInfo(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof global, &global, NULL);
  clGetDeviceInfo(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof alloc, &alloc, NULL);
  clGetDeviceInfo(id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
  *caps = (lac_caps){
      .name = device_text(id, CL_DEVICE_NAME, text[0]),
      .vendor = device_text(id, CL_DEVICE_VENDOR, text[1]),
      .driver = device_text(id, CL_DRIVER_VERSION, text[2]),
      .version = device_text(id, CL_DEVICE_VERSION, text[3]),
      .platform = platform_text(at->platform, CL_PLATFORM_NAME, text[4]),
      .platform_version = platform_text(at->platform, CL_PLATFORM_VERSION, text[5]),
      .kind = kind_of(type),
      .is_cpu = (type & CL_DEVICE_TYPE_CPU) != 0,
      .native_kernels = (exec & CL_EXEC_NATIVE_KERNEL) != 0,
      .unified = unified || (type & CL_DEVICE_TYPE_CPU),
      .compute_units = units,
      .clock_mhz = clock,
      .max_group = group,
      .global_bytes = global,
      .max_alloc_bytes = alloc,
      .local_bytes = local,
      .align_bytes = align_bits / 8,
  };
}

lac_status lac_device_describe(lac_status (*visit)(void *user, const char *spec,
                                                   const lac_caps *caps),
                               void *user) {
  place places[MAX_DEVICES];
  uint32_t count;
  LAC_TRY(list_places(places, &count));
  for (uint32_t i = 0; i < count; i++) {
    char text[6][LAC_TEXT_BYTES], spec[32];
    lac_caps caps;
    read_caps(&places[i], &caps, text);
    snprintf(spec, sizeof spec, "%u:%u", places[i].platform_index, places[i].device_index);
    LAC_TRY(visit(user, spec, &caps));
  }
  return LAC_OK;
}

static bool contains_word(const char *text, const char *word) {
  const size_t n = strlen(word);
  for (; *text; text++)
    if (strncasecmp(text, word, n) == 0) return true;
  return false;
}

static bool place_matches(const place *at, uint32_t index, const char *spec) {
  unsigned p, d;
  int used = 0;
  if (sscanf(spec, "%u:%u%n", &p, &d, &used) == 2 && !spec[used])
    return at->platform_index == p && at->device_index == d;
  used = 0;
  if (sscanf(spec, "%u%n", &p, &used) == 1 && !spec[used]) return index == p;
  char text[6][LAC_TEXT_BYTES];
  lac_caps caps;
  read_caps(at, &caps, text);
  return contains_word(caps.name, spec) || contains_word(caps.platform, spec) ||
         contains_word(caps.vendor, spec);
}

static lac_status fail_no_match(const place *places, uint32_t count, const char *spec) {
  char list[640] = "";
  size_t used = 0;
  for (uint32_t i = 0; i < count && used < sizeof list - 1; i++) {
    char text[6][LAC_TEXT_BYTES];
    lac_caps caps;
    read_caps(&places[i], &caps, text);
    const int n = snprintf(list + used, sizeof list - used, "%s%u \"%s\" (%s)", i ? ", " : "", i,
                           caps.name, caps.platform);
    if (n > 0) used += (size_t)n;
  }
  return lac_fail(LAC_EINVAL, "device: nothing matches \"%s\"; there is %s", spec, list);
}

static bool is_gpu(const place *at) {
  cl_device_type type = 0;
  clGetDeviceInfo(at->id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
  return (type & CL_DEVICE_TYPE_GPU) != 0;
}

/* The place that spec asks for; without spec the first GPU, or else the first device. */
static lac_status pick_place(const place *places, uint32_t count, const char *spec, place *out) {
  if (count == 0)
    return lac_fail(
        LAC_EDEVICE,
        "device: no OpenCL device was found; either no driver is installed (the package "
        "pocl-opencl-icd runs on any CPU), or it could not start (PoCL needs a cache folder "
        "that it can write: $POCL_CACHE_DIR, $XDG_CACHE_HOME or ~/.cache)");
  if (!spec || !*spec) spec = getenv("LACUNA_DEVICE");
  if (!spec || !*spec) {
    *out = places[0];
    for (uint32_t i = count; i-- > 0;)
      if (is_gpu(&places[i])) *out = places[i];
    return LAC_OK;
  }
  for (uint32_t i = 0; i < count; i++) {
    if (!place_matches(&places[i], i, spec)) continue;
    *out = places[i];
    return LAC_OK;
  }
  return fail_no_match(places, count, spec);
}

static lac_status open_handles(lac_device *device) {
  cl_int code;
  const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                              (cl_context_properties)device->platform, 0};
  device->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
  if (code != CL_SUCCESS) return lac_cl_fail(code, "device: opening %s", device->caps.name);
  device->queue = clCreateCommandQueue(device->context, device->id, 0, &code);
  if (code != CL_SUCCESS)
    return lac_cl_fail(code, "device: creating a queue on %s", device->caps.name);
  return lac_kernel_cache_new(device);
}

lac_status lac_device_open(lac_device **out, const char *spec) {
  place places[MAX_DEVICES], at;
  uint32_t count;
  LAC_TRY(list_places(places, &count));
  LAC_TRY(pick_place(places, count, spec, &at));
  lac_device *device;
  LAC_TRY(lac_alloc(&device, 1, sizeof *device, "a device"));
  device->refs = 1;
  device->platform = at.platform;
  device->id = at.id;
  read_caps(&at, &device->caps, device->text);
  lac_status status = open_handles(device);
  if (status == LAC_OK && device->caps.native_kernels)
    status = lac_native_try(device, &device->caps.native_kernels);
  if (status != LAC_OK) {
    lac_device_release(device);
    return status;
  }
  *out = device;
  return LAC_OK;
}

lac_device *lac_device_retain(lac_device *device) {
  device->refs++;
  return device;
}

void lac_device_release(lac_device *device) {
  if (!device || --device->refs) return;
  if (device->queue) clFinish(device->queue);
  if (device->gemm) device->gemm_release(device->gemm);
  lac_profile_release(device);
  lac_pool_trim(device);
  lac_kernel_cache_release(device);
  if (device->queue) clReleaseCommandQueue(device->queue);
  if (device->context) clReleaseContext(device->context);
  free(device);
}

const lac_caps *lac_device_caps(const lac_device *device) {
  return &device->caps;
}

lac_status lac_device_finish(lac_device *device) {
  const cl_int code = clFinish(device->queue);
  return code == CL_SUCCESS ? LAC_OK : lac_cl_fail(code, "waiting for %s", device->caps.name);
}

lac_status lac_device_flush(lac_device *device) {
  const cl_int code = clFlush(device->queue);
  return code == CL_SUCCESS ? LAC_OK : lac_cl_fail(code, "flushing %s", device->caps.name);
}

void **lac_device_tape_slot(lac_device *device) {
  return &device->tape;
}

void **lac_device_gemm_slot(lac_device *device, void (*release)(void *state)) {
  device->gemm_release = release;
  return &device->gemm;
}

void *lac_device_queue(lac_device *device) {
  return device->queue;
}

void *lac_device_context(lac_device *device) {
  return device->context;
}
