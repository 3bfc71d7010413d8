/**
 * Tensors: a shape over a counted device buffer, views of it, and the gradient that belongs to it.
 *
 * A tensor is counted; a view holds the buffer and its base. The gradient of a view is a view of
 * its base's gradient, so slicing, reshaping and transposing need no rule of their own. Kernels
 * take contiguous memory; lac_contiguous() (ops/elementwise) makes it.
 */
#ifndef LAC_TENSOR_TENSOR_H
#define LAC_TENSOR_TENSOR_H

#include "core/dtype.h"
#include "device/kernel.h"
#include "device/pool.h"
#include "tensor/shape.h"

typedef struct lac_tensor lac_tensor;

/**
 * Make a tensor with undefined contents.
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_ESHAPE when the shape has more elements than memory could hold
 */
lac_status lac_tensor_new(lac_tensor **out, lac_device *device, lac_dtype dtype,
                          const lac_shape *shape);

/** A tensor filled with zeros. */
lac_status lac_tensor_zeros(lac_tensor **out, lac_device *device, lac_dtype dtype,
                            const lac_shape *shape);

/** A tensor with a copy of `data` (row-major, of the dtype's C type: float or int32_t). */
lac_status lac_tensor_from(lac_tensor **out, lac_device *device, lac_dtype dtype,
                           const lac_shape *shape, const void *data);

lac_tensor *lac_tensor_retain(lac_tensor *x);
void lac_tensor_release(lac_tensor *x);
uint64_t lac_tensor_refs(const lac_tensor *x);

/**
 * Keep the record of a tensor, but not its memory: after its last release it stays, closed, until
 * the last unhold. For a language whose finalisers may close what a running operation still points
 * to.
 */
void lac_tensor_hold(lac_tensor *x);
void lac_tensor_unhold(lac_tensor *x);

/** Let the memory and the gradient go now, whoever else holds the tensor; it is closed from then
 * on. */
void lac_tensor_close(lac_tensor *x);
bool lac_tensor_is_closed(const lac_tensor *x);

lac_device *lac_tensor_device(const lac_tensor *x);
lac_dtype lac_tensor_dtype(const lac_tensor *x);
const lac_shape *lac_tensor_shape(const lac_tensor *x);
uint64_t lac_tensor_numel(const lac_tensor *x);
uint64_t lac_tensor_stride(const lac_tensor *x, uint32_t dim); /* in elements */
uint64_t lac_tensor_offset(const lac_tensor *x);               /* in elements */
lac_buffer *lac_tensor_buffer(const lac_tensor *x);
bool lac_tensor_is_contiguous(const lac_tensor *x);
bool lac_tensor_is_view(const lac_tensor *x);

/**
 * The same elements in another shape, sharing memory.
 *
 * @return LAC_OK; LAC_ESHAPE when the counts differ; LAC_EINVAL for a tensor that is not contiguous
 */
lac_status lac_tensor_reshape(lac_tensor **out, lac_tensor *x, const lac_shape *shape);

/** Elements start .. start + length - 1 of one dimension, sharing memory. LAC_EINVAL out of range.
 */
lac_status lac_tensor_slice(lac_tensor **out, lac_tensor *x, uint32_t dim, uint64_t start,
                            uint64_t length);

/** The part at one position of a dimension, without that dimension, sharing memory. LAC_EINVAL. */
lac_status lac_tensor_select(lac_tensor **out, lac_tensor *x, uint32_t dim, uint64_t at);

/** Two dimensions exchanged, sharing memory. */
lac_status lac_tensor_transpose(lac_tensor **out, lac_tensor *x, uint32_t a, uint32_t b);

/**
 * The rows of several tensors below each other, sharing memory, where they lie there that way and
 * have no gaps.
 *
 * @param[out] out  a view of them all; untouched where they do not lie so
 * @return whether they do and a view could be made
 */
bool lac_tensor_join(lac_tensor **out, lac_tensor *const *parts, size_t count);

/** Copy all elements to the host in row-major order; waits for the device. */
lac_status lac_tensor_read(const lac_tensor *x, void *data);

/** Overwrite all elements from the host; x must be contiguous. */
lac_status lac_tensor_write(lac_tensor *x, const void *data);

/** Overwrite all elements with one value of x's dtype (float or int32_t); x must be contiguous. */
lac_status lac_tensor_fill(lac_tensor *x, const void *value);

/** Enqueue y := x for contiguous tensors of one dtype and count; no gradient. */
lac_status lac_tensor_copy(lac_tensor *y, lac_tensor *x);

/** Whether operations on x are recorded; a view answers for its base. */
bool lac_tensor_requires_grad(const lac_tensor *x);
void lac_tensor_set_requires_grad(lac_tensor *x, bool on);

/** The gradient, borrowed; NULL while there is none. */
lac_tensor *lac_tensor_grad(const lac_tensor *x);

/** A view takes its part of the gradient that what it is a view of has; others do nothing. */
lac_status lac_tensor_share_grad(lac_tensor *x);

/** The gradient, borrowed; made and filled with zeros on first use. */
lac_status lac_tensor_borrow_grad(lac_tensor **out, lac_tensor *x);

/**
 * As lac_tensor_borrow_grad, but a gradient made just now is left undefined and *fresh is true: the
 * caller then overwrites every element instead of adding.
 */
lac_status lac_tensor_borrow_fresh_grad(lac_tensor **out, bool *fresh, lac_tensor *x);
void lac_tensor_drop_grad(lac_tensor *x);

/**
 * Hand a gradient over where a rule would copy it: x, which has none and is no view, gets that of
 * `from`, which is left without.
 *
 * @return whether it was possible: nobody else holds the gradient, and it has x's shape without
 * gaps
 */
bool lac_tensor_inherit_grad(lac_tensor *x, lac_tensor *from);

/** A kernel argument: the tensor's buffer and element offset. */
void lac_arg_tensor(lac_launch *run, const lac_tensor *x);

#endif
