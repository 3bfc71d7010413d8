/**
 * Ctrl-C: the first stops the running Lua code with an error, the next ends the process.
 */
#ifndef LAC_CLI_INTERRUPT_H
#define LAC_CLI_INTERRUPT_H

#include <lua.h>
#include <stdbool.h>

/**
 * Take SIGINT over, or arm it again. To be called by the main thread.
 *
 * @param L  the state to stop; NULL only notes the signal (while the prompt reads a line)
 */
void lac_interrupt_arm(lua_State *L);

/**
 * From now on SIGINT and SIGTERM are only noted, for lac_interrupt_pending(): work that takes long
 * asks, saves and ends. A second one ends the process.
 */
void lac_interrupt_watch(void);

/**
 * Replace coroutine.resume, on the top of the stack, by one that lets Ctrl-C reach the coroutine's
 * code. The interruption goes on in the code that resumed it.
 */
void lac_interrupt_push_resume(lua_State *L);

/** True when Ctrl-C was pressed since lac_interrupt_arm(). */
bool lac_interrupt_pending(void);

#endif
