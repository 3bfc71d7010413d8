/* Captions are handed on one by one, so that nothing here holds memory across an error. */
#include "bind/bind_captions.h"

size_t bind_check_images(lua_State *L, int index, const char *op) {
  luaL_checktype(L, index, LUA_TTABLE);
  luaL_checktype(L, index + 1, LUA_TTABLE);
  const lua_Integer images = luaL_len(L, index), others = luaL_len(L, index + 1);
  if (images != others)
    luaL_error(L, "%s: there are %I hypotheses, but references of %I images", op, images, others);
  if (images < 1) luaL_error(L, "%s: there is no caption", op);
  return (size_t)images;
}

/* Where a caption is handed to. */
typedef struct receiver {
  const char *op;
  bind_add_caption *add;
  void *to;
} receiver;

/* The text on the top, which it pops. */
static void add_text(lua_State *L, const receiver *r, bool hypothesis, lua_Integer image) {
  size_t bytes;
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "%s: a %s of image %I is a %s, not a text", r->op,
               hypothesis ? "hypothesis" : "reference", image, luaL_typename(L, -1));
  const char *text = lua_tolstring(L, -1, &bytes);
  bind_try(L, r->add(r->to, hypothesis, text, bytes));
  lua_pop(L, 1);
}

static void add_image(lua_State *L, int index, const receiver *r, lua_Integer image) {
  lua_geti(L, index, image);
  add_text(L, r, true, image);
  if (lua_geti(L, index + 1, image) != LUA_TTABLE)
    luaL_error(L, "%s: the references of image %I are a %s, not a list", r->op, image,
               luaL_typename(L, -1));
  const lua_Integer count = luaL_len(L, -1);
  if (count < 1) luaL_error(L, "%s: image %I has no reference", r->op, image);
  for (lua_Integer j = 1; j <= count; j++) {
    lua_geti(L, -1, j);
    add_text(L, r, false, image);
  }
  lua_pop(L, 1);
}

void bind_read_captions(lua_State *L, int index, const char *op, bind_add_caption *add, void *to) {
  const receiver r = {op, add, to};
  const size_t images = bind_check_images(L, index, op);
  for (size_t i = 1; i <= images; i++)
    add_image(L, index, &r, (lua_Integer)i);
}
