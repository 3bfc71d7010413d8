/**
 * Affine maps: the sum of several products with weights, in one result and one record.
 */
#ifndef LAC_OPS_LINEAR_H
#define LAC_OPS_LINEAR_H

#include "autograd/tape.h"
#include "gemm/gemm.h"
#include "tensor/tensor.h"

enum { LAC_LINEAR_PAIRS = 3 };

/** Weights [n, k] in a form that many products like best. Counted. */
typedef struct lac_weights lac_weights;

/** What a form of weights does: a row of functions. x is [rows, k], y and gy are [rows, n]; the
 * rows of all have no gaps between elements. */
typedef struct lac_weights_kind {
  /** y = x w^T + beta y, or + bias [n] in every row where that is not NULL. */
  lac_status (*apply)(lac_weights *weights, lac_tensor *y, float beta, const lac_tensor *bias,
                      lac_tensor *x);
  /** gx = gy w + beta gx */
  lac_status (*apply_back)(lac_weights *weights, lac_tensor *gx, float beta, lac_tensor *gy);
  /** Add gy^T x, or what it means to this form, to gradients; now or put off. */
  lac_status (*add_gradient)(lac_weights *weights, lac_tensor *gy, lac_tensor *x);
  void (*release)(lac_weights *weights);
} lac_weights_kind;

/** What every form begins with. */
struct lac_weights {
  const lac_weights_kind *kind;
  uint64_t refs;
  lac_tensor *w; /* [n, k]; requires a gradient when add_gradient has something to do */
};

/**
 * The weights as they are, packed for products of few rows. Made once; w must keep its values while
 * it is used. Holds w.
 *
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_weights_prepare(lac_weights **out, lac_tensor *w);
lac_weights *lac_weights_retain(lac_weights *weights);
void lac_weights_release(lac_weights *weights);

/** A tensor [rows, columns] without gaps between a row's elements, as products see it. */
lac_matrix lac_rows_matrix(const lac_tensor *x);

/** A bias [n], contiguous or NULL, as products see it. */
lac_row lac_bias_row(const lac_tensor *bias);

/** For rules of parts: the rows of all gy, or of all x, below each other, those of the last part
 * first: where they lie, or copied. */
lac_status lac_stack_parts(lac_tensor **out, const lac_part *parts, size_t count, bool of_x);

/** gbias [n] += gy [.., n] summed over rows, both contiguous. */
lac_status lac_add_column_sums(lac_tensor *gbias, const lac_tensor *gy);

typedef struct lac_linear_args {
  uint32_t pairs;                         /* 1..LAC_LINEAR_PAIRS */
  lac_tensor *x[LAC_LINEAR_PAIRS];        /* float32 [..., k_i], the same leading dimensions */
  lac_tensor *w[LAC_LINEAR_PAIRS];        /* float32 [n, k_i] */
  lac_weights *weights[LAC_LINEAR_PAIRS]; /* NULL, or what serves in place of w[i], their w */
  lac_tensor *bias;                       /* float32 [n], or NULL */
  lac_tensor *add;                        /* float32 [..., n], or NULL */
  lac_tensor *onto; /* NULL, or what the products are added to in place, see lac_op_result(): the
                       result lies there, and bias and add are NULL */
} lac_linear_args;

/**
 * y = sum_i x_i w_i^T + bias + add, or onto += sum_i x_i w_i^T.
 *
 * The parts of a wider weight matrix may be given as column slices; their gradients land in it.
 *
 * @param[out] out  new [..., n]; the caller releases it
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradients: gx_i = gy w_i, gw_i = gy^T x_i, gbias = gy summed over rows, gadd = gy. The gradient
 * of what `onto` held is gy, where it lies.
 */
lac_status lac_linear(lac_tensor **out, const lac_linear_args *args);

#endif
