/* Each side's grid is a scale and a shift; backward walks over the positions that see a cell. */
#include "layers/resize.h"

#include "ops/elementwise.h"
#include "ops/op.h"

#include <inttypes.h>

enum { SCALE_H, SCALE_W, SHIFT_H, SHIFT_W }; // attributes of the record
enum { LARGEST = 1 << 24 };                  // whole numbers up to here are exact

/* RESIZE_ARGS of cl/resize.cl */
static void arg_sizes(lac_launch *run, const lac_tensor *x, const lac_tensor *y,
                      const float attr[LAC_NODE_ATTR]) {
  const lac_shape *in = lac_tensor_shape(x), *out = lac_tensor_shape(y);
  lac_arg_u32(run, (uint32_t)in->dim[3]);
  for (int d = 1; d < 3; d++)
    lac_arg_u32(run, (uint32_t)in->dim[d]);
  for (int d = 1; d < 3; d++)
    lac_arg_u32(run, (uint32_t)out->dim[d]);
  for (int i = 0; i < LAC_NODE_ATTR; i++)
    lac_arg_f32(run, attr[i]);
}

static void launch_over(lac_launch *run, const lac_tensor *maps) {
  const lac_shape *shape = lac_tensor_shape(maps);
  lac_launch_items2(run, shape->dim[3], shape->dim[0] * shape->dim[1] * shape->dim[2]);
}

static lac_status resize_backward(const lac_node *node) {
  lac_tensor *gx;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(&gx, &fresh, node->in[0]));
  lac_launch run = lac_launch_new(lac_tensor_device(gx), "resize", "resize_bwd");
  lac_arg_tensor(&run, gx);
  lac_arg_tensor(&run, lac_tensor_grad(node->out[0]));
  arg_sizes(&run, gx, node->out[0], node->attr);
  lac_arg_u32(&run, !fresh);
  launch_over(&run, gx);
  return lac_launch_run(&run);
}

static lac_status run_forward(lac_tensor *y, lac_tensor *x, const float attr[LAC_NODE_ATTR]) {
  lac_launch run = lac_launch_new(lac_tensor_device(y), "resize", "resize_fwd");
  lac_arg_tensor(&run, y);
  lac_arg_tensor(&run, x);
  arg_sizes(&run, x, y, attr);
  launch_over(&run, y);
  return lac_launch_run(&run);
}

static void set_side(float *scale, float *shift, uint64_t in, uint64_t out, lac_resize_grid grid) {
  *shift = 0;
  if (grid == LAC_GRID_CORNERS) {
    *scale = out > 1 ? (float)(in - 1) / (float)(out - 1) : 0;
    return;
  }
  *scale = (float)in / (float)out;
  if (grid == LAC_GRID_HALF_PIXEL) *shift = 0.5f * *scale - 0.5f;
}

static lac_status check(lac_tensor *x, uint64_t height, uint64_t width) {
  LAC_TRY(lac_op_check("resize", "x", x, LAC_F32, NULL));
  const lac_shape *shape = lac_tensor_shape(x);
  char got[LAC_SHAPE_TEXT];
  if (shape->rank != 4 || shape->dim[1] == 0 || shape->dim[2] == 0)
    return lac_fail(LAC_ESHAPE,
                    "resize: x must be [n, height, width, channels] with some cells, got %s",
                    lac_shape_text(got, shape));
  if (height == 0 || width == 0)
    return lac_fail(LAC_EINVAL, "resize: height and width must be >= 1, got %" PRIu64 " x %" PRIu64,
                    height, width);
  if (shape->dim[1] > LARGEST || shape->dim[2] > LARGEST || height > LARGEST || width > LARGEST ||
      shape->dim[3] > INT32_MAX)
    return lac_fail(LAC_EUNSUPPORTED,
                    "resize: more than 2^24 rows or columns, or too many channels");
  return LAC_OK;
}

lac_status lac_resize(lac_tensor **out, lac_tensor *x, uint64_t height, uint64_t width,
                      lac_resize_grid grid) {
  LAC_TRY(check(x, height, width));
  lac_shape shape = *lac_tensor_shape(x);
  lac_node node = {.backward = resize_backward};
  lac_tensor *dense, *y;
  set_side(&node.attr[SCALE_H], &node.attr[SHIFT_H], shape.dim[1], height, grid);
  set_side(&node.attr[SCALE_W], &node.attr[SHIFT_W], shape.dim[2], width, grid);
  shape.dim[1] = height;
  shape.dim[2] = width;
  LAC_TRY(lac_contiguous(&dense, x));
  lac_status status = lac_tensor_new(&y, lac_tensor_device(x), LAC_F32, &shape);
  if (status == LAC_OK) {
    node.in[0] = dense;
    node.out[0] = y;
    status = lac_op_finish(out, y, run_forward(y, dense, node.attr), &node);
  }
  lac_tensor_release(dense);
  return status;
}
