/*
 * A batch numbers the words it is given and looks each up once, so that the comparing threads see
 * only numbers that no longer change.
 */
#include "text/meteor.h"

#include "core/memory.h"
#include "core/workers.h"
#include "text/meteor_match.h"
#include "text/meteor_words.h"
#include "text/ngrams.h"
#include "text/stemmer.h"
#include "text/wordnet.h"

#include <stdlib.h>
#include <string.h>

enum { IMAGES_EACH = 32 }; // that a thread takes at a time

struct lac_meteor {
  lac_wordnet *wordnet;         // or NULL
  lac_paraphrases *paraphrases; // or NULL
};

typedef struct span {
  size_t first, count;
} span;

struct lac_meteor_batch {
  const lac_meteor *meteor;
  lac_stemmer *stemmer;
  lac_ngrams *names, *stems;
  lac_meteor_word *words; // by number in `names`
  lac_wordnet_sets sets;
  uint32_t *tokens;
  span *captions; // of tokens
  span *images;   // of captions: the hypothesis, then references
  size_t word_count, word_room, token_count, token_room, caption_count, caption_room, image_count,
      image_room;
};

lac_status lac_meteor_new(lac_meteor **out, const char *wordnet, const char *paraphrases) {
  lac_meteor *self = NULL;
  lac_stemmer *stemmer = NULL;
  LAC_TRY(lac_stemmer_new(&stemmer)); // to say now that there is none
  lac_stemmer_release(stemmer);
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "METEOR"));
  lac_status status = wordnet ? lac_wordnet_open(&self->wordnet, wordnet) : LAC_OK;
  if (status == LAC_OK && paraphrases)
    status = lac_paraphrases_open(&self->paraphrases, paraphrases);
  if (status != LAC_OK) {
    lac_meteor_release(self);
    return status;
  }
  *out = self;
  return LAC_OK;
}

void lac_meteor_release(lac_meteor *self) {
  if (!self) return;
  lac_wordnet_release(self->wordnet);
  lac_paraphrases_release(self->paraphrases);
  free(self);
}

/* ---- captions ---- */

lac_status lac_meteor_batch_new(lac_meteor_batch **out, const lac_meteor *meteor) {
  lac_meteor_batch *self = NULL;
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "captions"));
  self->meteor = meteor;
  lac_status status = lac_stemmer_new(&self->stemmer);
  if (status == LAC_OK) status = lac_ngrams_new(&self->names);
  if (status == LAC_OK) status = lac_ngrams_new(&self->stems);
  if (status != LAC_OK) {
    lac_meteor_batch_release(self);
    return status;
  }
  *out = self;
  return LAC_OK;
}

void lac_meteor_batch_release(lac_meteor_batch *self) {
  if (!self) return;
  lac_stemmer_release(self->stemmer);
  lac_ngrams_release(self->names);
  lac_ngrams_release(self->stems);
  free(self->words);
  free(self->sets.ids);
  free(self->tokens);
  free(self->captions);
  free(self->images);
  free(self);
}

/* Room for one more element behind the `count` used ones. */
static lac_status reserve(void *inout, size_t *room, size_t count, size_t size) {
  if (count < *room) return LAC_OK;
  const size_t wanted = *room ? 2 * *room : 256;
  LAC_TRY(lac_realloc(inout, wanted, size, "captions"));
  *room = wanted;
  return LAC_OK;
}

/* Look up the word that is numbered next. */
static lac_status describe(lac_meteor_batch *self, const char *text, size_t bytes) {
  const lac_meteor *m = self->meteor;
  lac_meteor_word word = {.id = (uint32_t)self->word_count, .first_set = self->sets.count};
  const char *stem;
  size_t stem_bytes;
  LAC_TRY(lac_stemmer_stem(self->stemmer, &stem, &stem_bytes, text, bytes));
  LAC_TRY(lac_ngrams_word(self->stems, &word.stem, stem, stem_bytes));
  if (m->wordnet) LAC_TRY(lac_wordnet_find(m->wordnet, &self->sets, text, bytes));
  word.sets = self->sets.count - word.first_set;
  word.in_phrases =
      m->paraphrases ? lac_paraphrases_word(m->paraphrases, text, bytes) : LAC_PARAPHRASES_NONE;
  word.is_function_word = lac_meteor_is_function_word(text, bytes);
  LAC_TRY(reserve(&self->words, &self->word_room, self->word_count, sizeof word));
  self->words[self->word_count++] = word;
  return LAC_OK;
}

