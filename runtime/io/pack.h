/**
 * Positions and values of a sparse tensor <-> few bytes.
 *
 * Positions are the gaps between non-zero elements in row-major order: the number of bits of a gap
 * and its leading bits go through an arithmetic coder that learns their distribution (io/coder), so
 * that random positions cost what entropy demands (0.84 bytes each at 97.5 % zeros) and clustered
 * ones less. A tensor without zeros has no positions. Values:
 *
 * float32  exact, bit for bit: the exponent through the coder, sign and fraction as 3 bytes. -0,
 * NaN and infinities are values like others; only +0 is a zero. float16  rounded to nearest, ties
 * to even. NaN and infinities stay; what rounds to zero, or is -0, is 0. int8     whole multiples
 * of a scale, which each run of 256 non-zero elements has of its own: the largest magnitude in it /
 * 127, a float32. The error is at most half of that, 0.4 % of the largest in the run, unless the
 * scale is below the normal numbers. ones     all non-zero elements are 1 (a mask): no values.
 *
 * The bytes:  1  0x10 + values (0 float32, 1 float16, 2 int8, 3 ones)
 *             n  elements, non-zero elements, bytes of part A; each 7 bits a byte, low first, 0x80
 * = more A  float32: 3 bytes an element; int8: the scales B  the coder's: per element gap and
 * exponent (float32), gap and all bits (float16, int8) 4  CRC-32 of all before
 */
#ifndef LAC_IO_PACK_H
#define LAC_IO_PACK_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

typedef enum lac_pack_values {
  LAC_PACK_FLOAT32,
  LAC_PACK_FLOAT16,
  LAC_PACK_INT8,
  LAC_PACK_ONES,
} lac_pack_values;

enum { LAC_PACK_RUN = 256 };

/** The name of a kind of values ("float32"), NULL for none. */
const char *lac_pack_values_name(lac_pack_values values);

/**
 * Pack a tensor.
 *
 * @param[out] out  freed with free()
 * @param in        float32 [count]
 * @param name      the tensor, quoted in messages
 * @return LAC_OK; LAC_EINVAL for a value that the kind cannot hold (float16: finite but above
 * 65504; int8: NaN or infinite; ones: neither 0 nor 1), with the value and its place; LAC_ENOMEM
 */
lac_status lac_pack_encode(void **out, size_t *size, const float *in, uint64_t count,
                           lac_pack_values values, const char *name);

/** What packed bytes say of themselves. */
typedef struct lac_pack_header {
  lac_pack_values values;
  uint64_t count, nonzeros; /* nonzeros <= count */
} lac_pack_header;

/** Read the header and compare the checksum. @return LAC_OK; LAC_EIO when damaged */
lac_status lac_pack_read_header(lac_pack_header *out, const void *bytes, size_t size,
                                const char *name);

/**
 * Unpack a tensor.
 *
 * @param[out] out  float32 [count]; holds anything after a failure
 * @param count     elements expected: bytes that hold another number are refused
 * @return LAC_OK; LAC_EIO when damaged
 */
lac_status lac_pack_decode(float *out, uint64_t count, const void *bytes, size_t size,
                           const char *name);

#endif
