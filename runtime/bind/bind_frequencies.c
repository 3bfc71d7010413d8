/* Document frequencies in Lua: lac.text.frequencies.count, .parse and .of. */
#include "bind/bind_frequencies.h"

#include "bind/bind_archive.h"

static const char *const FREQUENCIES = "lac.frequencies";

static int release_frequencies(lua_State *L) {
  lac_frequencies **box = luaL_checkudata(L, 1, FREQUENCIES);
  lac_frequencies_release(*box);
  *box = NULL;
  return 0;
}

static lac_frequencies *check_frequencies(lua_State *L) {
  lac_frequencies **box = luaL_checkudata(L, 1, FREQUENCIES);
  if (!*box) luaL_error(L, "closed document frequencies");
  return *box;
}

lac_frequencies *bind_push_frequencies(lua_State *L) {
  lac_frequencies **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, FREQUENCIES);
  bind_try(L, lac_frequencies_new(box));
  return *box;
}

/* ---- from a table ---- */

static void read_table(lua_State *L, lac_frequencies *to, int index) {
  if (lua_getfield(L, index, "ref_len") != LUA_TNUMBER)
    luaL_error(L, "document frequencies: ref_len must be a number, it is a %s",
               luaL_typename(L, -1));
  bind_try(L, lac_frequencies_set_total(to, lua_tonumber(L, -1)));
  if (lua_getfield(L, index, "document_frequency") != LUA_TTABLE)
    luaL_error(L, "document frequencies: document_frequency must be a table, it is a %s",
               luaL_typename(L, -1));
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    size_t bytes;
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TNUMBER)
      luaL_error(L,
                 "document frequencies: document_frequency holds a %s for a %s, not a number for "
                 "a text",
                 luaL_typename(L, -1), luaL_typename(L, -2));
    const char *text = lua_tolstring(L, -2, &bytes);
    bind_try(L, lac_frequencies_set(to, text, bytes, lua_tonumber(L, -1)));
  }
  lua_pop(L, 2);
}

lac_frequencies *bind_to_frequencies(lua_State *L, int index) {
  index = lua_absindex(L, index);
  if (luaL_testudata(L, index, FREQUENCIES)) {
    lac_frequencies **box = lua_touserdata(L, index);
    if (!*box) luaL_error(L, "closed document frequencies");
    return *box;
  }
  if (lua_type(L, index) != LUA_TTABLE)
    luaL_error(L, "document frequencies are a table or lac.text.frequencies, not a %s",
               luaL_typename(L, index));
  lac_frequencies *self = bind_push_frequencies(L);
  read_table(L, self, index);
  lua_replace(L, index);
  return self;
}

/* lac.text.frequencies.of{ref_len = images, document_frequency = {[n-gram] = images}} ->
 * frequencies */
static int l_of(lua_State *L) {
  lua_settop(L, 1);
  bind_to_frequencies(L, 1);
  return 1;
}

/* ---- counting ---- */

const char *bind_check_caption(lua_State *L, const char *op, lua_Integer image, size_t *bytes) {
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "%s: a reference of image %I is a %s, not a text", op, image,
               luaL_typename(L, -1));
  return lua_tolstring(L, -1, bytes);
}

/* The keys of the set at index 2. */
static void read_known(lua_State *L, lac_frequencies *to) {
  luaL_checktype(L, 2, LUA_TTABLE);
  bind_try(L, lac_frequencies_restrict(to));
  for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
    size_t bytes;
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "document frequencies: a known word is a %s, not a text", luaL_typename(L, -2));
    const char *word = lua_tolstring(L, -2, &bytes);
    bind_try(L, lac_frequencies_know(to, word, bytes));
  }
}

/* lac.text.frequencies.count(list of lists of texts [, set of known words]) -> frequencies: every
 * caption is followed by "<eos>", and words that are not known are "UNK" */
