/*
 * JSON in Lua, through jansson: lac.json.decode, encode, array, null.
 *
 * Arrays come out with a metatable of their own, so that an empty one goes back as [] and not as
 * {}. While a tree is built from Lua values every new node is hung into its parent at once: the
 * root, which sits in a box, then owns all of it whatever raises.
 */
#include "bind/bind_archive.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum { MAX_DEPTH = 200 };

static const char *const TREE = "lac.json.tree", *const ARRAY = "lac.json.array";

static int release_tree(lua_State *L) {
  json_t **box = lua_touserdata(L, 1);
  json_decref(*box);
  *box = NULL;
  return 0;
}

static json_t **push_tree(lua_State *L) {
  json_t **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, TREE);
  lua_toclose(L, -1);
  return box;
}

/* ---- decode ---- */

static void push_value(lua_State *L, const json_t *value, int depth) {
  const char *key;
  json_t *child;
  size_t i;
  if (depth > MAX_DEPTH) luaL_error(L, "json: nested deeper than %d", (int)MAX_DEPTH);
  luaL_checkstack(L, 4, "json");
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    lua_createtable(L, 0, (int)json_object_size(value));
    json_object_foreach((json_t *)value, key, child) {
      push_value(L, child, depth + 1);
      lua_setfield(L, -2, key);
    }
    break;
  case JSON_ARRAY:
    lua_createtable(L, (int)json_array_size(value), 0);
    json_array_foreach(value, i, child) {
      push_value(L, child, depth + 1);
      lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    luaL_setmetatable(L, ARRAY);
    break;
  case JSON_STRING:
    lua_pushlstring(L, json_string_value(value), json_string_length(value));
    break;
  case JSON_INTEGER:
    lua_pushinteger(L, json_integer_value(value));
    break;
  case JSON_REAL:
    lua_pushnumber(L, json_real_value(value));
    break;
  case JSON_TRUE:
  case JSON_FALSE:
    lua_pushboolean(L, json_is_true(value));
    break;
  case JSON_NULL:
    lua_pushlightuserdata(L, NULL);
  }
}

/* lac.json.decode(text) -> value; raises with line and column */
static int l_decode(lua_State *L) {
  size_t size;
  json_error_t error;
  const char *text = luaL_checklstring(L, 1, &size);
  json_t **tree = push_tree(L);
  *tree = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
  if (!*tree)
    return luaL_error(L, "json: line %d, column %d: %s", error.line, error.column, error.text);
  push_value(L, *tree, 1);
  return 1;
}

/* ---- encode ---- */

/* Where a new node goes: into an array, into an object under a key, or to the root. */
typedef struct place {
  json_t **root, *parent;
  const char *key;
} place;

static json_t *hang(lua_State *L, const place *at, json_t *node, const char *what) {
  int failed = !node;
  if (!at->parent)
    *at->root = node;
  else if (at->key)
    failed = json_object_set_new(at->parent, at->key, node) != 0;
  else
    failed = json_array_append_new(at->parent, node) != 0;
  if (failed) luaL_error(L, "json: %s cannot be written (not UTF-8?)", what);
  return node;
}

/* Whether the table on the top goes out as an array: marked so, or with exactly the keys 1..n, n >
 * 0. */
static int is_array(lua_State *L) {
  lua_Integer count = 0, numbered = 0;
  const lua_Integer length = (lua_Integer)lua_rawlen(L, -1);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    count++;
    numbered += lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= length;
  }
  int marked = lua_getmetatable(L, -1);
  if (marked) {
    luaL_getmetatable(L, ARRAY);
    marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
  }
  if (marked && numbered != count) luaL_error(L, "json: an array has keys other than 1..n");
  return marked || (count > 0 && numbered == count && count == length);
}

static void add_value(lua_State *L, const place *at, int depth);

static void add_table(lua_State *L, const place *at, int depth) {
  if (depth > MAX_DEPTH)
    luaL_error(L, "json: nested deeper than %d (does a table hold itself?)", (int)MAX_DEPTH);
  luaL_checkstack(L, 6, "json");
  place inside = {at->root, NULL, NULL};
  if (is_array(L)) {
    inside.parent = hang(L, at, json_array(), "an array");
    const lua_Integer length = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= length; i++) {
      lua_rawgeti(L, -1, i);
      add_value(L, &inside, depth + 1);
      lua_pop(L, 1);
    }
    return;
  }
  inside.parent = hang(L, at, json_object(), "a table");
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    size_t length;
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "json: a table has a key that is neither a string nor one of 1..n");
    inside.key = lua_tolstring(L, -2, &length);
    if (strlen(inside.key) != length) luaL_error(L, "json: a key holds a zero byte");
    add_value(L, &inside, depth + 1);
  }
}

/* The value on the top. */
static void add_value(lua_State *L, const place *at, int depth) {
  size_t length;
  const char *text;
  switch (lua_type(L, -1)) {
  case LUA_TTABLE:
    add_table(L, at, depth);
    return;
  case LUA_TSTRING:
    text = lua_tolstring(L, -1, &length);
    hang(L, at, json_stringn(text, length), "a string");
    return;
  case LUA_TNUMBER:
    if (lua_isinteger(L, -1))
      hang(L, at, json_integer(lua_tointeger(L, -1)), "a number");
    else if (isfinite(lua_tonumber(L, -1)))
      hang(L, at, json_real(lua_tonumber(L, -1)), "a number");
    else
      luaL_error(L, "json: %f has no form in JSON", lua_tonumber(L, -1));
    return;
  case LUA_TBOOLEAN:
    hang(L, at, json_boolean(lua_toboolean(L, -1)), "a boolean");
    return;
  case LUA_TLIGHTUSERDATA:
    if (!lua_touserdata(L, -1)) {
      hang(L, at, json_null(), "null");
      return;
    } // fall through
  default:
    luaL_error(L, "json: a %s has no form in JSON", luaL_typename(L, -1));
  }
}

/* lac.json.encode(value [, {indent = spaces}]) -> text, keys sorted */
static int l_encode(lua_State *L) {
  luaL_checkany(L, 1);
  size_t flags = JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_REAL_PRECISION(17);
  if (!lua_isnoneornil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_getfield(L, 2, "indent");
    const lua_Integer indent = luaL_optinteger(L, -1, 0);
    luaL_argcheck(L, indent >= 0 && indent <= 31, 2, "indent must be 0..31");
    flags |= JSON_INDENT((size_t)indent);
  }
  json_t **tree = push_tree(L);
  void **text = bind_push_bytes(L);
  const place root = {tree, NULL, NULL};
  lua_pushvalue(L, 1);
  add_value(L, &root, 1);
  *text = json_dumps(*tree, flags);
  if (!*text) luaL_error(L, "json: out of memory");
  lua_pushstring(L, *text);
  return 1;
}

/* lac.json.array(table) -> the same table, marked to go out as an array even when empty */
static int l_array(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  luaL_setmetatable(L, ARRAY);
  return 1;
}

void bind_open_json(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"decode", l_decode}, {"encode", l_encode}, {"array", l_array}, {NULL, NULL}};
  static const luaL_Reg tree[] = {{"__gc", release_tree}, {"__close", release_tree}, {NULL, NULL}};
  luaL_newmetatable(L, TREE);
  luaL_setfuncs(L, tree, 0);
  luaL_newmetatable(L, ARRAY);
  lua_pop(L, 2);
  luaL_newlib(L, functions);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_setfield(L, -2, "json");
}
