/**
 * Element-wise expressions, compiled for the device as they come (see ops/expression.h). Nothing is
 * recorded: there are no gradients.
 */
#ifndef LAC_OPS_MAP_H
#define LAC_OPS_MAP_H

#include "ops/expression.h"
#include "tensor/tensor.h"

/** What a name of the expression stands for. */
typedef struct lac_map_value {
  lac_tensor *tensor; /* float32, or NULL for the number; one element counts for all elements */
  float number;
} lac_map_value;

/**
 * y = the expression, element for element, in a new tensor.
 *
 * Tensors of more or fewer elements than one share one shape, which is that of the result; without
 * any it is the shape of the first tensor, and without tensors [1].
 *
 * @param values  one per name of the expression
 * @return LAC_OK; LAC_EINVAL for a closed tensor, another type or device; LAC_ESHAPE;
 *         LAC_EUNSUPPORTED when the device has built LAC_PROGRAMS_MADE expressions; LAC_ENOMEM;
 *         LAC_EDEVICE
 */
lac_status lac_map(lac_tensor **out, lac_device *device, const lac_expression *e,
                   const lac_map_value *values);

/**
 * The same into a tensor that is there.
 *
 * @param y  float32, contiguous, of the values' shape; may be one of them
 * @return as above; LAC_EINVAL for a y that has gaps, or shares part of its memory with a value
 */
lac_status lac_map_into(lac_tensor *y, const lac_expression *e, const lac_map_value *values);

#endif
