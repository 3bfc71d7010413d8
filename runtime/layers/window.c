/* Sizes only; what a window does with what it sees is its layer's. */
#include "layers/window.h"

#include <inttypes.h>

/* The extent of one dimension of the result. */
static lac_status fit_side(uint32_t *out, const char *op, uint64_t in, const lac_window *w, int d,
                           bool ceil) {
  const uint64_t span = (uint64_t)w->dilation[d] * (w->size[d] - 1) + 1;
  const uint64_t padded = in + w->before[d] + w->after[d];
  if (span > padded)
    return lac_fail(LAC_ESHAPE,
                    "%s: a window of %" PRIu64 " %s does not fit into %" PRIu64
                    ", padding included",
                    op, span, d ? "columns" : "rows", padded);
  const uint64_t room = padded - span, stride = w->stride[d];
  uint64_t count = room / stride + 1;
  // rounded up, but no window may start in the padding behind the picture
  if (ceil && room % stride && count * stride < in + w->before[d]) count++;
  if (count > INT32_MAX)
    return lac_fail(LAC_EUNSUPPORTED, "%s: a result of %" PRIu64 " %s is too large", op, count,
                    d ? "columns" : "rows");
  *out = (uint32_t)count;
  return LAC_OK;
}

static lac_status check_window(const char *op, const lac_window *w) {
  static const char *const names[] = {"size", "stride", "dilation"};
  const uint32_t *const all[] = {w->size, w->stride, w->dilation};
  for (int i = 0; i < 3; i++)
    for (int d = 0; d < 2; d++)
      if (all[i][d] == 0 || all[i][d] > INT32_MAX)
        return lac_fail(LAC_EINVAL, "%s: %s must be from 1 to 2^31 - 1, got %u", op, names[i],
                        all[i][d]);
  for (int d = 0; d < 2; d++)
    if (w->before[d] > INT32_MAX || w->after[d] > INT32_MAX)
      return lac_fail(LAC_EINVAL, "%s: padding must be below 2^31", op);
  return LAC_OK;
}

lac_status lac_slide_fit(lac_slide *out, const char *op, const lac_tensor *x,
                         const lac_window *window, bool ceil) {
  char got[LAC_SHAPE_TEXT];
  lac_slide slide = {.window = *window};
  const lac_shape *shape = lac_tensor_shape(x);
  LAC_TRY(check_window(op, window));
  if (shape->rank != 4)
    return lac_fail(LAC_ESHAPE, "%s: x must be [n, height, width, channels], got %s", op,
                    lac_shape_text(got, shape));
  for (int d = 0; d < 4; d++)
    if (shape->dim[d] > INT32_MAX)
      return lac_fail(LAC_EUNSUPPORTED, "%s: a dimension of %" PRIu64 " is beyond 2^31 - 1", op,
                      shape->dim[d]);
  slide.n = (uint32_t)shape->dim[0];
  slide.channels = (uint32_t)shape->dim[3];
  for (int d = 0; d < 2; d++) {
    slide.in[d] = (uint32_t)shape->dim[1 + d];
    LAC_TRY(fit_side(&slide.out[d], op, slide.in[d], window, d, ceil));
  }
  *out = slide;
  return LAC_OK;
}

uint64_t lac_slide_positions(const lac_slide *slide) {
  return (uint64_t)slide->n * slide->out[0] * slide->out[1];
}

bool lac_slide_is_pixel(const lac_slide *slide) {
  bool is = true;
  for (int d = 0; d < 2; d++)
    is = is && slide->window.size[d] == 1 && slide->window.stride[d] == 1 &&
         slide->window.before[d] == 0 && slide->window.after[d] == 0;
  return is;
}

void lac_arg_slide(lac_launch *run, const lac_slide *slide) {
  const lac_window *w = &slide->window;
  const uint32_t *const pairs[] = {slide->in,   slide->out, w->size, w->stride,
                                   w->dilation, w->before,  w->after};
  lac_arg_u32(run, slide->n);
  lac_arg_u32(run, slide->channels);
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    lac_arg_u32(run, pairs[i][0]);
    lac_arg_u32(run, pairs[i][1]);
  }
}
