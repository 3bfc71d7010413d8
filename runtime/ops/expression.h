/**
 * The language of element-wise expressions over tensors: parsing, and the kernel that one becomes.
 *
 *   choice  = or ["?" choice ":" choice]
 *   or      = and {"||" and}
 *   and     = compare {"&&" compare}
 *   compare = sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum]
 *   sum     = product {("+" | "-") product}
 *   product = unary {("*" | "/") unary}
 *   unary   = ("-" | "!") unary | primary
 *   primary = number | name | "pi" | "inf" | function "(" choice {"," choice} ")" | "(" choice ")"
 *
 * Everything is a float32: a comparison gives 1 or 0, and any number but 0 is true (NaN too).
 * Functions: fabs, sqrt, exp, log, pow, fmin, fmax (NaN loses), sign (of NaN and zeros: what it
 * was), tanh, floor. No text of the expression reaches a kernel: its source is written anew from
 * the parsed nodes.
 */
#ifndef LAC_OPS_EXPRESSION_H
#define LAC_OPS_EXPRESSION_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
  LAC_EXPRESSION_TEXT = 1000, /* bytes in a text */
  LAC_EXPRESSION_DEPTH = 50,  /* nested parentheses, calls, signs and choices */
  LAC_EXPRESSION_NAMES = 16,  /* different names */
  LAC_EXPRESSION_QUOTE = 160, /* bytes for lac_expression_quote() */
};

/** What a node is made of earlier ones, or of a number or name. */
typedef struct lac_expression_node {
  uint8_t op; /* row of a table in expression.c */
  uint16_t in[3];
  float value; /* of a number */
} lac_expression_node;

/** A part of the text. */
typedef struct lac_expression_name {
  uint16_t at, length;
} lac_expression_name;

/** A parsed expression: some 17 KiB, built by value, nothing to release. The last node is the
 * result. */
typedef struct lac_expression {
  const char *text; /* borrowed */
  size_t length;
  lac_expression_node node[LAC_EXPRESSION_TEXT];
  lac_expression_name name[LAC_EXPRESSION_NAMES]; /* in the order of their first use */
  uint32_t nodes, names;
} lac_expression;

/**
 * Parse.
 *
 * @param text  borrowed by the result; any bytes
 * @return LAC_OK; LAC_EINVAL with a message that quotes the expression and names the place
 */
lac_status lac_expression_parse(lac_expression *out, const char *text, size_t length);

/** The text for messages: printable, cut where it is long. Returns `quote`. */
const char *lac_expression_quote(const lac_expression *e, char quote[LAC_EXPRESSION_QUOTE]);

/** What the i-th name is to a kernel. */
typedef enum lac_expression_input {
  LAC_INPUT_NUMBER,  /* an argument float a<i> */
  LAC_INPUT_SCALAR,  /* x<i>[o<i>], one for all elements */
  LAC_INPUT_ELEMENTS /* element for element */
} lac_expression_input;

/**
 * Write the program of one kernel,
 *
 *   map_fwd(y, y0, [x<i>, o<i> | a<i>] for each name, ulong n).
 *
 * Texts that differ in names or spaces alone give the same program.
 *
 * @param[out] source  to be freed with free()
 * @param inputs       one per name
 * @return LAC_OK; LAC_ENOMEM
 */
lac_status lac_expression_source(char **source, const lac_expression *e,
                                 const lac_expression_input *inputs);

#endif