static int l_count(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  lac_frequencies *self = bind_push_frequencies(L);
  if (!lua_isnil(L, 2)) read_known(L, self);
  const lua_Integer images = luaL_len(L, 1);
  for (lua_Integer i = 1; i <= images; i++) {
    if (lua_geti(L, 1, i) != LUA_TTABLE)
      luaL_error(L, "document frequencies: the references of image %I are a %s, not a list", i,
                 luaL_typename(L, -1));
    bind_try(L, lac_frequencies_next_image(self));
    const lua_Integer count = luaL_len(L, -1);
    for (lua_Integer j = 1; j <= count; j++) {
      size_t bytes;
      lua_geti(L, -1, j);
      const char *text = bind_check_caption(L, "document frequencies", i, &bytes);
      bind_try(L, lac_frequencies_count(self, text, bytes));
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  return 1;
}

/* ---- as text and as table ---- */

/* lac.text.frequencies.parse(text) -> frequencies */
static int l_parse(lua_State *L) {
  size_t bytes;
  const char *text = luaL_checklstring(L, 1, &bytes);
  lac_frequencies *self = bind_push_frequencies(L);
  return bind_result(L, lac_frequencies_parse(self, text, bytes));
}

/* frequencies:text() -> what parse() reads: n-grams that two images have */
static int l_text(lua_State *L) {
  size_t bytes = 0;
  lac_frequencies *self = check_frequencies(L);
  char *text = NULL;
  void **box = bind_push_bytes(L);
  const lac_status status = lac_frequencies_text(self, &text, &bytes);
  *box = text;
  bind_try(L, status);
  lua_pushlstring(L, text, bytes);
  return 1;
}

/* frequencies:table() -> {ref_len =, document_frequency = {[n-gram] = images}} */
static int l_table(lua_State *L) {
  const lac_frequencies *self = check_frequencies(L);
  const lac_ngrams *ngrams = lac_frequencies_borrow_ngrams(self);
  lua_createtable(L, 0, 2);
  lua_pushnumber(L, lac_frequencies_total(self));
  lua_setfield(L, -2, "ref_len");
  lua_newtable(L);
  for (uint32_t id = 0; id < lac_ngrams_count(ngrams); id++) {
    if (lac_frequencies_images(self, id) == 0) continue;
    const char *words[LAC_NGRAMS_MOST];
    size_t bytes[LAC_NGRAMS_MOST];
    luaL_Buffer text;
    const size_t n = lac_ngrams_words(ngrams, id, words, bytes);
    luaL_buffinit(L, &text);
    for (size_t i = 0; i < n; i++) {
      if (i > 0) luaL_addchar(&text, ' ');
      luaL_addlstring(&text, words[i], bytes[i]);
    }
    luaL_pushresult(&text);
    lua_pushnumber(L, lac_frequencies_images(self, id));
    lua_rawset(L, -3);
  }
  lua_setfield(L, -2, "document_frequency");
  return 1;
}

/* #frequencies: images */
static int l_total(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lac_frequencies_total(check_frequencies(L)));
  return 1;
}

/* frequencies:ngrams() -> how many have an image */
static int l_ngrams(lua_State *L) {
  const lac_frequencies *self = check_frequencies(L);
  lua_Integer count = 0;
  for (uint32_t id = lac_ngrams_count(lac_frequencies_borrow_ngrams(self)); id-- > 0;)
    if (lac_frequencies_images(self, id) > 0) count++;
  lua_pushinteger(L, count);
  return 1;
}

/* Into the table lac.text on the top. */
void bind_open_frequencies(lua_State *L) {
  static const luaL_Reg methods[] = {{"text", l_text},
                                     {"table", l_table},
                                     {"ngrams", l_ngrams},
                                     {"__len", l_total},
                                     {"__gc", release_frequencies},
                                     {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"count", l_count}, {"parse", l_parse}, {"of", l_of}, {NULL, NULL}};
  bind_new_class(L, FREQUENCIES, methods);
  luaL_newlib(L, functions);
  lua_setfield(L, -2, "frequencies");
}
