/*
 * Recursive descent into a list of nodes, each made of earlier ones. The source has one statement
 * per node: long sums then nest no parentheses, of which compilers allow few. Numbers are written
 * as bits, which no locale changes.
 */
#include "ops/expression.h"

#include "core/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD = 40, STATEMENT = 112 };

/* An operation: how it is called in the text, and what stands around its operands in a kernel. */
typedef struct operation {
  const char *name;
  int operands;
  const char *around[4];
} operation;

enum {
  IS_NUMBER,
  IS_NAME,
  NEGATE,
  NOT,
  CHOOSE,
  OR,
  AND,
  LESS,
  UNEQUAL = LESS + 5,
  ADD,
  SUBTRACT,
  TIMES,
  DIVIDE,
  FUNCTIONS
};

static const operation operations[] = {
    [IS_NUMBER] = {"", 0, {NULL}},
    [IS_NAME] = {"", 0, {NULL}},
    [NEGATE] = {"-", 1, {"-", ""}},
    [NOT] = {"!", 1, {"", " == 0.0f ? 1.0f : 0.0f"}},
    [CHOOSE] = {"?", 3, {"", " != 0.0f ? ", " : ", ""}},
    [OR] = {"||", 2, {"", " != 0.0f || ", " != 0.0f ? 1.0f : 0.0f"}},
    [AND] = {"&&", 2, {"", " != 0.0f && ", " != 0.0f ? 1.0f : 0.0f"}},
    [LESS] = {"<", 2, {"", " < ", " ? 1.0f : 0.0f"}},
    {"<=", 2, {"", " <= ", " ? 1.0f : 0.0f"}},
    {">", 2, {"", " > ", " ? 1.0f : 0.0f"}},
    {">=", 2, {"", " >= ", " ? 1.0f : 0.0f"}},
    {"==", 2, {"", " == ", " ? 1.0f : 0.0f"}},
    [UNEQUAL] = {"!=", 2, {"", " != ", " ? 1.0f : 0.0f"}},
    [ADD] = {"+", 2, {"", " + ", ""}},
    [SUBTRACT] = {"-", 2, {"", " - ", ""}},
    [TIMES] = {"*", 2, {"", " * ", ""}},
    [DIVIDE] = {"/", 2, {"", " / ", ""}},
    [FUNCTIONS] = {"fabs", 1, {"fabs(", ")"}},
    {"sqrt", 1, {"sqrt(", ")"}},
    {"exp", 1, {"exp(", ")"}},
    {"log", 1, {"log(", ")"}},
    {"pow", 2, {"pow(", ", ", ")"}},
    {"fmin", 2, {"fmin(", ", ", ")"}},
    {"fmax", 2, {"fmax(", ", ", ")"}},
    {"sign", 1, {"sign_of(", ")"}},
    {"tanh", 1, {"quick_tanh(", ")"}},
    {"floor", 1, {"floor(", ")"}},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static const struct {
  const char *name;
  float value;
} constants[] = {{"pi", 3.14159265f}, {"inf", INFINITY}};

/* What joins two operands, loosest first: rows of the table. */
static const struct {
  int first, last;
} levels[] = {{OR, OR}, {AND, AND}, {LESS, UNEQUAL}, {ADD, SUBTRACT}, {TIMES, DIVIDE}};
enum { LEVELS = sizeof levels / sizeof *levels, COMPARING = 2 };

typedef struct parser {
  lac_expression *e;
  const char *text;
  size_t at, length, depth;
} parser;

const char *lac_expression_quote(const lac_expression *e, char quote[LAC_EXPRESSION_QUOTE]) {
  const size_t room = LAC_EXPRESSION_QUOTE - 4;
  const size_t shown = e->length < room ? e->length : room;
  for (size_t i = 0; i < shown; i++)
    quote[i] = e->text[i] >= ' ' && e->text[i] <= '~' ? e->text[i] : '?';
  strcpy(quote + shown, shown < e->length ? "..." : "");
  return quote;
}

LAC_PRINTF(2, 3)
static lac_status fail(const parser *p, const char *format, ...) {
  char quote[LAC_EXPRESSION_QUOTE], problem[512];
  va_list list;
  va_start(list, format);
  vsnprintf(problem, sizeof problem, format, list);
  va_end(list);
  return lac_fail(LAC_EINVAL, "the expression \"%s\": %s", lac_expression_quote(p->e, quote),
                  problem);
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The next character; 0 at the end. */
static char peek(const parser *p) {
  return p->at < p->length ? p->text[p->at] : 0;
}

static void skip_spaces(parser *p) {
  while (peek(p) == ' ' || peek(p) == '\t' || peek(p) == '\n' || peek(p) == '\r')
    p->at++;
}

/* The word or character at `at`, for messages. */
static const char *show_next(const parser *p, char word[WORD]) {
  size_t n = 0;
  while (n < WORD - 1 && p->at + n < p->length &&
         (is_letter(p->text[p->at + n]) || is_digit(p->text[p->at + n])))
    n++;
  if (n == 0) n = 1;
  memcpy(word, p->text + p->at, n);
  word[n] = 0;
  for (size_t i = 0; i < n; i++)
    if (word[i] < ' ' || word[i] > '~') word[i] = '?';
  return word;
}

static lac_status fail_expected(const parser *p, const char *what) {
  char word[WORD];
  if (p->at >= p->length) return fail(p, "expected %s at the end", what);
  return fail(p, "expected %s at character %zu, got \"%s\"", what, p->at + 1, show_next(p, word));
}

static lac_status expect(parser *p, char c) {
  const char what[] = {'"', c, '"', 0};
  skip_spaces(p);
  if (peek(p) != c || p->at >= p->length) return fail_expected(p, what);
  p->at++;
  return LAC_OK;
}

/* Every node takes a character of the text at least, so there is room. */
static uint16_t add_node(parser *p, int op, const uint16_t *in) {
  lac_expression_node *node = &p->e->node[p->e->nodes];
  *node = (lac_expression_node){.op = (uint8_t)op};
  for (int i = 0; i < operations[op].operands; i++)
    node->in[i] = in[i];
  return (uint16_t)p->e->nodes++;
}

static uint16_t add_number(parser *p, float value) {
  const uint16_t at = add_node(p, IS_NUMBER, NULL);
  p->e->node[at].value = value;
  return at;
}

static lac_status parse_choice(parser *p, uint16_t *out);

/* digits [. digits] [e [+-] digits], or . digits */
static lac_status parse_number(parser *p, uint16_t *out) {
  char copy[WORD], *end;
  const size_t start = p->at;
  while (is_digit(peek(p)))
    p->at++;
  if (peek(p) == '.') p->at++;
  while (is_digit(peek(p)))
    p->at++;
  if (peek(p) == 'e' || peek(p) == 'E') {
    p->at++;
    if (peek(p) == '+' || peek(p) == '-') p->at++;
    while (is_digit(peek(p)))
      p->at++;
  }
  const size_t n = p->at - start;
  if (n >= sizeof copy)
    return fail(p, "the number at character %zu is longer than %d digits", start + 1, WORD - 1);
  memcpy(copy, p->text + start, n);
  copy[n] = 0;
  const double value = strtod(copy, &end);
  if (*end || end == copy) return fail(p, "%s is no number", copy);
  if (isinf((float)value)) return fail(p, "%s is too large for a float32", copy);
  *out = add_number(p, (float)value);
  return LAC_OK;
}

static bool equals(const char *known, const char *word, size_t n) {
  return strlen(known) == n && memcmp(known, word, n) == 0;
}

/* How many letters have to be inserted, deleted, replaced or swapped with their neighbours; both
 * words are short. */
static int count_mistakes(const char *a, const char *b, size_t n) {
  int row[WORD][WORD];
  const size_t m = strlen(a);
  for (size_t i = 0; i <= m; i++) {
    for (size_t j = 0; j <= n; j++) {
      if (i == 0 || j == 0) {
        row[i][j] = (int)(i + j);
        continue;
      }
      int least = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (row[i - 1][j] + 1 < least) least = row[i - 1][j] + 1;
      if (row[i][j - 1] + 1 < least) least = row[i][j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
          row[i - 2][j - 2] + 1 < least)
        least = row[i - 2][j - 2] + 1;
      row[i][j] = least;
    }
  }
  return row[m][n];
}

static lac_status fail_function(const parser *p, const char *word, size_t n) {
  char list[128] = "";
  const char *best = NULL;
  int least = 3;
  for (int i = FUNCTIONS; i < OPERATIONS; i++) {
    const int mistakes = n < WORD ? count_mistakes(operations[i].name, word, n) : least;
    if (mistakes < least) {
      least = mistakes;
      best = operations[i].name;
    }
    snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > FUNCTIONS ? ", " : "",
             operations[i].name);
  }
  if (best) return fail(p, "there is no function %.*s, did you mean %s?", (int)n, word, best);
  return fail(p, "there is no function %.*s; there are %s", n < WORD ? (int)n : WORD, word, list);
}

static lac_status parse_call(parser *p, const char *word, size_t n, uint16_t *out) {
  uint16_t in[3];
  int op = FUNCTIONS;
  while (op < OPERATIONS && !equals(operations[op].name, word, n))
    op++;
  if (op == OPERATIONS) return fail_function(p, word, n);
  LAC_TRY(expect(p, '('));
  for (int i = 0; i < operations[op].operands; i++) {
    if (i) LAC_TRY(expect(p, ','));
    LAC_TRY(parse_choice(p, &in[i]));
  }
  LAC_TRY(expect(p, ')'));
  *out = add_node(p, op, in);
  return LAC_OK;
}

static lac_status parse_name(parser *p, const char *word, size_t n, uint16_t *out) {
  lac_expression *e = p->e;
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
    if (equals(constants[i].name, word, n)) {
      *out = add_number(p, constants[i].value);
      return LAC_OK;
    }
  for (int op = FUNCTIONS; op < OPERATIONS; op++)
    if (equals(operations[op].name, word, n))
      return fail(p, "%s is a function and needs \"(\" after it", operations[op].name);
  uint16_t i = 0;
  while (i < e->names && !(e->name[i].length == n && !memcmp(e->text + e->name[i].at, word, n)))
    i++;
  if (i == LAC_EXPRESSION_NAMES)
    return fail(p, "more than %d different names", LAC_EXPRESSION_NAMES);
  if (i == e->names)
    e->name[e->names++] = (lac_expression_name){(uint16_t)(word - e->text), (uint16_t)n};
  *out = add_node(p, IS_NAME, NULL);
  e->node[*out].in[0] = i;
  return LAC_OK;
}

static lac_status parse_primary(parser *p, uint16_t *out) {
  const char *word = p->text + p->at;
  if (is_digit(peek(p)) || (peek(p) == '.' && p->at + 1 < p->length && is_digit(word[1])))
    return parse_number(p, out);
  if (peek(p) == '(') {
    p->at++;
    LAC_TRY(parse_choice(p, out));
    return expect(p, ')');
  }
  if (!is_letter(peek(p))) return fail_expected(p, "a number, a name or \"(\"");
  while (is_letter(peek(p)) || is_digit(peek(p)))
    p->at++;
  const size_t n = (size_t)(p->text + p->at - word);
  skip_spaces(p);
  return peek(p) == '(' ? parse_call(p, word, n, out) : parse_name(p, word, n, out);
}

static lac_status go_deeper(parser *p) {
  if (++p->depth > LAC_EXPRESSION_DEPTH)
    return fail(p, "nested deeper than %d at character %zu", LAC_EXPRESSION_DEPTH, p->at + 1);
  return LAC_OK;
}

static lac_status parse_unary(parser *p, uint16_t *out) {
  skip_spaces(p);
  if (peek(p) != '-' && peek(p) != '!') return parse_primary(p, out);
  const int op = peek(p) == '-' ? NEGATE : NOT;
  uint16_t in;
  LAC_TRY(go_deeper(p));
  p->at++;
  LAC_TRY(parse_unary(p, &in));
  p->depth--;
  *out = add_node(p, op, &in);
  return LAC_OK;
}

/* The operation of that level that comes next, the longer of two; 0 for none. */
static int match(parser *p, int level) {
  int found = 0;
  skip_spaces(p);
  for (int op = levels[level].first; op <= levels[level].last; op++) {
    const size_t n = strlen(operations[op].name);
    if (p->length - p->at >= n && !memcmp(p->text + p->at, operations[op].name, n) &&
        (!found || n > strlen(operations[found].name)))
      found = op;
  }
  if (found) p->at += strlen(operations[found].name);
  return found;
}

static lac_status parse_level(parser *p, int level, uint16_t *out) {
  uint16_t in[2];
  if (level == LEVELS) return parse_unary(p, out);
  LAC_TRY(parse_level(p, level + 1, &in[0]));
  for (int op = match(p, level), count = 0; op; op = match(p, level), count++) {
    if (level == COMPARING && count)
      return fail(p, "comparisons do not chain; write a < b && b < c for a < b < c");
    LAC_TRY(parse_level(p, level + 1, &in[1]));
    in[0] = add_node(p, op, in);
  }
  *out = in[0];
  return LAC_OK;
}

static lac_status parse_choice(parser *p, uint16_t *out) {
  uint16_t in[3];
  LAC_TRY(go_deeper(p));
  LAC_TRY(parse_level(p, 0, out));
  skip_spaces(p);
  if (peek(p) == '?') {
    p->at++;
    in[0] = *out;
    LAC_TRY(parse_choice(p, &in[1]));
    LAC_TRY(expect(p, ':'));
    LAC_TRY(parse_choice(p, &in[2]));
    *out = add_node(p, CHOOSE, in);
  }
  p->depth--;
  return LAC_OK;
}

lac_status lac_expression_parse(lac_expression *out, const char *text, size_t length) {
  parser p = {.e = out, .text = text, .length = length};
  uint16_t last;
  out->text = text;
  out->length = length;
  out->nodes = out->names = 0;
  if (length > LAC_EXPRESSION_TEXT)
    return fail(&p, "it is %zu characters long; %d are allowed", length, LAC_EXPRESSION_TEXT);
  LAC_TRY(parse_choice(&p, &last));
  skip_spaces(&p);
  return p.at == length ? LAC_OK : fail_expected(&p, "an operator");
}

/* Where the source is written: it is as long as room says at most. */
typedef struct writer {
  char *at, *end;
} writer;

LAC_PRINTF(2, 3) static void put(writer *w, const char *format, ...) {
  va_list list;
  va_start(list, format);
  const int n = vsnprintf(w->at, (size_t)(w->end - w->at), format, list);
  va_end(list);
  w->at += n;
}

static void put_node(writer *w, const lac_expression_node *node,
                     const lac_expression_input *inputs) {
  const operation *op = &operations[node->op];
  const unsigned i = node->in[0];
  uint32_t bits;
  memcpy(&bits, &node->value, sizeof bits);
  if (node->op == IS_NUMBER) {
    put(w, "as_float(0x%08xu)", (unsigned)bits);
  } else if (node->op == IS_NAME) {
    if (inputs[i] == LAC_INPUT_NUMBER)
      put(w, "a%u", i);
    else
      put(w, "x%u[o%u%s]", i, i, inputs[i] == LAC_INPUT_ELEMENTS ? " + i" : "");
  } else {
    put(w, "%s", op->around[0]);
    for (int j = 0; j < op->operands; j++)
      put(w, "t%u%s", (unsigned)node->in[j], op->around[j + 1]);
  }
}

lac_status lac_expression_source(char **source, const lac_expression *e,
                                 const lac_expression_input *inputs) {
  const size_t room = (size_t)STATEMENT * (e->nodes + e->names + 8);
  char *text;
  LAC_TRY(lac_alloc(&text, room, 1, "a program"));
  writer w = {text, text + room};
  put(&w, "inline float sign_of(float x) {\n"
          "  return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x;\n}\n"
          "kernel void map_fwd(global float *y, ulong y0");
  for (uint32_t i = 0; i < e->names; i++)
    if (inputs[i] == LAC_INPUT_NUMBER)
      put(&w, ", float a%u", (unsigned)i);
    else
      put(&w, ", const global float *x%u, ulong o%u", (unsigned)i, (unsigned)i);
  put(&w, ", ulong n) {\n  const ulong i = get_global_id(0);\n  if (i >= n) return;\n");
  for (uint32_t i = 0; i < e->nodes; i++) {
    put(&w, "  const float t%u = ", (unsigned)i);
    put_node(&w, &e->node[i], inputs);
    put(&w, ";\n");
  }
  put(&w, "  y[y0 + i] = t%u;\n}\n", (unsigned)e->nodes - 1);
  *source = text;
  return LAC_OK;
}
