/* The picture reader in Lua: lac.pictures{...} -> a reader with order and take. */
#include "bind/bind.h"
#include "io/picture_reader.h"

#include <string.h>

static const char *const PICTURES = "lac.pictures";

static lac_picture_reader *check_pictures(lua_State *L) {
  lac_picture_reader **box = luaL_checkudata(L, 1, PICTURES);
  if (!*box) luaL_argerror(L, 1, "closed picture reader");
  return *box;
}

static int l_close(lua_State *L) {
  lac_picture_reader **box = luaL_checkudata(L, 1, PICTURES);
  lac_picture_reader_close(*box);
  *box = NULL;
  return 0;
}

/* A whole number in a field of the table at 1. */
static uint32_t number_field(lua_State *L, const char *name, uint32_t usual) {
  int is_integer;
  if (lua_getfield(L, 1, name) == LUA_TNIL) {
    lua_pop(L, 1);
    return usual;
  }
  const lua_Integer n = lua_tointegerx(L, -1, &is_integer);
  if (!is_integer || n < 0 || n > UINT32_MAX)
    luaL_error(L, "pictures: %s must be a whole number, got %s", name, luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return (uint32_t)n;
}

static lac_grid grid_field(lua_State *L) {
  static const char *const names[] = {"half_pixel", "legacy"};
  lua_getfield(L, 1, "grid");
  const char *name = luaL_optstring(L, -1, names[0]);
  for (int i = 0; i < 2; i++)
    if (strcmp(name, names[i]) == 0) return i == 0 ? LAC_GRID_HALF_PIXEL : LAC_GRID_LEGACY;
  luaL_error(L, "pictures: grid must be half_pixel or legacy, got \"%s\"", name);
  return LAC_GRID_HALF_PIXEL;
}

static void check_keys(lua_State *L) {
  static const char *const names[] = {"size", "resize", "grid", "keep_aspect", "threads"};
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    bool known = false;
    for (size_t i = 0; lua_type(L, -2) == LUA_TSTRING && i < sizeof names / sizeof *names; i++)
      known = known || strcmp(lua_tostring(L, -2), names[i]) == 0;
    if (!known) luaL_error(L, "pictures: unknown key %s", luaL_tolstring(L, -2, NULL));
  }
}

/* lac.pictures{size = 224, resize = 256, grid = "half_pixel" | "legacy", keep_aspect = false,
 * threads = 0} -> reader; see io/crop.h for what they mean, threads 0 is as many as there are cores
 */
static int l_pictures(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  check_keys(L);
  lac_crop_plan plan = {.size = number_field(L, "size", 224), .grid = grid_field(L)};
  plan.resize = number_field(L, "resize", plan.size == 224 ? 256 : plan.size);
  lua_getfield(L, 1, "keep_aspect");
  plan.keep_aspect = lua_toboolean(L, -1);
  const uint32_t threads = number_field(L, "threads", 0);
  lac_picture_reader **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, PICTURES);
  bind_try(L, lac_picture_reader_open(box, &plan, threads));
  return 1;
}

/* Where the square lies, from a field of the request on the top. */
static double place_field(lua_State *L, const char *name) {
  if (lua_getfield(L, -1, name) == LUA_TNIL) {
    lua_pop(L, 1);
    return LAC_CROP_CENTRE;
  }
  const double at = lua_tonumber(L, -1);
  if (lua_type(L, -1) != LUA_TNUMBER || !(at >= 0 && at <= 1))
    luaL_error(L, "pictures: %s must be a number from 0 to 1, got %s", name,
               luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return at;
}

/* The request on the top, which is replaced by its path. */
static lac_picture_request check_request(lua_State *L, lua_Integer number) {
  lac_picture_request out = {.path = NULL};
  if (!lua_istable(L, -1)) luaL_error(L, "pictures: request %I is no table", number);
  out.place.x = place_field(L, "x");
  out.place.y = place_field(L, "y");
  lua_getfield(L, -1, "flip");
  out.place.flip = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (lua_getfield(L, -1, "path") != LUA_TSTRING)
    luaL_error(L, "pictures: request %I has no path", number);
  out.path = lua_tostring(L, -1);
  lua_remove(L, -2);
  return out;
}

/* reader:order{{path =, x =, y =, flip =}, ...}: pictures to read in the background; x and y say
 * where in the resized picture the square lies, 0 left (top) to 1 right (bottom), its middle
 * without */
static int l_order(lua_State *L) {
  lac_picture_reader *reader = check_pictures(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  const size_t count = lua_rawlen(L, 2);
  luaL_argcheck(L, count > 0, 2, "a picture at least is needed");
  lac_picture_request *requests = lua_newuserdatauv(L, count * sizeof *requests, 0);
  lua_newtable(L); // the paths, as long as they are used
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    requests[i] = check_request(L, (lua_Integer)i + 1);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  bind_try(L, lac_picture_reader_order(reader, requests, count));
  return 0;
}

/* reader:take() -> a tensor [pictures, size, size, 3], when they are read; and nil, or a table
 * number of a picture -> why it could not be read (it is black then) */
static int l_take(lua_State *L) {
  lac_picture_batch b;
  bind_try(L, lac_picture_reader_take(check_pictures(L), &b));
  const lac_shape shape = {.rank = 4, .dim = {b.count, b.size, b.size, 3}};
  lac_device *device = bind_device(L);
  lac_tensor **box = bind_push_tensor(L);
  bind_result(L, lac_tensor_from(box, device, LAC_F32, &shape, b.pixels));
  lua_pushnil(L);
  for (size_t i = 0; i < b.count; i++) {
    if (!b.errors[i]) continue;
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_newtable(L);
    }
    lua_pushstring(L, b.errors[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 2;
}

void bind_open_pictures(lua_State *L) {
  static const luaL_Reg methods[] = {{"order", l_order},   {"take", l_take},  {"close", l_close},
                                     {"__close", l_close}, {"__gc", l_close}, {NULL, NULL}};
  bind_new_class(L, PICTURES, methods);
  lua_pushcfunction(L, l_pictures);
  lua_setfield(L, -2, "pictures");
}
