/*
 * A tensor's strides are in elements; a base tensor is contiguous at offset 0. Invariants: `base`
 * is never itself a view; `buffer` is NULL in a closed tensor and nowhere else, and a closed view
 * has let its base go; only f32 tensors have a gradient.
 */
#include "tensor/tensor.h"

#include "core/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lac_tensor {
  uint64_t refs, holds;
  lac_device *device;
  lac_buffer *buffer;
  lac_dtype dtype;
  lac_shape shape;
  uint64_t stride[LAC_MAX_RANK];
  uint64_t offset;
  lac_tensor *base; /* what this is a view of; NULL in a base tensor */
  lac_tensor *grad;
  bool requires_grad; /* meaningful in a base tensor */
};

static void set_strides(lac_tensor *x) {
  uint64_t step = 1;
  for (uint32_t i = x->shape.rank; i-- > 0;) {
    x->stride[i] = step;
    step *= x->shape.dim[i];
  }
}

lac_status lac_tensor_new(lac_tensor **out, lac_device *device, lac_dtype dtype,
                          const lac_shape *shape) {
  char text[LAC_SHAPE_TEXT], what[LAC_SHAPE_TEXT + 32];
  const uint64_t n = lac_shape_numel(shape);
  lac_shape_text(text, shape);
  if (n > UINT64_MAX / 64) return lac_fail(LAC_ESHAPE, "tensor: shape %s is too large", text);
  lac_tensor *x;
  LAC_TRY(lac_alloc(&x, 1, sizeof *x, "a tensor's record"));
  snprintf(what, sizeof what, "a tensor %s", text);
  const lac_status status = lac_buffer_new(&x->buffer, device, n * LAC_ELEMENT_BYTES, what);
  if (status != LAC_OK) {
    free(x);
    return status;
  }
  x->refs = 1;
  x->device = lac_device_retain(device);
  x->dtype = dtype;
  x->shape = *shape;
  set_strides(x);
  *out = x;
  return LAC_OK;
}

/* Give a fresh tensor to the caller, or release it when filling it has failed. */
static lac_status hand_over(lac_tensor **out, lac_tensor *x, lac_status status) {
  if (status == LAC_OK)
    *out = x;
  else
    lac_tensor_release(x);
  return status;
}

lac_status lac_tensor_zeros(lac_tensor **out, lac_device *device, lac_dtype dtype,
                            const lac_shape *shape) {
  const int32_t zero = 0; // also the bits of 0.0f
  lac_tensor *x;
  LAC_TRY(lac_tensor_new(&x, device, dtype, shape));
  return hand_over(out, x, lac_tensor_fill(x, &zero));
}

lac_status lac_tensor_from(lac_tensor **out, lac_device *device, lac_dtype dtype,
                           const lac_shape *shape, const void *data) {
  lac_tensor *x;
  LAC_TRY(lac_tensor_new(&x, device, dtype, shape));
  return hand_over(out, x, lac_tensor_write(x, data));
}

lac_tensor *lac_tensor_retain(lac_tensor *x) {
  x->refs++;
  return x;
}

uint64_t lac_tensor_refs(const lac_tensor *x) {
  return x->refs;
}

void lac_tensor_close(lac_tensor *x) {
  lac_buffer_release(x->buffer);
  x->buffer = NULL;
  lac_tensor_drop_grad(x);
  lac_tensor_release(x->base);
  x->base = NULL;
}

static void free_record(lac_tensor *x) {
  if (x->refs || x->holds) return;
  lac_device_release(x->device);
  free(x);
}

void lac_tensor_release(lac_tensor *x) {
  if (!x || --x->refs) return;
  lac_tensor_close(x);
  free_record(x);
}

void lac_tensor_hold(lac_tensor *x) {
  x->holds++;
}

void lac_tensor_unhold(lac_tensor *x) {
  x->holds--;
  free_record(x);
}

