/* No gradients: neither positions nor boxes are learnt. */
#include "layers/trigonometric.h"

#include "ops/elementwise.h"
#include "ops/op.h"

enum { RATIOS = 4, WAVES = 64 }; // numbers per pair

lac_status lac_positions(lac_tensor **out, lac_device *device, uint64_t count, uint64_t d) {
  const lac_shape shape = {2, {count, d}};
  lac_tensor *y;
  LAC_TRY(lac_tensor_new(&y, device, LAC_F32, &shape));
  lac_launch run = lac_launch_new(device, "trigonometric", "positions");
  lac_arg_tensor(&run, y);
  lac_arg_u64(&run, lac_tensor_numel(y));
  lac_arg_u32(&run, (uint32_t)d);
  lac_launch_items(&run, lac_tensor_numel(y));
  const lac_node none = {.out = {y}};
  return lac_op_finish(out, y, lac_launch_run(&run), &none);
}

static lac_status run_ratios(lac_tensor *y, lac_tensor *boxes, uint64_t pairs, uint64_t each) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), "trigonometric", "box_ratios");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, boxes);
  lac_arg_u64(&run, pairs);
  lac_arg_u32(&run, (uint32_t)each);
  lac_launch_items(&run, pairs);
  return lac_launch_run(&run);
}

static lac_status run_waves(lac_tensor *y, lac_tensor *ratios) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), "trigonometric", "box_waves");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, ratios);
  lac_arg_u64(&run, lac_tensor_numel(ratios));
  lac_launch_items(&run, lac_tensor_numel(ratios));
  return lac_launch_run(&run);
}

static lac_status embed_contiguous(lac_tensor **out, lac_tensor *boxes, bool trigonometric) {
  lac_device *device = lac_tensor_device(boxes);
  lac_shape shape = *lac_tensor_shape(boxes);
  const uint64_t each = shape.dim[shape.rank - 2], pairs = lac_tensor_numel(boxes) / 4 * each;
  shape.dim[shape.rank - 1] = each;
  shape.dim[shape.rank++] = RATIOS;
  lac_tensor *ratios, *y = NULL;
  LAC_TRY(lac_tensor_new(&ratios, device, LAC_F32, &shape));
  lac_status status = run_ratios(ratios, boxes, pairs, each);
  if (trigonometric) {
    shape.dim[shape.rank - 1] = WAVES;
    if (status == LAC_OK) status = lac_tensor_new(&y, device, LAC_F32, &shape);
    if (status == LAC_OK) status = run_waves(y, ratios);
    lac_tensor_release(ratios);
  } else {
    y = ratios;
  }
  const lac_node none = {.out = {y}};
  return lac_op_finish(out, y, status, &none);
}

lac_status lac_box_embedding(lac_tensor **out, lac_tensor *boxes, bool trigonometric) {
  char text[LAC_SHAPE_TEXT];
  lac_tensor *dense;
  LAC_TRY(lac_op_check("box_embedding", "boxes", boxes, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(boxes);
  if (shape->rank < 2 || shape->rank >= LAC_MAX_RANK || shape->dim[shape->rank - 1] != 4)
    return lac_fail(LAC_ESHAPE,
                    "box_embedding: boxes must be [.., boxes, 4] of 2 to %d dimensions, "
                    "got %s",
                    LAC_MAX_RANK - 1, lac_shape_text(text, shape));
  LAC_TRY(lac_contiguous(&dense, boxes));
  const lac_status status = embed_contiguous(out, dense, trigonometric);
  lac_tensor_release(dense);
  return status;
}
