/*
 * Phrases are n-grams, so each costs eight bytes and its slots; words have a table of their own
 * that fits a cache. While the file is read pairs are in its order; then one counting sort puts the
 * second phrases of every first one side by side, in that order.
 */
#include "text/paraphrases.h"

#include "core/memory.h"
#include "text/ngrams.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PAIRS_MOST = 1 << 25, LINE_BYTES_MOST = 4096, BLOCK_BYTES = 1 << 18 };

typedef struct pair {
  uint32_t a, b;
} pair;

struct lac_paraphrases {
  lac_ngrams *words;
  lac_ngrams *phrases; // of numbers of words; LAC_PARAPHRASES_EMPTY is before the first word
  uint32_t *places;    // by first phrase and one more: where its second phrases begin
  uint32_t *seconds;
};

/* ---- lines ---- */

typedef struct reader {
  const char *path;
  gzFile file;
  char *block;
  size_t at, end; // what is left of the block
  size_t line;    // counted from 1
  char latest[LINE_BYTES_MOST];
  size_t latest_bytes;
  uint32_t phrase; // that of the latest first phrase
} reader;

/* Keep what is left and read more behind it. */
static lac_status fill(reader *r) {
  memmove(r->block, r->block + r->at, r->end - r->at);
  r->end -= r->at;
  r->at = 0;
  const int n = gzread(r->file, r->block + r->end, (unsigned)(BLOCK_BYTES - r->end));
  int code = Z_OK;
  const char *why = gzerror(r->file, &code); // begins with the path
  if (n < 0 || (n == 0 && code != Z_OK && code != Z_STREAM_END))
    return lac_fail(LAC_EIO, "paraphrases: cannot read on behind line %zu: %s", r->line, why);
  r->end += (size_t)n;
  return LAC_OK;
}

/* The next line without its end; NULL behind the last. */
static lac_status next_line(reader *r, const char **line, size_t *bytes) {
  const char *stop = memchr(r->block + r->at, '\n', r->end - r->at);
  if (!stop && r->end - r->at <= LINE_BYTES_MOST) {
    LAC_TRY(fill(r));
    stop = memchr(r->block, '\n', r->end);
    if (!stop && r->end == 0) {
      *line = NULL;
      return LAC_OK;
    }
  }
  *line = r->block + r->at;
  *bytes = stop ? (size_t)(stop - *line) : r->end - r->at;
  r->line++;
  if (*bytes > LINE_BYTES_MOST)
    return lac_fail(LAC_EINVAL, "paraphrases: %s: line %zu has more than %d bytes", r->path,
                    r->line, LINE_BYTES_MOST);
  r->at += *bytes + (stop != NULL);
  return LAC_OK;
}

/* ---- pairs ---- */

typedef struct pairs {
  pair *list;
  size_t count, room;
} pairs;

