/* The subword tokenizers of a build without the SentencePiece library: there are none. */
#include "text/subwords.h"

static lac_status refuse(const char *kind) {
  return lac_fail(LAC_EUNSUPPORTED,
                  "subwords: this program was built without SentencePiece, which the tokenizer "
                  "\"%s\" needs; install libsentencepiece-dev and build again",
                  kind);
}

lac_status lac_subwords_new(lac_subwords **out, const char *kind, const lac_subword *pieces,
                            size_t count) {
  (void)out, (void)pieces, (void)count;
  return refuse(kind);
}

lac_status lac_subwords_train(lac_subwords **out, const char *kind, size_t size, double coverage,
                              const lac_subword *texts, size_t count) {
  (void)out, (void)size, (void)coverage, (void)texts, (void)count;
  return refuse(kind);
}

void lac_subwords_release(lac_subwords *self) {
  (void)self;
}

size_t lac_subwords_count(const lac_subwords *self) {
  (void)self;
  return 0;
}

lac_subword lac_subwords_piece(const lac_subwords *self, size_t id) {
  (void)self, (void)id;
  return (lac_subword){"", 0, 0};
}

lac_status lac_subwords_encode(const lac_subwords *self, int32_t *ids, size_t *count,
                               const char *text, size_t bytes) {
  (void)self, (void)ids, (void)count, (void)text, (void)bytes;
  return refuse("");
}