static lac_status add_words(lac_meteor_batch *self, const char *text, size_t bytes) {
  const size_t first = self->token_count;
  for (size_t from = 0, end; from < bytes; from = end + 1) {
    uint32_t number;
    const char *blank = memchr(text + from, ' ', bytes - from);
    end = blank ? (size_t)(blank - text) : bytes;
    LAC_TRY(lac_ngrams_word(self->names, &number, text + from, end - from));
    if (number == self->word_count) LAC_TRY(describe(self, text + from, end - from));
    LAC_TRY(reserve(&self->tokens, &self->token_room, self->token_count, sizeof number));
    self->tokens[self->token_count++] = number;
  }
  const size_t count = self->token_count - first;
  if (count > LAC_METEOR_WORDS_MOST)
    return lac_fail(LAC_EINVAL, "meteor: a caption has %zu words, more than %d: \"%.60s...\"",
                    count, LAC_METEOR_WORDS_MOST, text);
  self->captions[self->caption_count++] = (span){first, count};
  return LAC_OK;
}

lac_status lac_meteor_batch_add(lac_meteor_batch *self, bool hypothesis, const char *text,
                                size_t bytes) {
  char *words = NULL;
  size_t size = 0;
  LAC_TRY(reserve(&self->captions, &self->caption_room, self->caption_count, sizeof(span)));
  LAC_TRY(reserve(&self->images, &self->image_room, self->image_count, sizeof(span)));
  if (!hypothesis && self->image_count == 0)
    return lac_fail(LAC_EINVAL, "meteor: a reference comes before the first hypothesis");
  LAC_TRY(lac_meteor_words(&words, &size, text, bytes));
  const lac_status status = add_words(self, words, size);
  free(words);
  if (status != LAC_OK) return status;
  if (hypothesis) self->images[self->image_count++] = (span){self->caption_count - 1, 0};
  self->images[self->image_count - 1].count++;
  return LAC_OK;
}

/* ---- scoring ---- */

/* What a thread works with. */
typedef struct bench {
  lac_meteor_lexicon lexicon;
  lac_meteor_phrases *phrases[LAC_METEOR_SIDES];
  lac_meteor_search *search;
  lac_meteor_pairs pairs;
} bench;

static void clear_bench(bench *b) {
  for (int side = 0; side < LAC_METEOR_SIDES; side++)
    lac_meteor_phrases_release(b->phrases[side]);
  lac_meteor_search_release(b->search);
  lac_meteor_pairs_release(&b->pairs);
}

static lac_status set_up(bench *b, const lac_meteor_batch *self) {
  *b = (bench){.lexicon = {self->words, self->sets.ids, self->meteor->paraphrases}};
  lac_status status = lac_meteor_phrases_new(&b->phrases[0]);
  if (status == LAC_OK) status = lac_meteor_phrases_new(&b->phrases[1]);
  if (status == LAC_OK) status = lac_meteor_search_new(&b->search);
  if (status != LAC_OK) clear_bench(b);
  return status;
}

static lac_meteor_caption caption_of(const lac_meteor_batch *self, size_t at) {
  const span c = self->captions[at];
  return (lac_meteor_caption){self->tokens + c.first, (uint32_t)c.count};
}

/* Both captions of a comparison; the phrases of the hypothesis are read already. */
typedef lac_meteor_caption both[LAC_METEOR_SIDES];

static lac_status align(bench *b, uint32_t *chunks, const both captions) {
  const uint32_t words[] = {captions[0].count, captions[1].count};
  LAC_TRY(lac_meteor_phrases_read(b->phrases[LAC_METEOR_REFERENCE], &b->lexicon,
                                  captions[LAC_METEOR_REFERENCE]));
  LAC_TRY(lac_meteor_match(&b->pairs, &b->lexicon, b->phrases, captions));
  return lac_meteor_align(b->search, &b->pairs, chunks, words);
}

static lac_status read_hypothesis(bench *b, lac_meteor_caption hypothesis) {
  return lac_meteor_phrases_read(b->phrases[LAC_METEOR_HYPOTHESIS], &b->lexicon, hypothesis);
}