bool lac_tensor_is_closed(const lac_tensor *x) {
  return !x->buffer;
}

lac_device *lac_tensor_device(const lac_tensor *x) {
  return x->device;
}

lac_dtype lac_tensor_dtype(const lac_tensor *x) {
  return x->dtype;
}

const lac_shape *lac_tensor_shape(const lac_tensor *x) {
  return &x->shape;
}

uint64_t lac_tensor_numel(const lac_tensor *x) {
  return lac_shape_numel(&x->shape);
}

uint64_t lac_tensor_stride(const lac_tensor *x, uint32_t dim) {
  return x->stride[dim];
}

uint64_t lac_tensor_offset(const lac_tensor *x) {
  return x->offset;
}

lac_buffer *lac_tensor_buffer(const lac_tensor *x) {
  return x->buffer;
}

bool lac_tensor_is_contiguous(const lac_tensor *x) {
  uint64_t step = 1;
  for (uint32_t i = x->shape.rank; i-- > 0;) {
    if (x->shape.dim[i] != 1 && x->stride[i] != step) return false;
    step *= x->shape.dim[i];
  }
  return true;
}

bool lac_tensor_is_view(const lac_tensor *x) {
  return x->base != NULL;
}

static lac_status need_open(const lac_tensor *x, const char *op) {
  if (x->buffer) return LAC_OK;
  return lac_fail(LAC_EINVAL, "%s: the tensor is closed", op);
}

/* A view with x's geometry over x's memory, for the caller to change. */
static lac_status new_view(lac_tensor **out, lac_tensor *x) {
  lac_tensor *view;
  LAC_TRY(need_open(x, "view"));
  LAC_TRY(lac_alloc(&view, 1, sizeof *view, "a view's record"));
  *view = *x;
  view->refs = 1;
  view->holds = 0;
  view->grad = NULL;
  view->base = lac_tensor_retain(x->base ? x->base : x);
  view->device = lac_device_retain(x->device);
  view->buffer = lac_buffer_retain(x->buffer);
  *out = view;
  return LAC_OK;
}

lac_status lac_tensor_reshape(lac_tensor **out, lac_tensor *x, const lac_shape *shape) {
  char from[LAC_SHAPE_TEXT], to[LAC_SHAPE_TEXT];
  if (lac_shape_numel(shape) != lac_tensor_numel(x))
    return lac_fail(LAC_ESHAPE, "reshape: %s has %llu elements and cannot become %s",
                    lac_shape_text(from, &x->shape), (unsigned long long)lac_tensor_numel(x),
                    lac_shape_text(to, shape));
  if (!lac_tensor_is_contiguous(x))
    return lac_fail(LAC_EINVAL, "reshape: a view %s with gaps has to be made contiguous first",
                    lac_shape_text(from, &x->shape));
  LAC_TRY(new_view(out, x));
  (*out)->shape = *shape;
  set_strides(*out);
  return LAC_OK;
}

lac_status lac_tensor_slice(lac_tensor **out, lac_tensor *x, uint32_t dim, uint64_t start,
                            uint64_t length) {
  char text[LAC_SHAPE_TEXT];
  if (dim >= x->shape.rank || start > x->shape.dim[dim] || length > x->shape.dim[dim] - start)
    return lac_fail(LAC_EINVAL,
                    "slice: %llu elements from number %llu of dimension %u do not exist in %s",
                    (unsigned long long)length, (unsigned long long)start + 1, dim + 1,
                    lac_shape_text(text, &x->shape));
  LAC_TRY(new_view(out, x));
  (*out)->shape.dim[dim] = length;
  (*out)->offset += start * x->stride[dim];
  return LAC_OK;
}

lac_status lac_tensor_select(lac_tensor **out, lac_tensor *x, uint32_t dim, uint64_t at) {
  LAC_TRY(lac_tensor_slice(out, x, dim, at, 1));
  lac_tensor *view = *out;
  view->shape = lac_shape_reduced(&x->shape, dim, false);
  for (uint32_t i = dim; i < view->shape.rank; i++)
    view->stride[i] = view->stride[i + 1];
  return LAC_OK;
}

