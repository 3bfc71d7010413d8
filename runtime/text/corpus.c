/*
 * All captions lie in one array: of each the numbers of its words, then of its pairs, triples and
 * fours. Counting goes through two arrays with a place for every n-gram, which are all zero between
 * calls.
 */
#include "text/corpus.h"

#include "core/memory.h"
#include "text/words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct caption {
  size_t grams, words;   // place in `numbers` and count of words
  size_t pieces, splits; // the same for pieces between single spaces
} caption;

typedef struct image {
  size_t hypothesis, references;
} image;

struct lac_corpus {
  lac_ngrams *ngrams;
  caption *captions;
  image *images;
  uint32_t *numbers;
  size_t caption_count, caption_room, image_count, image_room, number_count, number_room;
  uint32_t *mine, *theirs; // counts by n-gram, `counted` of each
  size_t counted;
  double *weights; // by n-gram, `weighed` of them
  size_t weighed;
};

lac_status lac_corpus_new(lac_corpus **out) {
  lac_corpus *self = NULL;
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "captions"));
  const lac_status status = lac_ngrams_new(&self->ngrams);
  if (status != LAC_OK) {
    lac_corpus_release(self);
    return status;
  }
  *out = self;
  return LAC_OK;
}

void lac_corpus_release(lac_corpus *self) {
  if (!self) return;
  lac_ngrams_release(self->ngrams);
  free(self->captions);
  free(self->images);
  free(self->numbers);
  free(self->mine);
  free(self->theirs);
  free(self->weights);
  free(self);
}

static lac_status reserve(void *inout, size_t *room, size_t wanted, size_t size) {
  if (wanted <= *room) return LAC_OK;
  LAC_TRY(lac_realloc(inout, 2 * wanted, size, "captions"));
  *room = 2 * wanted;
  return LAC_OK;
}

static lac_status push_number(lac_corpus *self, uint32_t number) {
  LAC_TRY(
      reserve(&self->numbers, &self->number_room, self->number_count + 1, sizeof *self->numbers));
  self->numbers[self->number_count++] = number;
  return LAC_OK;
}

/* ---- reading ---- */

static lac_status push_words(lac_corpus *self, caption *c, const char *text, size_t bytes) {
  const char *word;
  size_t length;
  c->grams = self->number_count;
  for (size_t at = 0; lac_words_next(&word, &length, &at, text, bytes);) {
    uint32_t number;
    LAC_TRY(lac_ngrams_word(self->ngrams, &number, word, length));
    LAC_TRY(push_number(self, number));
  }
  c->words = self->number_count - c->grams;
  return LAC_OK;
}

/* Behind the words: the n-gram at a place is the shorter one there and a word. */
static lac_status push_longer(lac_corpus *self, const caption *c) {
  size_t shorter = c->grams;
  for (size_t n = 2; n <= LAC_NGRAMS_MOST && n <= c->words; n++) {
    const size_t count = c->words - n + 1, here = self->number_count;
    for (size_t i = 0; i < count; i++) {
      uint32_t gram;
      LAC_TRY(lac_ngrams_longer(self->ngrams, &gram, self->numbers[shorter + i],
                                self->numbers[c->grams + i + n - 1]));
      LAC_TRY(push_number(self, gram));
    }
    shorter = here;
  }
  return LAC_OK;
}

static lac_status push_pieces(lac_corpus *self, caption *c, const char *text, size_t bytes) {
  c->pieces = self->number_count;
  for (size_t from = 0; from <= bytes;) {
    const char *space = from < bytes ? memchr(text + from, ' ', bytes - from) : NULL;
    const size_t end = space ? (size_t)(space - text) : bytes;
    uint32_t piece;
    LAC_TRY(lac_ngrams_word(self->ngrams, &piece, text + from, end - from));
    LAC_TRY(push_number(self, piece));
    from = end + 1;
  }
  c->splits = self->number_count - c->pieces;
  return LAC_OK;
}

