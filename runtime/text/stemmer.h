/**
 * Stems of English words by the Snowball library (Porter 1980, "An algorithm for suffix stripping",
 * in its second version, "Porter2").
 *
 * The library is optional: in a build without it, making a stemmer gives LAC_EUNSUPPORTED.
 */
#ifndef LAC_TEXT_STEMMER_H
#define LAC_TEXT_STEMMER_H

#include "core/status.h"

#include <stddef.h>

typedef struct lac_stemmer lac_stemmer;

/** @return LAC_OK; LAC_ENOMEM; LAC_EUNSUPPORTED */
lac_status lac_stemmer_new(lac_stemmer **out);

/** NULL is fine. */
void lac_stemmer_release(lac_stemmer *self);

/**
 * The stem of a word in lower case.
 *
 * @param[out] stem   UTF-8, borrowed until the next call
 * @param[out] bytes  its length
 * @return LAC_OK; LAC_EINVAL for a word of 2 GiB; LAC_ENOMEM
 */
lac_status lac_stemmer_stem(lac_stemmer *self, const char **stem, size_t *bytes, const char *word,
                            size_t word_bytes);

#endif
