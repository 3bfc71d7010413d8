/*
 * One open-addressing table for words and n-grams. An n-gram is known by two numbers, that of its
 * prefix and that of its last word, so it costs eight bytes and no text.
 */
#include "text/ngrams.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024 };

/* A word has prefix LAC_NGRAMS_NONE, and `last` is its place in `words`; in an n-gram both are
 * numbers. */
typedef struct entry {
  uint32_t prefix, last;
} entry;

typedef struct word {
  size_t at, bytes; // in the pool
} word;

struct lac_ngrams {
  entry *entries;
  uint32_t *slots; // number + 1, or 0; a power of two, at least twice the entries
  word *words;
  char *pool;
  size_t slot_count, entry_count, entry_room, word_count, word_room, pool_bytes, pool_room;
};

lac_status lac_ngrams_new(lac_ngrams **out) {
  lac_ngrams *self = NULL;
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "n-grams"));
  const lac_status status = lac_alloc(&self->slots, FIRST_SLOTS, sizeof *self->slots, "n-grams");
  if (status != LAC_OK) {
    lac_ngrams_release(self);
    return status;
  }
  self->slot_count = FIRST_SLOTS;
  *out = self;
  return LAC_OK;
}

void lac_ngrams_release(lac_ngrams *self) {
  if (!self) return;
  free(self->entries);
  free(self->slots);
  free(self->words);
  free(self->pool);
  free(self);
}

uint32_t lac_ngrams_count(const lac_ngrams *self) {
  return (uint32_t)self->entry_count;
}

/* Room for `more` elements behind the `count` used ones. */
static lac_status reserve(void *inout, size_t *room, size_t count, size_t more, size_t size) {
  if (count + more <= *room) return LAC_OK;
  const size_t wanted = 2 * (count + more);
  LAC_TRY(lac_realloc(inout, wanted, size, "n-grams"));
  *room = wanted;
  return LAC_OK;
}

static uint64_t mix(uint64_t h) {
  h = (h ^ (h >> 32)) * 0x9E3779B97F4A7C15u;
  return h ^ (h >> 29);
}

static uint64_t hash_pair(uint32_t prefix, uint32_t last) {
  return mix((uint64_t)prefix << 32 | last);
}

static uint64_t hash_text(const char *text, size_t bytes) { // FNV-1a
  uint64_t h = 0xCBF29CE484222325u;
  for (size_t i = 0; i < bytes; i++)
    h = (h ^ (unsigned char)text[i]) * 0x100000001B3u;
  return mix(h);
}

static uint64_t hash_entry(const lac_ngrams *self, const entry *e) {
  if (e->prefix != LAC_NGRAMS_NONE) return hash_pair(e->prefix, e->last);
  const word *w = &self->words[e->last];
  return hash_text(self->pool + w->at, w->bytes);
}

/* Twice as many slots. */
static lac_status spread(lac_ngrams *self) {
  const size_t count = 2 * self->slot_count;
  uint32_t *slots = NULL;
  LAC_TRY(lac_alloc(&slots, count, sizeof *slots, "n-grams"));
  for (size_t id = 0; id < self->entry_count; id++) {
    size_t slot = hash_entry(self, &self->entries[id]) & (count - 1);
    while (slots[slot])
      slot = (slot + 1) & (count - 1);
    slots[slot] = (uint32_t)id + 1;
  }
  free(self->slots);
  self->slots = slots;
  self->slot_count = count;
  return LAC_OK;
}

/* Put a new entry into a free slot; what can fail comes first. */
static lac_status add(lac_ngrams *self, uint32_t *id, size_t slot, entry e) {
  if (self->entry_count >= LAC_NGRAMS_NONE - 1)
    return lac_fail(LAC_ENOMEM, "n-grams: more than 2^32");
  LAC_TRY(reserve(&self->entries, &self->entry_room, self->entry_count, 1, sizeof e));
  self->entries[self->entry_count] = e;
  *id = (uint32_t)self->entry_count++;
  self->slots[slot] = *id + 1;
  return LAC_OK;
}

/* Keep at least half of the slots free, so that every search ends soon. */
static lac_status make_room(lac_ngrams *self) {
  return 2 * (self->entry_count + 1) > self->slot_count ? spread(self) : LAC_OK;
}

