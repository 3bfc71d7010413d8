/**
 * What the files of device/ share and nobody else sees: the OpenCL handles and the error
 * translation.
 */
#ifndef LAC_DEVICE_OPENCL_H
#define LAC_DEVICE_OPENCL_H

#include "device/device.h"
#include "device/pool.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

enum { LAC_POOL_CLASSES = 176, LAC_TEXT_BYTES = 256 };

typedef struct lac_pool {
  lac_buffer *free[LAC_POOL_CLASSES]; /* singly linked, by size class */
  lac_pool_stats stats;
  uint64_t created; /* buffers so far */
  void (*hook)(void *user, size_t bytes, bool exhausted);
  void *hook_user;
} lac_pool;

struct lac_kernel_cache; /* kernel.c */
struct lac_profile;      /* profile.c */

struct lac_device {
  uint64_t refs;
  cl_platform_id platform;
  cl_device_id id;
  cl_context context;
  cl_command_queue queue;
  lac_caps caps;
  char text[6][LAC_TEXT_BYTES]; /* what the strings of caps point to */
  lac_pool pool;
  struct lac_kernel_cache *kernels;
  struct lac_profile *profile; /* NULL while event timing is off */
  void *tape;
  void *gemm;
  void (*gemm_release)(void *state);
};

struct lac_buffer {
  uint64_t refs;
  lac_device *device;
  cl_mem mem;
  uint64_t serial;   /* of creation on this device */
  size_t bytes;      /* as asked for */
  size_t full_bytes; /* of its size class */
  uint32_t size_class;
  lac_buffer *next; /* in the free list */
};

/** The one place where OpenCL codes become statuses: "what: the driver answered CL_NAME (-n)". */
lac_status lac_cl_fail(cl_int code, const char *what, ...) LAC_PRINTF(2, 3);

lac_status lac_kernel_cache_new(lac_device *device);
void lac_kernel_cache_release(lac_device *device);

/** Whether host functions get the buffers they were promised; *good is written only with LAC_OK. */
lac_status lac_native_try(lac_device *device, bool *good);

/** lac_buffer_fill() on a device that is the host. */
lac_status lac_native_fill(lac_buffer *buffer, size_t offset, size_t bytes, const void *pattern);

/** Where an enqueue call should put its event: NULL while no profile is wanted. */
cl_event *lac_profile_slot(lac_device *device, const char *name);
void lac_profile_release(lac_device *device);

#endif