/* Digits, perhaps with a point and an exponent; nobody needs the value. */
static lac_status check_probability(reader *r, const char *line, size_t bytes) {
  bool good = bytes > 0 && *line >= '0' && *line <= '9';
  for (size_t i = 0; i < bytes; i++)
    good = good && line[i] != '\0' && strchr("0123456789.eE+-\r", line[i]);
  if (good) return LAC_OK;
  return lac_fail(LAC_EINVAL,
                  "paraphrases: %s: line %zu must be a probability, as every third line, but is "
                  "\"%.*s\"",
                  r->path, r->line, bytes < 60 ? (int)bytes : 60, line);
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

/* The number of the phrase on a line. */
static lac_status read_phrase(lac_paraphrases *self, reader *r, uint32_t *phrase, const char *line,
                              size_t bytes) {
  size_t words = 0;
  *phrase = LAC_PARAPHRASES_EMPTY;
  for (size_t i = 0; i < bytes; i++) {
    const size_t from = i;
    while (i < bytes && !is_blank(line[i]))
      i++;
    if (i == from) continue;
    uint32_t word;
    LAC_TRY(lac_ngrams_word(self->words, &word, line + from, i - from));
    LAC_TRY(lac_ngrams_longer(self->phrases, phrase, *phrase, word));
    words++;
  }
  if (words < 1 || words > LAC_PARAPHRASES_WORDS_MOST)
    return lac_fail(LAC_EINVAL, "paraphrases: %s: line %zu must be a phrase of 1 to %d words",
                    r->path, r->line, LAC_PARAPHRASES_WORDS_MOST);
  return LAC_OK;
}

/* The second and third line of a pair. Published tables are sorted by the first phrase, so that the
 * latest one is often there again. */
static lac_status read_pair(lac_paraphrases *self, reader *r, pair *p) {
  const char *line;
  size_t bytes = 0;
  LAC_TRY(next_line(r, &line, &bytes));
  if (line && (bytes < 1 || bytes != r->latest_bytes || memcmp(line, r->latest, bytes) != 0)) {
    LAC_TRY(read_phrase(self, r, &r->phrase, line, bytes));
    memcpy(r->latest, line, bytes);
    r->latest_bytes = bytes;
  }
  p->a = r->phrase;
  if (line) LAC_TRY(next_line(r, &line, &bytes));
  if (!line) return lac_fail(LAC_EINVAL, "paraphrases: %s ends inside a pair", r->path);
  return read_phrase(self, r, &p->b, line, bytes);
}

static lac_status read_pairs(lac_paraphrases *self, reader *r, pairs *found) {
  for (;;) {
    const char *line;
    size_t bytes = 0;
    pair p = {0, 0};
    LAC_TRY(next_line(r, &line, &bytes));
    if (!line) return LAC_OK;
    LAC_TRY(check_probability(r, line, bytes));
    LAC_TRY(read_pair(self, r, &p));
    if (found->count == found->room) {
      if (found->count >= PAIRS_MOST)
        return lac_fail(LAC_EINVAL, "paraphrases: %s has more than %d pairs", r->path, PAIRS_MOST);
      const size_t room = found->room ? 2 * found->room : 4096;
      LAC_TRY(lac_realloc(&found->list, room, sizeof p, "a table of paraphrases"));
      found->room = room;
    }
    found->list[found->count++] = p;
  }
}

static lac_status sort_pairs(lac_paraphrases *self, const pairs *found) {
  const size_t count = lac_ngrams_count(self->phrases);
  const pair *end = found->list + found->count;
  LAC_TRY(lac_alloc(&self->places, count + 2, sizeof *self->places, "a table of paraphrases"));
  LAC_TRY(lac_alloc(&self->seconds, found->count, sizeof *self->seconds, "a table of paraphrases"));
  uint32_t *next = self->places + 1; // of each phrase; ends as where the one behind it begins
  for (const pair *p = found->list; p < end; p++)
    next[p->a + 1]++; // one further for now
  for (size_t i = 1; i <= count; i++)
    next[i] += next[i - 1];
  for (const pair *p = found->list; p < end; p++)
    self->seconds[next[p->a]++] = p->b;
  return LAC_OK;
}

static lac_status read_file(lac_paraphrases *self, const char *path) {
  pairs found = {NULL, 0, 0};
  reader r = {.path = path};
  uint32_t empty;
  lac_status status = lac_ngrams_new(&self->words);
  if (status == LAC_OK) status = lac_ngrams_new(&self->phrases);
  if (status == LAC_OK) status = lac_ngrams_word(self->phrases, &empty, "", 0);
  if (status == LAC_OK) status = lac_alloc(&r.block, BLOCK_BYTES, 1, "a table of paraphrases");
  if (status != LAC_OK) return status;
  errno = 0;
  r.file = gzopen(path, "rb");
  if (!r.file) {
    status = lac_fail(LAC_EIO, "paraphrases: cannot open %s: %s", path, strerror(errno));
  } else {
    gzbuffer(r.file, BLOCK_BYTES);
    status = read_pairs(self, &r, &found);
    gzclose(r.file);
  }
  if (status == LAC_OK) status = sort_pairs(self, &found);
  free(found.list);
  free(r.block);
  return status;
}

lac_status lac_paraphrases_open(lac_paraphrases **out, const char *path) {
  lac_paraphrases *self = NULL;
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "a table of paraphrases"));
  const lac_status status = read_file(self, path);
  if (status != LAC_OK) {
    lac_paraphrases_release(self);
    return status;
  }
  *out = self;
  return LAC_OK;
}

void lac_paraphrases_release(lac_paraphrases *self) {
  if (!self) return;
  lac_ngrams_release(self->words);
  lac_ngrams_release(self->phrases);
  free(self->places);
  free(self->seconds);
  free(self);
}

/* ---- asking ---- */

uint32_t lac_paraphrases_word(const lac_paraphrases *self, const char *text, size_t bytes) {
  return lac_ngrams_find_word(self->words, text, bytes);
}

uint32_t lac_paraphrases_longer(const lac_paraphrases *self, uint32_t phrase, uint32_t word) {
  return lac_ngrams_find_longer(self->phrases, phrase, word);
}

const uint32_t *lac_paraphrases_of(const lac_paraphrases *self, uint32_t phrase, size_t *count) {
  *count = self->places[phrase + 1] - self->places[phrase];
  return self->seconds + self->places[phrase];
}
