/*
 * Pairs that overlap no other are fixed. A beam of 40 partial alignments then goes over the words
 * of the reference: each word's pairs that are still possible are tried, and so is leaving it out.
 *
 * Three habits of the published program decide which of many alignments it finds, and are kept:
 * - a pair that is not exact counts half its words, rounded down, so a single word counts nothing;
 * - how far a tried pair's places are apart is added to the alignment that was continued, so to the
 *   ones that are made of it later, not to the one that has the pair;
 * - a word that is left out ends a chunk, but a new one counts only when it ends, too.
 *
 * Alignments share their beginnings: what one has chosen is a list from the last pair to the first.
 */
#include "text/meteor_align.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

enum { BEAM = 40 };
static const uint32_t NONE = UINT32_MAX;

/* A partial alignment. Its used words are bits, in an array of its beam. */
typedef struct path {
  uint32_t matched, chunks, distance; // what is compared, in this order
  uint32_t next;                      // word of the reference from which on it is open
  uint32_t end;                       // word of the hypothesis behind the chunk, or NONE
  uint32_t tail;                      // its last pair in `links`, or NONE
} path;

typedef struct link {
  uint32_t pair, before;
} link;

/* The best paths, best first; where they are equal, the one that came first. */
typedef struct beam {
  path paths[BEAM];
  uint64_t *used[BEAM]; // of each path: the words of the reference, then of the hypothesis
  size_t count;
} beam;

struct lac_meteor_search {
  beam beams[2];
  uint64_t *bits; // those of both beams, and of the path that is at work
  uint64_t *work;
  size_t bit_room, blocks[LAC_METEOR_SIDES];
  link *links;
  size_t link_count, link_room;
  uint32_t *firsts; // where the pairs of each word of the reference begin, and one more
  uint32_t *fixed;  // the fixed pair that begins at a word of the reference, or NONE
  uint32_t *cover;  // how many pairs use a word, of each side
  size_t word_room;
  lac_meteor_pairs sorted;
};

lac_status lac_meteor_pairs_add(lac_meteor_pairs *pairs, lac_meteor_pair pair) {
  if (pairs->count == pairs->room) {
    const size_t room = pairs->room ? 2 * pairs->room : 64;
    LAC_TRY(lac_realloc(&pairs->list, room, sizeof pair, "pairs of words"));
    pairs->room = room;
  }
  pairs->list[pairs->count++] = pair;
  return LAC_OK;
}

void lac_meteor_pairs_release(lac_meteor_pairs *pairs) {
  free(pairs->list);
  *pairs = (lac_meteor_pairs){NULL, 0, 0};
}

lac_status lac_meteor_search_new(lac_meteor_search **out) {
  return lac_alloc(out, 1, sizeof **out, "an alignment");
}

void lac_meteor_search_release(lac_meteor_search *self) {
  if (!self) return;
  free(self->bits);
  free(self->links);
  free(self->firsts);
  free(self->fixed);
  free(self->cover);
  lac_meteor_pairs_release(&self->sorted);
  free(self);
}

/* ---- before the search ---- */

static lac_status reserve(lac_meteor_search *self, const uint32_t words[LAC_METEOR_SIDES]) {
  const size_t most = words[0] > words[1] ? words[0] : words[1];
  for (int side = 0; side < LAC_METEOR_SIDES; side++)
    self->blocks[side] = words[side] / 64 + 1;
  const size_t blocks = self->blocks[0] + self->blocks[1], bits = (2 * BEAM + 1) * blocks;
  if (bits > self->bit_room) {
    LAC_TRY(lac_realloc(&self->bits, bits, sizeof *self->bits, "an alignment"));
    self->bit_room = bits;
  }
  for (size_t i = 0; i < BEAM; i++) {
    self->beams[0].used[i] = self->bits + i * blocks;
    self->beams[1].used[i] = self->bits + (BEAM + i) * blocks;
  }
  self->work = self->bits + 2 * BEAM * blocks;
  if (most >= self->word_room) {
    const size_t room = most + 64;
    LAC_TRY(lac_realloc(&self->firsts, room + 1, sizeof *self->firsts, "an alignment"));
    LAC_TRY(lac_realloc(&self->fixed, room, sizeof *self->fixed, "an alignment"));
    LAC_TRY(lac_realloc(&self->cover, 2 * room, sizeof *self->cover, "an alignment"));
    self->word_room = room;
  }
  return LAC_OK;
}

