/* The radix select of cl/smallest.cl: three digits, each counted in all tensors and then chosen. */
#include "ops/smallest.h"

#include "core/memory.h"
#include "ops/elementwise.h"
#include "ops/op.h"

#include <stdlib.h>

/* As in cl/smallest.cl. */
enum { BLOCK = 32768, FIRST = 2048, LAST = 1024, ROW = 2 * FIRST + LAST };

/* One digit of the key: its lowest bit, its values, the lowest of the bits above it (32: none),
 * where its counts begin in a row. */
typedef struct digit {
  uint32_t shift, values, known, at;
} digit;

static const digit digits[] = {
    {21, FIRST, 32, 0}, {10, FIRST, 21, FIRST}, {0, LAST, 10, 2 * FIRST}};

/* A selection at work. */
typedef struct selection {
  lac_device *device;
  size_t tensors;
  uint64_t blocks;
  lac_tensor **score, **mask; /* scores without gaps; masks so far */
  uint64_t *block;            /* each tensor's first */
  lac_tensor *report, *counts, *ties, *taken, *chosen;
} selection;

static uint64_t count_blocks(const lac_tensor *x) {
  return (lac_tensor_numel(x) + BLOCK - 1) / BLOCK;
}

/* A tensor from an element on. */
static void arg_from(lac_launch *run, const lac_tensor *x, uint64_t element) {
  lac_arg_buffer(run, lac_tensor_buffer(x), lac_tensor_offset(x) + element);
}

