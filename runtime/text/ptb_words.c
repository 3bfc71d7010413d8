/*
 * Lists are strings of words between spaces, looked up by strstr(): they are short, asked for only
 * at an apostrophe or a dot, and can be read. Case does not matter, but in the list of CAPITALISED.
 */
#include "text/ptb_rules.h"

enum { LONGEST = 15 }; // characters of a listed word

/* Abbreviations that another word follows: titles, names, "vs.". */
static const char TITLES[] =
    " adj adm adv alex asst atty attys ave brig bros capt cf cie cmdr col comdr cpl det dr drs "
    "elec "
    "ens ft gen gov govs hon insp invt jos lieut lt maj messrs mfg mlle mme mr mrs ms msgr mt mtg "
    "natl pfc ph pres prof profs pvt rep reps rev sen sens sfc sgt spc st ste supt supts treas vs "
    "wm ";

/* Abbreviations that may end a sentence: companies, streets, months and days, states. "sun." and
 * "sat." end too many captions. */
static const char ABBREVIATIONS[] =
    " al ala apr ariz assn assoc aug bhd bldg blvd calif co colo conn corp cos ct dak dec dept esq "
    "est etc ext feb fla fri ga inc ind intl jan jr jul jun kan kans ky ltd mar md mich minn mo "
    "mon "
    "mont neb nev nov oct okla penn plc pte pty rd rt sep sept seq sq sr sys tel tenn thu thurs "
    "tue "
    "tues univ va vt wed wis wisc wyo ";

/* The same for words that are something else when they do not begin with a capital. */
static const char CAPITALISED[] = " ark az del ill la mass miss ore pa tex wash ";

/* Abbreviations before a number only. */
static const char NUMBERED[] = " art ca fig figs no nos op pp prop ";

/* Words that begin a sentence, so that the letter and dot before them are no initial. */
static const char STARTERS[] =
    " a about according additionally after an as at but earlier he her here however if in it last "
    "many more mr. ms. now once one other our she since so some such that the their then there "
    "these they this we what when while yet you ";

/* What is a token, or two (`split`), although its letters, apostrophes and dots say otherwise. */
static const struct fixed {
  const char *text;
  size_t length, split;
} FIXED[] = {
    {"cannot", 6, 3}, {"gonna", 5, 3},   {"gotta", 5, 3},       {"lemme", 5, 3},
    {"gimme", 5, 3},  {"wanna", 5, 3},   {"'n'", 3, 0},         {"'n", 2, 0},
    {"'em", 3, 0},    {"'till", 5, 0},   {"'til", 4, 0},        {"'cause", 6, 0},
    {"c'mon", 5, 0},  {"cont'd.", 7, 0}, {"nor'easter", 10, 0}, {"s'mores", 7, 0},
    {"ev'ry", 5, 0},  {"li'l", 4, 0},    {"nat'l", 5, 0},       {"o'o", 3, 0},
    {"e'er", 4, 0},   {"ol'", 3, 0},     {"d'", 2, 0},          {"l'", 2, 0},
    {"j'", 2, 0},     {"dunkin'", 7, 0}, {"somethin'", 9, 0},
};

static bool is_listed(const char *list, const lac_glyph *word, size_t length) {
  char key[LONGEST + 3] = " ";
  if (length > LONGEST) return false;
  for (size_t i = 0; i < length; i++) {
    if (word[i].c <= 0 || word[i].c >= 0x80) return false;
    key[i + 1] = (char)lac_glyph_fold(word[i]);
  }
  key[length + 1] = ' ';
  key[length + 2] = '\0';
  return strstr(list, key) != NULL;
}

/* ---- words ---- */

static bool is_letter(lac_glyph g) {
  return g.kind == LAC_GLYPH_LETTER || g.kind == LAC_GLYPH_MARK;
}

static size_t ascii_letters(const lac_glyph *g) {
  size_t n = 0;
  while (lac_glyph_is_ascii_letter(g[n]))
    n++;
  return n;
}

