/*
 * One pass from left to right. At each place the first rule that fits says where its token ends;
 * tokens that scoring removes are never written. Every character gives at most MOST_BYTES of
 * output, so the buffer is sized once.
 */
#include "text/ptb.h"

#include "core/memory.h"
#include "text/glyph.h"
#include "text/ptb_words.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum {
  MOST_BYTES = 6, // a space and -lrb-, or a space and one character
  NO_BREAK_SPACE = 0xA0,
};

typedef struct scanner {
  const lac_glyph *g;
  size_t count, at;
  char *out;
  size_t bytes;
} scanner;

/* ---- writing ---- */

static void put(scanner *s, const char *text) {
  const size_t bytes = strlen(text);
  memcpy(s->out + s->bytes, text, bytes);
  s->bytes += bytes;
}

static void begin_token(scanner *s) {
  if (s->bytes > 0) put(s, " ");
}

static const char *bracket(int32_t c) {
  static const char brackets[] = "()[]{}";
  static const char *const names[] = {"-lrb-", "-rrb-", "-lsb-", "-rsb-", "-lcb-", "-rcb-"};
  const char *found = c > 0 && c < 0x80 ? strchr(brackets, (int)c) : NULL;
  return found ? names[found - brackets] : NULL;
}

static void put_lower(scanner *s, lac_glyph g) {
  if (g.kind == LAC_GLYPH_SPACE) g.c = NO_BREAK_SPACE;
  const int32_t c = g.c < 0x80 ? lac_glyph_fold(g) : utf8proc_tolower(g.c);
  s->bytes += (size_t)utf8proc_encode_char(c, (uint8_t *)s->out + s->bytes);
}

/* What lies between here and `end` is one token. */
static void take(scanner *s, size_t end) {
  begin_token(s);
  for (; s->at < end; s->at++) {
    const char *name = bracket(s->g[s->at].c);
    if (name)
      put(s, name);
    else
      put_lower(s, s->g[s->at]);
  }
}

/* A token of other text for the glyph here. */
static void take_as(scanner *s, const char *text) {
  begin_token(s);
  put(s, text);
  s->at++;
}

/* ---- where words end ---- */

static size_t end_of_letters(const lac_glyph *g, size_t i) {
  while (lac_glyph_is_word(g[i]))
    i++;
  return i;
}

static size_t end_of_digits(const lac_glyph *g, size_t i) {
  while (g[i].kind == LAC_GLYPH_DIGIT)
    i++;
  return i;
}

static bool is_one_of(int32_t c, const char *set) {
  return c > 0 && c < 0x80 && strchr(set, (int)c) != NULL;
}

/*
 * The end of the word or number that begins at i. Hyphens and slashes join anything, dots join
 * words that begin with a letter ("shirt.A"), and . , : join digits ("5,000", "10:30" of
 * "10:30am").
 */
static size_t end_of_word(const lac_glyph *g, size_t i) {
  bool dots = g[i].kind == LAC_GLYPH_LETTER;
  size_t part = i, end = end_of_letters(g, i);
  for (;;) {
    const int32_t c = g[end].c;
    const lac_glyph next = c ? g[end + 1] : g[end];
    if (is_one_of(c, "-/") && lac_glyph_is_word(next)) {
      dots = false;
      part = end + 1;
      end = end_of_letters(g, part);
    } else if (is_one_of(c, ".,:") && next.kind == LAC_GLYPH_DIGIT &&
               end_of_digits(g, part) == end) {
      part = end + 1;
      end = end_of_digits(g, part);
    } else if (c == '.' && dots && next.kind == LAC_GLYPH_LETTER) {
      end = end_of_letters(g, end + 1);
    } else {
      return end;
    }
  }
}

/* "3 1/2" is one number; returns the end of its fraction, or `end` where there is none. */
static size_t end_of_mixed_number(const lac_glyph *g, size_t i, size_t end) {
  enum { DIGITS = 4 };
  if (end - i > DIGITS || end_of_digits(g, i) != end ||
      (g[end].c != ' ' && g[end].c != NO_BREAK_SPACE))
    return end;
  const size_t slash = end_of_digits(g, end + 1);
  if (g[slash].c != '/' || slash == end + 1 || slash - end - 1 > DIGITS) return end;
  const size_t last = end_of_digits(g, slash + 1);
  return last > slash + 1 && last - slash - 1 <= DIGITS ? last : end;
}

