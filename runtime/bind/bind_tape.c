/* Tapes in Lua: lac.tape() records, lac.scope() only bounds lifetimes; both end with the block they
 * are declared <close> in. */
#include "bind/bind.h"

#include "autograd/tape.h"

static const char *const TAPE = "lac.tape";

static lac_tape *check_tape(lua_State *L) {
  lac_tape **box = luaL_checkudata(L, 1, TAPE);
  if (!*box || !lac_tape_is_open(*box)) luaL_argerror(L, 1, "closed tape");
  return *box;
}

static int open_tape(lua_State *L, bool record) {
  lac_device *device = bind_device(L);
  lac_tape **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, TAPE);
  bind_try(L, lac_tape_open(box, device, record));
  return 1;
}

static int l_tape(lua_State *L) {
  return open_tape(L, true);
}

static int l_scope(lua_State *L) {
  return open_tape(L, false);
}

/* tape:backward(loss) */
static int l_backward(lua_State *L) {
  bind_try(L, lac_tape_backward(check_tape(L), bind_check_tensor(L, 2)));
  return 0;
}

/* tape:keep(x, ...) -> x, ...: they outlive the tape */
static int l_keep(lua_State *L) {
  lac_tape *tape = check_tape(L);
  const int n = lua_gettop(L);
  for (int i = 2; i <= n; i++)
    bind_try(L, lac_tape_keep(tape, bind_check_tensor(L, i)));
  return n - 1;
}

static int l_close(lua_State *L) {
  lac_tape **box = luaL_checkudata(L, 1, TAPE);
  lac_tape *tape = *box;
  if (!tape) return 0;
  bind_check_calm(L, "close");
  *box = NULL;
  lac_tape_close(tape);
  lac_tape_release(tape);
  return 0;
}

void bind_open_tape(lua_State *L) {
  static const luaL_Reg functions[] = {{"tape", l_tape}, {"scope", l_scope}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"backward", l_backward}, {"keep", l_keep},
                                     {"close", l_close},       {"__gc", l_close},
                                     {"__close", l_close},     {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  bind_new_class(L, TAPE, methods);
}