static lac_status launch_count(const selection *s, size_t i, const digit *d) {
  lac_launch run = lac_launch_new(s->device, "smallest", "smallest_count");
  arg_from(&run, s->counts, i * ROW + d->at);
  arg_from(&run, s->ties, s->block[i] * LAST);
  lac_arg_tensor(&run, s->score[i]);
  lac_arg_tensor(&run, s->chosen);
  lac_arg_u64(&run, lac_tensor_numel(s->score[i]));
  lac_arg_u32(&run, d->shift);
  lac_arg_u32(&run, d->values);
  lac_arg_u32(&run, d->known);
  lac_arg_u32(&run, d->shift == 0);
  lac_launch_groups(&run, count_blocks(s->score[i]), LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status launch_choose(const selection *s, const digit *d) {
  lac_launch run = lac_launch_new(s->device, "smallest", "smallest_choose");
  lac_arg_tensor(&run, s->chosen);
  arg_from(&run, s->counts, d->at);
  lac_arg_u64(&run, s->tensors);
  lac_arg_u32(&run, d->shift);
  lac_arg_u32(&run, d->values);
  lac_launch_groups(&run, 1, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status launch_ties(const selection *s) {
  lac_launch run = lac_launch_new(s->device, "smallest", "smallest_ties");
  lac_arg_tensor(&run, s->taken);
  lac_arg_tensor(&run, s->ties);
  lac_arg_tensor(&run, s->chosen);
  lac_arg_u64(&run, s->blocks);
  lac_launch_groups(&run, 1, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status launch_mask(const selection *s, size_t i) {
  const uint64_t n = lac_tensor_numel(s->score[i]);
  lac_launch run = lac_launch_new(s->device, "smallest", "smallest_mask");
  lac_arg_tensor(&run, s->mask[i]);
  lac_arg_tensor(&run, s->score[i]);
  lac_arg_tensor(&run, s->chosen);
  arg_from(&run, s->taken, s->block[i]);
  lac_arg_u64(&run, n);
  lac_launch_items(&run, n);
  return lac_launch_run(&run);
}

static lac_status launch_finish(const selection *s, size_t i) {
  lac_launch run = lac_launch_new(s->device, "smallest", "smallest_finish");
  lac_arg_tensor(&run, s->mask[i]);
  arg_from(&run, s->report, 2 * i);
  lac_arg_tensor(&run, s->score[i]);
  lac_arg_tensor(&run, s->chosen);
  arg_from(&run, s->taken, s->block[i]);
  arg_from(&run, s->ties, s->block[i] * LAST);
  arg_from(&run, s->counts, i * ROW);
  lac_arg_u64(&run, lac_tensor_numel(s->score[i]));
  lac_launch_groups(&run, 1, LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status select_smallest(selection *s, uint64_t k) {
  const uint32_t wanted = (uint32_t)k;
  LAC_TRY(lac_buffer_fill(lac_tensor_buffer(s->chosen), sizeof wanted, sizeof wanted, &wanted));
  for (size_t d = 0; d < sizeof digits / sizeof *digits; d++) {
    for (size_t i = 0; i < s->tensors; i++)
      LAC_TRY(launch_count(s, i, &digits[d]));
    LAC_TRY(launch_choose(s, &digits[d]));
  }
  LAC_TRY(launch_ties(s));
  for (size_t i = 0; i < s->tensors; i++) {
    LAC_TRY(launch_mask(s, i));
    LAC_TRY(launch_finish(s, i));
  }
  return LAC_OK;
}

static lac_status make_room(selection *s, lac_tensor *const *scores) {
  const size_t n = s->tensors;
  LAC_TRY(lac_alloc(&s->score, n, sizeof *s->score, "a selection"));
  LAC_TRY(lac_alloc(&s->mask, n, sizeof *s->mask, "a selection"));
  LAC_TRY(lac_alloc(&s->block, n, sizeof *s->block, "a selection"));
  for (size_t i = 0; i < n; i++) {
    s->block[i] = s->blocks;
    s->blocks += count_blocks(scores[i]);
    LAC_TRY(lac_contiguous(&s->score[i], scores[i]));
    LAC_TRY(lac_tensor_new(&s->mask[i], s->device, LAC_F32, lac_tensor_shape(scores[i])));
  }
  const lac_shape report = {2, {n, 2}}, counts = {2, {n, ROW}}, chosen = {1, {2}};
  const lac_shape ties = {2, {s->blocks, LAST}}, taken = {1, {s->blocks}};
  LAC_TRY(lac_tensor_new(&s->report, s->device, LAC_I32, &report));
  LAC_TRY(lac_tensor_zeros(&s->counts, s->device, LAC_I32, &counts));
  LAC_TRY(lac_tensor_zeros(&s->chosen, s->device, LAC_I32, &chosen));
  LAC_TRY(lac_tensor_new(&s->ties, s->device, LAC_I32, &ties));
  return lac_tensor_new(&s->taken, s->device, LAC_I32, &taken);
}

static void release_room(selection *s) {
  for (size_t i = 0; i < s->tensors; i++) {
    if (s->score) lac_tensor_release(s->score[i]);
    if (s->mask) lac_tensor_release(s->mask[i]);
  }
  lac_tensor *const rest[] = {s->report, s->counts, s->ties, s->taken, s->chosen};
  for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
    lac_tensor_release(rest[i]);
  free(s->score);
  free(s->mask);
  free(s->block);
}

static lac_status check_scores(lac_tensor *const *scores, size_t count, uint64_t k) {
  uint64_t total = 0;
  if (count == 0) return lac_fail(LAC_EINVAL, "smallest: the list of scores is empty");
  for (size_t i = 0; i < count; i++) {
    LAC_TRY(lac_op_check("smallest", "a score", scores[i], LAC_F32, scores[0]));
    const uint64_t n = lac_tensor_numel(scores[i]);
    if (n > INT32_MAX - total)
      return lac_fail(LAC_ESHAPE, "smallest: the scores have more than 2^31 - 1 elements");
    total += n;
  }
  if (k <= total) return LAC_OK;
  return lac_fail(LAC_EINVAL, "smallest: k must be 0 to %llu, the number of elements, got %llu",
                  (unsigned long long)total, (unsigned long long)k);
}

lac_status lac_smallest(lac_tensor **masks, lac_tensor **report, lac_tensor *const *scores,
                        size_t count, uint64_t k) {
  LAC_TRY(check_scores(scores, count, k));
  selection s = {.device = lac_tensor_device(scores[0]), .tensors = count};
  lac_status status = make_room(&s, scores);
  if (status == LAC_OK) status = select_smallest(&s, k);
  if (status == LAC_OK) {
    for (size_t i = 0; i < count; i++)
      masks[i] = lac_tensor_retain(s.mask[i]);
    *report = lac_tensor_retain(s.report);
  }
  release_room(&s);
  return status;
}

lac_status lac_smallest_of_groups(lac_tensor **mask, lac_tensor *score, uint64_t n, uint64_t m) {
  char text[LAC_SHAPE_TEXT];
  lac_tensor *dense, *y = NULL;
  LAC_TRY(lac_op_check("smallest_of_groups", "the score", score, LAC_F32, NULL));
  if (m < 1 || m > LAC_SMALLEST_GROUP || n > m)
    return lac_fail(LAC_EINVAL,
                    "smallest_of_groups: needs 0 <= n <= m and 1 <= m <= %d, got %llu of %llu",
                    LAC_SMALLEST_GROUP, (unsigned long long)n, (unsigned long long)m);
  const lac_shape *shape = lac_tensor_shape(score);
  if (shape->rank == 0 || shape->dim[shape->rank - 1] % m)
    return lac_fail(LAC_ESHAPE,
                    "smallest_of_groups: the last dimension of %s is no multiple of %llu",
                    lac_shape_text(text, shape), (unsigned long long)m);
  LAC_TRY(lac_contiguous(&dense, score));
  lac_status status = lac_tensor_new(&y, lac_tensor_device(score), LAC_F32, shape);
  if (status == LAC_OK) {
    lac_launch run = lac_launch_new(lac_tensor_device(score), "smallest", "smallest_of_groups");
    lac_arg_tensor(&run, y);
    lac_arg_tensor(&run, dense);
    lac_arg_u64(&run, lac_tensor_numel(y));
    lac_arg_u32(&run, (uint32_t)n);
    lac_arg_u32(&run, (uint32_t)m);
    lac_launch_items(&run, lac_tensor_numel(y));
    const lac_node none = {.out = {y}};
    status = lac_op_finish(mask, y, lac_launch_run(&run), &none);
  }
  lac_tensor_release(dense);
  return status;
}
