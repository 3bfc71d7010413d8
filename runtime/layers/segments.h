/**
 * Which rows attend to which: segments of query rows, each with a range of key rows.
 */
#ifndef LAC_LAYERS_SEGMENTS_H
#define LAC_LAYERS_SEGMENTS_H

#include "tensor/tensor.h"

/** Where segments begin and end, as kernels read it: rows of four int32 each. */
enum { LAC_SEGMENT_QUERY, LAC_SEGMENT_QUERIES, LAC_SEGMENT_KEY, LAC_SEGMENT_KEYS };
enum { LAC_GROUP_KEY, LAC_GROUP_KEY_END, LAC_GROUP_BEGIN, LAC_GROUP_END, LAC_SEGMENT_ROW = 4 };

/**
 * Segments as they were checked. A group is the segments whose key ranges overlap, directly or
 * through others: what happens to the keys of different groups has nothing to do with each other.
 *
 * `table` is [count + groups, 4] and then `count` numbers: the segments as given (first query row,
 * queries, first key row, keys), the groups by their keys (first key row, the row behind the last,
 * begin and end in the order), and the order: segments with queries, group by group.
 */
typedef struct lac_segments {
  uint64_t refs;
  lac_tensor *table;
  uint32_t count, groups;
  uint32_t rows;                    /* queries in all */
  uint32_t key_rows, farthest;      /* the row behind the last key, and the segment it is of */
  uint32_t covered;                 /* key rows that some query looks at */
  uint32_t most_queries, most_keys; /* of any segment */
  uint32_t uneven;                  /* the first segment with more or fewer keys than queries;
                                       count where there is none */
  uint32_t uneven_keys, uneven_queries;
} lac_segments;

/**
 * Check segments and bring them to the device.
 *
 * @param queries  [count + 1]: segment s has query rows queries[s] .. queries[s + 1] - 1. Begins
 * with 0, never falls; the last is the number of query rows
 * @param keys     [count, 2]: a segment's first key row and its number of key rows. Ranges may
 * overlap, and need not cover all rows; a segment with queries has at least one key
 * @return LAC_OK; LAC_EINVAL names the segment (from 1) and what is wrong with it; LAC_ENOMEM;
 * LAC_EDEVICE
 */
lac_status lac_segments_new(lac_segments **out, lac_device *device, const int32_t *queries,
                            const int32_t *keys, uint32_t count);
lac_segments *lac_segments_retain(lac_segments *segments);
void lac_segments_release(lac_segments *segments);

#endif
