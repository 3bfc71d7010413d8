/* Document frequencies as text. Sorted lines begin alike, and so deflate well. */
#include "text/frequencies.h"

#include "core/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST = 2, DIGITS = 24 }; // images that a line needs; bytes of a number and a space

/* ---- writing ---- */

typedef struct line {
  const char *text; // "word word ...", and a byte more
  size_t bytes;
  uint64_t images;
} line;

static int compare(const void *a, const void *b) {
  const line *x = a, *y = b;
  const int order = memcmp(x->text, y->text, x->bytes < y->bytes ? x->bytes : y->bytes);
  return order != 0 ? order : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static size_t gram_length(const lac_ngrams *ngrams, uint32_t id) {
  const char *words[LAC_NGRAMS_MOST];
  size_t bytes[LAC_NGRAMS_MOST], sum = 0;
  const size_t n = lac_ngrams_words(ngrams, id, words, bytes);
  for (size_t i = 0; i < n; i++)
    sum += bytes[i] + 1;
  return sum; // a byte behind each word
}

static void put_gram(char *to, const lac_ngrams *ngrams, uint32_t id) {
  const char *words[LAC_NGRAMS_MOST];
  size_t bytes[LAC_NGRAMS_MOST];
  const size_t n = lac_ngrams_words(ngrams, id, words, bytes);
  for (size_t i = 0; i < n; i++) {
    memcpy(to, words[i], bytes[i]);
    to += bytes[i];
    *to++ = i + 1 < n ? ' ' : '\0';
  }
}

static bool is_kept(const lac_frequencies *self, uint32_t id) {
  return lac_frequencies_images(self, id) >= LEAST;
}

static lac_status join(const lac_frequencies *self, char **out, size_t *out_bytes,
                       const line *lines, size_t count, size_t bytes) {
  char *text = NULL;
  LAC_TRY(lac_alloc(&text, bytes + (count + 1) * DIGITS, 1, "document frequencies"));
  char *to = text;
  to += snprintf(to, DIGITS, "%.0f\n", lac_frequencies_total(self));
  for (size_t i = 0; i < count; i++) {
    to += snprintf(to, DIGITS, "%" PRIu64 " ", lines[i].images);
    memcpy(to, lines[i].text, lines[i].bytes);
    to += lines[i].bytes;
    to[-1] = '\n';
  }
  *out_bytes = (size_t)(to - text);
  *out = text;
  return LAC_OK;
}

/* The texts of the n-grams that are kept, into `pool` and `lines`. */
static void collect(const lac_frequencies *self, char *pool, line *lines) {
  const lac_ngrams *ngrams = lac_frequencies_borrow_ngrams(self);
  for (uint32_t id = 0; id < lac_ngrams_count(ngrams); id++) {
    if (!is_kept(self, id)) continue;
    const size_t bytes = gram_length(ngrams, id);
    put_gram(pool, ngrams, id);
    *lines++ = (line){pool, bytes, (uint64_t)lac_frequencies_images(self, id)};
    pool += bytes;
  }
}

lac_status lac_frequencies_text(const lac_frequencies *self, char **out, size_t *out_bytes) {
  const lac_ngrams *ngrams = lac_frequencies_borrow_ngrams(self);
  size_t count = 0, bytes = 0;
  for (uint32_t id = 0; id < lac_ngrams_count(ngrams); id++) {
    if (!is_kept(self, id)) continue;
    bytes += gram_length(ngrams, id);
    count++;
  }
  char *pool = NULL;
  line *lines = NULL;
  lac_status status = lac_alloc(&pool, bytes, 1, "document frequencies");
  if (status == LAC_OK) status = lac_alloc(&lines, count, sizeof *lines, "document frequencies");
  if (status == LAC_OK) {
    collect(self, pool, lines);
    qsort(lines, count, sizeof *lines, compare);
    status = join(self, out, out_bytes, lines, count, bytes);
  }
  free(lines);
  free(pool);
  return status;
}

/* ---- reading ---- */

/* The whole number at the start of a line; returns its digits, 0 where there is none that fits. */
static size_t read_number(double *out, const char *text, size_t bytes) {
  size_t digits = 0;
  *out = 0;
  for (; digits < bytes && text[digits] >= '0' && text[digits] <= '9'; digits++)
    *out = 10 * *out + (text[digits] - '0');
  return digits <= 15 ? digits : 0;
}

static lac_status parse_line(lac_frequencies *self, const char *text, size_t bytes, size_t number) {
  double images;
  const size_t digits = read_number(&images, text, bytes);
  lac_status status = LAC_EINVAL;
  if (digits > 0 && number == 1 && digits == bytes)
    status = lac_frequencies_set_total(self, images);
  else if (digits > 0 && number > 1 && digits + 1 < bytes && text[digits] == ' ')
    status = lac_frequencies_set(self, text + digits + 1, bytes - digits - 1, images);
  if (status != LAC_EINVAL) return status;
  return lac_fail(status, "document frequencies: line %zu is \"%.*s\", not %s", number,
                  (int)(bytes < 80 ? bytes : 80), text,
                  number == 1 ? "the number of images" : "a number and at most four words");
}

lac_status lac_frequencies_parse(lac_frequencies *self, const char *text, size_t bytes) {
  size_t number = 0;
  for (size_t from = 0; from < bytes || number == 0;) {
    const char *end = from < bytes ? memchr(text + from, '\n', bytes - from) : NULL;
    const size_t to = end ? (size_t)(end - text) : bytes;
    LAC_TRY(parse_line(self, text + from, to - from, ++number));
    from = to + 1;
  }
  return LAC_OK;
}