lac_status lac_corpus_add(lac_corpus *self, bool hypothesis, const char *text, size_t bytes) {
  caption c = {0};
  LAC_TRY(reserve(&self->captions, &self->caption_room, self->caption_count + 1, sizeof c));
  LAC_TRY(reserve(&self->images, &self->image_room, self->image_count + 1, sizeof(image)));
  if (!hypothesis && self->image_count == 0)
    return lac_fail(LAC_EINVAL, "corpus: the first caption must be a hypothesis");
  LAC_TRY(push_words(self, &c, text, bytes));
  LAC_TRY(push_longer(self, &c));
  LAC_TRY(push_pieces(self, &c, text, bytes));
  if (hypothesis)
    self->images[self->image_count++] = (image){self->caption_count, 0};
  else
    self->images[self->image_count - 1].references++;
  self->captions[self->caption_count++] = c;
  return LAC_OK;
}

/* ---- looking ---- */

size_t lac_corpus_images(const lac_corpus *self) {
  return self->image_count;
}

size_t lac_corpus_hypothesis(const lac_corpus *self, size_t at) {
  return self->images[at].hypothesis;
}

size_t lac_corpus_references(const lac_corpus *self, size_t at) {
  return self->images[at].references;
}

size_t lac_corpus_words(const lac_corpus *self, size_t at) {
  return self->captions[at].words;
}

size_t lac_corpus_pieces(const lac_corpus *self, size_t at) {
  return self->captions[at].splits;
}

const lac_ngrams *lac_corpus_borrow_ngrams(const lac_corpus *self) {
  return self->ngrams;
}

/* The n-grams of one order in a caption. */
typedef struct span {
  const uint32_t *at, *end;
} span;

static span span_of(const lac_corpus *self, const caption *c, size_t n) {
  const uint32_t *at = self->numbers + c->grams;
  for (size_t k = 1; k < n && k <= c->words; k++)
    at += c->words - k + 1;
  return (span){at, n <= c->words ? at + (c->words - n + 1) : at};
}

static span all_of(const lac_corpus *self, const caption *c) {
  return (span){self->numbers + c->grams, span_of(self, c, LAC_NGRAMS_MOST).end};
}

/* ---- counting ---- */

/* Zeroed counts for all n-grams there are. */
static lac_status prepare(lac_corpus *self) {
  const size_t count = lac_ngrams_count(self->ngrams), size = sizeof *self->mine;
  if (self->counted >= count) return LAC_OK;
  LAC_TRY(lac_realloc(&self->mine, count, size, "counts of n-grams"));
  LAC_TRY(lac_realloc(&self->theirs, count, size, "counts of n-grams"));
  memset(self->mine + self->counted, 0, (count - self->counted) * size);
  memset(self->theirs + self->counted, 0, (count - self->counted) * size);
  self->counted = count;
  return LAC_OK;
}

static void count_grams(uint32_t *counts, span s) {
  for (const uint32_t *g = s.at; g < s.end; g++)
    counts[*g]++;
}

static void clear_counts(uint32_t *counts, span s) {
  for (const uint32_t *g = s.at; g < s.end; g++)
    counts[*g] = 0;
}

lac_status lac_corpus_correct(lac_corpus *self, uint64_t correct[LAC_NGRAMS_MOST], size_t at,
                              size_t image_at) {
  LAC_TRY(prepare(self));
  const image *im = &self->images[image_at];
  const caption *hypothesis = &self->captions[at];
  const span mine = all_of(self, hypothesis);
  uint32_t *most = NULL; // for each place in the hypothesis: how often a reference has its n-gram
  LAC_TRY(lac_alloc(&most, (size_t)(mine.end - mine.at), sizeof *most, "counts of n-grams"));
  for (size_t r = 1; r <= im->references; r++) {
    const span theirs = all_of(self, &self->captions[im->hypothesis + r]);
    count_grams(self->theirs, theirs);
    for (const uint32_t *g = mine.at; g < mine.end; g++) {
      uint32_t *best = &most[g - mine.at];
      if (self->theirs[*g] > *best) *best = self->theirs[*g];
    }
    clear_counts(self->theirs, theirs);
  }
  for (size_t n = 1; n <= LAC_NGRAMS_MOST; n++) {
    const span s = span_of(self, hypothesis, n);
    correct[n - 1] = 0;
    for (const uint32_t *g = s.at; g < s.end;
         g++) // the k-th of its kind counts if a reference has k
      if (++self->mine[*g] <= most[g - mine.at]) correct[n - 1]++;
  }
  clear_counts(self->mine, mine);
  free(most);
  return LAC_OK;
}

