/*
 * A request is cut into parts of captions of one image that follow each other. Every part is a
 * corpus of its own, so that the threads share nothing but what they only read: the references and
 * the document frequencies. In it the first caption stands for the image, so that the references
 * are its references; the other captions follow as images without any.
 */
#include "text/rewards.h"

#include "core/background.h"
#include "core/memory.h"
#include "core/workers.h"
#include "text/corpus.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PART = 32 }; // captions at most in a part
static const double SIGMA = 6, SMALL = 1e-9, TINY = 1e-15;

/* Texts, one behind the other. */
typedef struct texts {
  char *bytes;
  size_t *ends; // of each
  size_t count, room, used, bytes_room;
} texts;

typedef struct part {
  size_t first, count; // captions
  lac_status status;
  char message[256];
} part;

struct lac_rewards {
  lac_rewards_weights weights;
  bool wants_bleu;
  lac_frequencies *frequencies;
  texts references;
  size_t *starts; // of each image the first reference
  size_t images, images_room;

  texts captions; // of the request
  size_t *owners; // the image of each caption
  size_t owners_room, parts_room, scores_room, part_count;
  part *parts;
  double *scores;
  bool running;

  lac_background *background;
  lac_workers *workers;
};

lac_status lac_rewards_new(lac_rewards **out, const lac_rewards_weights *weights,
                           lac_frequencies *frequencies) {
  const double *all[] = {&weights->cider, weights->bleu, weights->bleu + 1, weights->bleu + 2,
                         weights->bleu + 3};
  bool any = false;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (!isfinite(*all[i]))
      return lac_fail(LAC_EINVAL, "rewards: a weight must be a number, it is %g", *all[i]);
    any = any || *all[i] != 0;
  }
  if (!any) return lac_fail(LAC_EINVAL, "rewards: cider or a part of bleu needs a weight");
  lac_rewards *self = NULL;
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "rewards"));
  self->weights = *weights;
  for (size_t n = 0; n < LAC_NGRAMS_MOST; n++)
    self->wants_bleu = self->wants_bleu || weights->bleu[n] != 0;
  self->frequencies = lac_frequencies_retain(frequencies);
  *out = self;
  return LAC_OK;
}

static void free_texts(texts *t) {
  free(t->bytes);
  free(t->ends);
}

void lac_rewards_release(lac_rewards *self) {
  if (!self) return;
  lac_background_release(self->background);
  if (self->workers) lac_workers_release(self->workers);
  lac_frequencies_release(self->frequencies);
  free_texts(&self->references);
  free_texts(&self->captions);
  free(self->starts);
  free(self->owners);
  free(self->parts);
  free(self->scores);
  free(self);
}

/* ---- what is given ---- */

static lac_status reserve(void *inout, size_t *room, size_t wanted, size_t size) {
  if (wanted <= *room) return LAC_OK;
  LAC_TRY(lac_realloc(inout, 2 * wanted, size, "rewards"));
  *room = 2 * wanted;
  return LAC_OK;
}

static lac_status add_text(texts *t, const char *text, size_t bytes) {
  LAC_TRY(reserve(&t->ends, &t->room, t->count + 1, sizeof *t->ends));
  LAC_TRY(reserve(&t->bytes, &t->bytes_room, t->used + bytes + 1, 1));
  memcpy(t->bytes + t->used, text, bytes);
  t->used += bytes;
  t->ends[t->count++] = t->used;
  return LAC_OK;
}

static lac_status copy_text(lac_corpus *to, bool hypothesis, const texts *t, size_t at) {
  const size_t from = at > 0 ? t->ends[at - 1] : 0;
  return lac_corpus_add(to, hypothesis, t->bytes + from, t->ends[at] - from);
}

lac_status lac_rewards_next_image(lac_rewards *self) {
  LAC_TRY(reserve(&self->starts, &self->images_room, self->images + 1, sizeof *self->starts));
  self->starts[self->images++] = self->references.count;
  return LAC_OK;
}