static size_t ascii_alnums(const lac_glyph *g) {
  size_t n = 0;
  while (lac_glyph_is_ascii_alnum(g[n]))
    n++;
  return n;
}

static size_t letters(const lac_glyph *g) {
  size_t n = 0;
  while (g[n].kind == LAC_GLYPH_LETTER)
    n++;
  return n;
}

/* shirt.A: dots and marks without a space join words. */
static size_t word(const lac_glyph *g) {
  size_t n = 0;
  while (is_letter(g[n])) {
    while (is_letter(g[n]) || g[n].kind == LAC_GLYPH_DIGIT)
      n++;
    if (!lac_glyph_is_one_of(g[n].c, ".!?") || !is_letter(g[n + 1])) break;
    n++;
  }
  return n;
}

/* An apostrophe or an opening quote in its place. */
static bool is_quote(lac_glyph g) {
  return lac_glyph_is_apostrophe(g) || g.c == '`' || g.c == 0x2018 || g.c == 0x201B;
}

/* Part of a hyphenated word, which may begin as d'or does; its end, or i where there is none. */
static size_t end_of_part(const lac_glyph *g, size_t i) {
  const bool apostrophe = lac_glyph_is_one_of(g[i].c, "dDoOlL") && is_quote(g[i + 1]);
  if (apostrophe && g[i + 2].kind == LAC_GLYPH_LETTER && lac_glyph_is_alnum(g[i + 3])) i += 3;
  while (lac_glyph_is_alnum(g[i]))
    i++;
  return i;
}

/* half-eaten  a_b  5-year-old  hors-d'oeuvre */
static size_t hyphenated(const lac_glyph *g) {
  size_t n = end_of_part(g, 0);
  while (n && (lac_glyph_is_one_of(g[n].c, "-_") || g[n].c == 0x2010 || g[n].c == 0x2011)) {
    const size_t end = end_of_part(g, n + 1);
    if (end == n + 1) break;
    n = end;
  }
  return n;
}

/* Letters with dots, a dot behind the last: p.m. U.S.A. */
static size_t acronym(const lac_glyph *g) {
  size_t n = 0;
  while (lac_glyph_is_ascii_letter(g[n]) && g[n + 1].c == '.')
    n += 2;
  return n >= 4 ? n : 0;
}

/* 5,000-seat  U.S.-born  cat,dog,half-eaten */
static size_t dotted_and_hyphenated(const lac_glyph *g) {
  enum { MOST = 1000 }; // looked at from every token of "a,b,c,..."
  size_t n = 0, end = 0;
  if (!lac_glyph_is_ascii_alnum(*g)) return 0;
  while (n < MOST && (lac_glyph_is_ascii_alnum(g[n]) || lac_glyph_is_one_of(g[n].c, ".,")))
    n++;
  while (g[n].c == '-') {
    const size_t dotted = acronym(g + n + 1), part = dotted ? dotted : ascii_alnums(g + n + 1);
    if (!part) break;
    end = n += 1 + part;
  }
  return end;
}

/* and/or  24/7  12/25/2014  half-eaten/raw, up to three of them. */
static size_t slashed(const lac_glyph *g) {
  size_t n = 0, end = 0;
  for (int parts = 0; parts < 3; parts++) {
    const size_t part = ascii_alnums(g + n);
    if (!part) break;
    n += part;
    for (int i = 0; i < 2 && g[n].c == '-' && lac_glyph_is_ascii_letter(g[n + 1]); i++)
      n += 1 + ascii_letters(g + n + 1);
    if (parts > 0) end = n;
    if (g[n].c == '\\' && g[n + 1].c == '/') n++;
    if (g[n].c != '/') break;
    n++;
  }
  return end;
}

/* A&W  R&B  A+B: capitals only. */
static size_t capitals(const lac_glyph *g) {
  size_t n = 0, end = 0;
  for (;;) {
    const size_t start = n;
    while (lac_glyph_is_capital(g[n]))
      n++;
    if (n == start) return end;
    if (start) end = n;
    if (lac_glyph_begins(g + n, "&amp;"))
      n += 5;
    else if (lac_glyph_is_one_of(g[n].c, "&+"))
      n++;
    else
      return end;
  }
}

