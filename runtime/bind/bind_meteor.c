/* METEOR in Lua: lac.meteor. */
#include "bind/bind_captions.h"

#include "text/meteor.h"

static const char *const METEOR = "lac.meteor";
static const char *const BATCH = "lac.meteor.batch";
static const char *const PAIRS = "lac.meteor.pairs";

static int release_meteor(lua_State *L) {
  lac_meteor **box = luaL_checkudata(L, 1, METEOR);
  lac_meteor_release(*box);
  *box = NULL;
  return 0;
}

static int release_batch(lua_State *L) {
  lac_meteor_batch **box = luaL_checkudata(L, 1, BATCH);
  lac_meteor_batch_release(*box);
  *box = NULL;
  return 0;
}

static int release_pairs(lua_State *L) {
  lac_meteor_pairs_release(luaL_checkudata(L, 1, PAIRS));
  return 0;
}

static const lac_meteor *check_meteor(lua_State *L) {
  lac_meteor **box = luaL_checkudata(L, 1, METEOR);
  if (!*box) luaL_error(L, "closed meteor");
  return *box;
}

/* The path in a field, left on the stack; NULL for false. */
static const char *field_path(lua_State *L, const char *name) {
  const int type = lua_getfield(L, 1, name);
  if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)) return NULL;
  if (type != LUA_TSTRING)
    luaL_error(L, "meteor: %s must be a path or false, got a %s", name, luaL_typename(L, -1));
  return lua_tostring(L, -1);
}

/* lac.meteor{wordnet = FOLDER | false, paraphrases = FILE | false} -> meteor; nil and a message in
 * a build without the stemmer */
static int l_meteor(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  const char *wordnet = field_path(L, "wordnet"), *paraphrases = field_path(L, "paraphrases");
  lac_meteor **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, METEOR);
  const lac_status status = lac_meteor_new(box, wordnet, paraphrases);
  if (status != LAC_EUNSUPPORTED) return bind_result(L, status);
  lua_pushnil(L);
  lua_pushstring(L, lac_message());
  return 2;
}

/* ---- captions ---- */

/* A new batch on the top, closed when the function returns. */
static lac_meteor_batch *push_batch(lua_State *L, const lac_meteor *meteor) {
  lac_meteor_batch **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, BATCH);
  lua_toclose(L, -1);
  bind_try(L, lac_meteor_batch_new(box, meteor));
  return *box;
}

static lac_status add_caption(void *to, bool hypothesis, const char *text, size_t bytes) {
  return lac_meteor_batch_add(to, hypothesis, text, bytes);
}

/* meteor:score(list of hypotheses, list of lists of references) -> score of all, list of scores of
 * the images */
static int l_score(lua_State *L) {
  const lac_meteor *meteor = check_meteor(L);
  lac_meteor_stats sum = {.chunks = 0};
  lua_settop(L, 3);
  const size_t images = bind_check_images(L, 2, "meteor");
  lac_meteor_batch *batch = push_batch(L, meteor);
  bind_read_captions(L, 2, "meteor", add_caption, batch);
  lac_meteor_stats *stats = lua_newuserdatauv(L, images * sizeof *stats, 0);
  bind_try(L, lac_meteor_batch_score(batch, stats));
  for (size_t i = 0; i < images; i++)
    lac_meteor_stats_add(&sum, &stats[i]);
  lua_pushnumber(L, lac_meteor_stats_score(&sum));
  lua_createtable(L, (int)images, 0);
  for (size_t i = 0; i < images; i++) {
    lua_pushnumber(L, lac_meteor_stats_score(&stats[i]));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 2;
}

static void push_pair(lua_State *L, const lac_meteor_pair *pair) {
  static const char *const stages[] = {"exact", "stem", "synonym", "paraphrase"};
  static const char *const sides[] = {"reference", "hypothesis"};
  lua_createtable(L, 0, 1 + LAC_METEOR_SIDES);
  lua_pushstring(L, stages[pair->stage]);
  lua_setfield(L, -2, "stage");
  for (int side = 0; side < LAC_METEOR_SIDES; side++) {
    lua_createtable(L, 2, 0);
    lua_pushinteger(L, (lua_Integer)pair->at[side] + 1);
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, (lua_Integer)pair->at[side] + pair->words[side]);
    lua_rawseti(L, -2, 2);
    lua_setfield(L, -2, sides[side]);
  }
}

/* meteor:align(hypothesis, reference) -> list of {stage = name, reference = {first word, last},
 * hypothesis = {first word, last}}, chunks */
static int l_align(lua_State *L) {
  const lac_meteor *meteor = check_meteor(L);
  lac_meteor_batch *batch = push_batch(L, meteor);
  uint32_t chunks = 0;
  for (int i = 2; i <= 3; i++) {
    size_t bytes;
    const char *text = luaL_checklstring(L, i, &bytes);
    bind_try(L, lac_meteor_batch_add(batch, i == 2, text, bytes));
  }
  lac_meteor_pairs *pairs = lua_newuserdatauv(L, sizeof *pairs, 0);
  *pairs = (lac_meteor_pairs){NULL, 0, 0};
  luaL_setmetatable(L, PAIRS);
  bind_try(L, lac_meteor_batch_align(batch, pairs, &chunks, 0, 0));
  lua_createtable(L, (int)pairs->count, 0);
  for (size_t i = 0; i < pairs->count; i++) {
    push_pair(L, &pairs->list[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_pushinteger(L, chunks);
  return 2;
}

/* Into the table lac on the top. */
void bind_open_meteor(lua_State *L) {
  static const luaL_Reg methods[] = {{"score", l_score},          {"align", l_align},
                                     {"close", release_meteor},   {"__gc", release_meteor},
                                     {"__close", release_meteor}, {NULL, NULL}};
  static const luaL_Reg batch[] = {
      {"__gc", release_batch}, {"__close", release_batch}, {NULL, NULL}};
  static const luaL_Reg pairs[] = {{"__gc", release_pairs}, {NULL, NULL}};
  bind_new_class(L, METEOR, methods);
  bind_new_class(L, BATCH, batch);
  bind_new_class(L, PAIRS, pairs);
  lua_pushcfunction(L, l_meteor);
  lua_setfield(L, -2, "meteor");
}
