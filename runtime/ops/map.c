/* A program per expression and kind of its inputs: a number that changes from call to call is an
 * argument, so it builds nothing anew. */
#include "ops/map.h"

#include "ops/elementwise.h"
#include "ops/op.h"

#include <stdlib.h>
#include <string.h>

/* "the expression "...": w", which messages about a value begin with. */
typedef struct subject {
  char quote[LAC_EXPRESSION_QUOTE];
  int length;
  const char *name;
} subject;

static subject name_subject(const lac_expression *e, uint32_t i) {
  subject s = {.length = e->name[i].length, .name = e->text + e->name[i].at};
  if (s.length > 64) s.length = 64;
  lac_expression_quote(e, s.quote);
  return s;
}

static bool has_one(const lac_map_value *value) {
  return value->tensor && lac_tensor_numel(value->tensor) == 1;
}

/* Types, devices, and that all shapes but those of one element equal *shape; where that is NULL it
 * becomes the first of them. */
static lac_status check_values(const lac_shape **shape, const lac_device *device,
                               const lac_expression *e, const lac_map_value *values) {
  char want[LAC_SHAPE_TEXT], got[LAC_SHAPE_TEXT];
  for (uint32_t i = 0; i < e->names; i++) {
    lac_tensor *x = values[i].tensor;
    if (!x) continue;
    const subject s = name_subject(e, i);
    if (lac_tensor_is_closed(x))
      return lac_fail(LAC_EINVAL, "the expression \"%s\": %.*s is a closed tensor", s.quote,
                      s.length, s.name);
    if (lac_tensor_dtype(x) != LAC_F32)
      return lac_fail(LAC_EINVAL, "the expression \"%s\": %.*s must be f32, got i32", s.quote,
                      s.length, s.name);
    if (lac_tensor_device(x) != device)
      return lac_fail(LAC_EINVAL, "the expression \"%s\": %.*s is on another device", s.quote,
                      s.length, s.name);
    if (has_one(&values[i])) continue;
    if (!*shape) *shape = lac_tensor_shape(x);
    if (!lac_shape_equal(*shape, lac_tensor_shape(x)))
      return lac_fail(
          LAC_ESHAPE, "the expression \"%s\": %.*s must be %s or of one element, got %s", s.quote,
          s.length, s.name, lac_shape_text(want, *shape), lac_shape_text(got, lac_tensor_shape(x)));
  }
  return LAC_OK;
}

static lac_status launch(lac_tensor *y, const lac_expression *e, const lac_map_value *values,
                         const lac_expression_input *inputs, const char *program) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), program, "map_fwd");
  lac_arg_tensor(&run, y);
  for (uint32_t i = 0; i < e->names; i++)
    if (inputs[i] == LAC_INPUT_NUMBER)
      lac_arg_f32(&run, values[i].number);
    else
      lac_arg_tensor(&run, values[i].tensor);
  lac_arg_u64(&run, lac_tensor_numel(y));
  lac_launch_items(&run, lac_tensor_numel(y));
  return lac_launch_run(&run);
}

/* With contiguous values. */
static lac_status map_contiguous(lac_tensor *y, const lac_expression *e,
                                 const lac_map_value *values) {
  lac_expression_input inputs[LAC_EXPRESSION_NAMES];
  char program[LAC_PROGRAM_NAME], *source;
  for (uint32_t i = 0; i < e->names; i++)
    inputs[i] = !values[i].tensor     ? LAC_INPUT_NUMBER
                : has_one(&values[i]) ? LAC_INPUT_SCALAR
                                      : LAC_INPUT_ELEMENTS;
  LAC_TRY(lac_expression_source(&source, e, inputs));
  const lac_status status = lac_program_make(lac_tensor_device(y), source, program);
  free(source);
  LAC_TRY(status);
  return launch(y, e, values, inputs, program);
}

static lac_status map_checked(lac_tensor *y, const lac_expression *e, const lac_map_value *values) {
  lac_map_value dense[LAC_EXPRESSION_NAMES] = {{NULL, 0}};
  lac_status status = LAC_OK;
  for (uint32_t i = 0; i < e->names && status == LAC_OK; i++) {
    dense[i].number = values[i].number;
    if (values[i].tensor) status = lac_contiguous(&dense[i].tensor, values[i].tensor);
  }
  if (status == LAC_OK) status = map_contiguous(y, e, dense);
  for (uint32_t i = 0; i < e->names; i++)
    lac_tensor_release(dense[i].tensor);
  return status;
}

lac_status lac_map(lac_tensor **out, lac_device *device, const lac_expression *e,
                   const lac_map_value *values) {
  static const lac_shape one = {1, {1}};
  const lac_shape *shape = NULL;
  lac_tensor *y;
  LAC_TRY(check_values(&shape, device, e, values));
  for (uint32_t i = 0; i < e->names && !shape; i++)
    if (values[i].tensor) shape = lac_tensor_shape(values[i].tensor);
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, shape ? shape : &one));
  const lac_node none = {.out = {y}};
  return lac_op_finish(out, y, map_checked(y, e, values), &none);
}

/* Whether a value's elements lie in y's memory, other than each in the place it becomes. */
static bool disturbs(const lac_tensor *y, const lac_tensor *x) {
  const uint64_t at = lac_tensor_offset(x), n = lac_tensor_numel(x);
  if (lac_tensor_buffer(x) != lac_tensor_buffer(y) || !lac_tensor_is_contiguous(x)) return false;
  if (at == lac_tensor_offset(y) && n == lac_tensor_numel(y)) return false;
  return at < lac_tensor_offset(y) + lac_tensor_numel(y) && lac_tensor_offset(y) < at + n;
}

lac_status lac_map_into(lac_tensor *y, const lac_expression *e, const lac_map_value *values) {
  LAC_TRY(lac_op_check("map", "out", y, LAC_F32, NULL));
  if (!lac_tensor_is_contiguous(y))
    return lac_fail(LAC_EINVAL, "map: out is a view with gaps; it must be contiguous");
  const lac_shape *shape = lac_tensor_shape(y);
  LAC_TRY(check_values(&shape, lac_tensor_device(y), e, values));
  for (uint32_t i = 0; i < e->names; i++) {
    const subject s = name_subject(e, i);
    if (values[i].tensor && disturbs(y, values[i].tensor))
      return lac_fail(LAC_EINVAL,
                      "the expression \"%s\": out overlaps part of %.*s; give a clone of it",
                      s.quote, s.length, s.name);
  }
  return map_checked(y, e, values);
}
