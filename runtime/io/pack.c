/*
 * One pass over the elements on either side. What a decoder meets is checked where it is met: a gap
 * that leaves the tensor, a scale that is no number, part A too short or too long. The checksum
 * finds accidents; these checks are for bytes made to pass it.
 */
#include "io/pack.h"

#include "core/memory.h"
#include "io/coder.h"
#include "io/stored.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
  VERSION = 0x10,
  LENGTH_BITS = 6, // of the number of bits of a gap
  LEADING = 3,     // bits behind a gap's highest one that are worth learning
  CRC_BYTES = 4,
  MAX_VARINT = 10,
};

static const char *const names[] = {"float32", "float16", "int8", "ones"};

const char *lac_pack_values_name(lac_pack_values values) {
  return (size_t)values < sizeof names / sizeof *names ? names[values] : NULL;
}

/* What is learned of a tensor while it is coded. */
typedef struct model {
  lac_odds length[1 << LENGTH_BITS];
  lac_odds leading[1 << LENGTH_BITS][1 << LEADING];
  lac_odds value[256]; // the exponent, or the int8
  lac_odds zero;       // float32 with exponent 0: whether it is -0
} model;

static lac_status new_model(model **out) {
  LAC_TRY(lac_alloc(out, 1, sizeof **out, "packing"));
  lac_odds_init((lac_odds *)*out, sizeof **out / sizeof(lac_odds));
  return LAC_OK;
}

/* ---- encoding ---- */

typedef struct packer {
  const float *in;
  uint64_t count, nonzeros;
  lac_pack_values values;
  const char *name;
  model *odds;
  lac_sink fixed, coded; // parts A and B
  lac_encoder coder;
  float scale; // of the current run
} packer;

static uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* Whether an element is stored; what the kind cannot hold is stored, and refused then. */
static bool is_stored(lac_pack_values values, float x) {
  if (values == LAC_PACK_FLOAT32) return bits_of(x) != 0;
  if (values == LAC_PACK_FLOAT16 && x != 0) return (lac_stored_to_half(x) & 0x7fff) != 0;
  return x != 0;
}

static unsigned highest_bit(uint64_t v) {
  unsigned n = 0;
  while (v >>= 1)
    n++;
  return n;
}

/* v >= 1: how many elements further the next one is. */
static void put_gap(packer *p, uint64_t v) {
  const unsigned n = highest_bit(v), learned = n < LEADING ? n : LEADING;
  lac_encoder_symbol(&p->coder, p->odds->length, LENGTH_BITS, n);
  lac_encoder_symbol(&p->coder, p->odds->leading[n], learned,
                     (unsigned)(v >> (n - learned)) & ((1u << learned) - 1));
  lac_encoder_plain(&p->coder, n - learned, v);
}

static lac_status refuse(const packer *p, uint64_t at, const char *why) {
  return lac_fail(LAC_EINVAL, "'%.200s': value %g at element %" PRIu64 " %s", p->name,
                  (double)p->in[at], at, why);
}

static void put_float32(packer *p, float x) {
  const uint32_t bits = bits_of(x), exponent = bits >> 23 & 255;
  const uint32_t rest = (bits >> 31) << 23 | (bits & 0x7fffff);
  const unsigned char three[] = {(unsigned char)rest, (unsigned char)(rest >> 8),
                                 (unsigned char)(rest >> 16)};
  lac_encoder_symbol(&p->coder, p->odds->value, 8, exponent);
  if (exponent == 0) {
    lac_encoder_bit(&p->coder, &p->odds->zero, rest == 1u << 23);
    if (rest == 1u << 23) return;
  }
  lac_sink_put(&p->fixed, three, sizeof three);
}

static lac_status put_float16(packer *p, uint64_t at) {
  const unsigned half = lac_stored_to_half(p->in[at]);
  if ((half & 0x7fff) == 0x7c00 && !isinf(p->in[at])) return refuse(p, at, "does not fit float16");
  lac_encoder_symbol(&p->coder, p->odds->value, 5, half >> 10 & 31);
  lac_encoder_plain(&p->coder, 11, (half >> 15) << 10 | (half & 1023));
  return LAC_OK;
}

/* The scale of the run that begins at an element. */
static lac_status begin_run(packer *p, uint64_t from) {
  float largest = 0;
  unsigned met = 0;
  for (uint64_t i = from; i < p->count && met < LAC_PACK_RUN; i++) {
    if (!isfinite(p->in[i])) return refuse(p, i, "cannot be an int8");
    largest = fmaxf(largest, fabsf(p->in[i]));
    met += is_stored(p->values, p->in[i]);
  }
  p->scale = largest / 127;
  lac_sink_put(&p->fixed, &p->scale, sizeof p->scale);
  return LAC_OK;
}