lac_status lac_meteor_batch_align(const lac_meteor_batch *self, lac_meteor_pairs *pairs,
                                  uint32_t *chunks, size_t image, size_t reference) {
  bench b;
  const size_t first = self->images[image].first;
  const both captions = {caption_of(self, first + 1 + reference), caption_of(self, first)};
  LAC_TRY(set_up(&b, self));
  lac_status status = read_hypothesis(&b, captions[LAC_METEOR_HYPOTHESIS]);
  if (status == LAC_OK) status = align(&b, chunks, captions);
  if (status == LAC_OK) {
    const lac_meteor_pairs found = b.pairs;
    b.pairs = *pairs;
    *pairs = found;
  }
  clear_bench(&b);
  return status;
}

/* The statistics of chosen pairs. */
static lac_meteor_stats count(const bench *b, uint32_t chunks, const both captions) {
  lac_meteor_stats s = {.chunks = chunks};
  for (int side = 0; side < LAC_METEOR_SIDES; side++) {
    const uint32_t *words = captions[side].words;
    s.words[side] = captions[side].count;
    for (uint32_t i = 0; i < captions[side].count; i++)
      s.function_words[side] += b->lexicon.words[words[i]].is_function_word;
    for (const lac_meteor_pair *p = b->pairs.list; p < b->pairs.list + b->pairs.count; p++) {
      for (uint32_t i = p->at[side]; i < p->at[side] + p->words[side]; i++) {
        const bool function = b->lexicon.words[words[i]].is_function_word;
        s.content_matches[p->stage][side] += !function;
        s.function_matches[p->stage][side] += function;
      }
    }
  }
  return s;
}

static lac_status score_image(bench *b, lac_meteor_stats *best, const lac_meteor_batch *self,
                              size_t image) {
  const span captions = self->images[image];
  const lac_meteor_caption hypothesis = caption_of(self, captions.first);
  double most = -1;
  LAC_TRY(read_hypothesis(b, hypothesis));
  for (size_t j = 1; j < captions.count; j++) {
    const both compared = {caption_of(self, captions.first + j), hypothesis};
    uint32_t chunks = 0;
    LAC_TRY(align(b, &chunks, compared));
    const lac_meteor_stats s = count(b, chunks, compared);
    const double score = lac_meteor_stats_score(&s);
    if (score > most) {
      most = score;
      *best = s;
    }
  }
  return LAC_OK;
}

typedef struct part {
  lac_status status;
  char message[256];
} part;

typedef struct job {
  const lac_meteor_batch *batch;
  lac_meteor_stats *stats;
  part *parts;
} job;

static lac_status score_images(const job *j, size_t first) {
  bench b;
  lac_status status = set_up(&b, j->batch);
  if (status != LAC_OK) return status;
  for (size_t i = first; i < first + IMAGES_EACH && i < j->batch->image_count; i++) {
    if (status == LAC_OK) status = score_image(&b, &j->stats[i], j->batch, i);
  }
  clear_bench(&b);
  return status;
}

static void score_part(void *arg, uint32_t at) {
  const job *j = arg;
  part *p = &j->parts[at];
  p->status = score_images(j, (size_t)at * IMAGES_EACH);
  if (p->status != LAC_OK) strncat(p->message, lac_message(), sizeof p->message - 1);
}

lac_status lac_meteor_batch_score(const lac_meteor_batch *self, lac_meteor_stats *stats) {
  lac_workers *workers = NULL;
  job j = {self, stats, NULL};
  const size_t parts = (self->image_count + IMAGES_EACH - 1) / IMAGES_EACH;
  for (size_t i = 0; i < self->image_count; i++) {
    if (self->images[i].count < 2)
      return lac_fail(LAC_EINVAL, "meteor: image %zu has no reference", i + 1);
  }
  lac_status status = lac_alloc(&j.parts, parts, sizeof *j.parts, "METEOR");
  if (status == LAC_OK) status = lac_workers_new(&workers, 0);
  if (status == LAC_OK) lac_workers_run(workers, score_part, &j, (uint32_t)parts);
  for (size_t i = 0; i < parts && status == LAC_OK; i++) {
    if (j.parts[i].status != LAC_OK) status = lac_fail(j.parts[i].status, "%s", j.parts[i].message);
  }
  lac_workers_release(workers);
  free(j.parts);
  return status;
}
