/**
 * The rules of the PTB tokenizer: what a token is.
 *
 * Every rule looks at the text from one place and may propose a token that begins there; of all
 * proposals the one that saw most of the text wins, the first of them where several saw as much.
 */
#ifndef LAC_TEXT_PTB_RULES_H
#define LAC_TEXT_PTB_RULES_H

#include "text/glyph.h"

/** A proposal. */
typedef struct lac_ptb_token {
  size_t length;    /* in characters; 0 where nothing was proposed */
  size_t reach;     /* characters that the rule looked at, at least length */
  size_t split;     /* characters of the first of two tokens; 0 for one token */
  const char *text; /* what is written instead, "" for nothing; NULL for the characters */
  bool plain;       /* apostrophes are written as ', &amp; as & */
} lac_ptb_token;

/** Keep `token` if it reaches farther than *best. */
static inline void lac_ptb_propose(lac_ptb_token *best, lac_ptb_token token) {
  if (token.length && token.reach > best->reach) *best = token;
}

/** Propose the next `length` characters as they are; 0 proposes nothing. */
static inline void lac_ptb_take(lac_ptb_token *best, size_t length) {
  lac_ptb_propose(best, (lac_ptb_token){.length = length, .reach = length});
}

/** Words, hyphenated and slashed words, abbreviations and what has an apostrophe. g[-1] exists, as
 * in all of them, and the text ends with a glyph of c = 0. */
void lac_ptb_words(lac_ptb_token *best, const lac_glyph *g);

/** Numbers, fractions, telephone numbers and amounts of money. */
void lac_ptb_numbers(lac_ptb_token *best, const lac_glyph *g);

/** Web and e-mail addresses, file names, @names and #names. */
void lac_ptb_addresses(lac_ptb_token *best, const lac_glyph *g);

/** Tags, entities, smileys, runs of one symbol, and any single symbol. */
void lac_ptb_symbols(lac_ptb_token *best, const lac_glyph *g);

#endif
