/**
 * Kernels by family and name, and the builder that launches one.
 *
 *   lac_launch run = lac_launch_new(device, "elementwise", "relu_fwd");
 *   lac_arg_buffer(&run, y, y0);
 *   lac_arg_u64(&run, n);
 *   lac_launch_items(&run, n);
 *   return lac_launch_run(&run);
 *
 * The first failure inside the builder sticks and is what lac_launch_run() returns. Programs are
 * built on first use and cached on disk under $XDG_CACHE_HOME/lacuna (or ~/.cache/lacuna) by
 * source, options, device and driver; a damaged entry is rebuilt.
 */
#ifndef LAC_DEVICE_KERNEL_H
#define LAC_DEVICE_KERNEL_H

#include "device/device.h"

typedef struct lac_launch {
  lac_device *device;
  void *kernel; /* borrowed from the program cache */
  const char *name;
  lac_status status; /* the first failure */
  size_t max_group;  /* work items that the device allows this kernel in a group */
  uint32_t args;     /* set so far */
  uint32_t dims;
  size_t global[3], local[3];
} lac_launch;

/** Look a kernel up, building cl/<program>.cl where needed. */
lac_launch lac_launch_new(lac_device *device, const char *program, const char *kernel);

/** A pointer argument followed by its ulong element offset. */
void lac_arg_buffer(lac_launch *run, lac_buffer *buffer, uint64_t offset);
void lac_arg_u32(lac_launch *run, uint32_t value);
void lac_arg_i32(lac_launch *run, int32_t value);
void lac_arg_u64(lac_launch *run, uint64_t value);
void lac_arg_f32(lac_launch *run, float value);

/** `count` work items in groups of a size that suits the device; the kernel guards the padding. */
void lac_launch_items(lac_launch *run, uint64_t count);

/** items x rows work items, the second dimension exact. */
void lac_launch_items2(lac_launch *run, uint64_t items, uint64_t rows);

/** `groups` groups of exactly `size` work items (a power of two, at most LAC_GROUP). */
void lac_launch_groups(lac_launch *run, uint64_t groups, uint32_t size);

/** groups_x x groups_y groups of size_x x size_y work items (at most LAC_GROUP together). */
void lac_launch_groups2(lac_launch *run, uint64_t groups_x, uint64_t groups_y, uint32_t size_x,
                        uint32_t size_y);

/** Enqueue; LAC_EDEVICE names kernel and OpenCL error. */
lac_status lac_launch_run(lac_launch *run);

/** Work items per group of a reduction kernel: 64, and the floor that every device must offer. */
enum { LAC_GROUP = 256, LAC_REDUCE_GROUP = 64 };

/**
 * Build source that is not in cl/ (for the device's own tests): like cl/<name>.cl, uncached on
 * disk.
 */
lac_status lac_program_add(lac_device *device, const char *name, const char *source);

enum { LAC_PROGRAMS_MADE = 256, LAC_PROGRAM_NAME = 16 };

/**
 * Build source that was written at run time, or find it where the same text was built before;
 * uncached on disk.
 *
 * @param[out] name  for lac_launch_new()
 * @return LAC_OK; LAC_EUNSUPPORTED for more than LAC_PROGRAMS_MADE texts on one device; LAC_ENOMEM;
 *         LAC_EDEVICE
 */
lac_status lac_program_make(lac_device *device, const char *source, char name[LAC_PROGRAM_NAME]);

#endif
