/**
 * Synonyms from WordNet (Fellbaum 1998, "WordNet: an electronic lexical database"): the sets of
 * synonyms that a word is in, and its base forms.
 */
#ifndef LAC_TEXT_WORDNET_H
#define LAC_TEXT_WORDNET_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct lac_wordnet lac_wordnet;

/** A list that grows; zeros are an empty one. Its owner frees `ids`. */
typedef struct lac_wordnet_sets {
  uint32_t *ids;
  size_t count, room;
} lac_wordnet_sets;

/**
 * Read index.noun, .verb, .adj and .adv, and noun.exc, verb.exc, adj.exc and adv.exc.
 *
 * @param folder  the files of WordNet 3.0
 * @return LAC_OK; LAC_EIO where a file cannot be read; LAC_EINVAL with file and line for one that
 *         is damaged; LAC_ENOMEM
 */
lac_status lac_wordnet_open(lac_wordnet **out, const char *folder);

/** NULL is fine. */
void lac_wordnet_release(lac_wordnet *self);

/**
 * Append the sets that a word or one of its base forms is in, each once, in ascending order.
 *
 * Base forms are those that the exceptions list or, where they do not have the word, the first that
 * a rule of detachment gives and that is a word: "buses" is "bus", "parties" is "party". Sets are
 * numbered as the 3.0 files of Princeton do, without regard to the part of speech: a few hundred
 * numbers stand for two sets.
 *
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_wordnet_find(const lac_wordnet *self, lac_wordnet_sets *sets, const char *word,
                            size_t bytes);

#endif