/* By the first word of the reference; otherwise they stay in order. */
static lac_status sort_pairs(lac_meteor_search *self, const lac_meteor_pairs *pairs,
                             uint32_t words) {
  if (pairs->count > self->sorted.room) {
    LAC_TRY(lac_realloc(&self->sorted.list, pairs->count, sizeof *pairs->list, "pairs of words"));
    self->sorted.room = pairs->count;
  }
  memset(self->firsts, 0, (words + 2) * sizeof *self->firsts);
  uint32_t *next = self->firsts + 1;
  for (size_t i = 0; i < pairs->count; i++)
    next[pairs->list[i].at[LAC_METEOR_REFERENCE] + 1] += 1;
  for (uint32_t i = 1; i <= words; i++)
    next[i] += next[i - 1];
  for (size_t i = 0; i < pairs->count; i++)
    self->sorted.list[next[pairs->list[i].at[LAC_METEOR_REFERENCE]]++] = pairs->list[i];
  self->sorted.count = pairs->count;
  return LAC_OK;
}

static bool is_alone(const lac_meteor_search *self, const lac_meteor_pair *p) {
  for (int side = 0; side < LAC_METEOR_SIDES; side++) {
    const uint32_t *cover = self->cover + (size_t)side * self->word_room;
    for (uint32_t i = 0; i < p->words[side]; i++) {
      if (cover[p->at[side] + i] != 1) return false;
    }
  }
  return true;
}

static uint64_t *side_bits(const lac_meteor_search *self, uint64_t *used, int side) {
  return used + (side == LAC_METEOR_HYPOTHESIS ? self->blocks[LAC_METEOR_REFERENCE] : 0);
}

static void use(const lac_meteor_search *self, uint64_t *used, const lac_meteor_pair *p) {
  for (int side = 0; side < LAC_METEOR_SIDES; side++) {
    uint64_t *bits = side_bits(self, used, side);
    for (uint32_t i = p->at[side]; i < p->at[side] + p->words[side]; i++)
      bits[i / 64] |= (uint64_t)1 << i % 64;
  }
}

static bool is_free(const lac_meteor_search *self, uint64_t *used, const lac_meteor_pair *p) {
  for (int side = 0; side < LAC_METEOR_SIDES; side++) {
    const uint64_t *bits = side_bits(self, used, side);
    for (uint32_t i = p->at[side]; i < p->at[side] + p->words[side]; i++) {
      if (bits[i / 64] >> i % 64 & 1) return false;
    }
  }
  return true;
}

/* Fix the pairs that are alone; their words are used in `used`. */
static void fix_pairs(lac_meteor_search *self, uint64_t *used, uint32_t words) {
  memset(self->cover, 0, 2 * self->word_room * sizeof *self->cover);
  for (size_t i = 0; i < self->sorted.count; i++) {
    const lac_meteor_pair *p = &self->sorted.list[i];
    for (int side = 0; side < LAC_METEOR_SIDES; side++) {
      for (uint32_t w = 0; w < p->words[side]; w++)
        self->cover[(size_t)side * self->word_room + p->at[side] + w]++;
    }
  }
  for (uint32_t at = 0; at < words; at++)
    self->fixed[at] = NONE;
  for (size_t i = 0; i < self->sorted.count; i++) {
    const lac_meteor_pair *p = &self->sorted.list[i];
    if (!is_alone(self, p)) continue;
    self->fixed[p->at[LAC_METEOR_REFERENCE]] = (uint32_t)i;
    use(self, used, p);
  }
}

/* ---- the search ---- */

static bool is_better(const path *a, const path *b) {
  if (a->matched != b->matched) return a->matched > b->matched;
  if (a->chunks != b->chunks) return a->chunks < b->chunks;
  return a->distance < b->distance;
}

/* Put a path with used words into a beam; false where it is not among the best. */
static bool keep(const lac_meteor_search *self, beam *b, const path *p, const uint64_t *used) {
  size_t at = b->count;
  while (at > 0 && is_better(p, &b->paths[at - 1]))
    at--;
  if (at == BEAM) return false;
  if (b->count < BEAM) b->count++;
  uint64_t *bits = b->used[b->count - 1];
  const size_t behind = b->count - 1 - at;
  memmove(b->paths + at + 1, b->paths + at, behind * sizeof *b->paths);
  memmove(b->used + at + 1, b->used + at, behind * sizeof *b->used);
  memcpy(bits, used, (self->blocks[0] + self->blocks[1]) * sizeof *bits);
  b->paths[at] = *p;
  b->used[at] = bits;
  return true;
}

static uint32_t weigh(uint32_t before, uint32_t words, lac_meteor_stage stage) {
  return before + (stage == LAC_METEOR_EXACT ? words : words / 2);
}