lac_status lac_rewards_reference(lac_rewards *self, const char *text, size_t bytes) {
  return add_text(&self->references, text, bytes);
}

size_t lac_rewards_images(const lac_rewards *self) {
  return self->images;
}

size_t lac_rewards_references(const lac_rewards *self, size_t image) {
  const size_t end = image + 1 < self->images ? self->starts[image + 1] : self->references.count;
  return end - self->starts[image];
}

lac_status lac_rewards_begin(lac_rewards *self) {
  if (self->running)
    return lac_fail(LAC_EINVAL, "rewards: the scores of the last request were not taken");
  self->captions.count = self->captions.used = 0;
  return LAC_OK;
}

lac_status lac_rewards_caption(lac_rewards *self, size_t image, const char *text, size_t bytes) {
  LAC_TRY(
      reserve(&self->owners, &self->owners_room, self->captions.count + 1, sizeof *self->owners));
  self->owners[self->captions.count] = image;
  return add_text(&self->captions, text, bytes);
}

/* ---- one part ---- */

/* BLEU-1 to BLEU-4 of a caption, weighted (Papineni et al. 2002, "BLEU", section 2). */
static lac_status score_bleu(double *out, const lac_rewards *self, lac_corpus *corpus, size_t at) {
  uint64_t correct[LAC_NGRAMS_MOST];
  LAC_TRY(lac_corpus_correct(corpus, correct, at, 0));
  const size_t length = lac_corpus_words(corpus, at), first = lac_corpus_hypothesis(corpus, 0) + 1;
  size_t closest = lac_corpus_words(corpus, first);
  for (size_t r = 1; r < lac_corpus_references(corpus, 0); r++) {
    const size_t other = lac_corpus_words(corpus, first + r);
    const double gap = fabs((double)other - (double)length);
    const double least = fabs((double)closest - (double)length);
    if (gap < least || (gap == least && other < closest)) closest = other;
  }
  const double ratio = ((double)length + TINY) / ((double)closest + SMALL);
  const double brevity = ratio < 1 ? exp(1 - 1 / ratio) : 1;
  double product = 1, sum = 0;
  for (size_t n = 1; n <= LAC_NGRAMS_MOST; n++) {
    const double grams = length + 1 > n ? (double)(length + 1 - n) : 0;
    product *= ((double)correct[n - 1] + TINY) / (grams + SMALL);
    sum += self->weights.bleu[n - 1] * pow(product, 1 / (double)n) * brevity;
  }
  *out = sum;
  return LAC_OK;
}

static double count_bigrams(const lac_corpus *corpus, size_t at) {
  const size_t words = lac_corpus_words(corpus, at);
  return words > 0 ? (double)(words - 1) : 0;
}

/* CIDEr-D of a caption (Vedantam et al. 2015, "CIDEr", section 6). */
static lac_status score_cider(double *out, lac_corpus *corpus, size_t at) {
  const size_t first = lac_corpus_hypothesis(corpus, 0) + 1;
  const size_t count = lac_corpus_references(corpus, 0);
  double sum = 0;
  for (size_t r = first; r < first + count; r++) {
    double similarity;
    LAC_TRY(lac_corpus_similarity(corpus, &similarity, at, r, true));
    const double gap = count_bigrams(corpus, at) - count_bigrams(corpus, r);
    sum += similarity * exp(-gap * gap / (2 * SIGMA * SIGMA));
  }
  *out = 10 * sum / LAC_NGRAMS_MOST / (double)count;
  return LAC_OK;
}

static lac_status fill_corpus(lac_rewards *self, lac_corpus *corpus, const part *p) {
  const size_t image = self->owners[p->first], from = self->starts[image];
  LAC_TRY(copy_text(corpus, true, &self->captions, p->first));
  for (size_t r = 0; r < lac_rewards_references(self, image); r++)
    LAC_TRY(copy_text(corpus, false, &self->references, from + r));
  for (size_t i = 1; i < p->count; i++)
    LAC_TRY(copy_text(corpus, true, &self->captions, p->first + i));
  return LAC_OK;
}

