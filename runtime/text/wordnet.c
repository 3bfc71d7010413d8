/*
 * The index files stay in memory as they were read; an entry points at its line's first word. One
 * chained hash table holds the words of the index, one the inflected forms of the exceptions. A
 * word has an entry for every line it begins.
 */
#include "text/wordnet.h"

#include "core/memory.h"
#include "io/file.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 4, FILES = 2 * PARTS, SLOTS = 1 << 18, FILE_BYTES_MOST = 64 << 20 };

typedef struct piece {
  const char *text;
  size_t bytes;
} piece;

/* A line: index entries have `count` sets from `first` on in `ids`, exceptions have base forms, the
 * rest of the line. */
typedef struct entry {
  piece word, rest;
  size_t first, count;
  uint32_t next; // entry + 1 in the same slot, or 0
} entry;

typedef struct table {
  entry *entries;
  size_t count, room;
  uint32_t *slots;
} table;

struct lac_wordnet {
  char *files[FILES];
  table words, exceptions;
  uint32_t *ids;
  size_t id_count, id_room;
};

/* ---- tables ---- */

static size_t slot_of(piece word) { // FNV-1a
  uint32_t h = 0x811C9DC5u;
  for (size_t i = 0; i < word.bytes; i++)
    h = (h ^ (unsigned char)word.text[i]) * 0x01000193u;
  return (h ^ h >> 15) & (SLOTS - 1);
}

static lac_status add_entry(table *t, entry e) {
  if (t->count == t->room) {
    const size_t room = t->room ? 2 * t->room : 4096;
    LAC_TRY(lac_realloc(&t->entries, room, sizeof *t->entries, "WordNet"));
    t->room = room;
  }
  uint32_t *slot = &t->slots[slot_of(e.word)];
  e.next = *slot;
  t->entries[t->count++] = e;
  *slot = (uint32_t)t->count;
  return LAC_OK;
}

/* The entry of a word behind `from`, or the first where that is NULL; NULL where there is no more.
 */
static const entry *find_entry(const table *t, piece word, const entry *from) {
  for (uint32_t i = from ? from->next : t->slots[slot_of(word)]; i; i = t->entries[i - 1].next) {
    const entry *e = &t->entries[i - 1];
    if (e->word.bytes == word.bytes && memcmp(e->word.text, word.text, word.bytes) == 0) return e;
  }
  return NULL;
}

/* ---- reading ---- */

/* The next piece between blanks; empty at the end. */
static piece take(piece *line) {
  while (line->bytes > 0 && *line->text == ' ')
    line->text++, line->bytes--;
  piece word = {line->text, 0};
  while (line->bytes > 0 && *line->text != ' ')
    line->text++, line->bytes--, word.bytes++;
  return word;
}

/* A number of at most 8 digits, as offsets and counts are. */
static bool read_number(uint32_t *out, piece word) {
  uint32_t n = 0;
  if (word.bytes < 1 || word.bytes > 8) return false;
  for (size_t i = 0; i < word.bytes; i++) {
    if (word.text[i] < '0' || word.text[i] > '9') return false;
    n = 10 * n + (uint32_t)(word.text[i] - '0');
  }
  *out = n;
  return true;
}

/* Debian's data.verb and data.adj correct the text of entries, which moves those behind them; here
 * is how far. A file is Debian's where it has the first set that was moved. */
static void undo_moves(uint32_t *ids, size_t count, size_t part) {
  static const struct {
    size_t part;
    uint32_t first, end, by;
  } moves[] = {{1, 613036, 2422967, 18}, {2, 1681478, UINT32_MAX, 1}};
  for (size_t m = 0; m < sizeof moves / sizeof *moves; m++) {
    bool moved = false;
    for (size_t i = 0; i < count && part == moves[m].part; i++)
      moved = moved || ids[i] == moves[m].first;
    for (size_t i = 0; i < count && moved; i++) {
      if (ids[i] >= moves[m].first && ids[i] < moves[m].end) ids[i] -= moves[m].by;
    }
  }
}

