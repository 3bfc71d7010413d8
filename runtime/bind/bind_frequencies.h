/**
 * Document frequencies, as the bindings that weigh by them take them.
 */
#ifndef LAC_BIND_FREQUENCIES_H
#define LAC_BIND_FREQUENCIES_H

#include "bind/bind.h"
#include "text/frequencies.h"

/** Push an empty table. Borrowed from it. */
lac_frequencies *bind_push_frequencies(lua_State *L);

/**
 * The frequencies at a stack index: made by lac.text.frequencies, or as {ref_len = images,
 * document_frequency = {[n-gram] = images that have it}}, which is replaced there by such. Raises
 * for anything else. Borrowed from what is there.
 */
lac_frequencies *bind_to_frequencies(lua_State *L, int index);

/** The text on the top, which is a caption of image `image`; raises for anything else, in the name
 * of `op`. */
const char *bind_check_caption(lua_State *L, const char *op, lua_Integer image, size_t *bytes);

#endif
