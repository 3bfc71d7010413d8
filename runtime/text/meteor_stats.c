/* All members are counts, so two statistics are added member by member. */
#include "text/meteor_stats.h"

#include <math.h>

static const double ALPHA = 0.85, BETA = 0.2, GAMMA = 0.6, DELTA = 0.75;
static const double WEIGHTS[LAC_METEOR_STAGES] = {1.0, 0.6, 0.8, 0.6};

static double matched_words(const lac_meteor_stats *s, int side) {
  double sum = 0;
  for (int stage = 0; stage < LAC_METEOR_STAGES; stage++)
    sum += s->content_matches[stage][side] + s->function_matches[stage][side];
  return sum;
}

static bool is_one_chunk(const lac_meteor_stats *s) {
  return s->chunks == 1 && matched_words(s, 0) == s->words[0] && matched_words(s, 1) == s->words[1];
}

void lac_meteor_stats_add(lac_meteor_stats *sum, const lac_meteor_stats *more) {
  for (int side = 0; side < LAC_METEOR_SIDES; side++) {
    sum->words[side] += more->words[side];
    sum->function_words[side] += more->function_words[side];
    for (int stage = 0; stage < LAC_METEOR_STAGES; stage++) {
      sum->content_matches[stage][side] += more->content_matches[stage][side];
      sum->function_matches[stage][side] += more->function_matches[stage][side];
    }
  }
  if (!is_one_chunk(more)) sum->chunks += more->chunks;
}

/* Weighted matches over weighted words. */
static double ratio(const lac_meteor_stats *s, int side) {
  const double functions = s->function_words[side], contents = s->words[side] - functions;
  double matches = 0;
  for (int stage = 0; stage < LAC_METEOR_STAGES; stage++)
    matches += WEIGHTS[stage] * (DELTA * s->content_matches[stage][side] +
                                 (1 - DELTA) * s->function_matches[stage][side]);
  return matches / (DELTA * contents + (1 - DELTA) * functions);
}

double lac_meteor_stats_score(const lac_meteor_stats *s) {
  const double p = ratio(s, LAC_METEOR_HYPOTHESIS), r = ratio(s, LAC_METEOR_REFERENCE);
  const double f = 1 / ((1 - ALPHA) / p + ALPHA / r);
  const double matched = (matched_words(s, 0) + matched_words(s, 1)) / 2;
  const double fragmentation = is_one_chunk(s) ? 0 : s->chunks / matched;
  const double score = f * (1 - GAMMA * pow(fragmentation, BETA));
  return score > 0 ? score : 0; // also where it is NaN: nothing matches
}
