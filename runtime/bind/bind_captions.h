/**
 * Lists of captions and of their references, as metrics take them.
 */
#ifndef LAC_BIND_BIND_CAPTIONS_H
#define LAC_BIND_BIND_CAPTIONS_H

#include "bind/bind.h"

/** Takes a caption: the hypothesis of a new image, or a reference of the latest one. */
typedef lac_status bind_add_caption(void *to, bool hypothesis, const char *text, size_t bytes);

/** How many images the lists of hypotheses and, behind it, of lists of references at `index` have;
 * raises where they are no such lists, or empty. */
size_t bind_check_images(lua_State *L, int index, const char *op);

/** Hand all their captions on, image by image; raises for what is no text or has no reference. */
void bind_read_captions(lua_State *L, int index, const char *op, bind_add_caption *add, void *to);

#endif
