/**
 * Moving rows and elements: look up, pick, join, repeat.
 *
 * Indices are int32 and count from 0. One out of range is never followed: it gives NaN and gets no
 * gradient. Gradients of rows that were used several times are added in a fixed order, without
 * atomics.
 *
 * Each returns LAC_OK; LAC_EINVAL for a closed tensor, another type or device; LAC_ESHAPE;
 * LAC_ENOMEM; LAC_EDEVICE. The result is new and the caller's to release.
 */
#ifndef LAC_OPS_INDEX_H
#define LAC_OPS_INDEX_H

#include "tensor/tensor.h"

/**
 * y[i...] = table[ids[i...]]: rows of a table, shape of ids followed by the shape of a row.
 *
 * @param table  float32 [vocab, ...]
 * @param ids    int32, any shape
 *
 * Gradient: the rows of gy, added to the rows of the table they came from.
 */
lac_status lac_embedding(lac_tensor **out, lac_tensor *table, lac_tensor *ids);

/**
 * y[i...] = x[i..., at[i...]]: one element of each row.
 *
 * @param x   float32 [..., n]
 * @param at  int32, the shape of x without its last dimension
 *
 * Gradient: gy at the picked elements, 0 elsewhere.
 */
lac_status lac_pick(lac_tensor **out, lac_tensor *x, lac_tensor *at);

/**
 * Tensors one after the other along a dimension.
 *
 * @param parts  count >= 1 tensors, all float32 or all int32, equal in every dimension but dim
 * @return as above; LAC_EINVAL for no tensor or no such dimension
 *
 * Gradient: each part gets its part of gy.
 */
lac_status lac_concat(lac_tensor **out, lac_tensor *const *parts, size_t count, uint32_t dim);

/**
 * Every row k times, copies adjacent: [n, ...] -> [n * k, ...], float32 or int32.
 *
 * @return as above; LAC_EINVAL for k = 0 or a scalar
 *
 * Gradient: the sum over the copies.
 */
lac_status lac_repeat_rows(lac_tensor **out, lac_tensor *x, uint64_t k);

#endif
