/**
 * The element types that files hold, and the one place where they become the two that tensors hold.
 */
#ifndef LAC_IO_STORED_H
#define LAC_IO_STORED_H

#include "core/dtype.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/** An element as it lies in a file: little-endian, possibly unaligned. */
typedef enum lac_stored {
  LAC_STORED_F32,
  LAC_STORED_F64,
  LAC_STORED_F16,  /* IEEE 754 binary16 */
  LAC_STORED_BF16, /* the upper half of a binary32 */
  LAC_STORED_I64,
  LAC_STORED_I32,
  LAC_STORED_I16,
  LAC_STORED_I8,
  LAC_STORED_U8,
  LAC_STORED_BOOL, /* one byte, 0 or 1 */
} lac_stored;

/** Bytes of one stored element. */
size_t lac_stored_bytes(lac_stored type);

/** What it becomes: LAC_F32 for the floating types, LAC_I32 for the others. */
lac_dtype lac_stored_dtype(lac_stored type);

/**
 * Convert `count` elements: floats to float32 (round to nearest; NaN and infinities stay), integers
 * to int32.
 *
 * @param[out] out  room for count elements of lac_stored_dtype(type), aligned
 * @param name      the tensor, quoted in the message
 * @return LAC_OK; LAC_EINVAL when a finite value does not fit, with the value
 */
lac_status lac_stored_convert(void *out, const void *in, lac_stored type, uint64_t count,
                              const char *name);

/** The IEEE 754 binary16 nearest to x, ties to even; NaN stays NaN, what is too large is infinite.
 */
uint16_t lac_stored_to_half(float x);

/**
 * Convert floats to binary16: to the nearest, ties to even; NaN and infinities stay.
 *
 * @return LAC_OK; LAC_EINVAL for a finite value of 65520 or more, which would become infinite
 */
lac_status lac_stored_narrow_half(uint16_t *out, const float *in, uint64_t count, const char *name);

/**
 * Copy a strided array into row-major order, element by element.
 *
 * @param[out] out  prod(dims) * bytes
 * @param bytes     of one element
 * @param strides   per dimension, in elements; the caller has checked that they stay inside `in`
 */
void lac_stored_gather(void *out, const void *in, size_t bytes, size_t rank, const uint64_t *dims,
                       const uint64_t *strides);

#endif