static lac_status add_set(lac_wordnet *self, uint32_t id) {
  if (self->id_count == self->id_room) {
    const size_t room = self->id_room ? 2 * self->id_room : 16384;
    LAC_TRY(lac_realloc(&self->ids, room, sizeof *self->ids, "WordNet"));
    self->id_room = room;
  }
  self->ids[self->id_count++] = id;
  return LAC_OK;
}

/* lemma pos synsets p_cnt [pointer ...] senses tagged offset ...: `synsets` offsets (wndb(5WN)). */
static lac_status read_index(lac_wordnet *self, piece line, bool *good) {
  entry e = {.word = take(&line), .first = self->id_count};
  const piece part = take(&line);
  uint32_t pointers, unused;
  uint32_t sets;
  *good = part.bytes == 1 && read_number(&sets, take(&line)) && sets > 0 &&
          read_number(&pointers, take(&line)) && pointers < 1000;
  for (uint32_t i = 0; *good && i < pointers; i++)
    *good = take(&line).bytes > 0;
  *good = *good && read_number(&unused, take(&line)) && read_number(&unused, take(&line));
  for (uint32_t i = 0; *good && i < sets; i++) {
    uint32_t offset;
    *good = read_number(&offset, take(&line));
    if (*good) LAC_TRY(add_set(self, offset));
  }
  if (!*good) return LAC_OK;
  e.count = self->id_count - e.first;
  return add_entry(&self->words, e);
}

/* inflected base [base ...] */
static lac_status read_exception(lac_wordnet *self, piece line, bool *good) {
  entry e = {.word = take(&line)};
  e.rest = line;
  *good = e.word.bytes > 0 && take(&line).bytes > 0;
  return *good ? add_entry(&self->exceptions, e) : LAC_OK;
}

typedef lac_status read_fn(lac_wordnet *self, piece line, bool *good);

static lac_status read_lines(lac_wordnet *self, read_fn *read, const char *path, const char *text,
                             size_t size) {
  const char *end = text + size;
  for (size_t number = 1; text < end; number++) {
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    if (!stop) stop = end;
    piece line = {text, (size_t)(stop - text)};
    if (line.bytes > 0 && stop[-1] == '\r') line.bytes--;
    bool good = true; // lines of the licence begin with blanks
    if (line.bytes > 0 && *text != ' ') LAC_TRY(read(self, line, &good));
    if (!good)
      return lac_fail(LAC_EINVAL, "wordnet: %s: line %zu is not one of WordNet's: \"%.*s\"", path,
                      number, line.bytes < 60 ? (int)line.bytes : 60, line.text);
    text = stop + 1;
  }
  return LAC_OK;
}

static lac_status read_file(lac_wordnet *self, size_t at, const char *folder, const char *format,
                            const char *part, read_fn *read) {
  char *path = NULL;
  void *text = NULL;
  size_t size = 0;
  const size_t room = strlen(folder) + 16;
  LAC_TRY(lac_alloc(&path, room, 1, "a path"));
  const int n = snprintf(path, room, "%s/", folder);
  snprintf(path + n, room - (size_t)n, format, part);
  lac_status status = lac_file_read(&text, &size, path, FILE_BYTES_MOST);
  self->files[at] = text;
  if (status == LAC_OK) status = read_lines(self, read, path, text, size);
  free(path);
  return status;
}

static lac_status read_all(lac_wordnet *self, const char *folder) {
  static const char *const parts[PARTS] = {"noun", "verb", "adj", "adv"};
  LAC_TRY(lac_alloc(&self->words.slots, SLOTS, sizeof *self->words.slots, "WordNet"));
  LAC_TRY(lac_alloc(&self->exceptions.slots, SLOTS, sizeof *self->exceptions.slots, "WordNet"));
  for (size_t i = 0; i < PARTS; i++) {
    const size_t first = self->id_count;
    LAC_TRY(read_file(self, 2 * i, folder, "index.%s", parts[i], read_index));
    undo_moves(self->ids + first, self->id_count - first, i);
    LAC_TRY(read_file(self, 2 * i + 1, folder, "%s.exc", parts[i], read_exception));
  }
  return LAC_OK;
}

