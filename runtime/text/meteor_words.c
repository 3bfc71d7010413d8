/*
 * Passes over the text as code points, in the order of the published program: each either sets a
 * character apart or, between two neighbours, puts something else in the place of the middle one.
 * A pass goes from left to right and never looks at a character twice, so of "a-b-c" only the first
 * hyphen goes.
 */
#include "text/meteor_words.h"

#include "core/memory.h"
#include "text/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { ELLIPSIS = -1 }; // a dot in a run of dots: no pass but the last touches it

typedef struct points {
  int32_t *c;
  size_t count;
} points;

/* ---- kinds of characters ---- */

static bool is_digit(int32_t c) {
  return c >= '0' && c <= '9';
}

static bool is_no_digit(int32_t c) {
  return !is_digit(c);
}

/* Latin and Cyrillic, as far as the published program knows them; '×' and '÷' are none. */
static bool is_letter(int32_t c) {
  static const struct {
    int32_t first, last;
  } ranges[] = {{'a', 'z'},       {'A', 'Z'},       {0xC0, 0xD6},    {0xD8, 0xF6},
                {0xF8, 0x17E},    {0x178, 0x178},   {0x400, 0x4FF},  {0x500, 0x527},
                {0xA640, 0xA66E}, {0xA67E, 0xA697}, {0x1D00, 0x1D7F}};
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
    if (c >= ranges[i].first && c <= ranges[i].last) return true;
  }
  return false;
}

static bool is_no_letter(int32_t c) {
  return !is_letter(c);
}

static bool is_neither(int32_t c) {
  return !is_letter(c) && !is_digit(c);
}

static bool is_either(int32_t c) {
  return !is_neither(c);
}

static bool is_either_or_dot(int32_t c) {
  return is_either(c) || c == '.';
}

static bool is_s(int32_t c) {
  return c == 's';
}

static bool is_space(int32_t c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0D);
}

/* Blanks beyond ASCII: they are set apart like punctuation and dropped at the end. */
static bool is_wide_space(int32_t c) {
  return c == 0xA0 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F || c == 0x205F || c == 0x3000;
}

static bool is_set_apart(int32_t c) {
  if (is_either(c) || is_space(c)) return false;
  return c != '.' && c != '\'' && c != '`' && c != ',' && c != '-' && c != 0x2018 && c != 0x2019;
}

/* ---- passes ---- */

static void put(points *out, const char *ascii) {
  for (; *ascii; ascii++)
    out->c[out->count++] = (unsigned char)*ascii;
}

static void put_apart(points *out, int32_t c) {
  put(out, " ");
  out->c[out->count++] = c;
  put(out, " ");
}

static void set_apart(points *out, const points *in) {
  for (size_t i = 0; i < in->count; i++) {
    if (is_set_apart(in->c[i]))
      put_apart(out, in->c[i]);
    else
      out->c[out->count++] = in->c[i];
  }
}

/* Two dots or more are one word. */
static void keep_ellipses(points *out, const points *in) {
  for (size_t i = 0; i < in->count;) {
    size_t n = 0;
    while (i + n < in->count && in->c[i + n] == '.')
      n++;
    if (n < 2) {
      out->c[out->count++] = in->c[i++];
      continue;
    }
    put(out, " ");
    for (i += n; n > 0; n--)
      out->c[out->count++] = ELLIPSIS;
    put(out, " ");
  }
}

/* One kind of quote and of dash for all. */
static void unify(points *out, const points *in) {
  for (size_t i = 0; i < in->count; i++) {
    const int32_t c = in->c[i];
    const bool quote = c == '`' || c == 0x2018 || c == 0x2019;
    out->c[out->count++] = quote ? '\'' : c == 0x2013 ? '-' : c;
  }
}

/* One kind of double quote for all, and one dash for two. */
static void unify_pairs(points *out, const points *in) {
  for (size_t i = 0; i < in->count; i++) {
    const int32_t c = in->c[i], next = i + 1 < in->count ? in->c[i + 1] : ' ';
    const bool quotes = c == '\'' && next == '\'', dashes = c == '-' && next == '-';
    if (quotes || c == 0x201C || c == 0x201D)
      put(out, " \" ");
    else
      out->c[out->count++] = c;
    if (quotes || dashes) i++;
  }
}

/* What stands for the middle one of three characters. */
typedef struct rule {
  bool (*left)(int32_t c);
  int32_t middle;
  bool (*right)(int32_t c);
  const char *instead;
} rule;

static void replace(points *out, const points *in, const rule *r) {
  for (size_t i = 0; i < in->count;) {
    if (i + 2 < in->count && in->c[i + 1] == r->middle && r->left(in->c[i]) &&
        r->right(in->c[i + 2])) {
      out->c[out->count++] = in->c[i];
      put(out, r->instead);
      out->c[out->count++] = in->c[i + 2];
      i += 3;
    } else {
      out->c[out->count++] = in->c[i++];
    }
  }
}

static const rule commas[] = {{is_no_digit, ',', is_no_digit, " , "},
                              {is_digit, ',', is_no_digit, " , "},
                              {is_no_digit, ',', is_digit, " , "}};
static const rule hyphens_and_clitics[] = {
    {is_either_or_dot, '-', is_either, " "}, {is_no_letter, '\'', is_no_letter, " ' "},
    {is_neither, '\'', is_letter, " ' "},    {is_letter, '\'', is_no_letter, " ' "},
    {is_letter, '\'', is_letter, " '"},      {is_digit, '\'', is_s, " '"}};

/* Run a pass, or one for each rule; the result is in `text`, and `spare` is used. A pass makes at
 * most three characters of one. */
