/* The checks and the ending that operations share; no arithmetic. */
#include "ops/op.h"

lac_status lac_op_check(const char *op, const char *name, const lac_tensor *x, lac_dtype dtype,
                        const lac_tensor *like) {
  static const char *const names[] = {[LAC_F32] = "f32", [LAC_I32] = "i32"};
  if (lac_tensor_is_closed(x))
    return lac_fail(LAC_EINVAL, "%s: %s is a closed tensor (the tape it was made under has ended)",
                    op, name);
  if (lac_tensor_dtype(x) != dtype)
    return lac_fail(LAC_EINVAL, "%s: %s must be %s, got %s", op, name, names[dtype],
                    names[lac_tensor_dtype(x)]);
  if (like && lac_tensor_device(like) != lac_tensor_device(x))
    return lac_fail(LAC_EINVAL, "%s: %s is on another device", op, name);
  return LAC_OK;
}

lac_status lac_op_check_shape(const char *op, const char *name, const lac_tensor *x,
                              lac_dtype dtype, const lac_tensor *like, const lac_shape *shape) {
  char want[LAC_SHAPE_TEXT], got[LAC_SHAPE_TEXT];
  LAC_TRY(lac_op_check(op, name, x, dtype, like));
  if (lac_shape_equal(lac_tensor_shape(x), shape)) return LAC_OK;
  return lac_fail(LAC_ESHAPE, "%s: %s must be %s, got %s", op, name, lac_shape_text(want, shape),
                  lac_shape_text(got, lac_tensor_shape(x)));
}

lac_status lac_op_result(lac_tensor **out, const char *op, const char *name, lac_tensor *place,
                         const lac_tensor *like, const lac_shape *shape) {
  if (!place) return lac_tensor_new(out, lac_tensor_device(like), LAC_F32, shape);
  LAC_TRY(lac_op_check_shape(op, name, place, LAC_F32, like, shape));
  if (!lac_tensor_is_view(place) || !lac_tensor_is_contiguous(place))
    return lac_fail(LAC_EINVAL, "%s: %s must be a slice without gaps of another tensor", op, name);
  return lac_tensor_reshape(out, place, shape);
}

lac_status lac_op_finish(lac_tensor **out, lac_tensor *y, lac_status status, const lac_node *node) {
  if (status == LAC_OK)
    status = lac_tape_record(lac_tensor_device(y), node);
  else
    lac_extra_drop(&node->extra);
  if (status == LAC_OK)
    *out = y;
  else
    lac_tensor_release(y);
  return status;
}
