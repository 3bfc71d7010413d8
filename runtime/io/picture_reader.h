/**
 * Batches of pictures as numbers, decoded by threads of their own while the caller does something
 * else. One batch is on order at a time: once it is taken and copied to the device, the next may be
 * ordered.
 *
 * A reader is used by one thread at a time, that of its owner.
 */
#ifndef LAC_IO_PICTURE_READER_H
#define LAC_IO_PICTURE_READER_H

#include "io/crop.h"

typedef struct lac_picture_reader lac_picture_reader;

/**
 * Start the threads.
 *
 * @param threads  that decode; 0 for as many as lac_workers_new() chooses
 * @return LAC_OK; LAC_EINVAL for a wrong plan; LAC_ENOMEM
 */
lac_status lac_picture_reader_open(lac_picture_reader **out, const lac_crop_plan *plan,
                                   uint32_t threads);

/** End the threads, at most one picture each later; NULL does nothing. */
void lac_picture_reader_close(lac_picture_reader *reader);

typedef struct lac_picture_request {
  const char *path;
  lac_crop_place place;
} lac_picture_request;

/**
 * Order a batch; one that was ordered before and not taken is dropped.
 *
 * @param requests  [count], count > 0; copied, the paths too
 * @return LAC_OK; LAC_EINVAL; LAC_ENOMEM
 */
lac_status lac_picture_reader_order(lac_picture_reader *reader, const lac_picture_request *requests,
                                    size_t count);

/** Borrowed until the next order. */
typedef struct lac_picture_batch {
  size_t count;
  uint32_t size;
  const float *pixels; /* [count, size, size, 3], red, green, blue from 0 to 1; zeros for a picture
                          that could not be read */
  const char *const *errors; /* [count], NULL for a picture that could */
} lac_picture_batch;

/**
 * Wait for the ordered batch.
 *
 * @return LAC_OK, also where pictures could not be read; LAC_EINVAL when nothing is on order;
 *         LAC_ENOMEM when that was the reason
 */
lac_status lac_picture_reader_take(lac_picture_reader *reader, lac_picture_batch *out);

#endif