static lac_status run(points *text, points *spare, void (*pass)(points *, const points *),
                      const rule *rules, size_t count) {
  for (size_t i = 0; i < (pass ? 1 : count); i++) {
    LAC_TRY(lac_realloc(&spare->c, 3 * text->count + 1, sizeof *spare->c, "words of a caption"));
    spare->count = 0;
    if (pass)
      pass(spare, text);
    else
      replace(spare, text, &rules[i]);
    const points done = *spare;
    *spare = *text;
    *text = done;
  }
  return LAC_OK;
}

static lac_status run_all(points *text, points *spare) {
  LAC_TRY(run(text, spare, set_apart, NULL, 0));
  LAC_TRY(run(text, spare, keep_ellipses, NULL, 0));
  LAC_TRY(run(text, spare, NULL, commas, sizeof commas / sizeof *commas));
  LAC_TRY(run(text, spare, unify, NULL, 0));
  LAC_TRY(run(text, spare, unify_pairs, NULL, 0));
  return run(text, spare, NULL, hyphens_and_clitics,
             sizeof hyphens_and_clitics / sizeof *hyphens_and_clitics);
}

/* ---- words ---- */

static bool equals(const points *word, const char *ascii) {
  const size_t n = strlen(ascii);
  if (word->count != n) return false;
  for (size_t i = 0; i < n; i++) {
    if (word->c[i] != (unsigned char)ascii[i]) return false;
  }
  return true;
}

/* What becomes of the last dot of a word of two characters or more. */
typedef enum dot { DOT_KEPT, DOT_SPLIT, DOTS_DROPPED } dot;

static dot judge_dot(const points *word, int32_t next) {
  static const char *const kept[] = {"v", "vs", "rev"}; // of the published list's lower-case words
  const points stem = {word->c, word->count - 1};
  bool has_dot = false, has_letter = false;
  for (size_t i = 0; i < stem.count; i++) {
    has_dot = has_dot || stem.c[i] == '.';
    has_letter = has_letter || is_letter(stem.c[i]);
  }
  if (has_dot && has_letter) return DOTS_DROPPED;
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
    if (equals(&stem, kept[i])) return DOT_KEPT;
  }
  if (next >= 'a' && next <= 'z') return DOT_KEPT;
  return equals(&stem, "pp") && is_digit(next) ? DOT_KEPT : DOT_SPLIT;
}

static size_t put_word(char *out, const points *word, int32_t next) {
  const bool dotted = word->count > 1 && word->c[word->count - 1] == '.';
  const dot fate = dotted ? judge_dot(word, next) : DOT_KEPT;
  size_t n = 0;
  for (size_t i = 0; i < word->count; i++) {
    const int32_t c = word->c[i] == ELLIPSIS ? '.' : word->c[i];
    if (fate == DOTS_DROPPED && c == '.') continue;
    if (fate == DOT_SPLIT && i + 1 == word->count) out[n++] = ' ';
    n += (size_t)utf8proc_encode_char(c, (utf8proc_uint8_t *)out + n);
  }
  return n;
}

/* The words into `out`, which has room for 5 bytes a character. */
static size_t put_words(char *out, const points *text) {
  size_t n = 0;
  for (size_t i = 0; i < text->count;) {
    if (is_space(text->c[i])) {
      i++;
      continue;
    }
    points word = {text->c + i, 0};
    while (i < text->count && !is_space(text->c[i]))
      i++, word.count++;
    size_t next = i;
    while (next < text->count && is_space(text->c[next]))
      next++;
    if (is_wide_space(*word.c)) continue;
    if (n > 0) out[n++] = ' ';
    n += put_word(out + n, &word, next < text->count ? text->c[next] : ' ');
  }
  return n;
}

/* A blank, the text in lower case, a blank. */
static lac_status read(points *text, const char *utf8, size_t bytes) {
  LAC_TRY(lac_alloc(&text->c, bytes + 2, sizeof *text->c, "words of a caption"));
  put(text, " ");
  for (size_t at = 0; at < bytes;) {
    int32_t c;
    LAC_TRY(lac_utf8_next(&c, &at, utf8, bytes, "meteor"));
    text->c[text->count++] = utf8proc_tolower(c);
  }
  put(text, " ");
  return LAC_OK;
}

lac_status lac_meteor_words(char **out, size_t *out_bytes, const char *text, size_t bytes) {
  points points_of = {NULL, 0}, spare = {NULL, 0};
  char *words = NULL;
  lac_status status = read(&points_of, text, bytes);
  if (status == LAC_OK) status = run_all(&points_of, &spare);
  if (status == LAC_OK)
    status = lac_alloc(&words, 5 * points_of.count + 1, 1, "words of a caption");
  if (status == LAC_OK) {
    *out_bytes = put_words(words, &points_of);
    *out = words;
  }
  free(points_of.c);
  free(spare.c);
  return status;
}

bool lac_meteor_is_function_word(const char *word, size_t bytes) {
  static const char list[] =
      " the , . to of and a in that for \" is on 's it with was as said at he by be from have has "
      "are "
      "his but an this not i will ' they ) -rrb- ( -lrb- who their had we which were been more or "
      "s "
      "its would about new one after you : also up when there than $ all out her people she year "
      "two "
      "- can if last first over other into some what so -- no time years could ? 't \xE2\x80\x94 ";
  for (const char *at = list; (at = memchr(at, ' ', (size_t)(list + sizeof list - at)));) {
    if (strncmp(++at, word, bytes) == 0 && at[bytes] == ' ') return bytes > 0;
  }
  return false;
}
