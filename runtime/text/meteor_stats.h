/**
 * The sufficient statistics of METEOR and its formula (Denkowski & Lavie 2014, "Meteor Universal",
 * section 2), with the parameters for English and the task "rank".
 */
#ifndef LAC_TEXT_METEOR_STATS_H
#define LAC_TEXT_METEOR_STATS_H

#include "text/meteor_align.h"

/** Counts of words on each side; sums over images are one, too. */
typedef struct lac_meteor_stats {
  double words[LAC_METEOR_SIDES], function_words[LAC_METEOR_SIDES];
  double content_matches[LAC_METEOR_STAGES][LAC_METEOR_SIDES];
  double function_matches[LAC_METEOR_STAGES][LAC_METEOR_SIDES];
  double chunks;
} lac_meteor_stats;

/** Add up; the chunk of an image whose words all match in one chunk is left out. */
void lac_meteor_stats_add(lac_meteor_stats *sum, const lac_meteor_stats *more);

/**
 * The score:
 *   P, R = weighted matches / weighted words of the hypothesis, of the reference
 *   F    = P R / (alpha P + (1 - alpha) R)
 *   frag = chunks / mean of both sides' matched words; 0 where all words match in one chunk
 *   score = F (1 - gamma frag^beta); 0 where nothing matches
 * where content words weigh delta, function words 1 - delta, and the stages 1, 0.6, 0.8 and 0.6;
 * alpha = 0.85, beta = 0.2, gamma = 0.6, delta = 0.75.
 */
double lac_meteor_stats_score(const lac_meteor_stats *stats);

#endif