/* "A&W", "R&B": capitals joined by & or +; `end` where there are none. */
static size_t end_of_capitals(const lac_glyph *g, size_t i, size_t end) {
  for (size_t k = i; k < end; k++) {
    if (!lac_glyph_is_capital(g[k])) return end;
  }
  while (is_one_of(g[end].c, "&+") && lac_glyph_is_capital(g[end + 1])) {
    end++;
    while (lac_glyph_is_capital(g[end]))
      end++;
  }
  return end;
}

/* Whether the apostrophe at `end` is inside a word: o'clock, d'oeuvre, O'Brien, ma'am. */
static bool joins(const lac_glyph *g, size_t i, size_t end) {
  const lac_glyph last = g[end - 1], next = g[end + 1];
  if (next.kind != LAC_GLYPH_LETTER) return false;
  if (end - i == 1) {
    if (is_one_of(last.c, "dDoOlL")) return true;
    if (is_one_of(last.c, "ABCDEFGHJKLMNOPQRSTUVWXZn") && g[end + 2].kind == LAC_GLYPH_LETTER)
      return true;
  }
  return is_one_of(lac_glyph_fold(last), "aeiouy") &&
         (is_one_of(next.c, "aeiou") || lac_glyph_is_capital(next));
}

static size_t end_of_address(const lac_glyph *g, size_t i) {
  while (g[i].kind != LAC_GLYPH_SPACE && !is_one_of(g[i].c, "<>\""))
    i++;
  while (is_one_of(g[i - 1].c, ".,;:!?')]}"))
    i--;
  return i;
}

static bool is_address(const lac_glyph *g) {
  static const char *const heads[] = {"http://", "https://", "www."};
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
    size_t n = 0;
    while (heads[i][n] && lac_glyph_fold(g[n]) == heads[i][n])
      n++;
    if (!heads[i][n]) return lac_glyph_is_word(g[n]);
  }
  return false;
}

/* ---- the rules ---- */

/* What follows a word without a space: "n't", or 's and its kin; the word itself ends at `end`. */
static void take_with_clitic(scanner *s, size_t end) {
  const lac_glyph *g = s->g;
  if (g[end].c != '\'') {
    take(s, end);
  } else if (lac_glyph_fold(g[end - 1]) == 'n' && lac_glyph_fold(g[end + 1]) == 't' &&
             !lac_glyph_is_word(g[end + 2])) {
    if (end - 1 > s->at) take(s, end - 1);
    take(s, end + 2);
  } else {
    take(s, end);
    const lac_ptb_match clitic = lac_ptb_fixed(g + end);
    if (clitic.length && clitic.split == 0) take(s, end + clitic.length);
  }
}

static void take_two(scanner *s, size_t split, size_t end) {
  if (split > s->at) take(s, split);
  take(s, end);
}

static void take_word(scanner *s) {
  const lac_glyph *g = s->g;
  const size_t i = s->at;
  if (is_address(g + i)) {
    take(s, end_of_address(g, i));
    return;
  }
  size_t end = end_of_word(g, i);
  const lac_ptb_match fixed = lac_ptb_fixed(g + i);
  if (fixed.length >= end - i) {
    take_two(s, i + fixed.split, i + fixed.length);
    return;
  }
  while (g[end].c == '\'' && !lac_ptb_fixed(g + end).length && joins(g, i, end))
    end = end_of_word(g, end + 1);
  end = end_of_mixed_number(g, i, end);
  end = end_of_capitals(g, i, end);
  if (g[end].c == '@' && lac_glyph_is_word(g[end + 1])) end = end_of_word(g, end + 1);
  const size_t split = lac_ptb_dropped_apostrophe(g + i, end - i);
  if (g[end].c == '.' && lac_ptb_keeps_dot(g + i, end - i))
    take(s, end + 1);
  else if (split)
    take_two(s, i + split, end);
  else
    take_with_clitic(s, end);
}

