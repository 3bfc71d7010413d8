/*
 * Addresses are looked for at the start of every token, so that each of them ends the search after
 * LONGEST characters: the work stays in proportion to the length of the text.
 */
#include "text/ptb_rules.h"

enum { LONGEST = 1000, NO_BREAK_SPACE = 0xA0 };

static bool is_space(lac_glyph g) {
  return g.c == 0 || g.c == ' ' || g.c == '\t';
}

/* What follows // or the / behind a host: the end of it from i on, two characters at least; 0 where
 * there is none. */
static size_t end_of_path(const lac_glyph *g, size_t i) {
  size_t n = i;
  while (!is_space(g[n]) && !lac_glyph_is_one_of(g[n].c, "\"<>|(){}"))
    n++;
  while (n > i && lac_glyph_is_one_of(g[n - 1].c, ".!?,-"))
    n--;
  return n >= i + 2 ? n : 0;
}

static size_t url(const lac_glyph *g) {
  const size_t head = lac_glyph_begins(g, "http://") ? 7 : lac_glyph_begins(g, "https://") ? 8 : 0;
  return head ? end_of_path(g, head) : 0;
}

/* A host that ends at n, with its path if it has one. */
static size_t with_path(const lac_glyph *g, size_t n) {
  const size_t end = g[n].c == '/' ? end_of_path(g, n + 1) : 0;
  return end ? end : n;
}

static size_t longer(size_t a, size_t b) {
  return a > b ? a : b;
}

/* www.a.org/b */
static size_t www(const lac_glyph *g) {
  if (!lac_glyph_begins(g, "www.")) return 0;
  size_t best = 0;
  for (size_t n = 4; n < LONGEST; n++) {
    if (is_space(g[n]) || lac_glyph_is_one_of(g[n].c, "\"<>|!?(){},")) break;
    if (g[n].c != '.') continue;
    if (g[n - 1].c == '.') break;
    size_t end = n + 1;
    while (end < n + 5 && lac_glyph_is_ascii_letter(g[end]))
      end++;
    if (end >= n + 3) best = longer(best, with_path(g, end));
  }
  return best;
}

static size_t domain(const lac_glyph *g) {
  static const char *const names[] = {"com", "net", "org", "edu"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (lac_glyph_begins(g, names[i])) return 3;
  return 0;
}

/* a.org/b: in the host are no capitals, no digits and no hyphens. */
static size_t host(const lac_glyph *g) {
  size_t best = 0;
  for (size_t n = 0; n < LONGEST; n++) {
    if (g[n].c == '.' && n > 0 && g[n - 1].c != '.') {
      const size_t name = domain(g + n + 1);
      if (name) best = longer(best, with_path(g, n + 1 + name));
    } else if (is_space(g[n]) || (g[n].c >= ',' && g[n].c <= '_') ||
               lac_glyph_is_one_of(g[n].c, "\"|!(){}$'`")) {
      break;
    }
  }
  return best;
}

static bool is_local(lac_glyph g) {
  return !is_space(g) && g.c != NO_BREAK_SPACE && !lac_glyph_is_one_of(g.c, "\"<>|(){}");
}

/* me@a.org, also between < and >. */
static size_t mail(const lac_glyph *g) {
  const size_t start = g[0].c == '<' ? 1 : lac_glyph_begins(g, "&lt;") ? 4 : 0;
  if (!lac_glyph_is_ascii_alnum(g[start])) return 0;
  size_t at = 0;
  for (size_t n = start + 1; n < LONGEST && is_local(g[n]); n++)
    if (g[n].c == '@' && is_local(g[n + 1]) && g[n + 1].c != '.') at = n;
  if (!at) return 0;
  size_t n = at + 1;
  while (is_local(g[n]) && (g[n].c != '.' || (is_local(g[n + 1]) && g[n + 1].c != '.')))
    n++;
  return g[n].c == '>' ? n + 1 : lac_glyph_begins(g + n, "&gt;") ? n + 4 : n;
}

/* 5.jpg; names that begin with a letter are words. */
static size_t file_name(const lac_glyph *g) {
  static const char endings[] = " bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar "
                                "java jpeg jpg mov mp3 pdf php pl png ppt ps py sql tar txt wav x "
                                "xml zip ";
  enum { MOST = 5 };
  size_t n = 0, part = 0;
  for (;; n++) {
    part = n;
    while (lac_glyph_is_alnum(g[n]) || g[n].kind == LAC_GLYPH_MARK)
      n++;
    if (n == part) return 0;
    if (g[n].c != '.' || !lac_glyph_is_alnum(g[n + 1])) break;
  }
  if (part == 0 || n - part > MOST) return 0;
  char key[MOST + 3] = " ";
  for (size_t i = part; i < n; i++)
    key[1 + i - part] = g[i].c < 0x80 ? (char)lac_glyph_fold(g[i]) : '?';
  key[1 + n - part] = ' ';
  const bool ends = g[n].kind == LAC_GLYPH_SPACE || lac_glyph_is_one_of(g[n].c, ".!?,");
  return ends && strstr(endings, key) ? n : 0;
}

/* @home */
static size_t at_name(const lac_glyph *g) {
  if (g[0].c != '@' || !(lac_glyph_is_ascii_letter(g[1]) || g[1].c == '_')) return 0;
  size_t n = 2;
  while (lac_glyph_is_ascii_alnum(g[n]) || g[n].c == '_')
    n++;
  return n;
}

/* #love */
static size_t hash_name(const lac_glyph *g) {
  size_t n = 1;
  if (g[0].c != '#') return 0;
  while (g[n].kind == LAC_GLYPH_LETTER || g[n].kind == LAC_GLYPH_MARK)
    n++;
  return n > 1 ? n : 0;
}

void lac_ptb_addresses(lac_ptb_token *best, const lac_glyph *g) {
  lac_ptb_take(best, url(g));
  lac_ptb_take(best, www(g));
  lac_ptb_take(best, host(g));
  lac_ptb_take(best, mail(g));
  lac_ptb_take(best, file_name(g));
  lac_ptb_take(best, at_name(g));
  lac_ptb_take(best, hash_name(g));
}
