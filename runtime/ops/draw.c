/* Checks, contiguous inputs, and two kernels with a group per row; without restrictions the first
 * is left out. */
#include "ops/draw.h"

#include "ops/elementwise.h"
#include "ops/op.h"
#include "ops/random.h"

#include <inttypes.h>
#include <math.h>

enum { MOST_WORDS = 1 << 24 }; // counts of words are floats

static lac_status check_scores(const lac_draw_args *args, const char *op) {
  char text[LAC_SHAPE_TEXT];
  LAC_TRY(lac_op_check(op, "x", args->x, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(args->x);
  if (shape->rank != 2 || shape->dim[1] < 1 || shape->dim[1] > MOST_WORDS)
    return lac_fail(LAC_ESHAPE, "%s: x must be [rows, words] with 1 to %d words, got %s", op,
                    (int)MOST_WORDS, lac_shape_text(text, shape));
  if (!(args->temperature > 0) || isinf(args->temperature))
    return lac_fail(LAC_EINVAL, "%s: the temperature must be above 0, got %g", op,
                    (double)args->temperature);
  if (!(args->nucleus > 0 && args->nucleus <= 1))
    return lac_fail(LAC_EINVAL, "%s: nucleus must be above 0 and at most 1, got %g", op,
                    (double)args->nucleus);
  return LAC_OK;
}

static lac_status check_words(const lac_draw_args *args, const char *op) {
  char text[LAC_SHAPE_TEXT];
  const lac_shape *scores = lac_tensor_shape(args->x);
  if (!args->words) {
    if (!args->amounts) return LAC_OK;
    return lac_fail(LAC_EINVAL, "%s: amounts were given without words", op);
  }
  LAC_TRY(lac_op_check(op, "words", args->words, LAC_I32, args->x));
  const lac_shape *shape = lac_tensor_shape(args->words);
  if (shape->rank != 2 || shape->dim[0] != scores->dim[0])
    return lac_fail(LAC_ESHAPE, "%s: words must be [%" PRIu64 ", any], a row for each of x, got %s",
                    op, scores->dim[0], lac_shape_text(text, shape));
  if (!args->amounts) return LAC_OK;
  return lac_op_check_shape(op, "amounts", args->amounts, LAC_F32, args->x, shape);
}

static lac_status launch_allowed(lac_tensor *z, lac_tensor *x, lac_tensor *words,
                                 lac_tensor *amounts, const lac_draw_args *args) {
  const lac_shape *shape = lac_tensor_shape(x);
  const uint64_t count = args->words ? lac_tensor_shape(words)->dim[1] : 0;
  lac_launch run = lac_launch_new(lac_tensor_device(x), "draw", "draw_allowed");
  lac_arg_tensor(&run, z);
  lac_arg_tensor(&run, x);
  lac_arg_tensor(&run, words);
  lac_arg_tensor(&run, amounts);
  lac_arg_u64(&run, shape->dim[1]);
  lac_arg_u64(&run, count);
  lac_arg_u32(&run, args->amounts != NULL);
  lac_arg_u32(&run, args->top_k);
  lac_arg_f32(&run, args->nucleus);
  lac_arg_f32(&run, 1 / args->temperature);
  lac_launch_groups(&run, shape->dim[0], LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status allowed(lac_tensor **out, const lac_draw_args *args) {
  lac_device *device = lac_tensor_device(args->x);
  lac_tensor *x = NULL, *words = NULL, *amounts = NULL, *z = NULL;
  lac_status status = lac_contiguous(&x, args->x);
  if (status == LAC_OK) status = lac_contiguous(&words, args->words ? args->words : args->x);
  if (status == LAC_OK) status = lac_contiguous(&amounts, args->amounts ? args->amounts : x);
  if (status == LAC_OK) status = lac_tensor_new(&z, device, LAC_F32, lac_tensor_shape(x));
  if (status == LAC_OK) status = launch_allowed(z, x, words, amounts, args);
  if (status == LAC_OK) *out = lac_tensor_retain(z);
  lac_tensor *const all[] = {x, words, amounts, z};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    lac_tensor_release(all[i]);
  return status;
}

lac_status lac_draw_allowed(lac_tensor **out, const lac_draw_args *args) {
  LAC_TRY(check_scores(args, "allowed"));
  LAC_TRY(check_words(args, "allowed"));
  return allowed(out, args);
}

static lac_status launch_draw(lac_tensor *ids, lac_tensor *logprobs, lac_tensor *z, lac_tensor *x,
                              lac_tensor *places, const lac_draw_args *args) {
  const lac_shape *shape = lac_tensor_shape(x);
  lac_launch run = lac_launch_new(lac_tensor_device(x), "draw", "draw_words");
  lac_arg_tensor(&run, ids);
  lac_arg_tensor(&run, logprobs);
  lac_arg_tensor(&run, z);
  lac_arg_tensor(&run, x);
  lac_arg_tensor(&run, places);
  lac_arg_u64(&run, shape->dim[1]);
  lac_arg_rng(&run, args->rng);
  lac_arg_f32(&run, 1 / args->temperature);
  lac_arg_u32(&run, args->places != NULL);
  lac_arg_u32(&run, z == x && args->temperature == 1);
  lac_launch_groups(&run, shape->dim[0], LAC_REDUCE_GROUP);
  return lac_launch_run(&run);
}

static lac_status draw(lac_tensor **ids, lac_tensor **logprobs, const lac_draw_args *args) {
  lac_device *device = lac_tensor_device(args->x);
  const lac_shape per_row = {1, {lac_tensor_shape(args->x)->dim[0]}};
  const bool restricted = args->words || args->top_k > 0 || args->nucleus < 1;
  lac_tensor *x = NULL, *z = NULL, *places = NULL, *id = NULL, *logp = NULL;
  lac_status status = lac_contiguous(&x, args->x);
  if (status == LAC_OK && restricted) status = allowed(&z, args);
  if (status == LAC_OK && !restricted) z = lac_tensor_retain(x);
  if (status == LAC_OK) status = lac_contiguous(&places, args->places ? args->places : x);
  if (status == LAC_OK) status = lac_tensor_new(&id, device, LAC_I32, &per_row);
  if (status == LAC_OK) status = lac_tensor_new(&logp, device, LAC_F32, &per_row);
  if (status == LAC_OK) status = launch_draw(id, logp, z, x, places, args);
  if (status == LAC_OK) {
    args->rng->counter += args->places ? 1 : per_row.dim[0];
    *ids = lac_tensor_retain(id);
    *logprobs = lac_tensor_retain(logp);
  }
  lac_tensor *const all[] = {x, z, places, id, logp};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    lac_tensor_release(all[i]);
  return status;
}

lac_status lac_draw(lac_tensor **ids, lac_tensor **logprobs, const lac_draw_args *args) {
  LAC_TRY(check_scores(args, "draw"));
  LAC_TRY(check_words(args, "draw"));
  if (!args->rng) return lac_fail(LAC_EINVAL, "draw: needs a generator, rng");
  if (args->places) {
    const lac_shape per_row = {1, {lac_tensor_shape(args->x)->dim[0]}};
    LAC_TRY(lac_op_check_shape("draw", "places", args->places, LAC_I32, args->x, &per_row));
  }
  return draw(ids, logprobs, args);
}
