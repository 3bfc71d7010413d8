/**
 * Batches of image features, read by a thread of their own while the caller does something else.
 *
 * The rows lie in one piece in a file (lac_hdf5_locate()), so the thread reads them with pread()
 * and libhdf5 has no part in it. One batch is on order at a time: once it is taken and copied to
 * the device, the next may be ordered.
 *
 * A reader is used by one thread at a time, that of its owner.
 */
#ifndef LAC_IO_FEATURE_READER_H
#define LAC_IO_FEATURE_READER_H

#include "io/hdf5.h"

typedef struct lac_feature_reader lac_feature_reader;

/** Where the numbers of a data file lie. */
typedef struct lac_feature_places {
  lac_hdf5_place att;   /* [all regions, width] */
  lac_hdf5_place boxes; /* [all regions, 4]; width 0 where there are none */
  lac_hdf5_place fc;    /* [images, fc_width]; width 0: the mean of an image's regions takes its
                           place */
} lac_feature_places;

/**
 * Open the file and start the thread.
 *
 * @return LAC_OK; LAC_EIO; LAC_ENOMEM; LAC_ESHAPE when att and boxes differ in rows
 */
lac_status lac_feature_reader_open(lac_feature_reader **out, const char *path,
                                   const lac_feature_places *places);

/** End the thread, at most one read later, and close the file. */
void lac_feature_reader_close(lac_feature_reader *reader);

/** What it was opened with, borrowed. */
const lac_feature_places *lac_feature_reader_places(const lac_feature_reader *reader);

/** One image of a batch: `count` > 0 regions from `first` on, and its row in fc. */
typedef struct lac_feature_image {
  uint64_t first, count, image;
} lac_feature_image;

/**
 * Order a batch; one that was ordered before and not taken is dropped.
 *
 * @param images  [batch], batch > 0; copied
 * @return LAC_OK; LAC_EINVAL for rows that are not there; LAC_ENOMEM
 */
lac_status lac_feature_reader_order(lac_feature_reader *reader, const lac_feature_image *images,
                                    size_t batch);

/** Borrowed until the next order. Padding is zero. */
typedef struct lac_feature_batch {
  uint64_t images, regions; /* regions: most of one image */
  uint64_t width, fc_width;
  const float *att;   /* [images, regions, width] */
  const float *fc;    /* [images, fc_width] */
  const float *mask;  /* [images, regions]: 1 for a region, 0 for padding */
  const float *boxes; /* [images, regions, 4], or NULL */
} lac_feature_batch;

/**
 * Wait for the ordered batch.
 *
 * @return LAC_OK; LAC_EINVAL when nothing is on order; LAC_EIO with what the thread met
 */
lac_status lac_feature_reader_take(lac_feature_reader *reader, lac_feature_batch *out);

#endif
