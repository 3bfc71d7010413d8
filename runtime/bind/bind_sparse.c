/* Masked weights in Lua; nn.mask is what models use. */
#include "bind/bind_weights.h"
#include "sparse/drawn.h"
#include "sparse/mask.h"

static const char *const MASKED = "lac.masked";

/* The table at 1 of both calls below; what it names stays on the stack. */
static lac_mask_args read_mask(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "bypass");
  return (lac_mask_args){.w = bind_field_tensor(L, 1, "w", true),
                         .logit = bind_field_tensor(L, 1, "logit", true),
                         .rng = bind_field_rng(L, 1, "rng"),
                         .noise = bind_field_tensor(L, 1, "noise", false),
                         .bypass = lua_toboolean(L, 2)};
}

/* y = lac.mask{w =, logit =, [rng = | noise =, bypass = true]} */
static int l_mask(lua_State *L) {
  const lac_mask_args args = read_mask(L);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_mask(y, &args));
}

/* y = lac.mask_rows{w =, logit =, ids =, rng = | noise =, [bypass = true]} */
static int l_mask_rows(lua_State *L) {
  const lac_mask_args args = read_mask(L);
  lac_tensor *ids = bind_field_tensor(L, 1, "ids", true);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_mask_rows(y, &args, ids));
}

/* The widths of column ranges in field "cuts", or one range of all columns. */
static void read_cuts(lua_State *L, lac_masked_args *args) {
  const lac_shape *shape = lac_tensor_shape(args->w);
  args->cuts = 1;
  args->width[0] = shape->rank == 2 ? shape->dim[1] : 0;
  if (lua_getfield(L, 1, "cuts") == LUA_TNIL) return;
  luaL_checktype(L, -1, LUA_TTABLE);
  const lua_Integer n = luaL_len(L, -1);
  if (n < 1 || n > LAC_BITS_CUTS)
    luaL_error(L, "masked: cuts must be 1 to %d widths, got %I", (int)LAC_BITS_CUTS, n);
  args->cuts = (uint32_t)n;
  for (int i = 0; i < (int)n; i++) {
    lua_geti(L, -1, i + 1);
    args->width[i] = bind_check_count(L, lua_gettop(L));
    lua_pop(L, 1);
  }
}

/* masked = lac.masked{w =, logit =, [bypass = true, cuts = {width, ...}]}, for many draws while
 * both keep their values; nil on a device whose products take no masks */
static int l_masked(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  bool can;
  bind_try(L, lac_gemm_masks(bind_device(L), &can));
  if (!can) return 0;
  lua_getfield(L, 1, "bypass");
  lac_masked_args args = {.w = bind_field_tensor(L, 1, "w", true),
                          .logit = bind_field_tensor(L, 1, "logit", true),
                          .bypass = lua_toboolean(L, 2)};
  read_cuts(L, &args);
  lac_masked **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, MASKED);
  bind_try(L, lac_masked_new(box, &args));
  return 1;
}

/* weights, ... = masked:draw{rng = | noise =}: a form of weights for each range, for lac.linear */
static int l_draw(lua_State *L) {
  lac_masked **masked = luaL_checkudata(L, 1, MASKED);
  luaL_argcheck(L, *masked, 1, "closed masked weights");
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  lua_insert(L, 1); // the table first, where fields are looked for
  lac_rng *rng = bind_field_rng(L, 1, "rng");
  lac_tensor *noise = bind_field_tensor(L, 1, "noise", false);
  const uint32_t count = lac_masked_cuts(*masked);
  lac_weights **boxes[LAC_BITS_CUTS], *made[LAC_BITS_CUTS];
  for (uint32_t i = 0; i < count; i++)
    boxes[i] = bind_push_weights(L);
  bind_try(L, lac_masked_draw(made, *masked, rng, noise));
  for (uint32_t i = 0; i < count; i++)
    *boxes[i] = made[i];
  return (int)count;
}

static int l_close_masked(lua_State *L) {
  lac_masked **box = luaL_checkudata(L, 1, MASKED);
  lac_masked *masked = *box;
  *box = NULL;
  lac_masked_release(masked);
  return 0;
}

/* y = logit:mask_count(): how many weights rounding keeps */
static int l_mask_count(lua_State *L) {
  lac_tensor *logit = bind_check_tensor(L, 1);
  lac_tensor **y = bind_push_tensor(L);
  return bind_result(L, lac_mask_count(y, logit));
}

void bind_open_sparse(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"mask", l_mask}, {"mask_rows", l_mask_rows}, {"masked", l_masked}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"draw", l_draw},
                                     {"close", l_close_masked},
                                     {"__gc", l_close_masked},
                                     {"__close", l_close_masked},
                                     {NULL, NULL}};
  luaL_setfuncs(L, functions, 0);
  bind_new_class(L, MASKED, methods);
  luaL_getmetatable(L, BIND_TENSOR);
  lua_pushcfunction(L, l_mask_count);
  lua_setfield(L, -2, "mask_count");
  lua_pop(L, 1);
}