lac_status lac_wordnet_open(lac_wordnet **out, const char *folder) {
  lac_wordnet *self = NULL;
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "WordNet"));
  const lac_status status = read_all(self, folder);
  if (status != LAC_OK) {
    lac_wordnet_release(self);
    return status;
  }
  *out = self;
  return LAC_OK;
}

void lac_wordnet_release(lac_wordnet *self) {
  if (!self) return;
  for (size_t i = 0; i < FILES; i++)
    free(self->files[i]);
  free(self->words.entries);
  free(self->words.slots);
  free(self->exceptions.entries);
  free(self->exceptions.slots);
  free(self->ids);
  free(self);
}

/* ---- finding ---- */

static lac_status append(lac_wordnet_sets *sets, const uint32_t *ids, size_t count) {
  if (sets->count + count > sets->room) {
    const size_t room = 2 * (sets->count + count);
    LAC_TRY(lac_realloc(&sets->ids, room, sizeof *sets->ids, "sets of synonyms"));
    sets->room = room;
  }
  if (count > 0) memcpy(sets->ids + sets->count, ids, count * sizeof *ids);
  sets->count += count;
  return LAC_OK;
}

static lac_status append_word(const lac_wordnet *self, lac_wordnet_sets *sets, piece word) {
  for (const entry *e = NULL; (e = find_entry(&self->words, word, e));)
    LAC_TRY(append(sets, self->ids + e->first, e->count));
  return LAC_OK;
}

/* Rules of detachment, morphy(7WN): nouns, verbs, adjectives. */
static const struct {
  const char *suffix, *ending;
} rules[] = {
    {"s", ""},      {"ses", "s"},   {"xes", "x"}, {"zes", "z"}, {"ches", "ch"},
    {"shes", "sh"}, {"men", "man"}, {"ies", "y"}, {"s", ""},    {"ies", "y"},
    {"es", "e"},    {"es", ""},     {"ed", "e"},  {"ed", ""},   {"ing", "e"},
    {"ing", ""},    {"er", ""},     {"est", ""},  {"er", "e"},  {"est", "e"},
};

enum { BASE_BYTES_MOST = 128 }; // longer words are in no index

static lac_status append_detached(const lac_wordnet *self, lac_wordnet_sets *sets, piece word) {
  char base[BASE_BYTES_MOST + 4];
  if (word.bytes <= 2 || word.bytes > BASE_BYTES_MOST) return LAC_OK;
  if (memcmp(word.text + word.bytes - 2, "ss", 2) == 0) return LAC_OK;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    const size_t n = strlen(rules[i].suffix), ending = strlen(rules[i].ending);
    if (word.bytes < n || memcmp(word.text + word.bytes - n, rules[i].suffix, n) != 0) continue;
    memcpy(base, word.text, word.bytes - n);
    memcpy(base + word.bytes - n, rules[i].ending, ending);
    const piece found = {base, word.bytes - n + ending};
    if (find_entry(&self->words, found, NULL)) return append_word(self, sets, found);
  }
  return LAC_OK;
}

static int compare(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

lac_status lac_wordnet_find(const lac_wordnet *self, lac_wordnet_sets *sets, const char *word,
                            size_t bytes) {
  const piece whole = {word, bytes};
  const size_t first = sets->count;
  LAC_TRY(append_word(self, sets, whole));
  const entry *e = find_entry(&self->exceptions, whole, NULL);
  if (!e) LAC_TRY(append_detached(self, sets, whole));
  for (; e; e = find_entry(&self->exceptions, whole, e)) {
    piece rest = e->rest;
    for (piece base; base = take(&rest), base.bytes > 0;)
      LAC_TRY(append_word(self, sets, base));
  }
  if (sets->count == first) return LAC_OK;
  qsort(sets->ids + first, sets->count - first, sizeof *sets->ids, compare);
  size_t kept = first + 1;
  for (size_t i = first + 1; i < sets->count; i++) {
    if (sets->ids[i] != sets->ids[kept - 1]) sets->ids[kept++] = sets->ids[i];
  }
  sets->count = kept;
  return LAC_OK;
}