lac_status lac_tensor_transpose(lac_tensor **out, lac_tensor *x, uint32_t a, uint32_t b) {
  char text[LAC_SHAPE_TEXT];
  if (a >= x->shape.rank || b >= x->shape.rank)
    return lac_fail(LAC_EINVAL, "transpose: %s has no dimension %u",
                    lac_shape_text(text, &x->shape), (a > b ? a : b) + 1);
  LAC_TRY(new_view(out, x));
  (*out)->shape.dim[a] = x->shape.dim[b];
  (*out)->shape.dim[b] = x->shape.dim[a];
  (*out)->stride[a] = x->stride[b];
  (*out)->stride[b] = x->stride[a];
  return LAC_OK;
}

bool lac_tensor_join(lac_tensor **out, lac_tensor *const *parts, size_t count) {
  lac_shape shape = parts[0]->shape;
  uint64_t end = parts[0]->offset;
  lac_tensor *view;
  shape.dim[0] = 0;
  for (size_t i = 0; i < count; i++) {
    const lac_tensor *x = parts[i];
    if (x->buffer != parts[0]->buffer || x->offset != end || !lac_tensor_is_contiguous(x))
      return false;
    end += lac_tensor_numel(x);
    shape.dim[0] += x->shape.dim[0];
  }
  if (new_view(&view, parts[0]) != LAC_OK) return false;
  view->shape = shape;
  set_strides(view);
  *out = view;
  return true;
}

/* Elements from the first to the last that a view touches. */
static uint64_t span_of(const lac_tensor *x) {
  uint64_t last = 0;
  for (uint32_t i = 0; i < x->shape.rank; i++)
    last += (x->shape.dim[i] - 1) * x->stride[i];
  return last + 1;
}

/* Pick a view's elements out of its span. */
static void gather(const lac_tensor *x, const int32_t *span, int32_t *data) {
  uint64_t at[LAC_MAX_RANK] = {0}, from = 0;
  const uint64_t n = lac_tensor_numel(x);
  for (uint64_t i = 0; i < n; i++) {
    data[i] = span[from];
    for (uint32_t d = x->shape.rank; d-- > 0;) {
      from += x->stride[d];
      if (++at[d] < x->shape.dim[d]) break;
      from -= at[d] * x->stride[d];
      at[d] = 0;
    }
  }
}

lac_status lac_tensor_read(const lac_tensor *x, void *data) {
  const uint64_t n = lac_tensor_numel(x);
  LAC_TRY(need_open(x, "read"));
  if (n == 0) return LAC_OK;
  if (lac_tensor_is_contiguous(x))
    return lac_buffer_read(x->buffer, x->offset * LAC_ELEMENT_BYTES, data, n * LAC_ELEMENT_BYTES);
  int32_t *span;
  const uint64_t count = span_of(x);
  LAC_TRY(lac_alloc(&span, count, LAC_ELEMENT_BYTES, "reading a view"));
  const lac_status status =
      lac_buffer_read(x->buffer, x->offset * LAC_ELEMENT_BYTES, span, count * LAC_ELEMENT_BYTES);
  if (status == LAC_OK) gather(x, span, data);
  free(span);
  return status;
}

static lac_status need_contiguous(const lac_tensor *x, const char *op) {
  LAC_TRY(need_open(x, op));
  if (lac_tensor_is_contiguous(x)) return LAC_OK;
  return lac_fail(LAC_EINVAL, "%s: the tensor must be contiguous", op);
}

lac_status lac_tensor_write(lac_tensor *x, const void *data) {
  LAC_TRY(need_contiguous(x, "write"));
  return lac_buffer_write(x->buffer, x->offset * LAC_ELEMENT_BYTES, data,
                          lac_tensor_numel(x) * LAC_ELEMENT_BYTES);
}

