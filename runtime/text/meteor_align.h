/**
 * Choosing among pairs of matching words, so that none is used twice, most are matched and the
 * matched ones lie in few chunks.
 */
#ifndef LAC_TEXT_METEOR_ALIGN_H
#define LAC_TEXT_METEOR_ALIGN_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The sides of a comparison. */
enum { LAC_METEOR_REFERENCE, LAC_METEOR_HYPOTHESIS, LAC_METEOR_SIDES };

/** How words may match, in this order. */
typedef enum lac_meteor_stage {
  LAC_METEOR_EXACT,
  LAC_METEOR_STEM,
  LAC_METEOR_SYNONYM,
  LAC_METEOR_PARAPHRASE,
  LAC_METEOR_STAGES
} lac_meteor_stage;

/** Words of one side that match words of the other: one each, or phrases. */
typedef struct lac_meteor_pair {
  uint32_t at[LAC_METEOR_SIDES], words[LAC_METEOR_SIDES]; /* first word, from 0, and how many */
  lac_meteor_stage stage;
} lac_meteor_pair;

/** Pairs in a list that grows; zeros are an empty one. */
typedef struct lac_meteor_pairs {
  lac_meteor_pair *list;
  size_t count, room;
} lac_meteor_pairs;

/** Append. @return LAC_OK; LAC_ENOMEM */
lac_status lac_meteor_pairs_add(lac_meteor_pairs *pairs, lac_meteor_pair pair);

void lac_meteor_pairs_release(lac_meteor_pairs *pairs);

/** Memory that is used again from one alignment to the next. */
typedef struct lac_meteor_search lac_meteor_search;

/** @return LAC_OK; LAC_ENOMEM */
lac_status lac_meteor_search_new(lac_meteor_search **out);

/** NULL is fine. */
void lac_meteor_search_release(lac_meteor_search *search);

/**
 * Choose pairs by the beam search of METEOR 1.5 (Denkowski & Lavie 2011, "Meteor 1.3", section 2.2,
 * and as the published program does it, see the source).
 *
 * @param[in,out] pairs  all that there are, in the order in which they are tried; then those
 * chosen, in the order of the reference
 * @param[out] chunks    runs of chosen pairs that follow each other on both sides
 * @param words          of each side
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_meteor_align(lac_meteor_search *search, lac_meteor_pairs *pairs, uint32_t *chunks,
                            const uint32_t words[LAC_METEOR_SIDES]);

#endif
