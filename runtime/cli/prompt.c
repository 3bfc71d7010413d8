/*
 * libedit's readline interface calls back without a user pointer, so the state that is reading a
 * line is kept at file scope while it reads. Keys come through our own function: it is the only way
 * to leave a line on Ctrl-C without jumping out of the library.
 */
#include "cli/prompt.h"

#include "cli/interrupt.h"
#include "cli/paths.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>
#include <wchar.h>

#include <editline/readline.h>

enum { HISTORY_LINES = 1000 };

static lua_State *reader; // set while read_line runs; the completion function is at stack index 2
static sigset_t outside;  // the signal mask outside pselect, in which Ctrl-C waits

/* One byte of standard input; -1 at the end or after Ctrl-C, which can only arrive inside pselect.
 */
static int read_byte(void) {
  for (;;) {
    fd_set ready;
    FD_ZERO(&ready);
    FD_SET(STDIN_FILENO, &ready);
    const int n = pselect(STDIN_FILENO + 1, &ready, NULL, NULL, NULL, &outside);
    if (lac_interrupt_pending()) return -1;
    if (n < 0 && errno != EINTR) return -1;
    if (n <= 0) continue;
    unsigned char byte;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got == 1) return byte;
    if (got == 0 || (errno != EINTR && errno != EAGAIN)) return -1;
  }
}

/* One character: libedit stores what this returns as a wchar_t, so UTF-8 is put together here. */
static int read_key(FILE *stream) {
  (void)stream;
  mbstate_t state;
  memset(&state, 0, sizeof state);
  for (;;) {
    const int byte = read_byte();
    if (byte < 0) return -1;
    const char c = (char)byte;
    wchar_t key;
    const size_t n = mbrtowc(&key, &c, 1, &state);
    if (n == (size_t)-1) return '?'; // not a character in this locale
    if (n != (size_t)-2) return (int)key;
  }
}

/* The index-th match, which lies in the table on top of the stack. */
static char *next_match(const char *word, int index) {
  (void)word;
  char *copy = NULL;
  lua_rawgeti(reader, -1, (lua_Integer)index + 1);
  const char *name = lua_tostring(reader, -1);
  if (name) {
    copy = strdup(name); // libedit frees it
  }
  lua_pop(reader, 1);
  return copy;
}

static char *match_from_start(const char *word, int state) {
  static int index;
  index = state == 0 ? 0 : index + 1;
  return next_match(word, index);
}

static char **complete(const char *word, int start, int end) {
  (void)start;
  (void)end;
  rl_attempted_completion_over = 1; // never fall back to file names
  char **matches = NULL;
  lua_pushvalue(reader, 2);
  lua_pushstring(reader, word);
  if (lua_pcall(reader, 1, 1, 0) == LUA_OK && lua_istable(reader, -1))
    matches = rl_completion_matches(word, match_from_start);
  lua_pop(reader, 1);
  return matches;
}

static void start_editor(void) {
  rl_readline_name = "lacuna";
  rl_getc_function = read_key; // libedit looks at it only when it starts
  rl_attempted_completion_function = complete;
  rl_basic_word_break_characters = " \t\n\"'><=;|&{(}[]+-*/%~^#,";
  rl_completion_append_character = '\0';
  rl_initialize();
  using_history();
  stifle_history(HISTORY_LINES);
}

static int free_box(lua_State *L) {
  char **box = lua_touserdata(L, 1);
  free(*box);
  *box = NULL;
  return 0;
}

/* The box exists before the line does, so that an error while copying cannot lose it. */
static char **push_box(lua_State *L) {
  char **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  if (luaL_newmetatable(L, "lac.line")) {
    lua_pushcfunction(L, free_box);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return box;
}

static int l_read_line(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  char **box = push_box(L);
  sigset_t block;
  sigemptyset(&block);
  sigaddset(&block, SIGINT);
  fflush(stdout);
  lac_interrupt_arm(NULL);
  sigprocmask(SIG_BLOCK, &block, &outside);
  reader = L;
  static bool started;
  if (!started) start_editor();
  started = true;
  rl_resize_terminal(); // the window may have changed while a chunk ran
  *box = readline(prompt);
  reader = NULL;
  sigprocmask(SIG_SETMASK, &outside, NULL);
  const bool interrupted = lac_interrupt_pending();
  lac_interrupt_arm(L);
  if (interrupted) {
    lua_pushboolean(L, 0);
  } else if (!*box) {
    lua_pushnil(L);
  } else {
    if (**box) add_history(*box);
    lua_pushstring(L, *box);
  }
  return 1;
}

static int l_history_load(lua_State *L) {
  read_history(luaL_checkstring(L, 1)); // no file yet: an empty history
  return 0;
}

static int l_history_save(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  const char *why = NULL;
  if (lac_path_make_parents(path) != LAC_OK)
    why = lac_message();
  else if (write_history(path) != 0)
    why = strerror(errno);
  if (!why) return lua_pushboolean(L, 1), 1;
  lua_pushnil(L);
  lua_pushfstring(L, "the history was not saved in %s: %s", path, why);
  return 2;
}

void lac_prompt_register(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"read_line", l_read_line},
      {"history_load", l_history_load},
      {"history_save", l_history_save},
      {NULL, NULL},
  };
  luaL_setfuncs(L, functions, 0);
}