/* ---- abbreviations ---- */

static bool starts_a_sentence(const lac_glyph *g) {
  while (g->kind == LAC_GLYPH_SPACE && g->c)
    g++;
  if (!g->c) return true; // as most captions that follow do
  size_t n = ascii_letters(g);
  if (!lac_glyph_is_capital(*g)) return false;
  if (g[n].c == '.') n++;
  return (g[n].c == 0 || g[n].kind == LAC_GLYPH_SPACE || g[n - 1].c == '.') &&
         is_listed(STARTERS, g, n);
}

static void abbreviation(lac_ptb_token *best, const lac_glyph *g) {
  enum { BEHIND = 2 }; // characters that are looked at behind the dot
  const size_t n = ascii_letters(g), end = n + 1;
  if (lac_glyph_begins(g, "ph.d.") || lac_glyph_begins(g, "ed.d."))
    lac_ptb_propose(best, (lac_ptb_token){.length = 5, .reach = 5 + BEHIND});
  if (n == 0 || g[n].c != '.') return;
  const size_t gap = g[end].kind == LAC_GLYPH_SPACE && g[end].c;
  lac_ptb_take(best, acronym(g));
  if ((n == 1 && !(g[2].kind == LAC_GLYPH_SPACE && starts_a_sentence(g + 2))) ||
      is_listed(TITLES, g, n))
    lac_ptb_take(best, end);
  else if (is_listed(ABBREVIATIONS, g, n) ||
           (lac_glyph_is_capital(*g) && is_listed(CAPITALISED, g, n)))
    lac_ptb_propose(best, (lac_ptb_token){.length = end, .reach = end + BEHIND});
  else if (g[end + gap].kind == LAC_GLYPH_DIGIT && is_listed(NUMBERED, g, n))
    lac_ptb_propose(best, (lac_ptb_token){.length = end, .reach = end + gap + 1});
}

/* ---- apostrophes ---- */

static void fixed(lac_ptb_token *best, const lac_glyph *g) {
  for (size_t i = 0; i < sizeof FIXED / sizeof *FIXED; i++) {
    if (lac_glyph_fold(*g) == FIXED[i].text[0] || lac_glyph_is_apostrophe(*g))
      if (lac_glyph_begins(g, FIXED[i].text))
        lac_ptb_propose(best, (lac_ptb_token){.length = FIXED[i].length,
                                              .reach = FIXED[i].length,
                                              .split = FIXED[i].split});
  }
}

/* The length of 's or one of its kin; 0 where there is none. */
static size_t clitic(const lac_glyph *g) {
  static const char *const clitics[] = {"'s", "'m", "'d", "'re", "'ve", "'ll"};
  for (size_t i = 0; i < sizeof clitics / sizeof *clitics; i++)
    if (lac_glyph_begins(g, clitics[i])) return strlen(clitics[i]);
  return 0;
}

static bool is_nt(const lac_glyph *g) {
  return lac_glyph_fold(g[0]) == 'n' && is_quote(g[1]) && lac_glyph_fold(g[2]) == 't';
}

/* 's and its kin, n't, and the word before them. */
static void clitics(lac_ptb_token *best, const lac_glyph *g) {
  const size_t own = clitic(g), whole = word(g), next = whole ? clitic(g + whole) : 0;
  const size_t n = ascii_letters(g);
  const bool letter = lac_glyph_is_ascii_letter(g[own]);
  if (own && !(letter && g->c == '\'')) // 'remote begins with a quote
    lac_ptb_propose(best, (lac_ptb_token){.length = own, .reach = own + !letter, .plain = true});
  if (next) lac_ptb_propose(best, (lac_ptb_token){.length = whole, .reach = whole + next});
  if (is_nt(g)) lac_ptb_propose(best, (lac_ptb_token){.length = 3, .reach = 3, .plain = true});
  if (n >= 2 && is_nt(g + n - 1) && lac_glyph_fold(g[n - 2]) != 'n')
    lac_ptb_propose(best, (lac_ptb_token){.length = n - 1, .reach = n + 2});
}

