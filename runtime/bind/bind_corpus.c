/*
 * Captions and their references in Lua: lac.text.corpus. Images and references are counted from 1;
 * where a reference is asked for, 0 is the hypothesis.
 */
#include "bind/bind_captions.h"
#include "bind/bind_frequencies.h"

#include "text/corpus.h"

static const char *const CORPUS = "lac.corpus";

static int release_corpus(lua_State *L) {
  lac_corpus **box = luaL_checkudata(L, 1, CORPUS);
  lac_corpus_release(*box);
  *box = NULL;
  return 0;
}

static lac_corpus *check_corpus(lua_State *L) {
  lac_corpus **box = luaL_checkudata(L, 1, CORPUS);
  if (!*box) luaL_error(L, "closed corpus");
  return *box;
}

static size_t check_image(lua_State *L, const lac_corpus *corpus, int index) {
  const lua_Integer i = luaL_checkinteger(L, index);
  luaL_argcheck(L, i >= 1 && (uint64_t)i <= lac_corpus_images(corpus), index,
                "there is no such image");
  return (size_t)i - 1;
}

/* The caption of an image at `index` that the argument behind it says. */
static size_t check_caption(lua_State *L, const lac_corpus *corpus, int index) {
  const size_t image = check_image(L, corpus, index);
  const lua_Integer j = luaL_checkinteger(L, index + 1);
  luaL_argcheck(L, j >= 0 && (uint64_t)j <= lac_corpus_references(corpus, image), index + 1,
                "there is no such reference");
  return lac_corpus_hypothesis(corpus, image) + (size_t)j;
}

static lac_status add_caption(void *to, bool hypothesis, const char *text, size_t bytes) {
  return lac_corpus_add(to, hypothesis, text, bytes);
}

/* lac.text.corpus(list of hypotheses, list of lists of references) -> corpus */
static int l_corpus(lua_State *L) {
  lua_settop(L, 2);
  bind_check_images(L, 1, "corpus");
  lac_corpus **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, CORPUS);
  bind_try(L, lac_corpus_new(box));
  bind_read_captions(L, 1, "corpus", add_caption, *box);
  return 1;
}

/* #corpus: images */
static int l_images(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)lac_corpus_images(check_corpus(L)));
  return 1;
}

/* corpus:references(image) -> how many */
static int l_references(lua_State *L) {
  const lac_corpus *corpus = check_corpus(L);
  lua_pushinteger(L, (lua_Integer)lac_corpus_references(corpus, check_image(L, corpus, 2)));
  return 1;
}

/* corpus:words(image, reference) -> how many */
static int l_words(lua_State *L) {
  const lac_corpus *corpus = check_corpus(L);
  lua_pushinteger(L, (lua_Integer)lac_corpus_words(corpus, check_caption(L, corpus, 2)));
  return 1;
}

/* corpus:correct(image) -> n-grams of the hypothesis that are in a reference, for n = 1 to 4 */
static int l_correct(lua_State *L) {
  lac_corpus *corpus = check_corpus(L);
  uint64_t correct[LAC_NGRAMS_MOST];
  const size_t image = check_image(L, corpus, 2);
  bind_try(L, lac_corpus_correct(corpus, correct, lac_corpus_hypothesis(corpus, image), image));
  for (int n = 0; n < LAC_NGRAMS_MOST; n++)
    lua_pushinteger(L, (lua_Integer)correct[n]);
  return LAC_NGRAMS_MOST;
}

/* corpus:common(image, reference) -> longest common subsequence of reference and hypothesis, and
 * the length of the hypothesis and of the reference, all in pieces between single spaces */
static int l_common(lua_State *L) {
  lac_corpus *corpus = check_corpus(L);
  const size_t reference = check_caption(L, corpus, 2);
  const size_t hypothesis = lac_corpus_hypothesis(corpus, check_image(L, corpus, 2));
  size_t length = 0;
  bind_try(L, lac_corpus_common(corpus, &length, reference, hypothesis));
  lua_pushinteger(L, (lua_Integer)length);
  lua_pushinteger(L, (lua_Integer)lac_corpus_pieces(corpus, hypothesis));
  lua_pushinteger(L, (lua_Integer)lac_corpus_pieces(corpus, reference));
  return 3;
}

/* corpus:weigh([frequencies]): ln N - ln max(1, df) for every n-gram, by lac.text.frequencies or
 * {ref_len = documents, document_frequency = {[text] = documents that have it}}; without any images
 * are documents, and only their references count */
static int l_weigh(lua_State *L) {
  lac_corpus *corpus = check_corpus(L);
  const lac_ngrams *ngrams = lac_corpus_borrow_ngrams(corpus);
  lua_settop(L, 2);
  double *documents = lua_newuserdatauv(L, lac_ngrams_count(ngrams) * sizeof *documents, 0);
  if (lua_isnil(L, 2)) {
    bind_try(L, lac_corpus_count_documents(corpus, documents));
    bind_try(L, lac_corpus_weigh(corpus, documents, (double)lac_corpus_images(corpus)));
  } else {
    const lac_frequencies *frequencies = bind_to_frequencies(L, 2);
    bind_try(L, lac_frequencies_find(frequencies, documents, ngrams));
    bind_try(L, lac_corpus_weigh(corpus, documents, lac_frequencies_total(frequencies)));
  }
  return 0;
}

/* corpus:similarity(image, reference [, plain]) -> sum over n of the cosine with the hypothesis,
 * clipped unless plain */
static int l_similarity(lua_State *L) {
  lac_corpus *corpus = check_corpus(L);
  const size_t reference = check_caption(L, corpus, 2);
  const size_t hypothesis = lac_corpus_hypothesis(corpus, check_image(L, corpus, 2));
  double sum = 0;
  bind_try(L, lac_corpus_similarity(corpus, &sum, hypothesis, reference, !lua_toboolean(L, 4)));
  lua_pushnumber(L, sum);
  return 1;
}

/* Into the table lac.text on the top. */
void bind_open_corpus(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"references", l_references}, {"words", l_words},  {"correct", l_correct},
      {"common", l_common},         {"weigh", l_weigh},  {"similarity", l_similarity},
      {"close", release_corpus},    {"__len", l_images}, {"__gc", release_corpus},
      {"__close", release_corpus},  {NULL, NULL}};
  bind_new_class(L, CORPUS, methods);
  lua_pushcfunction(L, l_corpus);
  lua_setfield(L, -2, "corpus");
}
