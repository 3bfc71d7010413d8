/*
 * The interval [low, high] is split in proportion to the odds, the lower part for a 1. It never
 * closes: as long as low < high the split lies below high, and when they are equal all their bytes
 * leave. It can become narrow where low and high straddle a byte; then some bits are coded at the
 * wrong odds, which costs next to nothing because it is rare.
 */
#include "io/coder.h"

#include "core/memory.h"

#include <string.h>

enum {
  ODDS_SEEN = 250, // bits after which the past is forgotten as fast as it is learned
  ODDS_LEAST = 32, // of 65536; no bit is taken for impossible
  EVEN = 32768,
};

void lac_odds_init(lac_odds *odds, size_t count) {
  for (size_t i = 0; i < count; i++)
    odds[i] = (lac_odds){EVEN, 0};
}

/* A running mean: the n-th bit counts 1 / (n + 1.6). */
static void learn(lac_odds *odds, bool bit) {
  const int target = bit ? 65535 : 0;
  int one = odds->one + (target - odds->one) * 5 / (5 * odds->seen + 8);
  if (one < ODDS_LEAST) one = ODDS_LEAST;
  if (one > 65536 - ODDS_LEAST) one = 65536 - ODDS_LEAST;
  odds->one = (uint16_t)one;
  odds->seen += odds->seen < ODDS_SEEN;
}

static uint32_t split(uint32_t low, uint32_t high, uint32_t one) {
  return low + (uint32_t)((uint64_t)(high - low) * one >> 16);
}

static bool is_settled(uint32_t low, uint32_t high) {
  return (low ^ high) >> 24 == 0;
}

/* ---- encoding ---- */

void lac_sink_put(lac_sink *sink, const void *bytes, size_t size) {
  if (sink->status != LAC_OK) return;
  if (sink->room - sink->size < size) {
    const size_t room = sink->room * 2 + size + 64;
    sink->status = lac_realloc(&sink->at, room, 1, "packed bytes");
    if (sink->status != LAC_OK) return;
    sink->room = room;
  }
  if (size) memcpy(sink->at + sink->size, bytes, size);
  sink->size += size;
}

void lac_encoder_init(lac_encoder *encoder, lac_sink *sink) {
  *encoder = (lac_encoder){sink, 0, UINT32_MAX};
}

static void put_byte(lac_encoder *encoder) {
  const unsigned char byte = (unsigned char)(encoder->high >> 24);
  lac_sink_put(encoder->sink, &byte, 1);
}

static void narrow(lac_encoder *encoder, uint32_t one, bool bit) {
  const uint32_t middle = split(encoder->low, encoder->high, one);
  if (bit)
    encoder->high = middle;
  else
    encoder->low = middle + 1;
  while (is_settled(encoder->low, encoder->high)) {
    put_byte(encoder);
    encoder->low <<= 8;
    encoder->high = encoder->high << 8 | 255;
  }
}

/* Static, so that the loop below can have it inline. */
static void encode(lac_encoder *encoder, lac_odds *odds, bool bit) {
  narrow(encoder, odds->one, bit);
  learn(odds, bit);
}

void lac_encoder_bit(lac_encoder *encoder, lac_odds *odds, bool bit) {
  encode(encoder, odds, bit);
}

void lac_encoder_symbol(lac_encoder *encoder, lac_odds *tree, unsigned bits, unsigned value) {
  unsigned node = 1;
  while (bits-- > 0) {
    const bool bit = value >> bits & 1;
    encode(encoder, &tree[node], bit);
    node = node * 2 + bit;
  }
}

void lac_encoder_plain(lac_encoder *encoder, unsigned bits, uint64_t value) {
  while (bits-- > 0)
    narrow(encoder, EVEN, value >> bits & 1);
}

void lac_encoder_finish(lac_encoder *encoder) {
  if (encoder->low == 0) return; // zeros lie inside
  put_byte(encoder);             // high's first byte and zeros: above low, whose first byte is less
}

/* ---- decoding ---- */

static void take_byte(lac_decoder *decoder) {
  decoder->beyond += decoder->at == decoder->end;
  decoder->code = decoder->code << 8 | (decoder->at < decoder->end ? *decoder->at++ : 0);
}

void lac_decoder_init(lac_decoder *decoder, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  *decoder = (lac_decoder){.at = at, .end = at + size, .high = UINT32_MAX};
  for (int i = 0; i < 4; i++)
    take_byte(decoder);
}

static bool choose(lac_decoder *decoder, uint32_t one) {
  const uint32_t middle = split(decoder->low, decoder->high, one);
  const bool bit = decoder->code <= middle;
  if (bit)
    decoder->high = middle;
  else
    decoder->low = middle + 1;
  while (is_settled(decoder->low, decoder->high)) {
    take_byte(decoder);
    decoder->low <<= 8;
    decoder->high = decoder->high << 8 | 255;
  }
  return bit;
}

static bool decode(lac_decoder *decoder, lac_odds *odds) {
  const bool bit = choose(decoder, odds->one);
  learn(odds, bit);
  return bit;
}

bool lac_decoder_bit(lac_decoder *decoder, lac_odds *odds) {
  return decode(decoder, odds);
}

unsigned lac_decoder_symbol(lac_decoder *decoder, lac_odds *tree, unsigned bits) {
  unsigned node = 1;
  for (unsigned i = 0; i < bits; i++)
    node = node * 2 + decode(decoder, &tree[node]);
  return node - (1u << bits);
}

uint64_t lac_decoder_plain(lac_decoder *decoder, unsigned bits) {
  uint64_t value = 0;
  while (bits-- > 0)
    value = value << 1 | choose(decoder, EVEN);
  return value;
}

bool lac_decoder_is_over(const lac_decoder *decoder) {
  return decoder->beyond > 4;
}