/* Words with an apostrophe inside: ma'am, Xi'an, A'bc, N'Sync; of y'all the y'. */
static void joined(lac_ptb_token *best, const lac_glyph *g) {
  const size_t n = letters(g), behind = n + 1;
  if (n == 0 || !is_quote(g[n])) return;
  const size_t rest = letters(g + behind);
  if (n >= 2 && lac_glyph_is_one_of(lac_glyph_fold(g[n - 1]), "aeiouy") &&
      (lac_glyph_is_one_of(g[behind].c, "aeiou") || lac_glyph_is_capital(g[behind])))
    lac_ptb_take(best, behind + rest);
  if (n == 1 && rest >= 2 && lac_glyph_is_one_of(g->c, "ABCDEFGHJKLMNOPQRSTUVWXZn"))
    lac_ptb_take(best, behind + rest);
  if (n == 1 && rest && lac_glyph_fold(*g) == 'y' && lac_glyph_is_apostrophe(g[n]))
    lac_ptb_propose(best, (lac_ptb_token){.length = 2, .reach = 3});
}

/* '50s  '98, of 'tis and 'twas the 't, and quotes, which are removed. */
static void apostrophe(lac_ptb_token *best, const lac_glyph *g) {
  const bool typewritten = g->c == '\'';
  if (!is_quote(*g)) return;
  if (lac_glyph_is_apostrophe(*g)) {
    if (g[1].c >= '2' && g[1].c <= '9' && g[2].c == '0' && lac_glyph_fold(g[3]) == 's')
      lac_ptb_take(best, 4);
    if (g[1].kind == LAC_GLYPH_DIGIT && g[2].kind == LAC_GLYPH_DIGIT &&
        g[3].kind == LAC_GLYPH_SPACE)
      lac_ptb_propose(best, (lac_ptb_token){.length = 3, .reach = 4});
  }
  if (typewritten && (lac_glyph_begins(g, "'tis") || lac_glyph_begins(g, "'twas")))
    lac_ptb_propose(best, (lac_ptb_token){.length = 2, .reach = 4});
  if (typewritten && lac_glyph_is_ascii_letter(g[1]) && g[2].kind != LAC_GLYPH_SPACE)
    lac_ptb_propose(best, (lac_ptb_token){.length = 1, .reach = 3, .text = ""});
  if (g[1].c == g->c) lac_ptb_propose(best, (lac_ptb_token){.length = 2, .reach = 2, .text = ""});
}

/* A word and its dot before a comma, colon or semicolon: "an alley.,". */
static void dotted(lac_ptb_token *best, const lac_glyph *g) {
  const size_t ends[] = {word(g), hyphenated(g), capitals(g)};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    const size_t n = ends[i];
    if (n && g[n].c == '.' && (lac_glyph_is_one_of(g[n + 1].c, ",;:") || g[n + 1].c == 0x3001))
      lac_ptb_propose(best, (lac_ptb_token){.length = n + 1, .reach = n + 2});
  }
}

void lac_ptb_words(lac_ptb_token *best, const lac_glyph *g) {
  const size_t plain = letters(g);
  fixed(best, g);
  if (plain && (g[plain].c == ' ' || g[plain].c == 0)) { // most words; no other rule sees more
    lac_ptb_take(best, plain);
    return;
  }
  clitics(best, g);
  apostrophe(best, g);
  lac_ptb_take(best, word(g));
  joined(best, g);
  abbreviation(best, g);
  lac_ptb_take(best, hyphenated(g));
  lac_ptb_take(best, slashed(g));
  lac_ptb_take(best, dotted_and_hyphenated(g));
  const size_t all = capitals(g);
  lac_ptb_propose(best, (lac_ptb_token){.length = all, .reach = all, .plain = true});
  dotted(best, g);
}