/* The pair joins the path, all but its distance. */
static lac_status join(lac_meteor_search *self, path *p, uint32_t pair) {
  const lac_meteor_pair *chosen = &self->sorted.list[pair];
  if (self->link_count == self->link_room) {
    const size_t room = self->link_room ? 2 * self->link_room : 1024;
    LAC_TRY(lac_realloc(&self->links, room, sizeof *self->links, "an alignment"));
    self->link_room = room;
  }
  self->links[self->link_count] = (link){pair, p->tail};
  p->tail = (uint32_t)self->link_count++;
  for (int side = 0; side < LAC_METEOR_SIDES; side++)
    p->matched = weigh(p->matched, chosen->words[side], chosen->stage);
  if (p->end != NONE && chosen->at[LAC_METEOR_HYPOTHESIS] != p->end) p->chunks++;
  p->end = chosen->at[LAC_METEOR_HYPOTHESIS] + chosen->words[LAC_METEOR_HYPOTHESIS];
  p->next = chosen->at[LAC_METEOR_REFERENCE] + chosen->words[LAC_METEOR_REFERENCE];
  return LAC_OK;
}

static uint32_t distance(const lac_meteor_pair *p) {
  const uint32_t a = p->at[LAC_METEOR_REFERENCE], b = p->at[LAC_METEOR_HYPOTHESIS];
  return a > b ? a - b : b - a;
}

static void end_chunk(path *p) {
  p->chunks += p->end != NONE;
  p->end = NONE;
}

/* Continue a path by what can be done at a word of the reference. */
static lac_status advance(lac_meteor_search *self, beam *next, path p, uint64_t *used,
                          uint32_t word) {
  if (used[word / 64] >> word % 64 & 1) {
    if (word >= p.next) { // here a fixed pair begins
      p.distance += distance(&self->sorted.list[self->fixed[word]]);
      LAC_TRY(join(self, &p, self->fixed[word]));
    }
    keep(self, next, &p, used);
    return LAC_OK;
  }
  for (uint32_t i = self->firsts[word]; i < self->firsts[word + 1]; i++) {
    const lac_meteor_pair *pair = &self->sorted.list[i];
    if (!is_free(self, used, pair)) continue;
    path with = p;
    LAC_TRY(join(self, &with, i));
    memcpy(self->work, used, (self->blocks[0] + self->blocks[1]) * sizeof *used);
    use(self, self->work, pair);
    if (!keep(self, next, &with, self->work)) self->link_count--;
    p.distance += distance(pair);
  }
  end_chunk(&p);
  p.next++;
  keep(self, next, &p, used);
  return LAC_OK;
}

static lac_status search(lac_meteor_search *self, path *best, uint32_t words) {
  beam *now = &self->beams[0], *next = &self->beams[1];
  for (uint32_t word = 0; word < words; word++) {
    next->count = 0;
    for (size_t i = 0; i < now->count; i++)
      LAC_TRY(advance(self, next, now->paths[i], now->used[i], word));
    beam *done = now;
    now = next;
    next = done;
  }
  for (size_t i = 0; i < now->count; i++) {
    end_chunk(&now->paths[i]);
    if (i == 0 || is_better(&now->paths[i], best)) *best = now->paths[i];
  }
  return LAC_OK;
}

lac_status lac_meteor_align(lac_meteor_search *self, lac_meteor_pairs *pairs, uint32_t *chunks,
                            const uint32_t words[LAC_METEOR_SIDES]) {
  const uint32_t length = words[LAC_METEOR_REFERENCE];
  path best = {.end = NONE, .tail = NONE};
  LAC_TRY(reserve(self, words));
  LAC_TRY(sort_pairs(self, pairs, length));
  self->link_count = 0;
  memset(self->work, 0, (self->blocks[0] + self->blocks[1]) * sizeof *self->work);
  fix_pairs(self, self->work, length);
  self->beams[0].count = 0;
  keep(self, &self->beams[0], &best, self->work);
  LAC_TRY(search(self, &best, length));
  pairs->count = 0;
  for (uint32_t i = best.tail; i != NONE; i = self->links[i].before)
    pairs->list[pairs->count++] = self->sorted.list[self->links[i].pair];
  for (size_t i = 0; i < pairs->count / 2; i++) {
    const lac_meteor_pair first = pairs->list[i];
    pairs->list[i] = pairs->list[pairs->count - 1 - i];
    pairs->list[pairs->count - 1 - i] = first;
  }
  *chunks = best.chunks;
  return LAC_OK;
}