static bool is_word(const lac_ngrams *self, const entry *e, const char *text, size_t bytes) {
  if (e->prefix != LAC_NGRAMS_NONE) return false;
  const word *w = &self->words[e->last];
  return w->bytes == bytes && memcmp(self->pool + w->at, text, bytes) == 0;
}

/* The slot that has a word, or the free one where it belongs. */
static size_t slot_of_word(const lac_ngrams *self, const char *text, size_t bytes) {
  size_t slot = hash_text(text, bytes) & (self->slot_count - 1);
  while (self->slots[slot] && !is_word(self, &self->entries[self->slots[slot] - 1], text, bytes))
    slot = (slot + 1) & (self->slot_count - 1);
  return slot;
}

static size_t slot_of_longer(const lac_ngrams *self, uint32_t prefix, uint32_t last) {
  size_t slot = hash_pair(prefix, last) & (self->slot_count - 1);
  for (; self->slots[slot]; slot = (slot + 1) & (self->slot_count - 1)) {
    const entry *e = &self->entries[self->slots[slot] - 1];
    if (e->prefix == prefix && e->last == last) break;
  }
  return slot;
}

lac_status lac_ngrams_word(lac_ngrams *self, uint32_t *id, const char *text, size_t bytes) {
  LAC_TRY(make_room(self));
  LAC_TRY(reserve(&self->words, &self->word_room, self->word_count, 1, sizeof *self->words));
  LAC_TRY(reserve(&self->pool, &self->pool_room, self->pool_bytes, bytes + 1, 1));
  const size_t slot = slot_of_word(self, text, bytes);
  if (self->slots[slot]) {
    *id = self->slots[slot] - 1;
    return LAC_OK;
  }
  LAC_TRY(add(self, id, slot, (entry){LAC_NGRAMS_NONE, (uint32_t)self->word_count}));
  self->words[self->word_count++] = (word){self->pool_bytes, bytes};
  memcpy(self->pool + self->pool_bytes, text, bytes);
  self->pool_bytes += bytes;
  return LAC_OK;
}

uint32_t lac_ngrams_find_word(const lac_ngrams *self, const char *text, size_t bytes) {
  return self->slots[slot_of_word(self, text, bytes)] - 1; // 0 - 1 is LAC_NGRAMS_NONE
}

lac_status lac_ngrams_longer(lac_ngrams *self, uint32_t *id, uint32_t prefix, uint32_t last) {
  LAC_TRY(make_room(self));
  const size_t slot = slot_of_longer(self, prefix, last);
  if (!self->slots[slot]) return add(self, id, slot, (entry){prefix, last});
  *id = self->slots[slot] - 1;
  return LAC_OK;
}

uint32_t lac_ngrams_find_longer(const lac_ngrams *self, uint32_t prefix, uint32_t last) {
  return self->slots[slot_of_longer(self, prefix, last)] - 1;
}

void lac_ngrams_translate(uint32_t *numbers, const lac_ngrams *of, const lac_ngrams *in) {
  for (size_t i = 0; i < of->entry_count; i++) {
    const entry *e = &of->entries[i];
    numbers[i] = LAC_NGRAMS_NONE;
    if (e->prefix == LAC_NGRAMS_NONE) {
      const word *w = &of->words[e->last];
      numbers[i] = lac_ngrams_find_word(in, of->pool + w->at, w->bytes);
    } else { // its parts came before it
      const uint32_t prefix = numbers[e->prefix], last = numbers[e->last];
      if (prefix != LAC_NGRAMS_NONE && last != LAC_NGRAMS_NONE)
        numbers[i] = lac_ngrams_find_longer(in, prefix, last);
    }
  }
}

size_t lac_ngrams_words(const lac_ngrams *self, uint32_t id, const char *words[LAC_NGRAMS_MOST],
                        size_t bytes[LAC_NGRAMS_MOST]) {
  size_t count = 1;
  for (uint32_t i = id; self->entries[i].prefix != LAC_NGRAMS_NONE; i = self->entries[i].prefix)
    count++;
  for (size_t place = count; place-- > 0;) {
    const entry *e = &self->entries[id];
    const entry *last = e->prefix == LAC_NGRAMS_NONE ? e : &self->entries[e->last];
    words[place] = self->pool + self->words[last->last].at;
    bytes[place] = self->words[last->last].bytes;
    id = e->prefix;
  }
  return count;
}
