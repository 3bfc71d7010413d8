/* The feature reader in Lua: lac.hdf5.features(path, places) -> a reader with order and take. */
#include "bind/bind_archive.h"
#include "io/feature_reader.h"
#include "io/hdf5.h"

static const char *const FEATURES = "lac.hdf5.features";

static lac_feature_reader *check_features(lua_State *L) {
  lac_feature_reader **box = luaL_checkudata(L, 1, FEATURES);
  if (!*box) luaL_argerror(L, 1, "closed feature reader");
  return *box;
}

static int l_close(lua_State *L) {
  lac_feature_reader **box = luaL_checkudata(L, 1, FEATURES);
  lac_feature_reader_close(*box);
  *box = NULL;
  return 0;
}

static lac_status open_reader(lac_feature_reader **out, const char *path,
                              const char *const names[3]) {
  lac_feature_places places = {0};
  lac_hdf5_place *const to[] = {&places.att, &places.boxes, &places.fc};
  lac_hdf5 *file = NULL;
  LAC_TRY(lac_hdf5_open(&file, path, false));
  lac_status status = LAC_OK;
  for (int i = 0; status == LAC_OK && i < 3; i++)
    if (names[i]) status = lac_hdf5_locate(to[i], file, names[i]);
  lac_hdf5_close(file);
  return status == LAC_OK ? lac_feature_reader_open(out, path, &places) : status;
}

/* lac.hdf5.features(path, {att = dataset [, boxes = dataset] [, fc = dataset]}) -> reader; the
 * file's length is checked, its checksum is not */
static int l_features(lua_State *L) {
  static const char *const fields[] = {"att", "boxes", "fc"};
  const char *path = luaL_checkstring(L, 1), *names[3];
  luaL_checktype(L, 2, LUA_TTABLE);
  for (int i = 0; i < 3; i++) { // they stay on the stack
    const int type = lua_getfield(L, 2, fields[i]);
    luaL_argcheck(L, type == LUA_TSTRING || (type == LUA_TNIL && i > 0), 2,
                  "att, boxes and fc are names of datasets");
    names[i] = lua_tostring(L, -1);
  }
  lac_feature_reader **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, FEATURES);
  bind_try(L, open_reader(box, path, names));
  return 1;
}

/* reader:info() -> {dtype = "f32" or "f16", regions =, width =, fc_rows =, fc_width =}; the last
 * two are 0 without fc */
static int l_info(lua_State *L) {
  const lac_feature_places *p = lac_feature_reader_places(check_features(L));
  const struct {
    const char *name;
    uint64_t value;
  } rows[] = {{"regions", p->att.rows},
              {"width", p->att.width},
              {"fc_rows", p->fc.width ? p->fc.rows : 0},
              {"fc_width", p->fc.width}};
  lua_createtable(L, 0, 5);
  lua_pushstring(L, p->att.type == LAC_STORED_F16 ? "f16" : "f32");
  lua_setfield(L, -2, "dtype");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    lua_pushinteger(L, (lua_Integer)rows[i].value);
    lua_setfield(L, -2, rows[i].name);
  }
  return 1;
}

/* reader:order{first, count, image, first, count, image, ...}, all counted from 0: a batch to read
 * in the background */
static int l_order(lua_State *L) {
  lac_feature_reader *reader = check_features(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  const size_t count = lua_rawlen(L, 2);
  luaL_argcheck(L, count > 0 && count % 3 == 0, 2, "three numbers per image are needed");
  lac_feature_image *images = lua_newuserdatauv(L, count / 3 * sizeof *images, 0);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    const uint64_t value = bind_check_count(L, -1);
    uint64_t *fields[] = {&images[i / 3].first, &images[i / 3].count, &images[i / 3].image};
    *fields[i % 3] = value;
    lua_pop(L, 1);
  }
  bind_try(L, lac_feature_reader_order(reader, images, count / 3));
  return 0;
}

/* Set a field of the table on the top to a tensor that joins the current tape. */
static void set_tensor(lua_State *L, const char *name, const float *data, const lac_shape *shape) {
  lac_device *device = bind_device(L);
  lac_tensor **box = bind_push_tensor(L);
  bind_result(L, lac_tensor_from(box, device, LAC_F32, shape, data));
  lua_setfield(L, -2, name);
}

/* reader:take() -> {att = [batch, regions, width], fc = [batch, fc_width], mask = [batch, regions],
 * boxes = [batch, regions, 4] or nil}, when it is read */
static int l_take(lua_State *L) {
  lac_feature_batch b;
  bind_try(L, lac_feature_reader_take(check_features(L), &b));
  lua_createtable(L, 0, 4);
  set_tensor(L, "att", b.att, &(lac_shape){.rank = 3, .dim = {b.images, b.regions, b.width}});
  set_tensor(L, "fc", b.fc, &(lac_shape){.rank = 2, .dim = {b.images, b.fc_width}});
  set_tensor(L, "mask", b.mask, &(lac_shape){.rank = 2, .dim = {b.images, b.regions}});
  if (b.boxes)
    set_tensor(L, "boxes", b.boxes, &(lac_shape){.rank = 3, .dim = {b.images, b.regions, 4}});
  return 1;
}

/* Into the table lac.hdf5 on the top. */
void bind_open_features(lua_State *L) {
  static const luaL_Reg methods[] = {{"order", l_order}, {"take", l_take},     {"info", l_info},
                                     {"close", l_close}, {"__close", l_close}, {"__gc", l_close},
                                     {NULL, NULL}};
  bind_new_class(L, FEATURES, methods);
  lua_pushcfunction(L, l_features);
  lua_setfield(L, -2, "features");
}
