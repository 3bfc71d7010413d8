/*
 * Lists are strings of words between spaces, looked up by strstr(): they are short, asked for only
 * at an apostrophe or a dot, and can be read. Case does not matter, but in the list of CAPITALISED.
 */
#include "text/ptb_words.h"

#include <string.h>

enum { LONGEST = 15 }; // characters of a listed word

/* Always abbreviations: titles, streets, companies, months and days, states. "sun." and "sat." end
 * too many captions. */
static const char ABBREVIATIONS[] =
    " mr mrs ms messrs dr drs prof profs rev hon pres gov govs sen sens rep reps atty attys supt "
    "lt lieut col gen maj sgt cpl pvt capt cmdr comdr adm brig pfc spc det "
    "jr sr esq ph.d ed.d alex wm jos vs cf etc al seq "
    "st ste mt ft ave blvd rd bldg "
    "inc co cos corp ltd bros dept assn univ intl plc pty "
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri "
    "ala ariz calif colo conn ct dak fla ga ind kan kans ky md mich minn mo mont neb nev okla "
    "penn tenn va vt wis wisc wyo ";

/* States that are words too when they do not begin with a capital. */
static const char CAPITALISED[] = " ark az del ill la mass miss ore pa tex wash ";

/* Abbreviations before a number only. */
static const char NUMBERED[] =
    " no nos fig figs art arts vol vols sec sect sects p pp op ca approx prop para paras ";

/* Auxiliaries whose form in "nt" is no other word. */
static const char DROPPED[] = " aint arent couldnt didnt doesnt dont hadnt hasnt havent isnt "
                              "mustnt shouldnt wasnt werent wouldnt ";

/* What is a token, or two (`split`), although its letters and apostrophes say otherwise. */
static const struct fixed {
  const char *text;
  uint8_t length, split;
} FIXED[] = {
    {"'s", 2, 0},     {"'m", 2, 0},     {"'d", 2, 0},      {"'re", 3, 0},         {"'ve", 3, 0},
    {"'ll", 3, 0},    {"'em", 3, 0},    {"'n'", 3, 0},     {"'n", 2, 0},          {"'til", 4, 0},
    {"'till", 5, 0},  {"'cause", 6, 0}, {"'tis", 4, 2},    {"'twas", 5, 2},       {"y'all", 5, 2},
    {"cannot", 6, 3}, {"gonna", 5, 3},  {"gotta", 5, 3},   {"gimme", 5, 3},       {"lemme", 5, 3},
    {"wanna", 5, 3},  {"c'mon", 5, 0},  {"s'mores", 7, 0}, {"nor'easter", 10, 0}, {"cont'd", 6, 0},
    {"ev'ry", 5, 0},  {"li'l", 4, 0},   {"nat'l", 5, 0},   {"ol'", 3, 0},
};

static bool begins_with(const lac_glyph *g, const char *text) {
  while (*text && lac_glyph_fold(*g) == *text)
    g++, text++;
  return !*text;
}

lac_ptb_match lac_ptb_fixed(const lac_glyph *g) {
  lac_ptb_match best = {0, 0};
  for (size_t i = 0; i < sizeof FIXED / sizeof *FIXED; i++) {
    const struct fixed *row = &FIXED[i];
    if (row->length > best.length && begins_with(g, row->text) &&
        !lac_glyph_is_word(g[row->length]))
      best = (lac_ptb_match){row->length, row->split};
  }
  return best;
}

static bool is_listed(const char *list, const lac_glyph *word, size_t length) {
  char key[LONGEST + 3] = " ";
  if (length > LONGEST) return false;
  for (size_t i = 0; i < length; i++) {
    if (word[i].c >= 0x80) return false;
    key[i + 1] = (char)lac_glyph_fold(word[i]);
  }
  key[length + 1] = ' ';
  key[length + 2] = '\0';
  return strstr(list, key) != NULL;
}

size_t lac_ptb_dropped_apostrophe(const lac_glyph *word, size_t length) {
  return is_listed(DROPPED, word, length) ? length - 2 : 0;
}

static bool is_letter(lac_glyph g) {
  return g.kind == LAC_GLYPH_LETTER && g.c != '_';
}

/* u.s, t.v, v.f.w: letters joined by dots. */
static bool is_acronym(const lac_glyph *word, size_t length) {
  if (length < 3 || length % 2 == 0) return false;
  for (size_t i = 0; i < length; i++) {
    if (i % 2 ? word[i].c != '.' : !is_letter(word[i])) return false;
  }
  return true;
}

/* A single letter, but for I; the last letter of a caption ends it. */
static bool is_initial(const lac_glyph *word, size_t length) {
  if (length != 1 || !is_letter(word[0]) || lac_glyph_fold(word[0]) == 'i') return false;
  size_t next = 2;
  while (word[next].kind == LAC_GLYPH_SPACE && word[next].c)
    next++;
  return word[next].c != 0;
}

static bool is_numbered(const lac_glyph *word, size_t length) {
  const lac_glyph *next = word + length + 1;
  if (next->kind == LAC_GLYPH_SPACE && next->c) next++;
  return next->kind == LAC_GLYPH_DIGIT && is_listed(NUMBERED, word, length);
}

bool lac_ptb_keeps_dot(const lac_glyph *word, size_t length) {
  const lac_glyph *next = word + length + 1;
  if (next[0].c == '.' && next[1].c == '.') return false; // an ellipsis
  return is_initial(word, length) || is_acronym(word, length) || is_numbered(word, length) ||
         is_listed(ABBREVIATIONS, word, length) ||
         (lac_glyph_is_capital(word[0]) && is_listed(CAPITALISED, word, length));
}