lac_status lac_tensor_fill(lac_tensor *x, const void *value) {
  LAC_TRY(need_contiguous(x, "fill"));
  return lac_buffer_fill(x->buffer, x->offset * LAC_ELEMENT_BYTES,
                         lac_tensor_numel(x) * LAC_ELEMENT_BYTES, value);
}

lac_status lac_tensor_copy(lac_tensor *y, lac_tensor *x) {
  LAC_TRY(need_contiguous(x, "copy"));
  LAC_TRY(need_contiguous(y, "copy"));
  if (lac_tensor_numel(x) != lac_tensor_numel(y) || x->dtype != y->dtype)
    return lac_fail(LAC_ESHAPE, "copy: %llu elements do not fit %llu, or the types differ",
                    (unsigned long long)lac_tensor_numel(x),
                    (unsigned long long)lac_tensor_numel(y));
  if (x->buffer == y->buffer && x->offset < y->offset + lac_tensor_numel(y) &&
      y->offset < x->offset + lac_tensor_numel(x))
    return lac_fail(LAC_EINVAL, "copy: source and target overlap; copy a clone of the source");
  return lac_buffer_copy(y->buffer, y->offset * LAC_ELEMENT_BYTES, x->buffer,
                         x->offset * LAC_ELEMENT_BYTES, lac_tensor_numel(x) * LAC_ELEMENT_BYTES);
}

bool lac_tensor_requires_grad(const lac_tensor *x) {
  return x->base ? x->base->requires_grad : x->requires_grad;
}

void lac_tensor_set_requires_grad(lac_tensor *x, bool on) {
  if (x->base) x = x->base;
  x->requires_grad = on;
}

lac_tensor *lac_tensor_grad(const lac_tensor *x) {
  return x->grad;
}

/* The part of the base's gradient that belongs to a view. */
static lac_status make_grad_view(lac_tensor *x) {
  lac_tensor *whole, *part;
  LAC_TRY(lac_tensor_borrow_grad(&whole, x->base));
  LAC_TRY(new_view(&part, whole));
  part->shape = x->shape;
  memcpy(part->stride, x->stride, sizeof part->stride);
  part->offset = x->offset;
  x->grad = part;
  return LAC_OK;
}

lac_status lac_tensor_share_grad(lac_tensor *x) {
  return x->base && x->base->grad && !x->grad ? make_grad_view(x) : LAC_OK;
}

lac_status lac_tensor_borrow_fresh_grad(lac_tensor **out, bool *fresh, lac_tensor *x) {
  *fresh = false;
  if (!x->grad && x->base) LAC_TRY(make_grad_view(x));
  if (!x->grad) {
    LAC_TRY(lac_tensor_new(&x->grad, x->device, LAC_F32, &x->shape));
    *fresh = true;
  }
  *out = x->grad;
  return LAC_OK;
}

lac_status lac_tensor_borrow_grad(lac_tensor **out, lac_tensor *x) {
  const float zero = 0;
  bool fresh;
  LAC_TRY(lac_tensor_borrow_fresh_grad(out, &fresh, x));
  return fresh ? lac_tensor_fill(*out, &zero) : LAC_OK;
}

void lac_tensor_drop_grad(lac_tensor *x) {
  lac_tensor_release(x->grad);
  x->grad = NULL;
}

bool lac_tensor_inherit_grad(lac_tensor *x, lac_tensor *from) {
  lac_tensor *grad = from->grad;
  if (x->grad || x->base || !grad || grad->refs != 1 || grad->base ||
      !lac_shape_equal(&grad->shape, &x->shape))
    return false;
  x->grad = grad;
  from->grad = NULL;
  return true;
}

void lac_arg_tensor(lac_launch *run, const lac_tensor *x) {
  lac_arg_buffer(run, x->buffer, x->offset);
}
