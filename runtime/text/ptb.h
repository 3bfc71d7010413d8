/**
 * The Penn Treebank tokenizer, as image captioning is scored with it.
 */
#ifndef LAC_TEXT_PTB_H
#define LAC_TEXT_PTB_H

#include "core/status.h"

#include <stddef.h>

/**
 * Tokens of a caption, joined by single spaces, in lower case and without punctuation.
 *
 * The conventions of Marcus et al. 1993, "Building a large annotated corpus of English: the Penn
 * Treebank", with the choices of the Stanford PTBTokenizer (3.4.1, default options) that Chen et
 * al. 2015, "Microsoft COCO captions: data collection and evaluation server", section 4, puts
 * before every metric:
 *
 * - clitics: man's -> man 's, isn't -> is n't; also cannot -> can not, gonna -> gon na
 * - whole words: half-eaten, and/or, a_b, o'clock, T.V, shirt.A, what?when, A&W, mp3, 5-year-old,
 *   cat,dog,half-eaten
 * - numbers: 5,000 3.5 5:30 1-1/2 are whole; 3 1/2 is one token with a no-break space;
 *   $5 -> $ 5, 10% -> 10 %, 10:30am -> 10:30 am
 * - dots are kept in abbreviations (st. dr. jan.), acronyms (u.s.) and initials (b.) that do not
 *   end the caption, and removed elsewhere
 * - brackets: ( ) [ ] { } -> -lrb- -rrb- -lsb- -rsb- -lcb- -rcb-, which stay
 * - runs of two or more ! and ? stay
 * - one token: tags <unk>, @names, #names, e-mail and web addresses, :-rrb- for :)
 * - removed: quotes, . ? ! , : ; ... and dashes that join nothing
 *
 * Rules look at the original case ("A&W" but "a & w"). At each place every rule of ptb_rules.h may
 * propose a token, and the one that looked at most of the text wins, as in the published lexer.
 *
 * Compared with that program (java, CoreNLP 3.4.1): equal on 49,125 captions of MS-COCO and UCM, on
 * 3 in 10,000 of those with words and punctuation put in at random not, on 5 in 10,000 random
 * strings of fragments not. What differs:
 *
 * - It looks beyond the end of a line: "letter b." keeps its dot unless the next line begins with a
 *   word that often begins a sentence. Here a caption ends as before "A ...".
 * - A no-break space before a web address is part of it there, a space here.
 * - Typeset and typewritten quotes in a row (U+2019 and ``) are one token there, removed here.
 * - &QUOT; in capitals and numeric entities but &#39; are kept there, split or removed here.
 * - Letters and marks that Unicode had not in 2010, and marks of scripts that it left out, vanish
 *   there and stay here.
 *
 * Tokens are not always tokens again ("A&W" -> "a&w" -> "a & w"; "\"B.\"" -> "b." -> "b"; ":)" ->
 * ":-rrb-" -> "-rrb-"): nor are they there. A few passes settle any text.
 *
 * @param[out] out        NUL-terminated (text may hold NUL bytes too, which are dropped as all
 * control characters are); freed with free()
 * @param[out] out_bytes  length without the terminator
 * @param text            `bytes` bytes of UTF-8
 * @return LAC_OK; LAC_EINVAL for invalid UTF-8 (the message has the byte, counted from 1);
 * LAC_ENOMEM
 */
lac_status lac_text_ptb(char **out, size_t *out_bytes, const char *text, size_t bytes);

#endif
