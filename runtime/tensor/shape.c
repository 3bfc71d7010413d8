/* No memory, no device: shapes are values. */
#include "tensor/shape.h"

#include <stdio.h>

uint64_t lac_shape_numel(const lac_shape *shape) {
  uint64_t n = 1;
  for (uint32_t i = 0; i < shape->rank; i++)
    if (shape->dim[i] == 0) return 0;
  for (uint32_t i = 0; i < shape->rank; i++) {
    if (n > UINT64_MAX / shape->dim[i]) return UINT64_MAX;
    n *= shape->dim[i];
  }
  return n;
}

bool lac_shape_equal(const lac_shape *a, const lac_shape *b) {
  if (a->rank != b->rank) return false;
  for (uint32_t i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i]) return false;
  return true;
}

const char *lac_shape_text(char text[LAC_SHAPE_TEXT], const lac_shape *shape) {
  size_t used = (size_t)snprintf(text, LAC_SHAPE_TEXT, "[");
  for (uint32_t i = 0; i < shape->rank && used < LAC_SHAPE_TEXT; i++)
    used += (size_t)snprintf(text + used, LAC_SHAPE_TEXT - used, "%s%llu", i ? ", " : "",
                             (unsigned long long)shape->dim[i]);
  if (used < LAC_SHAPE_TEXT) snprintf(text + used, LAC_SHAPE_TEXT - used, "]");
  return text;
}

lac_status lac_shape_broadcast(lac_shape *out, const char *op, const lac_shape *a,
                               const lac_shape *b) {
  char ta[LAC_SHAPE_TEXT], tb[LAC_SHAPE_TEXT];
  const uint32_t rank = a->rank > b->rank ? a->rank : b->rank;
  lac_shape joint = {.rank = rank};
  for (uint32_t i = 0; i < rank; i++) {
    const uint64_t da = i < a->rank ? a->dim[a->rank - 1 - i] : 1;
    const uint64_t db = i < b->rank ? b->dim[b->rank - 1 - i] : 1;
    if (da != db && da != 1 && db != 1)
      return lac_fail(LAC_ESHAPE, "%s: shapes %s and %s do not broadcast", op,
                      lac_shape_text(ta, a), lac_shape_text(tb, b));
    joint.dim[rank - 1 - i] = da == 1 ? db : da;
  }
  *out = joint;
  return LAC_OK;
}

lac_shape lac_shape_reduced(const lac_shape *shape, uint32_t dim, bool keep) {
  lac_shape out = {.rank = 0};
  for (uint32_t i = 0; i < shape->rank; i++) {
    if (i != dim)
      out.dim[out.rank++] = shape->dim[i];
    else if (keep)
      out.dim[out.rank++] = 1;
  }
  return out;
}
