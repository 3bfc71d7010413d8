/* Generators in Lua: lac.rng(seed [, stream]) and what is drawn from one. A generator is three
 * numbers held by value in a userdata. */
#include "bind/bind.h"

#include "layers/dropout.h"
#include "ops/random.h"

static const char *const RNG = "lac.rng";

static lac_rng *check_rng(lua_State *L, int index) {
  return luaL_checkudata(L, index, RNG);
}

lac_rng *bind_field_rng(lua_State *L, int index, const char *name) {
  lua_getfield(L, index, name);
  lac_rng *rng = luaL_testudata(L, -1, RNG);
  if (!rng && !lua_isnil(L, -1))
    luaL_error(L, "field '%s' must be a generator (lac.rng), got %s", name, luaL_typename(L, -1));
  lua_pop(L, 1); // the table keeps it
  return rng;
}

static int push_rng(lua_State *L, lac_rng rng) {
  lac_rng *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = rng;
  luaL_setmetatable(L, RNG);
  return 1;
}

/* lac.rng(seed [, stream]): at the beginning of a stream; both are any integers */
static int l_rng(lua_State *L) {
  const uint64_t seed = (uint64_t)luaL_checkinteger(L, 1);
  const uint64_t stream = (uint64_t)luaL_optinteger(L, 2, 0);
  return push_rng(L, (lac_rng){seed, stream, 0});
}

typedef struct fill_row {
  const char *name;
  lac_status (*fn)(lac_tensor **out, lac_device *device, const lac_shape *shape, lac_rng *rng,
                   float a, float b);
} fill_row;

static const fill_row fill_rows[] = {{"uniform", lac_random_uniform},
                                     {"normal", lac_random_normal}};

/* y = g:uniform(shape [, low, high]), g:normal(shape [, mean, deviation]); 0 and 1 by default */
static int l_fill(lua_State *L) {
  const fill_row *row = lua_touserdata(L, lua_upvalueindex(1));
  lac_rng *rng = check_rng(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  const lac_shape shape = bind_check_shape(L, 2);
  const float a = (float)luaL_optnumber(L, 3, 0), b = (float)luaL_optnumber(L, 4, 1);
  lac_device *device = bind_device(L);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, row->fn(y, device, &shape, rng, a, b));
}

/* y = g:integers(shape, n): i32 from 0 to n - 1 */
static int l_integers(lua_State *L) {
  lac_rng *rng = check_rng(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  const lac_shape shape = bind_check_shape(L, 2);
  const uint64_t n = bind_check_count(L, 3);
  lac_device *device = bind_device(L);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_random_below(y, device, &shape, rng, n));
}

/* g:below(n) -> an integer from 0 to n - 1 */
static int l_below(lua_State *L) {
  lac_rng *rng = check_rng(L, 1);
  const lua_Integer n = luaL_checkinteger(L, 2);
  luaL_argcheck(L, n >= 1, 2, "must be at least 1");
  lua_pushinteger(L, (lua_Integer)lac_rng_below(rng, (uint64_t)n));
  return 1;
}

/* g:shuffle(list) -> list, reordered in place, every order equally likely */
static int l_shuffle(lua_State *L) {
  lac_rng *rng = check_rng(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  for (lua_Integer i = luaL_len(L, 2); i > 1;
       i--) { // Fisher and Yates: the last of i is drawn and final
    const lua_Integer j = 1 + (lua_Integer)lac_rng_below(rng, (uint64_t)i);
    lua_geti(L, 2, i);
    lua_geti(L, 2, j);
    lua_seti(L, 2, i);
    lua_seti(L, 2, j);
  }
  return 1;
}

static const char *const fields[] = {"seed", "stream", "counter"};

/* g:state() -> {seed, stream, counter}, for a checkpoint */
static int l_state(lua_State *L) {
  const lac_rng *rng = check_rng(L, 1);
  const uint64_t values[] = {rng->seed, rng->stream, rng->counter};
  lua_createtable(L, 0, 3);
  for (int i = 0; i < 3; i++) {
    lua_pushinteger(L, (lua_Integer)values[i]);
    lua_setfield(L, -2, fields[i]);
  }
  return 1;
}

/* g:restore(state) -> g */
static int l_restore(lua_State *L) {
  lac_rng *rng = check_rng(L, 1);
  uint64_t values[3];
  luaL_checktype(L, 2, LUA_TTABLE);
  for (int i = 0; i < 3; i++) {
    int is_integer;
    lua_getfield(L, 2, fields[i]);
    values[i] = (uint64_t)lua_tointegerx(L, -1, &is_integer);
    if (!is_integer)
      return luaL_error(L, "restore: field '%s' must be an integer, got %s", fields[i],
                        luaL_typename(L, -1));
    lua_pop(L, 1);
  }
  *rng = (lac_rng){values[0], values[1], values[2]};
  lua_settop(L, 1);
  return 1;
}

/* g:fork(name or integer) -> a generator of its own; the same name gives the same one */
static int l_fork(lua_State *L) {
  const lac_rng *rng = check_rng(L, 1);
  size_t bytes;
  luaL_argcheck(L, lua_type(L, 2) == LUA_TSTRING || lua_isinteger(L, 2), 2,
                "must be a name or an integer");
  lua_settop(L, 2);
  const char *name = lua_tolstring(L, 2, &bytes);
  return push_rng(L, lac_rng_fork(rng, name, bytes));
}

/* y = x:dropout(p, g) */
static int l_dropout(lua_State *L) {
  lac_tensor *x = bind_check_tensor(L, 1);
  const float p = (float)luaL_checknumber(L, 2);
  lac_rng *rng = check_rng(L, 3);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_dropout(y, x, p, rng));
}

void bind_open_rng(lua_State *L) {
  static const luaL_Reg methods[] = {{"integers", l_integers},
                                     {"below", l_below},
                                     {"shuffle", l_shuffle},
                                     {"state", l_state},
                                     {"restore", l_restore},
                                     {"fork", l_fork},
                                     {NULL, NULL}};
  lua_pushcfunction(L, l_rng);
  lua_setfield(L, -2, "rng");
  bind_new_class(L, RNG, methods);
  luaL_getmetatable(L, RNG);
  BIND_ADD_ROWS(fill_rows, l_fill)
  lua_pop(L, 1);
  luaL_getmetatable(L, BIND_TENSOR);
  lua_pushcfunction(L, l_dropout);
  lua_setfield(L, -2, "dropout");
  lua_pop(L, 1);
}