/* At an apostrophe: 's, 'n', '50s, '98, or a quote, which is removed. */
static void take_apostrophe(scanner *s) {
  const lac_glyph *g = s->g + s->at;
  const lac_ptb_match fixed = lac_ptb_fixed(g);
  const size_t digits = end_of_digits(g, 1) - 1;
  if (fixed.length)
    take_two(s, s->at + fixed.split, s->at + fixed.length);
  else if (digits == 2 && g[2].c == '0' && lac_glyph_fold(g[3]) == 's' && !lac_glyph_is_word(g[4]))
    take(s, s->at + 4);
  else if (digits == 2 && !lac_glyph_is_word(g[3]) && !lac_glyph_is_word(g[-1]))
    take(s, s->at + 3);
  else
    s->at++;
}

/* The end of a smiley that begins at g with one of : ; = and ends in a bracket or a letter; 0
 * where there is none. */
static size_t smiley(const lac_glyph *g) {
  size_t n = 1;
  if (is_one_of(g[n].c, "-o*'")) n++;
  if (!is_one_of(g[n].c, "()DPdpO\\{@|[]") || lac_glyph_is_word(g[n + 1])) return 0;
  return n + 1;
}

/* The end of a tag such as <unk> or </b>; 0 where there is none. */
static size_t tag(const lac_glyph *g) {
  size_t n = g[1].c == '/' ? 2 : 1;
  if (g[n].kind != LAC_GLYPH_LETTER) return 0;
  while (lac_glyph_is_word(g[n]) || is_one_of(g[n].c, ".:-"))
    n++;
  return g[n].c == '>' ? n + 1 : 0;
}

/* Characters that stand for others in the treebank. */
static const char *replacement(int32_t c) {
  switch (c) {
  case 0xA2:
    return "cents";
  case 0xA3:
    return "#";
  case 0xA4:
  case 0x20AC:
    return "$";
  case 0xBC:
    return "1/4";
  case 0xBD:
    return "1/2";
  case 0xBE:
    return "3/4";
  default:
    return NULL;
  }
}

static void take_symbol(scanner *s) {
  const lac_glyph *g = s->g + s->at;
  const int32_t c = g->c;
  size_t n = 0;
  if (is_one_of(c, ":;="))
    n = smiley(g);
  else if (c == '<')
    n = tag(g);
  else if (is_one_of(c, "@#") && g[1].kind == LAC_GLYPH_LETTER)
    n = end_of_letters(g, 1);
  else if (is_one_of(c, ".-+") && g[1].kind == LAC_GLYPH_DIGIT && !lac_glyph_is_word(g[-1]))
    n = c == '.' ? end_of_digits(g, 1) : end_of_word(g, 1);
  else if (is_one_of(c, "!?"))
    while (is_one_of(g[n].c, "!?"))
      n++;

  if (n > (is_one_of(c, "!?") ? 1 : 0))
    take(s, s->at + n);
  else if (is_one_of(c, "\".?!,:;-") || c == 0x2014 || c == 0x2026)
    s->at++; // removed
  else if (replacement(c))
    take_as(s, replacement(c));
  else
    take(s, s->at + 1);
}

static void scan(scanner *s) {
  while (s->at < s->count) {
    const lac_glyph g = s->g[s->at];
    if (g.kind == LAC_GLYPH_SPACE || g.kind == LAC_GLYPH_NONE)
      s->at++;
    else if (lac_glyph_is_word(g))
      take_word(s);
    else if (g.c == '\'')
      take_apostrophe(s);
    else
      take_symbol(s);
  }
  s->out[s->bytes] = '\0';
}

lac_status lac_text_ptb(char **out, size_t *out_bytes, const char *text, size_t bytes) {
  lac_glyph *glyphs = NULL;
  scanner s = {0};
  LAC_TRY(lac_glyphs_new(&glyphs, &s.count, text, bytes, "text.ptb"));
  s.g = glyphs;
  lac_status status = lac_alloc(&s.out, s.count + 1, MOST_BYTES, "tokens");
  if (status == LAC_OK) {
    scan(&s);
    *out = s.out;
    *out_bytes = s.bytes;
  }
  lac_glyphs_free(glyphs);
  return status;
}
