/**
 * The two element types that tensors hold. Files may hold more; readers convert to these.
 */
#ifndef LAC_CORE_DTYPE_H
#define LAC_CORE_DTYPE_H

typedef enum lac_dtype {
  LAC_F32, /* IEEE 754 binary32 */
  LAC_I32, /* two's complement 32 bits: ids, indices, counts */
} lac_dtype;

/** Bytes of one element, of either type. */
enum { LAC_ELEMENT_BYTES = 4 };

#endif
