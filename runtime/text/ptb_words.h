/**
 * The words that the PTB tokenizer knows by heart.
 */
#ifndef LAC_TEXT_PTB_WORDS_H
#define LAC_TEXT_PTB_WORDS_H

#include "text/glyph.h"

/** A piece of text that is one token, or two. */
typedef struct lac_ptb_match {
  size_t length; /* in characters; 0 where nothing matched */
  size_t split;  /* characters of the first of two tokens; 0 for one token */
} lac_ptb_match;

/** The longest clitic, contraction or word with an apostrophe that begins at g and ends with a
 * word. */
lac_ptb_match lac_ptb_fixed(const lac_glyph *g);

/** Where a word written without its apostrophe ("doesnt") is split; 0 for other words. */
size_t lac_ptb_dropped_apostrophe(const lac_glyph *word, size_t length);

/**
 * Whether the dot behind a word belongs to it: listed abbreviations, letters joined by dots,
 * initials. The word is followed by a dot and, as every text, by a glyph of c = 0.
 */
bool lac_ptb_keeps_dot(const lac_glyph *word, size_t length);

#endif
