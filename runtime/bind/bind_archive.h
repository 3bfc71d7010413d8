/**
 * Arrays of files and tensors: what the bindings of io/ share.
 */
#ifndef LAC_BIND_BIND_ARCHIVE_H
#define LAC_BIND_BIND_ARCHIVE_H

#include "bind/bind.h"
#include "io/archive.h"

/** Push an empty box for an archive, released when the calling C function returns or raises. */
lac_archive **bind_push_archive(lua_State *L);

/** The same for memory from malloc. */
void **bind_push_bytes(lua_State *L);

/** Push a tensor with a copy of the array. */
void bind_push_array(lua_State *L, const lac_array *array);

/** Push a table name -> tensor and the list of names in order; @return 2 */
int bind_archive_result(lua_State *L, const lac_archive *archive);

/** Describe the tensor at a stack index as an array; pushes the memory its elements are copied to.
 */
lac_array bind_check_array(lua_State *L, int index, const char *name);

#endif