static lac_status weigh(const lac_rewards *self, lac_corpus *corpus) {
  const lac_ngrams *grams = lac_corpus_borrow_ngrams(corpus);
  double *documents = NULL;
  LAC_TRY(lac_alloc(&documents, lac_ngrams_count(grams), sizeof *documents, "rewards"));
  lac_status status = lac_frequencies_find(self->frequencies, documents, grams);
  if (status == LAC_OK)
    status = lac_corpus_weigh(corpus, documents, lac_frequencies_total(self->frequencies));
  free(documents);
  return status;
}

static lac_status score_part(lac_rewards *self, lac_corpus *corpus, const part *p) {
  LAC_TRY(fill_corpus(self, corpus, p));
  if (self->weights.cider != 0) LAC_TRY(weigh(self, corpus));
  for (size_t i = 0; i < p->count; i++) {
    const size_t at = lac_corpus_hypothesis(corpus, i);
    double cider = 0, bleu = 0;
    if (self->weights.cider != 0) LAC_TRY(score_cider(&cider, corpus, at));
    if (self->wants_bleu) LAC_TRY(score_bleu(&bleu, self, corpus, at));
    self->scores[p->first + i] = self->weights.cider * cider + bleu;
  }
  return LAC_OK;
}

static void run_part(void *arg, uint32_t at) {
  lac_rewards *self = arg;
  part *p = &self->parts[at];
  lac_corpus *corpus = NULL;
  if (lac_background_dropped(self->background)) return;
  p->status = lac_corpus_new(&corpus);
  if (p->status == LAC_OK) p->status = score_part(self, corpus, p);
  if (p->status != LAC_OK) snprintf(p->message, sizeof p->message, "%s", lac_message());
  lac_corpus_release(corpus);
}

/* ---- requests ---- */

static lac_status run(void *arg) {
  lac_rewards *self = arg;
  lac_workers_run(self->workers, run_part, self, (uint32_t)self->part_count);
  for (size_t i = 0; i < self->part_count; i++)
    if (self->parts[i].status != LAC_OK)
      return lac_fail(self->parts[i].status, "%s", self->parts[i].message);
  return LAC_OK;
}

static lac_status cut_parts(lac_rewards *self) {
  const size_t count = self->captions.count;
  self->part_count = 0;
  for (size_t from = 0, to; from < count; from = to) {
    for (to = from + 1; to < count && to - from < PART; to++)
      if (self->owners[to] != self->owners[from]) break;
    LAC_TRY(reserve(&self->parts, &self->parts_room, self->part_count + 1, sizeof(part)));
    self->parts[self->part_count++] = (part){.first = from, .count = to - from};
  }
  return LAC_OK;
}

static lac_status prepare_threads(lac_rewards *self) {
  if (!self->workers) LAC_TRY(lac_workers_new(&self->workers, 0));
  return self->background ? LAC_OK : lac_background_new(&self->background, run, self);
}

lac_status lac_rewards_start(lac_rewards *self) {
  if (self->weights.cider != 0 && !(lac_frequencies_total(self->frequencies) >= 1))
    return lac_fail(LAC_EINVAL, "rewards: the document frequencies are of no image");
  LAC_TRY(prepare_threads(self));
  LAC_TRY(cut_parts(self));
  LAC_TRY(reserve(&self->scores, &self->scores_room, self->captions.count, sizeof *self->scores));
  lac_background_start(self->background);
  self->running = true;
  return LAC_OK;
}

lac_status lac_rewards_take(lac_rewards *self, const double **scores, size_t *count) {
  if (!self->running) return lac_fail(LAC_EINVAL, "rewards: there is no request to take from");
  bool found;
  self->running = false;
  LAC_TRY(lac_background_wait(self->background, &found));
  *scores = self->scores;
  *count = self->captions.count;
  return LAC_OK;
}
