/**
 * What every operation does at its beginning and at its end.
 */
#ifndef LAC_OPS_OP_H
#define LAC_OPS_OP_H

#include "autograd/tape.h"

/**
 * Refuse an argument that is closed, of another type, or on another device than `like`.
 *
 * @param op, name  "softmax", "x": quoted in the message
 * @param like      NULL for the first argument
 * @return LAC_OK; LAC_EINVAL
 */
lac_status lac_op_check(const char *op, const char *name, const lac_tensor *x, lac_dtype dtype,
                        const lac_tensor *like);

/** As lac_op_check, and x must have this shape exactly. LAC_ESHAPE quotes both. */
lac_status lac_op_check_shape(const char *op, const char *name, const lac_tensor *x,
                              lac_dtype dtype, const lac_tensor *like, const lac_shape *shape);

/**
 * A result's tensor: new, or where `place` says.
 *
 * @param[out] out  the caller releases it
 * @param name, place  of the argument; NULL for a new tensor, else a contiguous slice of one, whose
 * content is lost. Results of several operations so come to lie in one tensor, and their gradients
 * in its gradient.
 */
lac_status lac_op_result(lac_tensor **out, const char *op, const char *name, lac_tensor *place,
                         const lac_tensor *like, const lac_shape *shape);

/**
 * Finish an operation with one output: record `node` (whose out[0] is y), then hand y to the
 * caller; after a failure release it instead.
 *
 * @param status  of the launches before
 */
lac_status lac_op_finish(lac_tensor **out, lac_tensor *y, lac_status status, const lac_node *node);

#endif
