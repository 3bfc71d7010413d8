/* libstemmer's own handle is the whole state. */
#include "text/stemmer.h"

#include "core/memory.h"

#include <libstemmer.h>
#include <limits.h>
#include <stdlib.h>

struct lac_stemmer {
  struct sb_stemmer *english;
};

lac_status lac_stemmer_new(lac_stemmer **out) {
  lac_stemmer *self = NULL;
  LAC_TRY(lac_alloc(&self, 1, sizeof *self, "a stemmer"));
  self->english = sb_stemmer_new("english", NULL);
  if (!self->english) {
    free(self);
    return lac_fail(LAC_ENOMEM, "stemmer: the Snowball library gives no English stemmer");
  }
  *out = self;
  return LAC_OK;
}

void lac_stemmer_release(lac_stemmer *self) {
  if (!self) return;
  sb_stemmer_delete(self->english);
  free(self);
}

lac_status lac_stemmer_stem(lac_stemmer *self, const char **stem, size_t *bytes, const char *word,
                            size_t word_bytes) {
  if (word_bytes > INT_MAX) return lac_fail(LAC_EINVAL, "stemmer: a word of %zu bytes", word_bytes);
  const sb_symbol *found = sb_stemmer_stem(self->english, (const sb_symbol *)word, (int)word_bytes);
  if (!found) return lac_fail(LAC_ENOMEM, "stemmer: out of memory");
  *stem = (const char *)found;
  *bytes = (size_t)sb_stemmer_length(self->english);
  return LAC_OK;
}
