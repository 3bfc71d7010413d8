/**
 * Shapes and broadcasting: pure arithmetic on up to six dimensions.
 */
#ifndef LAC_TENSOR_SHAPE_H
#define LAC_TENSOR_SHAPE_H

#include "core/status.h"

#include <stdbool.h>
#include <stdint.h>

enum { LAC_MAX_RANK = 6, LAC_SHAPE_TEXT = 160 };

/** Outermost dimension first; rank 0 is a scalar with one element. */
typedef struct lac_shape {
  uint32_t rank;
  uint64_t dim[LAC_MAX_RANK];
} lac_shape;

/** The number of elements; UINT64_MAX when it does not fit. */
uint64_t lac_shape_numel(const lac_shape *shape);
bool lac_shape_equal(const lac_shape *a, const lac_shape *b);

/** "[2, 3]" into a buffer of LAC_SHAPE_TEXT bytes, which is returned. */
const char *lac_shape_text(char text[LAC_SHAPE_TEXT], const lac_shape *shape);

/**
 * The shape of an elementwise result: dimensions are matched from the last, 1 stretches.
 *
 * @param op  named in the message
 * @return LAC_OK; LAC_ESHAPE
 */
lac_status lac_shape_broadcast(lac_shape *out, const char *op, const lac_shape *a,
                               const lac_shape *b);

/** The shape without one dimension, or with that dimension 1. */
lac_shape lac_shape_reduced(const lac_shape *shape, uint32_t dim, bool keep);

#endif
