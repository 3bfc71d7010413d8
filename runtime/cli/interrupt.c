/*
 * The handler may not run Lua, but it may set a hook, which Lua calls before its next instruction;
 * the hook raises. A signal can arrive on a thread of the OpenCL driver, where touching the Lua
 * state would be a race, so it is sent on to the main thread first.
 *
 * A signal handler has no user pointer: this is why the state below is at file scope.
 */
#include "cli/interrupt.h"

#include <lauxlib.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static pthread_t main_thread;
static lua_State *volatile running; // the thread whose code runs: the main one or a coroutine
static volatile sig_atomic_t pending;
static lua_Hook old_hook; // an instruction budget may be in force and has to survive a caught error
static int old_mask, old_count;
static struct timespec first_press;

/* A wrapper may pass on what the terminal has sent already; that is not a second press. */
static const double ONE_PRESS_SECONDS = 0.25;

static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, old_hook, old_mask, old_count);
  luaL_error(L, "interrupted");
}

/* Code that did not heed the hook is ended the hard way, when the handler returns. */
static void end_process(int number) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const double passed = (double)(now.tv_sec - first_press.tv_sec) +
                        1e-9 * (double)(now.tv_nsec - first_press.tv_nsec);
  if (passed < ONE_PRESS_SECONDS) return;
  signal(number, SIG_DFL);
  raise(number);
}

static void note_signal(int number) {
  if (!pthread_equal(pthread_self(), main_thread)) {
    pthread_kill(main_thread, number);
    return;
  }
  if (pending) {
    end_process(number);
    return;
  }
  pending = 1;
  clock_gettime(CLOCK_MONOTONIC, &first_press);
  lua_State *target = running;
  if (!target) return;
  old_hook = lua_gethook(target);
  old_mask = lua_gethookmask(target);
  old_count = lua_gethookcount(target);
  lua_sethook(target, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

void lac_interrupt_arm(lua_State *L) {
  struct sigaction action = {.sa_handler = note_signal}; // no SA_RESTART: a read has to return
  sigemptyset(&action.sa_mask);
  main_thread = pthread_self();
  running = L;
  pending = 0;
  sigaction(SIGINT, &action, NULL);
}

void lac_interrupt_watch(void) {
  struct sigaction action = {.sa_handler = note_signal};
  lac_interrupt_arm(NULL);
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, NULL);
}

/* coroutine.resume, which is the upvalue, with the coroutine noted as what runs. The original never
 * raises for what happens inside. */
static int l_resume(lua_State *L) {
  lua_State *before = running;
  lua_State *coroutine = lua_tothread(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  if (coroutine) running = coroutine;
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  running = before;
  if (pending) return luaL_error(L, "interrupted");
  return lua_gettop(L);
}

void lac_interrupt_push_resume(lua_State *L) {
  lua_pushcclosure(L, l_resume, 1);
}

bool lac_interrupt_pending(void) {
  return pending != 0;
}
