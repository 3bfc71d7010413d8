/*
 * Words are compared by numbers. For the paraphrases of a reference's phrase, which can be
 * thousands, a small hash table of the phrases of the
 * other side says which of them are there.
 */
#include "text/meteor_match.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 512 };

typedef struct phrase {
  uint32_t number, at, words;
  uint32_t next; // phrase + 1 in the same slot, or 0
} phrase;

struct lac_meteor_phrases {
  phrase *list;
  size_t count, room;
  uint32_t slots[SLOTS]; // phrase + 1, the first in the caption, or 0
};

lac_status lac_meteor_phrases_new(lac_meteor_phrases **out) {
  return lac_alloc(out, 1, sizeof **out, "phrases of a caption");
}

void lac_meteor_phrases_release(lac_meteor_phrases *self) {
  if (!self) return;
  free(self->list);
  free(self);
}

/* ---- phrases ---- */

static lac_status add_phrase(lac_meteor_phrases *self, phrase found) {
  if (self->count == self->room) {
    const size_t room = self->room ? 2 * self->room : 64;
    LAC_TRY(lac_realloc(&self->list, room, sizeof found, "phrases of a caption"));
    self->room = room;
  }
  self->list[self->count++] = found;
  return LAC_OK;
}

lac_status lac_meteor_phrases_read(lac_meteor_phrases *self, const lac_meteor_lexicon *lexicon,
                                   lac_meteor_caption caption) {
  self->count = 0;
  memset(self->slots, 0, sizeof self->slots);
  if (!lexicon->paraphrases) return LAC_OK;
  for (uint32_t at = 0; at < caption.count; at++) {
    uint32_t number = LAC_PARAPHRASES_EMPTY;
    for (uint32_t i = at; i < caption.count && i < at + LAC_PARAPHRASES_WORDS_MOST; i++) {
      const uint32_t word = lexicon->words[caption.words[i]].in_phrases;
      if (word == LAC_PARAPHRASES_NONE) break;
      number = lac_paraphrases_longer(lexicon->paraphrases, number, word);
      if (number == LAC_PARAPHRASES_NONE) break;
      LAC_TRY(add_phrase(self, (phrase){number, at, i - at + 1, 0}));
    }
  }
  for (size_t i = self->count; i-- > 0;) { // backwards, so that the first comes first
    uint32_t *slot = &self->slots[self->list[i].number % SLOTS];
    self->list[i].next = *slot;
    *slot = (uint32_t)i + 1;
  }
  return LAC_OK;
}

/* Pairs of the phrases of one side with those of the other that the table has behind them. */
static lac_status match_phrases(lac_meteor_pairs *pairs, const lac_meteor_lexicon *lexicon,
                                lac_meteor_phrases *const phrases[LAC_METEOR_SIDES], int side) {
  const lac_meteor_phrases *mine = phrases[side], *other = phrases[!side];
  for (const phrase *p = mine->list; p < mine->list + mine->count; p++) {
    size_t count;
    const uint32_t *same = lac_paraphrases_of(lexicon->paraphrases, p->number, &count);
    for (size_t k = 0; k < count; k++) {
      for (uint32_t i = other->slots[same[k] % SLOTS]; i; i = other->list[i - 1].next) {
        const phrase *q = &other->list[i - 1];
        lac_meteor_pair pair = {.stage = LAC_METEOR_PARAPHRASE};
        if (q->number != same[k]) continue;
        pair.at[side] = p->at, pair.words[side] = p->words;
        pair.at[!side] = q->at, pair.words[!side] = q->words;
        LAC_TRY(lac_meteor_pairs_add(pairs, pair));
      }
    }
  }
  return LAC_OK;
}

/* ---- words ---- */

static bool match_exact(const lac_meteor_lexicon *lexicon, const lac_meteor_word *a,
                        const lac_meteor_word *b) {
  (void)lexicon;
  return a->id == b->id;
}

static bool match_stem(const lac_meteor_lexicon *lexicon, const lac_meteor_word *a,
                       const lac_meteor_word *b) {
  (void)lexicon;
  return a->id != b->id && a->stem == b->stem;
}

static bool match_synonym(const lac_meteor_lexicon *lexicon, const lac_meteor_word *a,
                          const lac_meteor_word *b) {
  const uint32_t *x = lexicon->sets + a->first_set, *x_end = x + a->sets;
  const uint32_t *y = lexicon->sets + b->first_set, *y_end = y + b->sets;
  if (a->id == b->id) return false;
  while (x < x_end && y < y_end && *x != *y)
    *x < *y ? x++ : y++;
  return x < x_end && y < y_end;
}

typedef bool match_fn(const lac_meteor_lexicon *, const lac_meteor_word *, const lac_meteor_word *);

static lac_status match_words(lac_meteor_pairs *pairs, const lac_meteor_lexicon *lexicon,
                              lac_meteor_stage stage, match_fn *match,
                              const lac_meteor_caption captions[LAC_METEOR_SIDES]) {
  const lac_meteor_caption reference = captions[LAC_METEOR_REFERENCE];
  const lac_meteor_caption hypothesis = captions[LAC_METEOR_HYPOTHESIS];
  for (uint32_t j = 0; j < reference.count; j++) {
    const lac_meteor_word *a = &lexicon->words[reference.words[j]];
    for (uint32_t i = 0; i < hypothesis.count; i++) {
      if (match(lexicon, a, &lexicon->words[hypothesis.words[i]]))
        LAC_TRY(lac_meteor_pairs_add(pairs, (lac_meteor_pair){{j, i}, {1, 1}, stage}));
    }
  }
  return LAC_OK;
}

static bool are_same(lac_meteor_caption a, lac_meteor_caption b) {
  return a.count == b.count &&
         (a.count == 0 || memcmp(a.words, b.words, a.count * sizeof *a.words) == 0);
}

lac_status lac_meteor_match(lac_meteor_pairs *pairs, const lac_meteor_lexicon *lexicon,
                            lac_meteor_phrases *const phrases[LAC_METEOR_SIDES],
                            const lac_meteor_caption captions[LAC_METEOR_SIDES]) {
  pairs->count = 0;
  LAC_TRY(match_words(pairs, lexicon, LAC_METEOR_EXACT, match_exact, captions));
  if (are_same(captions[0], captions[1])) return LAC_OK;
  LAC_TRY(match_words(pairs, lexicon, LAC_METEOR_STEM, match_stem, captions));
  LAC_TRY(match_words(pairs, lexicon, LAC_METEOR_SYNONYM, match_synonym, captions));
  LAC_TRY(match_phrases(pairs, lexicon, phrases, LAC_METEOR_REFERENCE));
  return match_phrases(pairs, lexicon, phrases, LAC_METEOR_HYPOTHESIS);
}
