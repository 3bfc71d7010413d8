/**
 * Arithmetic coding of single bits whose probabilities are learned on the way.
 *
 * Witten, Neal and Cleary 1987, "Arithmetic coding for data compression", Communications of the ACM
 * 30(6). The interval is two 32-bit numbers; leading bytes on which they agree are final and leave.
 * Both sides update the same counts with the same integer arithmetic, so any machine decodes what
 * any other has encoded.
 */
#ifndef LAC_IO_CODER_H
#define LAC_IO_CODER_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What is believed of a bit: P(1) = one / 65536, after `seen` bits. */
typedef struct lac_odds {
  uint16_t one;
  uint8_t seen;
} lac_odds;

/** Nothing known: 1 : 1. */
void lac_odds_init(lac_odds *odds, size_t count);

/** Bytes that grow; a failure to grow is kept, and later calls do nothing. */
typedef struct lac_sink {
  unsigned char *at; /* freed with free() by the owner */
  size_t size, room;
  lac_status status;
} lac_sink;

void lac_sink_put(lac_sink *sink, const void *bytes, size_t size);

typedef struct lac_encoder {
  lac_sink *sink;
  uint32_t low, high;
} lac_encoder;

void lac_encoder_init(lac_encoder *encoder, lac_sink *sink);

/** One bit, whose odds learn from it. */
void lac_encoder_bit(lac_encoder *encoder, lac_odds *odds, bool bit);

/** The lower `bits` of a value, highest first, each by the odds of what came before it. */
void lac_encoder_symbol(lac_encoder *encoder, lac_odds *tree, unsigned bits, unsigned value);

/** The lower `bits` of a value at even odds. */
void lac_encoder_plain(lac_encoder *encoder, unsigned bits, uint64_t value);

/** The last bytes; a decoder takes zeros for what follows the end. */
void lac_encoder_finish(lac_encoder *encoder);

typedef struct lac_decoder {
  const unsigned char *at, *end;
  uint32_t low, high, code;
  uint64_t beyond; /* bytes taken after the end */
} lac_decoder;

/** Decode from borrowed bytes. Any bytes decode to something: a damaged text gives wrong values,
 * and lac_decoder_is_over() once it has been used up. */
void lac_decoder_init(lac_decoder *decoder, const void *bytes, size_t size);
bool lac_decoder_bit(lac_decoder *decoder, lac_odds *odds);
unsigned lac_decoder_symbol(lac_decoder *decoder, lac_odds *tree, unsigned bits);
uint64_t lac_decoder_plain(lac_decoder *decoder, unsigned bits);

/** True when more has been decoded than the bytes can hold. */
bool lac_decoder_is_over(const lac_decoder *decoder);

#endif
