/* Document frequencies and rewards in Lua: lac.text.frequencies.* and lac.text.rewards. Images are
 * counted from 1. */
#include "bind/bind_frequencies.h"

#include "text/rewards.h"

static const char *const REWARDS = "lac.rewards";

static int release_rewards(lua_State *L) {
  lac_rewards **box = luaL_checkudata(L, 1, REWARDS);
  lac_rewards_release(*box);
  *box = NULL;
  return 0;
}

static lac_rewards *check_rewards(lua_State *L) {
  lac_rewards **box = luaL_checkudata(L, 1, REWARDS);
  if (!*box) luaL_error(L, "closed rewards");
  return *box;
}

/* ---- making them ---- */

/* The weight on the top, which it pops; nil is 0. */
static double take_weight(lua_State *L, const char *name) {
  if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TNUMBER)
    luaL_error(L, "rewards: %s must be a number, it is a %s", name, luaL_typename(L, -1));
  const double weight = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return weight;
}

static lac_rewards_weights check_weights(lua_State *L, int index) {
  lac_rewards_weights weights = {0};
  lua_getfield(L, index, "cider");
  weights.cider = take_weight(L, "cider");
  const int type = lua_getfield(L, index, "bleu");
  if (type != LUA_TNIL && type != LUA_TTABLE)
    luaL_error(L, "rewards: bleu must be a list of %d numbers, it is a %s", LAC_NGRAMS_MOST,
               luaL_typename(L, -1));
  if (type == LUA_TTABLE && lua_rawlen(L, -1) != LAC_NGRAMS_MOST)
    luaL_error(L, "rewards: bleu must be a list of %d numbers, it has %d", LAC_NGRAMS_MOST,
               (int)lua_rawlen(L, -1));
  for (int n = 0; type == LUA_TTABLE && n < LAC_NGRAMS_MOST; n++) {
    lua_geti(L, -1, n + 1);
    weights.bleu[n] = take_weight(L, "a weight in bleu");
  }
  lua_pop(L, 1);
  return weights;
}

/* The references on the top of image i. */
static void add_image(lua_State *L, lac_rewards *rewards, lac_frequencies *counted, lua_Integer i) {
  bind_try(L, lac_rewards_next_image(rewards));
  if (counted) bind_try(L, lac_frequencies_next_image(counted));
  const lua_Integer count = luaL_len(L, -1);
  for (lua_Integer j = 1; j <= count; j++) {
    size_t bytes;
    lua_geti(L, -1, j);
    const char *text = bind_check_caption(L, "rewards", i, &bytes);
    bind_try(L, lac_rewards_reference(rewards, text, bytes));
    if (counted) bind_try(L, lac_frequencies_count(counted, text, bytes));
    lua_pop(L, 1);
  }
}

/* lac.text.rewards(list of lists of texts, {[cider = weight,] [bleu = {4 weights},] [frequencies =
 * lac.text.frequencies or such a table]}) -> rewards; a list may be empty where no caption of the
 * image will be scored; frequencies are counted in the references where they are not given */
static int l_rewards(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  const lac_rewards_weights weights = check_weights(L, 2);
  const bool given = lua_getfield(L, 2, "frequencies") != LUA_TNIL;
  lac_frequencies *frequencies = given ? bind_to_frequencies(L, 3) : bind_push_frequencies(L);
  lac_rewards **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, REWARDS);
  bind_try(L, lac_rewards_new(box, &weights, frequencies));
  const lua_Integer images = luaL_len(L, 1);
  for (lua_Integer i = 1; i <= images; i++) {
    if (lua_geti(L, 1, i) != LUA_TTABLE)
      luaL_error(L, "rewards: the references of image %I are a %s, not a list", i,
                 luaL_typename(L, -1));
    add_image(L, *box, given ? NULL : frequencies, i);
    lua_pop(L, 1);
  }
  return 1;
}

/* ---- using them ---- */

/* #rewards: images */
static int l_images(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lac_rewards_images(check_rewards(L)));
  return 1;
}

/* The image on the top, which it pops. */
static size_t take_image(lua_State *L, const lac_rewards *rewards, lua_Integer i) {
  int whole;
  const lua_Integer image = lua_tointegerx(L, -1, &whole);
  if (!whole || image < 1 || (uint64_t)image > lac_rewards_images(rewards))
    luaL_error(L, "rewards: caption %I is of image %s; there are %I", i,
               luaL_tolstring(L, -1, NULL), (lua_Integer)lac_rewards_images(rewards));
  if (lac_rewards_references(rewards, (size_t)image - 1) == 0)
    luaL_error(L, "rewards: caption %I is of image %I, which has no reference", i, image);
  lua_pop(L, 1);
  return (size_t)image - 1;
}

/* rewards:request(images, captions): start to score captions, each of the image beside it, in the
 * background */
static int l_request(lua_State *L) {
  lac_rewards *rewards = check_rewards(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TTABLE);
  const lua_Integer images = luaL_len(L, 2), count = luaL_len(L, 3);
  if (images != count)
    luaL_error(L, "rewards: there are %I captions, but the images of %I", count, images);
  bind_try(L, lac_rewards_begin(rewards));
  for (lua_Integer i = 1; i <= count; i++) {
    size_t bytes;
    lua_geti(L, 2, i);
    const size_t image = take_image(L, rewards, i);
    lua_geti(L, 3, i);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "rewards: caption %I is a %s, not a text", i, luaL_typename(L, -1));
    const char *text = lua_tolstring(L, -1, &bytes);
    bind_try(L, lac_rewards_caption(rewards, image, text, bytes));
    lua_pop(L, 1);
  }
  bind_try(L, lac_rewards_start(rewards));
  return 0;
}

/* rewards:take() -> list of the scores of the last request's captions, when they are there */
static int l_take(lua_State *L) {
  const double *scores = NULL;
  size_t count = 0;
  bind_try(L, lac_rewards_take(check_rewards(L), &scores, &count));
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushnumber(L, scores[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* rewards:score(images, captions) -> list of scores */
static int l_score(lua_State *L) {
  l_request(L);
  return l_take(L);
}

/* Into the table lac.text on the top. */
void bind_open_rewards(lua_State *L) {
  static const luaL_Reg methods[] = {{"request", l_request},       {"take", l_take},
                                     {"score", l_score},           {"close", release_rewards},
                                     {"__close", release_rewards}, {"__gc", release_rewards},
                                     {"__len", l_images},          {NULL, NULL}};
  bind_new_class(L, REWARDS, methods);
  lua_pushcfunction(L, l_rewards);
  lua_setfield(L, -2, "rewards");
}