static lac_status put_int8(packer *p, uint64_t at, uint64_t index) {
  if (index % LAC_PACK_RUN == 0) LAC_TRY(begin_run(p, at));
  const float steps = p->scale > 0 ? nearbyintf(p->in[at] / p->scale) : 0;
  const int q = (int)fmaxf(-127, fminf(127, steps));
  lac_encoder_symbol(&p->coder, p->odds->value, 8, (unsigned)(q + 128));
  return LAC_OK;
}

static lac_status put_value(packer *p, uint64_t at, uint64_t index) {
  switch (p->values) {
  case LAC_PACK_FLOAT32:
    put_float32(p, p->in[at]);
    return LAC_OK;
  case LAC_PACK_FLOAT16:
    return put_float16(p, at);
  case LAC_PACK_INT8:
    return put_int8(p, at, index);
  case LAC_PACK_ONES:
    return p->in[at] == 1 ? LAC_OK : refuse(p, at, "is neither 0 nor 1");
  }
  return lac_fail(LAC_EINVAL, "pack: there is no kind of values %d", (int)p->values);
}

static lac_status put_elements(packer *p) {
  uint64_t next = 0, index = 0;
  for (uint64_t i = 0; i < p->count; i++) {
    if (!is_stored(p->values, p->in[i])) continue;
    if (p->nonzeros < p->count) put_gap(p, i - next + 1);
    LAC_TRY(put_value(p, i, index));
    next = i + 1;
    index++;
  }
  lac_encoder_finish(&p->coder);
  LAC_TRY(p->fixed.status);
  return p->coded.status;
}

static void put_varint(lac_sink *sink, uint64_t v) {
  do {
    const unsigned char byte = (unsigned char)((v & 127) | (v > 127 ? 128 : 0));
    lac_sink_put(sink, &byte, 1);
  } while (v >>= 7);
}

static lac_status join_parts(lac_sink *out, const packer *p) {
  const unsigned char first = (unsigned char)(VERSION + p->values);
  lac_sink_put(out, &first, 1);
  put_varint(out, p->count);
  put_varint(out, p->nonzeros);
  put_varint(out, p->fixed.size);
  lac_sink_put(out, p->fixed.at, p->fixed.size);
  lac_sink_put(out, p->coded.at, p->coded.size);
  LAC_TRY(out->status);
  const uint32_t crc = (uint32_t)crc32_z(0, out->at, out->size);
  lac_sink_put(out, &crc, CRC_BYTES);
  return out->status;
}

lac_status lac_pack_encode(void **out, size_t *size, const float *in, uint64_t count,
                           lac_pack_values values, const char *name) {
  packer p = {.in = in, .count = count, .values = values, .name = name};
  lac_sink all = {0};
  lac_encoder_init(&p.coder, &p.coded);
  for (uint64_t i = 0; i < count; i++)
    p.nonzeros += is_stored(values, in[i]);
  lac_status status = new_model(&p.odds);
  if (status == LAC_OK) status = put_elements(&p);
  if (status == LAC_OK) status = join_parts(&all, &p);
  free(p.odds);
  free(p.fixed.at);
  free(p.coded.at);
  if (status != LAC_OK) {
    free(all.at);
    return status;
  }
  *out = all.at;
  *size = all.size;
  return LAC_OK;
}

/* ---- decoding ---- */

typedef struct unpacker {
  lac_pack_header header;
  const unsigned char *fixed, *fixed_end, *coded, *coded_end;
  const char *name;
  model *odds;
  lac_decoder coder;
  float scale;
} unpacker;

static lac_status damaged(const unpacker *u, const char *how) {
  return lac_fail(LAC_EIO, "'%.200s': its packed bytes are damaged: %s", u->name, how);
}

static bool take_varint(uint64_t *out, const unsigned char **at, const unsigned char *end) {
  uint64_t v = 0;
  for (unsigned i = 0; i < MAX_VARINT && *at < end; i++) {
    const uint64_t byte = *(*at)++;
    if (i == MAX_VARINT - 1 && byte > 1) return false; // more than 64 bits
    v |= (byte & 127) << 7 * i;
    if (byte < 128) {
      *out = v;
      return true;
    }
  }
  return false;
}

static lac_status take_header(unpacker *u, const unsigned char *bytes, size_t size) {
  uint64_t fixed_size;
  uint32_t crc;
  if (size < 1 + 3 + CRC_BYTES) return damaged(u, "too short");
  const unsigned char *at = bytes + 1, *end = bytes + size - CRC_BYTES;
  memcpy(&crc, end, sizeof crc);
  if (crc != (uint32_t)crc32_z(0, bytes, size - CRC_BYTES))
    return damaged(u, "their checksum is another");
  if (bytes[0] < VERSION || bytes[0] > VERSION + LAC_PACK_ONES)
    return lac_fail(LAC_EIO, "'%.200s': is packed in a way this program does not know (%d)",
                    u->name, bytes[0]);
  u->header.values = (lac_pack_values)(bytes[0] - VERSION);
  if (!take_varint(&u->header.count, &at, end) || !take_varint(&u->header.nonzeros, &at, end) ||
      !take_varint(&fixed_size, &at, end))
    return damaged(u, "the header is cut");
  if (u->header.nonzeros > u->header.count)
    return damaged(u, "more non-zero elements than elements");
  if (fixed_size > (uint64_t)(end - at)) return damaged(u, "the values are cut");
  u->fixed = at;
  u->fixed_end = u->coded = at + fixed_size;
  u->coded_end = end;
  return LAC_OK;
}

