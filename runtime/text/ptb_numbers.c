#include "text/ptb_rules.h"

static size_t digits(const lac_glyph *g) {
  size_t n = 0;
  while (g[n].kind == LAC_GLYPH_DIGIT)
    n++;
  return n;
}

static size_t at_most(size_t n, size_t most) {
  return n < most ? n : most;
}

/* What may stand between the parts of a number: "3 1/2", "555-1234". */
static bool is_gap(lac_glyph g) {
  return g.c == ' ' || g.c == '-' || g.c == 0xA0;
}

/* 5  5,000  3.5  10:30  .5  -5 */
static size_t number(const lac_glyph *g) {
  const size_t sign = g[0].c == '-' || g[0].c == '+';
  size_t n = sign + digits(g + sign);
  while (lac_glyph_is_one_of(g[n].c, ".,:") && g[n + 1].kind == LAC_GLYPH_DIGIT)
    n += 1 + digits(g + n + 1);
  return n > sign ? n : 0;
}

/* 1/2, written 1\/2 too; up to four digits on both sides. */
static size_t plain_fraction(const lac_glyph *g) {
  enum { MOST = 4 };
  size_t n = digits(g);
  if (n == 0 || n > MOST) return 0;
  if (g[n].c == '\\' && g[n + 1].c == '/') n++;
  if (g[n].c != '/' && g[n].c != 0x2044) return 0;
  const size_t below = at_most(digits(g + n + 1), MOST);
  return below ? n + 1 + below : 0;
}

/* 1/2  3 1/2  1-1/2 */
static size_t fraction(const lac_glyph *g) {
  const size_t whole = digits(g);
  if (whole >= 1 && whole <= 4 && is_gap(g[whole])) {
    const size_t n = plain_fraction(g + whole + 1);
    if (n) return whole + 1 + n;
  }
  return plain_fraction(g);
}

/* 12/25/2014, 12-25-14 */
static size_t date(const lac_glyph *g) {
  size_t n = 0;
  for (int part = 0; part < 2; part++) {
    const size_t run = digits(g + n);
    if (run < 1 || run > 2 || (g[n + run].c != '/' && g[n + run].c != '-')) return 0;
    n += run + 1;
  }
  const size_t year = at_most(digits(g + n), 4);
  return year >= 2 ? n + year : 0;
}

/* The last seven or so digits of a telephone number: 555-1234, 5551234. */
static size_t subscriber(const lac_glyph *g) {
  const size_t all = digits(g);
  size_t best = 0;
  for (size_t first = 3; first <= 4; first++) {
    const size_t gap = all == first && is_gap(g[first]);
    const size_t rest = all < first ? 0 : at_most(digits(g + first + gap), 5);
    if (rest >= 3 && first + gap + rest > best) best = first + gap + rest;
  }
  return best;
}

/* A group of an area code and the gap behind it. */
static size_t area(const lac_glyph *g) {
  const size_t n = digits(g);
  return n >= 2 && n <= 4 && is_gap(g[n]) ? n + 1 : 0;
}

/* (555) 555-1234  +1 555 555 1234  12 345 678 */
static size_t telephone(const lac_glyph *g) {
  size_t n = 0, tail = 0;
  if (g[0].c == '(') {
    const size_t code = digits(g + 1);
    if (code < 2 || code > 3 || g[code + 1].c != ')') return 0;
    n = code + 2;
    if (g[n].c == ' ' || g[n].c == 0xA0) n++;
    tail = subscriber(g + n);
    return tail ? n + tail : 0;
  }
  while (n < 2 && g[n].c == '+')
    n++;
  size_t best = 0;
  for (int groups = 0; groups < 2; groups++) {
    const size_t group = area(g + n);
    if (!group) break;
    n += group;
    tail = subscriber(g + n);
    if (tail) best = n + tail;
  }
  return best;
}

/* $  US$: the dollar sign and the capitals before it. */
static size_t dollars(const lac_glyph *g) {
  size_t n = 0;
  while (lac_glyph_is_capital(g[n]))
    n++;
  return g[n].c == '$' ? n + 1 : 0;
}

/* Raised and lowered numbers. */
static size_t raised(const lac_glyph *g) {
  const size_t sign = g[0].c == 0x207A || g[0].c == 0x207B || g[0].c == 0x208A || g[0].c == 0x208B;
  size_t high = sign, low = sign;
  while (g[high].c == 0xB9 || g[high].c == 0xB2 || g[high].c == 0xB3 || g[high].c == 0x2070 ||
         (g[high].c >= 0x2074 && g[high].c <= 0x2079))
    high++;
  while (g[low].c >= 0x2080 && g[low].c <= 0x2089)
    low++;
  const size_t n = high > low ? high : low;
  return n > sign ? n : 0;
}

void lac_ptb_numbers(lac_ptb_token *best, const lac_glyph *g) {
  lac_ptb_take(best, telephone(g));
  lac_ptb_take(best, fraction(g));
  lac_ptb_take(best, date(g));
  lac_ptb_take(best, number(g));
  lac_ptb_take(best, dollars(g));
  lac_ptb_take(best, raised(g));
}
