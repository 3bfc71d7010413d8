/**
 * Device buffers by size class: taken, given back, kept for the next taker.
 *
 * The pool alone creates and frees device memory. The queue is in order, so a buffer given back may
 * be handed out at once although earlier kernels still use it.
 */
#ifndef LAC_DEVICE_POOL_H
#define LAC_DEVICE_POOL_H

#include "device/device.h"

typedef struct lac_pool_stats {
  uint64_t used_bytes; /* in buffers that somebody holds, as asked for */
  uint64_t used_buffers;
  uint64_t cached_bytes; /* in buffers waiting to be reused */
  uint64_t peak_bytes;   /* most used_bytes since the last reset */
} lac_pool_stats;

/**
 * Take a buffer of at least `bytes` bytes; contents are undefined.
 *
 * @param what  what it is for, quoted when memory runs out
 * @return LAC_OK; LAC_ENOMEM with what was wanted, in use, and what would help; LAC_EDEVICE
 */
lac_status lac_buffer_new(lac_buffer **out, lac_device *device, size_t bytes, const char *what);
lac_buffer *lac_buffer_retain(lac_buffer *buffer);
void lac_buffer_release(lac_buffer *buffer);

lac_device *lac_buffer_device(const lac_buffer *buffer);

/** The cl_mem, for kernel arguments and CLBlast. Borrowed. */
void *lac_buffer_handle(const lac_buffer *buffer);

/** Copy from the host; returns when `source` may be reused. */
lac_status lac_buffer_write(lac_buffer *buffer, size_t offset, const void *source, size_t bytes);

/** Copy to the host; waits for everything enqueued before. */
lac_status lac_buffer_read(lac_buffer *buffer, size_t offset, void *target, size_t bytes);

/** Enqueue a fill with a 4-byte pattern; offset and bytes are multiples of 4. */
lac_status lac_buffer_fill(lac_buffer *buffer, size_t offset, size_t bytes, const void *pattern);

/** Enqueue a copy between buffers of one device; the ranges must not overlap. */
lac_status lac_buffer_copy(lac_buffer *target, size_t target_offset, lac_buffer *source,
                           size_t source_offset, size_t bytes);

/** Bytes of a buffer. */
typedef struct lac_piece {
  lac_buffer *buffer;
  size_t offset, bytes;
} lac_piece;

/** Enqueue copies of the pieces into the target, from its start one after the other. None is of the
 * target. */
lac_status lac_buffer_gather(lac_buffer *target, const lac_piece *pieces, size_t count);

void lac_pool_stats_get(const lac_device *device, lac_pool_stats *out);

/** Make peak_bytes start again from used_bytes. */
void lac_pool_reset_peak(lac_device *device);

/** Free every cached buffer. */
void lac_pool_trim(lac_device *device);

/**
 * Install the one function told about memory pressure; NULL removes it.
 *
 * @param hook  called with exhausted = false as bytes are taken, and with true when an allocation
 * has failed, before the pool trims itself and tries once more; may release buffers, must not take
 * any
 */
void lac_pool_set_hook(lac_device *device, void (*hook)(void *user, size_t bytes, bool exhausted),
                       void *user);

#endif