/* At least 1, whatever the bytes. */
static uint64_t take_gap(unpacker *u) {
  const unsigned n = lac_decoder_symbol(&u->coder, u->odds->length, LENGTH_BITS);
  const unsigned learned = n < LEADING ? n : LEADING;
  const uint64_t leading =
      1u << learned | lac_decoder_symbol(&u->coder, u->odds->leading[n], learned);
  return leading << (n - learned) | lac_decoder_plain(&u->coder, n - learned);
}

static bool take_fixed(void *out, unpacker *u, size_t size) {
  if ((size_t)(u->fixed_end - u->fixed) < size) return false;
  memcpy(out, u->fixed, size);
  u->fixed += size;
  return true;
}

static lac_status take_float32(float *out, unpacker *u) {
  const uint32_t exponent = lac_decoder_symbol(&u->coder, u->odds->value, 8);
  unsigned char three[3] = {0, 0, 0x80};
  const bool negative_zero = exponent == 0 && lac_decoder_bit(&u->coder, &u->odds->zero);
  if (!negative_zero && !take_fixed(three, u, sizeof three))
    return damaged(u, "the values are cut");
  const uint32_t rest = three[0] | (uint32_t)three[1] << 8 | (uint32_t)three[2] << 16;
  const uint32_t bits = (rest >> 23) << 31 | exponent << 23 | (rest & 0x7fffff);
  memcpy(out, &bits, sizeof bits);
  return LAC_OK;
}

static lac_status take_float16(float *out, unpacker *u) {
  const unsigned exponent = lac_decoder_symbol(&u->coder, u->odds->value, 5);
  const unsigned rest = (unsigned)lac_decoder_plain(&u->coder, 11);
  const uint16_t half = (uint16_t)((rest >> 10) << 15 | exponent << 10 | (rest & 1023));
  return lac_stored_convert(out, &half, LAC_STORED_F16, 1, u->name);
}

static lac_status take_int8(float *out, unpacker *u, uint64_t index) {
  if (index % LAC_PACK_RUN == 0) {
    if (!take_fixed(&u->scale, u, sizeof u->scale)) return damaged(u, "the scales are cut");
    if (!isfinite(u->scale) || u->scale < 0) return damaged(u, "a scale is no number >= 0");
  }
  *out = u->scale * (float)((int)lac_decoder_symbol(&u->coder, u->odds->value, 8) - 128);
  return LAC_OK;
}

static lac_status take_value(float *out, unpacker *u, uint64_t index) {
  switch (u->header.values) {
  case LAC_PACK_FLOAT32:
    return take_float32(out, u);
  case LAC_PACK_FLOAT16:
    return take_float16(out, u);
  case LAC_PACK_INT8:
    return take_int8(out, u, index);
  case LAC_PACK_ONES:
    break;
  }
  *out = 1;
  return LAC_OK;
}

static lac_status take_elements(float *out, unpacker *u) {
  const uint64_t count = u->header.count, nonzeros = u->header.nonzeros;
  uint64_t next = 0;
  for (uint64_t k = 0; k < nonzeros; k++) {
    const uint64_t gap = nonzeros < count ? take_gap(u) : 1;
    if (gap > count - next || lac_decoder_is_over(&u->coder))
      return damaged(u, "a position lies outside the tensor");
    LAC_TRY(take_value(&out[next + gap - 1], u, k));
    next += gap;
  }
  if (u->fixed != u->fixed_end || u->coder.at != u->coder.end || lac_decoder_is_over(&u->coder))
    return damaged(u, "their number is wrong");
  return LAC_OK;
}

lac_status lac_pack_read_header(lac_pack_header *out, const void *bytes, size_t size,
                                const char *name) {
  unpacker u = {.name = name};
  LAC_TRY(take_header(&u, bytes, size));
  *out = u.header;
  return LAC_OK;
}

lac_status lac_pack_decode(float *out, uint64_t count, const void *bytes, size_t size,
                           const char *name) {
  unpacker u = {.name = name};
  LAC_TRY(take_header(&u, bytes, size));
  if (u.header.count != count)
    return lac_fail(LAC_EIO, "'%.200s': its packed bytes hold %" PRIu64 " elements, not %" PRIu64,
                    name, u.header.count, count);
  LAC_TRY(new_model(&u.odds));
  lac_decoder_init(&u.coder, u.coded, (size_t)(u.coded_end - u.coded));
  if (count) memset(out, 0, (size_t)count * sizeof *out);
  const lac_status status = take_elements(out, &u);
  free(u.odds);
  return status;
}