lac_status lac_corpus_common(lac_corpus *self, size_t *out, size_t a, size_t b) {
  const caption *rows = &self->captions[a], *columns = &self->captions[b];
  const uint32_t *x = self->numbers + rows->pieces, *y = self->numbers + columns->pieces;
  size_t *row = NULL; // of the table: row[j] for the first j pieces of b
  LAC_TRY(lac_alloc(&row, columns->splits + 1, sizeof *row, "a longest common subsequence"));
  for (size_t i = 0; i < rows->splits; i++) {
    size_t diagonal = 0;
    for (size_t j = 1; j <= columns->splits; j++) {
      const size_t above = row[j];
      if (x[i] == y[j - 1])
        row[j] = diagonal + 1;
      else if (row[j - 1] > above)
        row[j] = row[j - 1];
      diagonal = above;
    }
  }
  *out = row[columns->splits];
  free(row);
  return LAC_OK;
}

lac_status lac_corpus_count_documents(lac_corpus *self, double *documents) {
  LAC_TRY(prepare(self));
  for (size_t i = 0; i < self->counted; i++)
    documents[i] = 0;
  for (size_t i = 0; i < self->image_count; i++) {
    const image *im = &self->images[i];
    for (size_t r = 1; r <= im->references; r++) {
      const span s = all_of(self, &self->captions[im->hypothesis + r]);
      for (const uint32_t *g = s.at; g < s.end; g++)
        if (self->theirs[*g]++ == 0) documents[*g]++;
    }
    for (size_t r = 1; r <= im->references; r++)
      clear_counts(self->theirs, all_of(self, &self->captions[im->hypothesis + r]));
  }
  return LAC_OK;
}

lac_status lac_corpus_weigh(lac_corpus *self, const double *documents, double total) {
  const size_t count = lac_ngrams_count(self->ngrams);
  LAC_TRY(lac_realloc(&self->weights, count, sizeof *self->weights, "weights of n-grams"));
  for (size_t i = 0; i < count; i++)
    self->weights[i] = log(total) - log(documents[i] > 1 ? documents[i] : 1);
  self->weighed = count;
  return LAC_OK;
}

/* One order of similarity. A sum over places counts each n-gram as often as it stands there, which
 * is the second factor of every square. */
static double cosine(const lac_corpus *self, span a, span b, bool clip) {
  double product = 0, norm_a = 0, norm_b = 0;
  for (const uint32_t *g = a.at; g < a.end; g++)
    norm_a += self->mine[*g] * self->weights[*g] * self->weights[*g];
  for (const uint32_t *g = b.at; g < b.end; g++) {
    const uint32_t mine = self->mine[*g], theirs = self->theirs[*g];
    const double square = self->weights[*g] * self->weights[*g];
    norm_b += theirs * square;
    product += (clip && mine > theirs ? theirs : mine) * square;
  }
  return norm_a > 0 && norm_b > 0 ? product / (sqrt(norm_a) * sqrt(norm_b)) : 0;
}

lac_status lac_corpus_similarity(lac_corpus *self, double *out, size_t a, size_t b, bool clip) {
  if (self->weighed != lac_ngrams_count(self->ngrams) || !self->weights)
    return lac_fail(LAC_EINVAL, "corpus: n-grams must be weighed before they are compared");
  LAC_TRY(prepare(self));
  const caption *x = &self->captions[a], *y = &self->captions[b];
  count_grams(self->mine, all_of(self, x));
  count_grams(self->theirs, all_of(self, y));
  double sum = 0;
  for (size_t n = 1; n <= LAC_NGRAMS_MOST; n++)
    sum += cosine(self, span_of(self, x, n), span_of(self, y, n), clip);
  clear_counts(self->mine, all_of(self, x));
  clear_counts(self->theirs, all_of(self, y));
  *out = sum;
  return LAC_OK;
}
