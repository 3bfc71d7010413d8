/**
 * Line editing, history and completion for the prompt, over libedit.
 */
#ifndef LAC_CLI_PROMPT_H
#define LAC_CLI_PROMPT_H

#include <lua.h>

/**
 * Adds to the table on top of the stack:
 *   read_line(prompt, complete) -> line, or nil at the end of input, or false after Ctrl-C;
 *     complete(word) -> array of names that begin with word
 *   history_load(path), history_save(path) -> true, or nil and a message
 */
void lac_prompt_register(lua_State *L);

#endif
