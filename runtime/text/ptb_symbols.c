#include "text/ptb_rules.h"

enum { LONGEST_TAG = 1000 };

static size_t run_of(const lac_glyph *g, const char *set) {
  size_t n = 0;
  while (lac_glyph_is_one_of(g[n].c, set))
    n++;
  return n;
}

/* ---- tags ---- */

static size_t spaces(const lac_glyph *g, size_t n) {
  while (g[n].c == ' ' || g[n].c == '\t')
    n++;
  return n;
}

static size_t tag_name(const lac_glyph *g, size_t n) {
  if (!lac_glyph_is_ascii_letter(g[n])) return n;
  while (lac_glyph_is_ascii_alnum(g[n]) || lac_glyph_is_one_of(g[n].c, "_:.-"))
    n++;
  return n;
}

/* The end of = and a quoted value behind the attribute that ends at n; n where there is none. */
static size_t attribute_value(const lac_glyph *g, size_t n) {
  const size_t sign = spaces(g, n);
  if (g[sign].c != '=') return n;
  const size_t quote = spaces(g, sign + 1);
  if (g[quote].c != '"' && g[quote].c != '\'') return n;
  for (size_t i = quote + 1; i < LONGEST_TAG && g[i].c; i++)
    if (g[i].c == g[quote].c) return i + 1;
  return n;
}

/* <unk>  </b>  <a href="b">  <br />  <!-- a --> */
static size_t tag(const lac_glyph *g) {
  if (g[0].c != '<') return 0;
  if (lac_glyph_is_one_of(g[1].c, "!?")) {
    if (!lac_glyph_is_ascii_letter(g[2]) && g[2].c != '-') return 0;
    for (size_t n = 3; n < LONGEST_TAG && g[n].c; n++)
      if (g[n].c == '>') return n + 1;
    return 0;
  }
  const size_t start = g[1].c == '/' ? 2 : 1;
  size_t n = tag_name(g, start);
  if (n == start) return 0;
  while (start == 1 && n < LONGEST_TAG) {
    const size_t next = spaces(g, n), end = tag_name(g, next);
    if (next == n || end == next) break;
    n = attribute_value(g, end);
  }
  n = spaces(g, n);
  if (start == 1 && g[n].c == '/') n = spaces(g, n + 1);
  return g[n].c == '>' ? n + 1 : 0;
}

/* ---- faces ---- */

/* :)  ;-)  =D  >:( */
static void smiley(lac_ptb_token *best, const lac_glyph *g) {
  size_t n = lac_glyph_is_one_of(g[0].c, "<>");
  if (!lac_glyph_is_one_of(g[n++].c, ":;=")) return;
  if (lac_glyph_is_one_of(g[n].c, "-o*'") && lac_glyph_is_one_of(g[n + 1].c, "()DPdpO\\{@|[]")) n++;
  if (!lac_glyph_is_one_of(g[n].c, "()DPdpO\\{@|[]") || lac_glyph_is_ascii_alnum(g[n + 1])) return;
  lac_ptb_propose(best, (lac_ptb_token){.length = n + 1, .reach = n + 2});
}

/* ^_^  (x_x)  (^.^)  (--) */
static size_t face(const lac_glyph *g) {
  static const char eyes[] = "-^x=~<>'";
  const size_t start = g[0].c == '(';
  if (!lac_glyph_is_one_of(g[start].c, eyes)) return 0;
  const size_t nose = start + 1;
  if (!start) return g[1].c == '_' && lac_glyph_is_one_of(g[2].c, eyes) ? 3 : 0;
  for (size_t n = nose; n <= nose + 1; n++) {
    if (lac_glyph_is_one_of(g[n].c, eyes) && g[n + 1].c == ')') return n + 2;
    if (!lac_glyph_is_one_of(g[n].c, "_.-")) return 0;
  }
  return 0;
}

/* ---- the rest ---- */

static const struct spelling {
  const char *from, *to;
} ENTITIES[] = {{"&amp;", "&"}, {"&lt;", "<"},   {"&gt;", ">"},   {"&quot;", ""},
                {"&nbsp;", ""}, {"&mdash;", ""}, {"&ndash;", ""}, {"&#39;", "&#39;"}};

