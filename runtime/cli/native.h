/**
 * The few things that the Lua half of the command line cannot do by itself.
 */
#ifndef LAC_CLI_NATIVE_H
#define LAC_CLI_NATIVE_H

#include <lua.h>

/**
 * Push the table that lua/cli gets as `require "cli.native"`:
 *   lua_dir, version          strings
 *   list(folder)              array of the names in it, or nil and a message
 *   same_file(a, b)           true when both paths lead to one file that is there
 *   terminal(n)               true when file descriptor n (0, 1, 2) is a terminal
 *   columns(n)                of the terminal at file descriptor n; nil where there is none or it
 *                             does not say
 *   clock()                   seconds from a clock that only goes forward
 *   sleep(seconds)            up to a day; a signal ends it early
 *   memory(bytes) steps(n)    limit what Lua may hold and do; 0 lifts the limit: see budget.h
 *   arm() watch() interrupted()  Ctrl-C: see interrupt.h
 * and what lac_prompt_register() adds.
 *
 * @param L        a state whose allocator is lac_budget_alloc
 * @param lua_dir  copied
 */
void lac_native_push(lua_State *L, const char *lua_dir);

#endif
