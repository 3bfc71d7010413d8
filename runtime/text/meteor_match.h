/**
 * Finding the words of a reference and of a hypothesis that match.
 */
#ifndef LAC_TEXT_METEOR_MATCH_H
#define LAC_TEXT_METEOR_MATCH_H

#include "text/meteor_align.h"
#include "text/paraphrases.h"

/** What is compared of a word. */
typedef struct lac_meteor_word {
  uint32_t id, stem;   /* equal where the words, the stems are */
  uint32_t in_phrases; /* its number among the paraphrases, or LAC_PARAPHRASES_NONE */
  bool is_function_word;
  size_t first_set, sets; /* its sets of synonyms */
} lac_meteor_word;

/** The words that captions are made of. Borrowed. */
typedef struct lac_meteor_lexicon {
  const lac_meteor_word *words;       /* by id */
  const uint32_t *sets;               /* those of a word in ascending order */
  const lac_paraphrases *paraphrases; /* NULL: no such stage */
} lac_meteor_lexicon;

/** A caption: ids of words. */
typedef struct lac_meteor_caption {
  const uint32_t *words;
  uint32_t count;
} lac_meteor_caption;

/** Phrases of a caption that the table of paraphrases has. */
typedef struct lac_meteor_phrases lac_meteor_phrases;

/** @return LAC_OK; LAC_ENOMEM */
lac_status lac_meteor_phrases_new(lac_meteor_phrases **out);

/** NULL is fine. */
void lac_meteor_phrases_release(lac_meteor_phrases *phrases);

/** Look up the phrases of a caption. @return LAC_OK; LAC_ENOMEM */
lac_status lac_meteor_phrases_read(lac_meteor_phrases *phrases, const lac_meteor_lexicon *lexicon,
                                   lac_meteor_caption caption);

/**
 * All pairs of matching words, stage by stage, replacing what is in `pairs`: the same word; another
 * with the same stem; another with a set of synonyms in common; a phrase and its paraphrase, first
 * those of the reference's phrases, then those of the hypothesis's. If the captions are the same,
 * only the first stage.
 *
 * @param phrases  of both captions
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_meteor_match(lac_meteor_pairs *pairs, const lac_meteor_lexicon *lexicon,
                            lac_meteor_phrases *const phrases[LAC_METEOR_SIDES],
                            const lac_meteor_caption captions[LAC_METEOR_SIDES]);

#endif
