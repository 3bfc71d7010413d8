/**
 * Forms of weights in Lua: boxes that lac.linear takes in place of a tensor.
 */
#ifndef LAC_BIND_BIND_WEIGHTS_H
#define LAC_BIND_BIND_WEIGHTS_H

#include "bind/bind.h"
#include "ops/linear.h"

extern const char *const BIND_WEIGHTS;

/** Push an empty box, to be filled through the returned pointer. */
lac_weights **bind_push_weights(lua_State *L);

#endif