static void entity(lac_ptb_token *best, const lac_glyph *g) {
  if (g[0].c != '&') return;
  for (size_t i = 0; i < sizeof ENTITIES / sizeof *ENTITIES; i++) {
    const size_t n = strlen(ENTITIES[i].from);
    if (lac_glyph_begins(g, ENTITIES[i].from))
      lac_ptb_propose(best, (lac_ptb_token){.length = n, .reach = n, .text = ENTITIES[i].to});
  }
}

/* Brackets as the treebank spells them: -LRB-. */
static size_t spelled_bracket(const lac_glyph *g) {
  if (g[0].c != '-' || !lac_glyph_is_one_of(lac_glyph_fold(g[1]), "lr") ||
      !lac_glyph_is_one_of(lac_glyph_fold(g[2]), "rcs") || lac_glyph_fold(g[3]) != 'b')
    return 0;
  return g[4].c == '-' ? 5 : 0;
}

/* \* \*\* \*\*\* */
static size_t escaped_asterisks(const lac_glyph *g) {
  size_t n = 0;
  while (n < 6 && g[n].c == '\\' && g[n + 1].c == '*')
    n += 2;
  return n;
}

/* What scoring removes: up to five dots or four dashes, one mark of another kind. */
static size_t removed(const lac_glyph *g) {
  const size_t dashes = run_of(g, "-"), marks = run_of(g, "?!");
  size_t dots = 0;
  while (dots < 5 && g[dots].c == '.')
    dots++;
  if (dots > 2) return dots;
  if (dashes) return dashes < 5 ? dashes : 0;
  return dots || marks == 1 || lac_glyph_is_one_of(g->c, "\"',:;`");
}

/* Characters that are written in other words, or not at all. */
static const char *spelling(int32_t c) {
  switch (c) {
  case '(':
    return "-lrb-";
  case ')':
    return "-rrb-";
  case '[':
    return "-lsb-";
  case ']':
    return "-rsb-";
  case '{':
    return "-lcb-";
  case '}':
    return "-rcb-";
  case 0xA2:
    return "cents";
  case 0xA3:
    return "#";
  case 0xA4:
  case 0x20A0:
  case 0x20AC:
    return "$";
  case 0xBC:
    return "1/4";
  case 0xBD:
    return "1/2";
  case 0xBE:
    return "3/4";
  case 0x2153:
    return "1/3";
  case 0x2154:
    return "2/3";
  case 0xAB: // typeset quotes, dashes, an ellipsis, hyphens that join nothing
  case 0xBB:
  case 0x2010:
  case 0x2011:
  case 0x2013:
  case 0x2014:
  case 0x2015:
  case 0x2018:
  case 0x2019:
  case 0x201B:
  case 0x201C:
  case 0x201D:
  case 0x2026:
  case 0x2039:
  case 0x203A:
    return "";
  default:
    return NULL;
  }
}

void lac_ptb_symbols(lac_ptb_token *best, const lac_glyph *g) {
  const size_t marks = run_of(g, "?!"), gone = removed(g);
  lac_ptb_take(best, tag(g));
  smiley(best, g);
  lac_ptb_take(best, face(g));
  entity(best, g);
  lac_ptb_take(best, spelled_bracket(g));
  lac_ptb_take(best, escaped_asterisks(g));
  if (lac_glyph_is_one_of(lac_glyph_fold(*g), "cf") && g[1].c == '#') lac_ptb_take(best, 2);
  if (lac_glyph_begins(g, "c++")) lac_ptb_take(best, 3);
  if (marks > 1) lac_ptb_take(best, marks);
  if (g->c == '-' && !gone) lac_ptb_take(best, run_of(g, "-"));
  if (lac_glyph_is_one_of(g->c, "@#_*"))
    lac_ptb_take(best, run_of(g, (const char[]){(char)g->c, '\0'}));
  if (lac_glyph_is_one_of(g->c, "<>") && g[1].c == g->c) lac_ptb_take(best, 2);
  lac_ptb_propose(best, (lac_ptb_token){.length = gone, .reach = gone, .text = ""});
  lac_ptb_propose(best, (lac_ptb_token){.length = 1, .reach = 1, .text = spelling(g->c)});
}
