/* The stemmer of a build without the Snowball library: there is none. */
#include "text/stemmer.h"

lac_status lac_stemmer_new(lac_stemmer **out) {
  (void)out;
  return lac_fail(LAC_EUNSUPPORTED,
                  "stemmer: this program was built without the Snowball library, which METEOR "
                  "needs; install libstemmer-dev and build again");
}

void lac_stemmer_release(lac_stemmer *self) {
  (void)self;
}

lac_status lac_stemmer_stem(lac_stemmer *self, const char **stem, size_t *bytes, const char *word,
                            size_t word_bytes) {
  (void)self, (void)stem, (void)bytes, (void)word, (void)word_bytes;
  return lac_fail(LAC_EUNSUPPORTED, "stemmer: there is none in this build");
}
