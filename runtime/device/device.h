/**
 * One OpenCL device with its context and its single in-order queue.
 *
 * Work is enqueued in program order and runs in that order; only reads, lac_device_finish() and
 * file output wait for it. A device is counted: buffers, kernels and tensors retain it.
 */
#ifndef LAC_DEVICE_DEVICE_H
#define LAC_DEVICE_DEVICE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lac_device lac_device;
typedef struct lac_buffer lac_buffer;

/** What a device is and can do, read once when it is opened. Strings live as long as the device. */
typedef struct lac_caps {
  const char *name; /* CL_DEVICE_NAME, trimmed */
  const char *vendor;
  const char *driver;           /* CL_DRIVER_VERSION */
  const char *version;          /* CL_DEVICE_VERSION */
  const char *platform;         /* CL_PLATFORM_NAME */
  const char *platform_version; /* CL_PLATFORM_VERSION */
  const char *kind;             /* "cpu", "gpu", "accelerator" or "custom" */
  bool is_cpu;
  bool native_kernels; /* host functions may be enqueued */
  bool unified;        /* device memory is host memory */
  uint32_t compute_units;
  uint32_t clock_mhz;
  size_t max_group; /* work items in a group, before any kernel lowers it */
  uint64_t global_bytes;
  uint64_t max_alloc_bytes; /* largest single buffer */
  uint64_t local_bytes;
  uint32_t align_bytes; /* sub-buffer alignment */
} lac_caps;

/**
 * Open a device.
 *
 * @param spec  NULL or "" for $LACUNA_DEVICE, and without that the first GPU, else the first
 * device; "P:D" platform and device number, "N" number in the list of lac_device_describe(), or a
 * word found in platform, device or vendor name, without regard to case
 * @return LAC_OK; LAC_EINVAL when nothing matches (the message lists what there is); LAC_EDEVICE
 * when no OpenCL platform is installed or the driver fails; LAC_ENOMEM
 */
lac_status lac_device_open(lac_device **out, const char *spec);
lac_device *lac_device_retain(lac_device *device);
void lac_device_release(lac_device *device);

/**
 * The capabilities of the index-th device of all platforms, without opening it. Strings are valid
 * until the visitor returns.
 *
 * @param visit  called once per device with "P:D"; stops when it returns a failure, which is passed
 * on
 * @return LAC_OK, also when there is none; LAC_EDEVICE; LAC_ENOMEM
 */
lac_status lac_device_describe(lac_status (*visit)(void *user, const char *spec,
                                                   const lac_caps *caps),
                               void *user);

const lac_caps *lac_device_caps(const lac_device *device);

/** Wait until everything enqueued has run. */
lac_status lac_device_finish(lac_device *device);

/** Hand enqueued work to the driver without waiting for it. */
lac_status lac_device_flush(lac_device *device);

/**
 * Run a host function in queue order, with host pointers to buffers.
 *
 * On a device with native kernels it is enqueued and runs on a thread of the driver; elsewhere the
 * queue is finished and the buffers are mapped around a direct call.
 *
 * @param name     for the profile; a string literal
 * @param run      gets a copy of `args` whose pointer slots have been filled in; must not call
 * OpenCL
 * @param args     copied before this returns
 * @param slots    byte offsets within args of `void *` members that receive buffers[i]'s memory
 * @return LAC_OK; LAC_EUNSUPPORTED on a device whose memory the host cannot see; LAC_EDEVICE
 */
lac_status lac_device_native(lac_device *device, const char *name, void (*run)(void *args),
                             const void *args, size_t args_bytes, lac_buffer *const *buffers,
                             const size_t *slots, uint32_t count);

/** One line of the profile. */
typedef struct lac_profile_row {
  const char *name; /* kernel or native function */
  uint64_t calls;
  double seconds; /* time on the device, from event timestamps */
} lac_profile_row;

/** Whether the device is the host: functions are enqueued without a wait and see all its memory. */
bool lac_device_is_host(const lac_device *device);

/** Switch event timing on or off; switching on clears the rows. Waits for the queue. */
lac_status lac_device_profile(lac_device *device, bool on);

/** The profile so far, longest first; waits for the queue. Borrowed until the next profile call. */
lac_status lac_device_profile_rows(lac_device *device, const lac_profile_row **rows, size_t *count);

/** A pointer slot that autograd keeps its current tape in; the device does not look at it. */
void **lac_device_tape_slot(lac_device *device);

/** A pointer slot for gemm's per-device state, with the function that frees it on the device's end.
 * The state must not hold buffers: they would keep the device alive. */
void **lac_device_gemm_slot(lac_device *device, void (*release)(void *state));

/** The OpenCL handles, for the one library (CLBlast) that speaks OpenCL itself: cl_command_queue,
 * cl_context. */
void *lac_device_queue(lac_device *device);
void *lac_device_context(lac_device *device);

#endif
