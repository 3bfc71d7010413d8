/* Numbers of images in an array by n-gram. While counting, `latest` has the image that an n-gram
 * was last seen in, so that each counts once. */
#include "text/frequencies.h"

#include "core/memory.h"
#include "text/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lac_frequencies {
  unsigned owners;
  lac_ngrams *ngrams, *known; // known: NULL where all words are
  double *images;             // by n-gram, room for `room`
  uint32_t *latest;           // likewise; the image from 1
  size_t room, used;          // used: how many of both are set
  uint32_t *line;             // the words of the caption that is counted
  size_t line_room;
  uint32_t image;
  double total;
};

lac_status lac_frequencies_new(lac_frequencies **out) {
  lac_frequencies *self = NULL;
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "document frequencies"));
  self->owners = 1;
  const lac_status status = lac_ngrams_new(&self->ngrams);
  if (status != LAC_OK) {
    lac_frequencies_release(self);
    return status;
  }
  *out = self;
  return LAC_OK;
}

lac_frequencies *lac_frequencies_retain(lac_frequencies *self) {
  self->owners++;
  return self;
}

void lac_frequencies_release(lac_frequencies *self) {
  if (!self || --self->owners > 0) return;
  lac_ngrams_release(self->ngrams);
  lac_ngrams_release(self->known);
  free(self->images);
  free(self->latest);
  free(self->line);
  free(self);
}

/* ---- counting ---- */

/* Zeroes for the n-grams that are new. */
static lac_status extend(lac_frequencies *self) {
  const size_t count = lac_ngrams_count(self->ngrams);
  if (count > self->room) {
    LAC_TRY(lac_realloc(&self->images, 2 * count, sizeof *self->images, "document frequencies"));
    LAC_TRY(lac_realloc(&self->latest, 2 * count, sizeof *self->latest, "document frequencies"));
    self->room = 2 * count;
  }
  for (; self->used < count; self->used++) {
    self->images[self->used] = 0;
    self->latest[self->used] = 0;
  }
  return LAC_OK;
}

lac_status lac_frequencies_restrict(lac_frequencies *self) {
  return self->known ? LAC_OK : lac_ngrams_new(&self->known);
}

lac_status lac_frequencies_know(lac_frequencies *self, const char *word, size_t bytes) {
  uint32_t number;
  return lac_ngrams_word(self->known, &number, word, bytes);
}

lac_status lac_frequencies_next_image(lac_frequencies *self) {
  if (self->image == UINT32_MAX) return lac_fail(LAC_ENOMEM, "more than 2^32 images");
  self->total = ++self->image;
  return LAC_OK;
}

static lac_status push(lac_frequencies *self, size_t *count, const char *word, size_t bytes) {
  if (*count == self->line_room) {
    const size_t room = 2 * *count + 32;
    LAC_TRY(lac_realloc(&self->line, room, sizeof *self->line, "document frequencies"));
    self->line_room = room;
  }
  uint32_t number;
  LAC_TRY(lac_ngrams_word(self->ngrams, &number, word, bytes));
  self->line[(*count)++] = number;
  return LAC_OK;
}

/* The words of a caption, as they are counted, into `line`. */
static lac_status read_line(lac_frequencies *self, size_t *count, const char *text, size_t bytes) {
  static const char unknown[] = "UNK", end[] = "<eos>";
  const char *word;
  size_t length;
  for (size_t at = 0; lac_words_next(&word, &length, &at, text, bytes);) {
    if (!self->known || lac_ngrams_find_word(self->known, word, length) != LAC_NGRAMS_NONE)
      LAC_TRY(push(self, count, word, length));
    else
      LAC_TRY(push(self, count, unknown, sizeof unknown - 1));
  }
  return push(self, count, end, sizeof end - 1);
}

lac_status lac_frequencies_count(lac_frequencies *self, const char *text, size_t bytes) {
  size_t count = 0;
  LAC_TRY(read_line(self, &count, text, bytes));
  for (size_t i = 0; i < count; i++) {
    uint32_t gram = self->line[i];
    for (size_t n = 1;; n++) {
      LAC_TRY(extend(self));
      if (self->latest[gram] != self->image) self->images[gram]++;
      self->latest[gram] = self->image;
      if (n == LAC_NGRAMS_MOST || i + n == count) break;
      LAC_TRY(lac_ngrams_longer(self->ngrams, &gram, gram, self->line[i + n]));
    }
  }
  return LAC_OK;
}

/* ---- given tables ---- */

lac_status lac_frequencies_set(lac_frequencies *self, const char *text, size_t bytes,
                               double images) {
  const char *word;
  size_t length, count = 0;
  uint32_t gram = 0;
  if (!(images >= 0)) return lac_fail(LAC_EINVAL, "an n-gram cannot be in %g images", images);
  for (size_t at = 0; lac_words_next(&word, &length, &at, text, bytes); count++) {
    uint32_t number;
    if (count == LAC_NGRAMS_MOST)
      return lac_fail(LAC_EINVAL, "\"%.*s\" has more than %d words", (int)(bytes < 80 ? bytes : 80),
                      text, LAC_NGRAMS_MOST);
    LAC_TRY(lac_ngrams_word(self->ngrams, &number, word, length));
    if (count == 0)
      gram = number;
    else
      LAC_TRY(lac_ngrams_longer(self->ngrams, &gram, gram, number));
  }
  if (count == 0) return lac_fail(LAC_EINVAL, "there is an n-gram without a word");
  LAC_TRY(extend(self));
  self->images[gram] = images;
  return LAC_OK;
}

lac_status lac_frequencies_set_total(lac_frequencies *self, double images) {
  if (!(images >= 1) || isinf(images))
    return lac_fail(LAC_EINVAL, "the number of images must be at least 1, it is %g", images);
  self->total = images;
  return LAC_OK;
}

/* ---- looking ---- */

double lac_frequencies_total(const lac_frequencies *self) {
  return self->total;
}

const lac_ngrams *lac_frequencies_borrow_ngrams(const lac_frequencies *self) {
  return self->ngrams;
}

double lac_frequencies_images(const lac_frequencies *self, uint32_t number) {
  return number < self->used ? self->images[number] : 0;
}

lac_status lac_frequencies_find(const lac_frequencies *self, double *images, const lac_ngrams *of) {
  const size_t count = lac_ngrams_count(of);
  uint32_t *numbers = NULL;
  LAC_TRY(lac_alloc(&numbers, count, sizeof *numbers, "numbers of n-grams"));
  lac_ngrams_translate(numbers, of, self->ngrams);
  for (size_t i = 0; i < count; i++)
    images[i] = lac_frequencies_images(self, numbers[i]); // LAC_NGRAMS_NONE is beyond all
  free(numbers);
  return LAC_OK;
}
