/* Everything is worked out here, once, on the host: kernels only look segments up. */
#include "layers/segments.h"

#include "core/memory.h"

#include <inttypes.h>
#include <stdlib.h>

static lac_status check(const int32_t *queries, const int32_t *keys, uint32_t count) {
  if (queries[0] != 0)
    return lac_fail(LAC_EINVAL, "segments: queries must begin with 0, got %" PRId32, queries[0]);
  for (uint32_t s = 0; s < count; s++) {
    const int32_t first = keys[2 * s], n = keys[2 * s + 1];
    if (queries[s + 1] < queries[s])
      return lac_fail(LAC_EINVAL,
                      "segments: queries must never fall, got %" PRId32 " after %" PRId32
                      " at the end of segment %u",
                      queries[s + 1], queries[s], s + 1);
    if (first < 0 || n < 0 || n > INT32_MAX - first)
      return lac_fail(LAC_EINVAL,
                      "segments: segment %u wants %" PRId32 " keys from row %" PRId32
                      " on; both must be 0 or more",
                      s + 1, n, first);
    if (n == 0 && queries[s + 1] > queries[s])
      return lac_fail(LAC_EINVAL, "segments: segment %u has queries but no key to look at", s + 1);
  }
  return LAC_OK;
}

static int by_key(const void *a, const void *b) {
  const int32_t *x = *(int32_t *const *)a, *y = *(int32_t *const *)b;
  const int32_t p = x[LAC_SEGMENT_KEY], q = y[LAC_SEGMENT_KEY];
  if (p != q) return p < q ? -1 : 1;
  return (x > y) - (x < y); // as given
}

static uint32_t larger(uint32_t a, uint32_t b) {
  return a > b ? a : b;
}

/* The rows of segments, and all numbers that speak of them together. */
static void fill_rows(lac_segments *s, int32_t *rows, const int32_t *queries, const int32_t *keys) {
  s->uneven = s->count;
  s->rows = (uint32_t)queries[s->count];
  for (uint32_t i = 0; i < s->count; i++) {
    int32_t *row = rows + (size_t)LAC_SEGMENT_ROW * i;
    row[LAC_SEGMENT_QUERY] = queries[i];
    row[LAC_SEGMENT_QUERIES] = queries[i + 1] - queries[i];
    row[LAC_SEGMENT_KEY] = keys[2 * i];
    row[LAC_SEGMENT_KEYS] = keys[2 * i + 1];
    const uint32_t end = (uint32_t)keys[2 * i] + (uint32_t)keys[2 * i + 1];
    if (end > s->key_rows) {
      s->key_rows = end;
      s->farthest = i;
    }
    s->most_queries = larger(s->most_queries, (uint32_t)row[LAC_SEGMENT_QUERIES]);
    s->most_keys = larger(s->most_keys, (uint32_t)row[LAC_SEGMENT_KEYS]);
    if (row[LAC_SEGMENT_KEYS] == row[LAC_SEGMENT_QUERIES] || s->uneven < s->count) continue;
    s->uneven = i;
    s->uneven_keys = (uint32_t)row[LAC_SEGMENT_KEYS];
    s->uneven_queries = (uint32_t)row[LAC_SEGMENT_QUERIES];
  }
}

/* The order by keys and the groups in it; `sorted` has room for every segment. */
static void find_groups(lac_segments *s, int32_t *rows, int32_t *groups, int32_t **sorted) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < s->count; i++)
    if (rows[(size_t)LAC_SEGMENT_ROW * i + LAC_SEGMENT_QUERIES] > 0)
      sorted[n++] = rows + (size_t)LAC_SEGMENT_ROW * i;
  qsort(sorted, n, sizeof *sorted, by_key);
  for (uint32_t at = 0; at < n; at++) {
    const int32_t first = sorted[at][LAC_SEGMENT_KEY], end = first + sorted[at][LAC_SEGMENT_KEYS];
    int32_t *last = s->groups ? groups + (size_t)LAC_SEGMENT_ROW * (s->groups - 1) : NULL;
    if (!last || first >= last[LAC_GROUP_KEY_END]) {
      last = groups + (size_t)LAC_SEGMENT_ROW * s->groups++;
      last[LAC_GROUP_KEY] = first;
      last[LAC_GROUP_BEGIN] = (int32_t)at;
    }
    if (end > last[LAC_GROUP_KEY_END]) last[LAC_GROUP_KEY_END] = end;
    last[LAC_GROUP_END] = (int32_t)at + 1;
  }
  for (uint32_t g = 0; g < s->groups; g++) {
    const int32_t *group = groups + (size_t)LAC_SEGMENT_ROW * g;
    s->covered += (uint32_t)(group[LAC_GROUP_KEY_END] - group[LAC_GROUP_KEY]);
  }
  int32_t *order = groups + (size_t)LAC_SEGMENT_ROW * s->groups;
  for (uint32_t at = 0; at < n; at++)
    order[at] = (int32_t)((sorted[at] - rows) / LAC_SEGMENT_ROW);
}

static lac_status fill(lac_segments *s, lac_device *device, const int32_t *queries,
                       const int32_t *keys) {
  int32_t *rows, **sorted = NULL;
  LAC_TRY(lac_alloc(&rows, s->count, (2 * LAC_SEGMENT_ROW + 1) * sizeof *rows, "segments"));
  lac_status status = lac_alloc(&sorted, s->count, sizeof *sorted, "segments");
  if (status == LAC_OK) {
    fill_rows(s, rows, queries, keys);
    find_groups(s, rows, rows + (size_t)LAC_SEGMENT_ROW * s->count, sorted);
    const lac_shape shape = {1, {(uint64_t)LAC_SEGMENT_ROW * (s->count + s->groups) + s->count}};
    status = lac_tensor_from(&s->table, device, LAC_I32, &shape, rows);
  }
  free(rows);
  free(sorted);
  return status;
}

lac_status lac_segments_new(lac_segments **out, lac_device *device, const int32_t *queries,
                            const int32_t *keys, uint32_t count) {
  lac_segments *s;
  LAC_TRY(check(queries, keys, count));
  LAC_TRY(lac_alloc(&s, 1, sizeof *s, "segments"));
  s->refs = 1;
  s->count = count;
  const lac_status status = fill(s, device, queries, keys);
  if (status == LAC_OK)
    *out = s;
  else
    lac_segments_release(s);
  return status;
}

lac_segments *lac_segments_retain(lac_segments *segments) {
  segments->refs++;
  return segments;
}

void lac_segments_release(lac_segments *segments) {
  if (!segments || --segments->refs) return;
  lac_tensor_release(segments->table);
  free(segments);
}
