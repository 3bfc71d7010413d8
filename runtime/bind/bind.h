/**
 * Lua's side of the library: boxes, argument checks, and the one place that raises.
 *
 * A binding checks its arguments, pushes an empty box, lets a C function fill it and ends in
 * bind_result(). An error is a longjmp, so between those steps a binding owns nothing outside the
 * Lua stack.
 */
#ifndef LAC_BIND_BIND_H
#define LAC_BIND_BIND_H

#include "core/rng.h"
#include "tensor/tensor.h"

#include <lauxlib.h>
#include <lua.h>

/** The module `lac`. */
int luaopen_lac(lua_State *L);

/** Each file adds its functions to the module table on the top of the stack. */
void bind_open_device(lua_State *L);
void bind_open_tensor(lua_State *L);
void bind_open_tape(lua_State *L);
void bind_open_ops(lua_State *L);
void bind_open_layers(lua_State *L);
void bind_open_attend(lua_State *L);
void bind_open_maps(lua_State *L);
void bind_open_reduce(lua_State *L);
void bind_open_index(lua_State *L);
void bind_open_rng(lua_State *L);
void bind_open_draw(lua_State *L);
void bind_open_sparse(lua_State *L);
void bind_open_prune(lua_State *L);
void bind_open_update(lua_State *L);
void bind_open_text(lua_State *L);
void bind_open_corpus(lua_State *L);
void bind_open_frequencies(lua_State *L);
void bind_open_rewards(lua_State *L);
void bind_open_subwords(lua_State *L);
void bind_open_meteor(lua_State *L);
void bind_open_io(lua_State *L);
void bind_open_hdf5(lua_State *L);
void bind_open_features(lua_State *L);
void bind_open_pictures(lua_State *L);
void bind_open_json(lua_State *L);
void bind_open_files(lua_State *L);
void bind_open_child(lua_State *L);
void bind_open_append(lua_State *L);
void bind_open_pack(lua_State *L);

/** Raise the message of a failed status; LAC_OK does nothing. */
void bind_try(lua_State *L, lac_status status);

/** bind_try, then `1`: the value on the top is the result. A new tensor in it joins the current
 * tape. */
int bind_result(lua_State *L, lac_status status);

/** What a tensor in Lua is. A closed one holds the record of what it was. */
typedef struct bind_tensor_box {
  lac_tensor *tensor; /* NULL: empty or closed */
  lac_tensor *husk;   /* held after an explicit close */
} bind_tensor_box;

/** Push an empty tensor box, to be filled through the returned pointer. */
lac_tensor **bind_push_tensor(lua_State *L);

/** After boxes below the top were filled: let those at these stack indices join the current tape.
 */
void bind_adopt(lua_State *L, int index);

/** The tensor at a stack index; raises for anything else and for a closed one. */
lac_tensor *bind_check_tensor(lua_State *L, int index);

/** As bind_check_tensor, but NULL for nil or none. */
lac_tensor *bind_opt_tensor(lua_State *L, int index);

/** The tensor in field `name` of the table at index, left on the stack; NULL where absent and not
 * required. */
lac_tensor *bind_field_tensor(lua_State *L, int index, const char *name, bool required);

/** The generator in field `name` of the table at index, left on the stack; NULL where absent. */
lac_rng *bind_field_rng(lua_State *L, int index, const char *name);

/** A dimension, 1-based or negative from the end, of a shape of that rank, as 0-based. */
uint32_t bind_check_dim(lua_State *L, int index, uint32_t rank);

/** A shape from a table of dimensions or from the numbers at index and behind. */
lac_shape bind_check_shape(lua_State *L, int index);

/** A count >= 0. */
uint64_t bind_check_count(lua_State *L, int index);

/** The state's device: opened on first use by $LACUNA_DEVICE, or what lac.device.use chose.
 * Borrowed. */
lac_device *bind_device(lua_State *L);

/** Raise where a finaliser that runs inside a device allocation wants to close something: an
 * operation may be working on it. */
void bind_check_calm(lua_State *L, const char *what);

/** Register a metatable with methods, also as __index; leaves nothing on the stack. */
void bind_new_class(lua_State *L, const char *name, const luaL_Reg *methods);

/** Set one closure per row of a constant table into the table on the top; a row begins with its
 * name, and the stub finds it in its first upvalue. */
#define BIND_ADD_ROWS(rows, stub)                                                                  \
  for (size_t i = 0; i < sizeof(rows) / sizeof *(rows); i++) {                                     \
    lua_pushlightuserdata(L, (void *)&(rows)[i]);                                                  \
    lua_pushcclosure(L, stub, 1);                                                                  \
    lua_setfield(L, -2, (rows)[i].name);                                                           \
  }

extern const char *const BIND_TENSOR;

#endif
