/*
 * Conversions from what files hold. Input is read byte by byte through memcpy: tensors in a file
 * need not be aligned. Integers that do not fit int32 are refused rather than wrapped: an id that
 * changed silently is worse than a file that does not load.
 */
#include "io/stored.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_F16C
#include <immintrin.h>
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the file readers copy little-endian elements as they are"
#endif

size_t lac_stored_bytes(lac_stored type) {
  static const unsigned char bytes[] = {
      [LAC_STORED_F32] = 4, [LAC_STORED_F64] = 8, [LAC_STORED_F16] = 2, [LAC_STORED_BF16] = 2,
      [LAC_STORED_I64] = 8, [LAC_STORED_I32] = 4, [LAC_STORED_I16] = 2, [LAC_STORED_I8] = 1,
      [LAC_STORED_U8] = 1,  [LAC_STORED_BOOL] = 1};
  return bytes[type];
}

lac_dtype lac_stored_dtype(lac_stored type) {
  switch (type) {
  case LAC_STORED_F32:
  case LAC_STORED_F64:
  case LAC_STORED_F16:
  case LAC_STORED_BF16:
    return LAC_F32;
  default:
    return LAC_I32;
  }
}

/* binary16: sign 1, exponent 5 (bias 15), fraction 10; subnormals are fraction * 2^-24. */
static float widen_half(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31,
                 fraction = h & 1023;
  if (exponent == 0) {
    const float small = ldexpf((float)fraction, -24);
    return sign ? -small : small;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  const uint32_t bits = sign | wide << 23 | fraction << 13;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

uint16_t lac_stored_to_half(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (bits >> 13 & 0x1ff)); // NaN
  if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); // 65520 and more
  if (magnitude < 0x38800000) {                                  // below 2^-14: a multiple of 2^-24
    const float steps = nearbyintf(fabsf(x) * 16777216.0f);
    return (uint16_t)(sign | (uint32_t)steps);
  }
  const uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1); // may carry into the exponent
  return (uint16_t)(sign | ((rounded >> 13) - (112u << 10)));
}

static float widen_bfloat(uint16_t b) {
  const uint32_t bits = (uint32_t)b << 16;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static lac_status narrow_doubles(float *out, const unsigned char *in, uint64_t count,
                                 const char *name) {
  for (uint64_t i = 0; i < count; i++) {
    double v;
    memcpy(&v, in + i * sizeof v, sizeof v);
    if (isfinite(v) && fabs(v) > FLT_MAX)
      return lac_fail(LAC_EINVAL, "'%.200s': value %g at element %" PRIu64 " does not fit float32",
                      name, v, i);
    out[i] = (float)v;
  }
  return LAC_OK;
}

static lac_status narrow_longs(int32_t *out, const unsigned char *in, uint64_t count,
                               const char *name) {
  for (uint64_t i = 0; i < count; i++) {
    int64_t v;
    memcpy(&v, in + i * sizeof v, sizeof v);
    if (v < INT32_MIN || v > INT32_MAX)
      return lac_fail(LAC_EINVAL,
                      "'%.200s': value %" PRId64 " at element %" PRIu64 " does not fit int32", name,
                      v, i);
    out[i] = (int32_t)v;
  }
  return LAC_OK;
}

#ifdef HAVE_F16C
/* As many as eight at a time allow; how many that were. */
__attribute__((target("avx,f16c"))) static uint64_t
widen_eights(float *out, const unsigned char *in, uint64_t count) {
  uint64_t i = 0;
  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128((const void *)(in + i * 2))));
  return i;
}
#endif

static void widen_halves(float *out, const unsigned char *in, uint64_t count) {
  uint64_t i = 0;
#ifdef HAVE_F16C
  // a compiler of ours has no name for F16C here, but processors with AVX2 have it
  if (__builtin_cpu_supports("avx2")) i = widen_eights(out, in, count);
#endif
  for (; i < count; i++) {
    uint16_t v;
    memcpy(&v, in + i * sizeof v, sizeof v);
    out[i] = widen_half(v);
  }
}

static void widen_bfloats(float *out, const unsigned char *in, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    uint16_t v;
    memcpy(&v, in + i * sizeof v, sizeof v);
    out[i] = widen_bfloat(v);
  }
}

static void widen_shorts(int32_t *out, const unsigned char *in, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    int16_t v;
    memcpy(&v, in + i * sizeof v, sizeof v);
    out[i] = v;
  }
}

lac_status lac_stored_convert(void *out, const void *in, lac_stored type, uint64_t count,
                              const char *name) {
  const unsigned char *bytes = in;
  int32_t *ints = out;
  if (count == 0) return LAC_OK; // the input may be NULL then
  switch (type) {
  case LAC_STORED_F32:
  case LAC_STORED_I32:
    memcpy(out, in, (size_t)count * LAC_ELEMENT_BYTES);
    return LAC_OK;
  case LAC_STORED_F64:
    return narrow_doubles(out, bytes, count, name);
  case LAC_STORED_I64:
    return narrow_longs(out, bytes, count, name);
  case LAC_STORED_F16:
    widen_halves(out, bytes, count);
    return LAC_OK;
  case LAC_STORED_BF16:
    widen_bfloats(out, bytes, count);
    return LAC_OK;
  case LAC_STORED_I16:
    widen_shorts(out, bytes, count);
    return LAC_OK;
  case LAC_STORED_I8:
    for (uint64_t i = 0; i < count; i++)
      ints[i] = (int32_t)(int8_t)bytes[i];
    return LAC_OK;
  case LAC_STORED_U8:
  case LAC_STORED_BOOL:
    for (uint64_t i = 0; i < count; i++)
      ints[i] = bytes[i];
    return LAC_OK;
  }
  return lac_fail(LAC_EUNSUPPORTED, "'%.200s': unknown element type %d", name, (int)type);
}

/* 0x38800000 is 2^-14, the least normal binary16; below it the fraction counts steps of 2^-24. */
static uint16_t narrow_half(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  bits &= 0x7fffffff;
  if (bits > 0x7f800000) return sign | 0x7e00;
  if (bits == 0x7f800000) return sign | 0x7c00;
  if (bits < 0x38800000) return sign | (uint16_t)lrintf(fabsf(v) * 0x1p24f);
  return sign | (uint16_t)((bits + 0xfff + (bits >> 13 & 1) - 0x38000000) >> 13);
}

lac_status lac_stored_narrow_half(uint16_t *out, const float *in, uint64_t count,
                                  const char *name) {
  for (uint64_t i = 0; i < count; i++) {
    if (isfinite(in[i]) && fabsf(in[i]) >= 65520)
      return lac_fail(LAC_EINVAL,
                      "'%.200s': value %g at element %" PRIu64
                      " does not fit float16, whose largest is 65504",
                      name, (double)in[i], i);
    out[i] = narrow_half(in[i]);
  }
  return LAC_OK;
}

void lac_stored_gather(void *out, const void *in, size_t bytes, size_t rank, const uint64_t *dims,
                       const uint64_t *strides) {
  uint64_t index[8] = {0}, at = 0;
  unsigned char *to = out;
  for (size_t d = 0; d < rank; d++)
    if (dims[d] == 0) return;
  for (;;) {
    memcpy(to, (const unsigned char *)in + at * bytes, bytes);
    to += bytes;
    size_t d = rank;
    for (;;) { // the odometer: step the last dimension that has room, rewind those behind it
      if (d == 0) return;
      d--;
      at += strides[d];
      if (++index[d] < dims[d]) break;
      at -= strides[d] * dims[d];
      index[d] = 0;
    }
  }
}
