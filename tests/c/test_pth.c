/* PyTorch checkpoints, built byte by byte: both containers, every type, and all that must be
 * refused. */
#include "check.h"

#include "bytes.h"
#include "core/memory.h"
#include "io/pth.h"
#include "io/zip.h"

#include <math.h>

/* ---- building ---- */

static const float six[] = {1, 2, 3, 4, 5, 6};
static const member no_storage[1];

/* The ZIP container around a pickle; storages are named "x/data/<key>". */
static bytes zip_container(const bytes *pickle, const member *storages, size_t count) {
  member members[8] = {{"x/data.pkl", pickle->at, pickle->size}};
  for (size_t i = 0; i < count; i++)
    members[i + 1] = storages[i];
  return make_zip(members, count + 1, false);
}

/* The legacy container: preamble, pickle, list of keys, storages of 4-byte elements. */
static bytes legacy_container(const bytes *pickle, const char *const *keys, const member *storages,
                              size_t count) {
  bytes out = {0};
  PUT(&out, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.");
  PUT(&out, "\x80\x02M\xe9\x03.");
  PUT(&out, "\x80\x02}q\x00X\x0d\x00\x00\x00little_endianq\x01\x88s.");
  put(&out, pickle->at, pickle->size);
  PUT(&out, "\x80\x02](");
  for (size_t i = 0; i < count; i++)
    put_text(&out, keys[i]);
  PUT(&out, "e.");
  for (size_t i = 0; i < count; i++) {
    const uint64_t elements = storages[i].size / 4;
    put(&out, &elements, 8);
    put(&out, storages[i].data, storages[i].size);
  }
  return out;
}

/* {"w": a transposed view, "deep": {"7": a scalar at an offset, "text": "skipped"}, "n": 3} */
static bytes nested_pickle(void) {
  const torch_tensor w = {"Float", "0", 6, 0, 2, {3, 2}, {1, 3}};
  const torch_tensor scalar = {"Float", "0", 6, 4, 0, {0}, {0}};
  bytes b = {0};
  PUT(&b, "\x80\x02}q\x00(");
  put_text(&b, "w");
  put_tensor(&b, &w);
  put_text(&b, "deep");
  PUT(&b, "}(");
  put_int(&b, 7);
  put_tensor(&b, &scalar);
  put_text(&b, "text");
  put_text(&b, "skipped");
  PUT(&b, "u");
  put_text(&b, "n");
  PUT(&b, "K\x03u.");
  return b;
}

/* {"t": tensor} */
static bytes one_pickle(const torch_tensor *t) {
  bytes b = {0};
  PUT(&b, "\x80\x02}");
  put_text(&b, "t");
  put_tensor(&b, t);
  PUT(&b, "s.");
  return b;
}

static lac_status parse(lac_archive **out, const bytes *b) {
  return lac_pth_parse(out, b->at, b->size, "x.pth", 1 << 24);
}

/* The status of a ZIP container with that pickle; the result is dropped. Releases the pickle. */
static lac_status try_pickle(bytes *pickle, const member *storages, size_t count) {
  bytes file = zip_container(pickle, storages, count);
  lac_archive *archive = NULL;
  const lac_status status = parse(&archive, &file);
  lac_archive_release(archive);
  drop(&file);
  drop(pickle);
  return status;
}

static lac_status try_tensor(const torch_tensor *t, const void *data, size_t size) {
  const member storage = {"x/data/0", data, size};
  bytes pickle = one_pickle(t);
  return try_pickle(&pickle, &storage, 1);
}

/* ---- what is read ---- */

static void check_nested(const bytes *file) {
  lac_archive *archive = NULL;
  static const float transposed[] = {1, 4, 2, 5, 3, 6};
  if (!CHECK_OK(parse(&archive, file))) return;
  const lac_array *w = lac_archive_find(archive, "w"),
                  *scalar = lac_archive_find(archive, "deep.7");
  CHECK(lac_archive_count(archive) == 2);
  CHECK(w && w->rank == 2 && w->dims[0] == 3 && w->dims[1] == 2);
  CHECK(w && memcmp(w->data, transposed, sizeof transposed) == 0);
  CHECK(scalar && scalar->rank == 0 && *(float *)scalar->data == 5);
  lac_archive_release(archive);
}

static void both_containers_give_named_tensors(void) {
  const member storage = {"x/data/0", six, sizeof six};
  const char *const keys[] = {"0"};
  bytes pickle = nested_pickle(), zip = zip_container(&pickle, &storage, 1),
        legacy = legacy_container(&pickle, keys, &storage, 1);
  check_nested(&zip);
  check_nested(&legacy);
  drop(&pickle);
  drop(&zip);
  drop(&legacy);
}

/* An OrderedDict with a `_metadata` attribute, as torch's state_dict() makes, in protocol 4. */
static void protocol_4_and_state_dicts_are_read(void) {
  const torch_tensor t = {"Float", "0", 6, 2, 1, {2}, {3}};
  const member storage = {"x/data/0", six, sizeof six};
  bytes b = {0};
  lac_archive *archive = NULL;
  PUT(&b, "\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00");
  PUT(&b, "\x8c\x0b"
          "collections\x94\x8c\x0b"
          "OrderedDict\x94\x93\x94)R\x94(");
  PUT(&b, "\x8c\x01w\x94");
  put_tensor(&b, &t);
  PUT(&b, "\x8c\x04same\x94");
  put_tensor(&b, &t);
  PUT(&b, "u}\x94\x8c\x09_metadata\x94h\x02)Rs\x8c\x01y]((K\x01G?"
          "\xf0\x00\x00\x00\x00\x00\x00\x8a\x01\xfftNesb.");
  bytes file = zip_container(&b, &storage, 1);
  if (CHECK_OK(parse(&archive, &file))) {
    const lac_array *w = lac_archive_find(archive, "w");
    CHECK(lac_archive_count(archive) == 2 && w && w->dims[0] == 2);
    CHECK(w && ((float *)w->data)[0] == 3 && ((float *)w->data)[1] == 6);
  }
  lac_archive_release(archive);
  drop(&file);
  drop(&b);
}

static void check_type(const char *type, const void *data, size_t size, double first,
                       double second) {
  const torch_tensor t = {type, "0", 2, 0, 1, {2}, {1}};
  const member storage = {"x/data/0", data, size};
  bytes pickle = one_pickle(&t), file = zip_container(&pickle, &storage, 1);
  lac_archive *archive = NULL;
  if (CHECK_OK(parse(&archive, &file))) {
    const lac_array *a = lac_archive_at(archive, 0);
    const bool real = a->dtype == LAC_F32;
    CHECK((real ? (double)((float *)a->data)[0] : ((int32_t *)a->data)[0]) == first);
    CHECK((real ? (double)((float *)a->data)[1] : ((int32_t *)a->data)[1]) == second);
  }
  lac_archive_release(archive);
  drop(&file);
  drop(&pickle);
}

static void every_element_type_is_converted(void) {
  check_type("Float", (float[]){1.5f, -INFINITY}, 8, 1.5, -INFINITY);
  check_type("Double", (double[]){0.5, -1e30}, 16, 0.5, (float)-1e30);
  check_type("Half", (uint16_t[]){0x3e00, 0x8001}, 4, 1.5, -ldexp(1, -24));
  check_type("BFloat16", (uint16_t[]){0x3fc0, 0xff80}, 4, 1.5, -INFINITY);
  check_type("Long", (int64_t[]){-7, INT32_MAX}, 16, -7, INT32_MAX);
  check_type("Int", (int32_t[]){INT32_MIN, 3}, 8, INT32_MIN, 3);
  check_type("Short", (int16_t[]){-300, 300}, 4, -300, 300);
  check_type("Char", (signed char[]){-128, 127}, 2, -128, 127);
  check_type("Byte", (unsigned char[]){0, 255}, 2, 0, 255);
  check_type("Bool", (unsigned char[]){0, 1}, 2, 0, 1);
}

static void values_that_do_not_fit_are_refused(void) {
  const torch_tensor ints = {"Long", "0", 1, 0, 1, {1}, {1}};
  const torch_tensor reals = {"Double", "0", 1, 0, 1, {1}, {1}};
  CHECK_FAILS(try_tensor(&ints, &(int64_t){1LL << 31}, 8), "2147483648 at element 0 does not fit");
  CHECK_FAILS(try_tensor(&reals, &(double){1e300}, 8), "1e+300 at element 0 does not fit");
}

/* {"s": COO [2, 3]} with two indices of int64 [2, 2]. */
static bytes sparse_pickle(int32_t value_count) {
  const torch_tensor at = {"Long", "0", 4, 0, 2, {2, 2}, {2, 1}};
  const torch_tensor values = {"Float", "1", value_count, 0, 1, {value_count}, {1}};
  bytes pickle = {0};
  PUT(&pickle, "\x80\x02}");
  put_text(&pickle, "s");
  put_sparse(&pickle, &at, &values, 2, (int32_t[]){2, 3});
  PUT(&pickle, "s.");
  return pickle;
}

static lac_status read_sparse(lac_archive **out, const int64_t *indices, int32_t value_count) {
  const member storages[] = {{"x/data/0", indices, 32}, {"x/data/1", six, (size_t)value_count * 4}};
  bytes pickle = sparse_pickle(value_count), file = zip_container(&pickle, storages, 2);
  const lac_status status = parse(out, &file);
  drop(&file);
  drop(&pickle);
  return status;
}

static void sparse_tensors_become_dense_and_duplicates_add(void) {
  lac_archive *archive = NULL;
  static const float apart[] = {0, 1, 0, 0, 0, 2}, together[] = {0, 0, 0, 0, 3, 0};
  if (CHECK_OK(read_sparse(&archive, (int64_t[]){0, 1, 1, 2}, 2)))
    CHECK(memcmp(lac_archive_at(archive, 0)->data, apart, sizeof apart) == 0);
  lac_archive_release(archive);
  archive = NULL;
  if (CHECK_OK(read_sparse(&archive, (int64_t[]){1, 1, 1, 1}, 2)))
    CHECK(memcmp(lac_archive_at(archive, 0)->data, together, sizeof together) == 0);
  lac_archive_release(archive);
}

static void sparse_tensors_are_checked(void) {
  lac_archive *archive = NULL;
  CHECK_FAILS(read_sparse(&archive, (int64_t[]){0, 1, 1, 3}, 2), "index 3 is outside dimension 2");
  CHECK_FAILS(read_sparse(&archive, (int64_t[]){0, -1, 1, 2}, 2),
              "index -1 is outside dimension 1");
  CHECK_FAILS(read_sparse(&archive, (int64_t[]){0, 1, 1, 2}, 3), "one value for each of its 2");
  CHECK(archive == NULL);
}

/* ---- what is refused ---- */

static void sizes_beyond_the_storage_are_refused(void) {
  const torch_tensor over = {"Float", "0", 6, 1, 2, {3, 2}, {2, 1}};
  const torch_tensor stride = {"Float", "0", 6, 0, 2, {2, 2}, {INT32_MAX, INT32_MAX}};
  const torch_tensor wraps = {"Float", "0", 6, 0, 3, {1 << 30, 1 << 30, 1 << 30}, {0, 0, 0}};
  const torch_tensor lies = {"Float", "0", 7, 0, 1, {7}, {1}};
  const torch_tensor negative = {"Float", "0", 6, 0, 1, {-1}, {1}};
  const torch_tensor ninth = {"Float", "0", 6, 0, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {0}};
  const torch_tensor large = {"Float", "0", 6, 0, 2, {1 << 30, 1 << 30}, {0, 0}};
  const torch_tensor nowhere = {"Float", "1", 6, 0, 1, {6}, {1}};
  CHECK_FAILS(try_tensor(&over, six, sizeof six), "do not fit its storage of 6 elements");
  CHECK_FAILS(try_tensor(&stride, six, sizeof six), "do not fit its storage");
  CHECK_FAILS(try_tensor(&wraps, six, sizeof six), "too large");
  CHECK_FAILS(try_tensor(&lies, six, sizeof six), "24 bytes, but 7 elements");
  CHECK_FAILS(try_tensor(&negative, six, sizeof six), "not a tuple of numbers >= 0");
  CHECK_FAILS(try_tensor(&ninth, six, sizeof six), "9 dimensions");
  CHECK_FAILS(try_tensor(&large, six, sizeof six), "limit");
  CHECK_FAILS(try_tensor(&nowhere, six, sizeof six), "'x/data/1' is missing");
}

static void tensors_of_no_elements_are_read(void) {
  const torch_tensor empty = {"Float", "0", 0, 0, 2, {0, 5}, {5, 1}};
  CHECK_OK(try_tensor(&empty, six, 0));
}

static void code_is_refused_by_name(void) {
  bytes system = {0}, object = {0}, later = {0};
  PUT(&system, "\x80\x02"
               "cposix\nsystem\n"
               "X\x02\x00\x00\x00ls\x85R.");
  CHECK_FAILS(try_pickle(&system, no_storage, 0),
              "x.pth: pickle: global posix.system is not allowed: a checkpoint must hold tensors");
  PUT(&object, "\x80\x02"
               "ccollections\nOrderedDict\n)\x81.");
  CHECK_FAILS(try_pickle(&object, no_storage, 0), "opcode 0x81 (NEWOBJ) is not allowed");
  PUT(&later, "\x80\x04\x8c\x08"
              "builtins\x94\x8c\x04"
              "eval\x94\x93.");
  CHECK_FAILS(try_pickle(&later, no_storage, 0), "global builtins.eval is not allowed");
}

static void other_files_are_refused(void) {
  lac_archive *archive = NULL;
  bytes text = {0}, empty = {0}, plain = {0}, value = {0};
  const member readme = {"README", "hello", 5};
  PUT(&text, "no checkpoint at all");
  CHECK_FAILS(parse(&archive, &text), "x.pth: is not a PyTorch checkpoint");
  PUT(&empty, "");
  CHECK_FAILS(parse(&archive, &empty), "is not a PyTorch checkpoint");
  PUT(&plain, "\x80\x02K\x01.");
  CHECK_FAILS(parse(&archive, &plain), "not a PyTorch checkpoint (no magic number)");
  bytes zip = make_zip(&readme, 1, false);
  CHECK_FAILS(parse(&archive, &zip), "holds no PyTorch checkpoint (no data.pkl)");
  PUT(&value, "\x80\x02K\x01.");
  CHECK_FAILS(try_pickle(&value, no_storage, 0), "other than a table of named tensors");
  CHECK_FAILS(lac_pth_read(&archive, check_path("missing.pth")), "No such file");
  CHECK_FAILS(lac_pth_read(&archive, "/tmp"), "is a directory");
  drop(&text);
  drop(&empty);
  drop(&plain);
  drop(&zip);
}

static void cycles_and_towers_are_refused(void) {
  bytes itself = {0}, tower = {0}, web = {0};
  PUT(&itself, "\x80\x02}q\x00X\x01\x00\x00\x00"
               "ah\x00s.");
  CHECK_FAILS(try_pickle(&itself, no_storage, 0), "nested");
  PUT(&tower, "\x80\x02");
  for (int i = 0; i < 100000; i++)
    PUT(&tower, "}K\x01");
  PUT(&tower, "N");
  for (int i = 0; i < 100000; i++)
    PUT(&tower, "s");
  PUT(&tower, ".");
  CHECK_FAILS(try_pickle(&tower, no_storage, 0), "nested");
  PUT(&web, "\x80\x02}(K\x00}q\x00"); // each table holds the one before it twice: 2^60 paths
  for (int i = 0; i < 60; i++)
    PUT(&web, "K\x01}(K\x01h\x00K\x02h\x00uq\x00");
  PUT(&web, "u.");
  CHECK_FAILS(try_pickle(&web, no_storage, 0), "nested");
}

static void the_budget_is_kept(void) {
  const torch_tensor t = {"Float", "0", 6, 0, 1, {1000}, {0}};
  const member storage = {"x/data/0", six, sizeof six};
  bytes pickle = one_pickle(&t), file = zip_container(&pickle, &storage, 1);
  lac_archive *archive = NULL;
  CHECK_FAILS(lac_pth_parse(&archive, file.at, file.size, "x.pth", 1000),
              "'t' needs 4000 bytes, but only 1000 of the limit");
  drop(&pickle);
  drop(&file);
}

/* ---- damage ---- */

/* Every prefix fails with a sentence; thousands of damaged copies do not crash. */
static void check_damage(const bytes *file, int copies) {
  uint32_t seed = 7;
  int silent = 0, accepted = 0;
  for (size_t n = 0; n < file->size; n++) {
    lac_archive *archive = NULL;
    bytes prefix = {0}; // a copy of its own, so that reading beyond it is found
    put(&prefix, file->at, n);
    const lac_status status = parse(&archive, &prefix);
    accepted += status == LAC_OK;
    silent += strncmp(lac_message(), "x.pth: ", 7) != 0;
    lac_archive_release(archive);
    drop(&prefix);
  }
  CHECK(accepted == 0);
  CHECK(silent == 0);
  for (int i = 0; i < copies; i++) {
    lac_archive *archive = NULL;
    bytes copy = {0};
    put(&copy, file->at, file->size);
    for (uint32_t k = 0; k <= check_random(&seed) % 4; k++)
      copy.at[check_random(&seed) % copy.size] = (unsigned char)check_random(&seed);
    parse(&archive, &copy);
    lac_archive_release(archive);
    drop(&copy);
  }
}

static void damaged_files_fail_with_a_sentence(void) {
  const member storage = {"x/data/0", six, sizeof six};
  const char *const keys[] = {"0"};
  bytes pickle = nested_pickle(), zip = zip_container(&pickle, &storage, 1),
        legacy = legacy_container(&pickle, keys, &storage, 1);
  check_damage(&zip, 4000);
  check_damage(&legacy, 4000);
  drop(&pickle);
  drop(&zip);
  drop(&legacy);
}

/* The container is intact here, so that no checksum shields what the pickle claims. */
static void damaged_pickles_are_harmless(void) {
  const int64_t indices[] = {0, 1, 1, 2};
  const member storages[] = {{"x/data/0", indices, 32}, {"x/data/1", six, 8}};
  uint32_t seed = 13;
  int accepted = 0;
  for (int i = 0; i < 4000; i++) {
    bytes pickle = sparse_pickle(2);
    for (uint32_t k = 0; k <= check_random(&seed) % 3; k++)
      pickle.at[check_random(&seed) % pickle.size] = (unsigned char)check_random(&seed);
    accepted += try_pickle(&pickle, storages, 2) == LAC_OK;
  }
  CHECK(accepted < 4000);
}

static void a_failing_allocation_is_reported(void) {
  const member storage = {"x/data/0", six, sizeof six};
  bytes pickle = nested_pickle(), zip = zip_container(&pickle, &storage, 1);
  lac_archive *archive = NULL;
  lac_status status = LAC_ENOMEM;
  uint64_t n = 0;
  while (status != LAC_OK && lac_fault_set(++n)) {
    status = parse(&archive, &zip);
    if (status != LAC_OK && !CHECK(status == LAC_ENOMEM && archive == NULL)) break;
  }
  lac_fault_set(0);
  lac_archive_release(archive);
  drop(&pickle);
  drop(&zip);
}

/* ---- the published files ---- */

/* Of the XE file's tensors: rows of the table in the reference, section 3.2. */
static const struct {
  const char *name;
  uint64_t rows, cols, nonzero; // nonzero 0: dense
  double sum, max;
  uint64_t first;
  float value;
  double sum_scst;
} published[] = {
    {"embed.0.weight", 3000, 96, 1249, 1842.510114, 3.772695, 96 + 5, 0.2064581f, 1865.717109},
    {"fc_embed.0.weight", 144, 2048, 24, 18.092142, 1.304, 69 * 2048 + 618, 0.6531043f, 22.119501},
    {"fc_embed.0.bias", 144, 0, 0, 1.235892, 0.587665, 0, 0.0038899f, 1.959312},
    {"att_embed.0.weight", 144, 2048, 3780, -99.149243, 0.9483, 108, -0.1411185f, -114.257891},
    {"logit.weight", 3000, 144, 27747, -799.293484, 2.989201, 145, -0.3220848f, -658.984024},
    {"logit.bias", 3000, 0, 0, -33.551652, 5.591089, 0, -0.6175826f, -485.226746},
    {"ctx2att.weight", 96, 144, 484, -14.438773, 0.757552, 7, 0.1700494f, -15.118744},
    {"core.att_lstm.weight_ih", 576, 384, 4437, 242.552388, 1.725575, 232, 0.2745235f, 250.551601},
    {"core.att_lstm.weight_hh", 576, 144, 1436, -10.679901, 2.257951, 3 * 144 + 114, 0.5780337f,
     -6.970571},
    {"core.lang_lstm.weight_ih", 576, 288, 6783, 95.92775, 2.370519, 128, 0.8497732f, 245.022556},
    {"core.attention.alpha_net.weight", 1, 96, 39, 6.727062, 1.685477, 0, 0.8905482f, 7.313251},
    {"core.attention.alpha_net.bias", 1, 0, 0, -0.003508, 0.003508, 0, -0.0035084f, -0.003907},
};

static lac_status read_published(lac_archive **out, const char *path) {
  lac_zip *zip = NULL;
  void *data = NULL;
  size_t size = 0, at = 0;
  LAC_TRY(lac_zip_open(&zip, path));
  while (at + 1 < lac_zip_count(zip) && !strstr(lac_zip_name(zip, at), ".pth"))
    at++;
  lac_status status = lac_zip_read(zip, at, &data, &size, 1 << 24);
  if (status == LAC_OK) status = lac_pth_parse(out, data, size, lac_zip_name(zip, at), 0);
  free(data);
  lac_zip_close(zip);
  return status;
}

static void check_published(const lac_archive *archive, bool scst) {
  for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
    const lac_array *a = lac_archive_find(archive, published[i].name);
    if (!CHECK(a != NULL)) continue;
    const float *x = a->data;
    double sum = 0, max = 0;
    uint64_t nonzero = 0;
    for (uint64_t k = 0; k < a->count; k++) {
      sum += (double)x[k];
      max = fmax(max, fabs((double)x[k]));
      nonzero += x[k] != 0;
    }
    CHECK(a->dims[0] == published[i].rows && (a->rank == 1 || a->dims[1] == published[i].cols));
    if (published[i].nonzero) CHECK(nonzero == published[i].nonzero);
    CHECK(fabs(sum - (scst ? published[i].sum_scst : published[i].sum)) < 1e-6); // printed digits
    if (scst) continue;
    CHECK(fabs(max - published[i].max) < 1e-6);
    CHECK(fabsf(x[published[i].first] - published[i].value) < 1e-7f);
  }
}

static void the_published_checkpoints_are_read(void) {
  static const char *const names[] = {
      "data/checkpoints/TINY3_UpDownLSTM__supermask__0.975__wg_120.0.zip",
      "data/checkpoints/"
      "TINY3_UpDownLSTM__supermask__0.975__wg_120.0__SCST_random_sample_s60_e10_C1B0001.zip"};
  for (int scst = 0; scst < 2; scst++) {
    char path[1024];
    lac_archive *archive = NULL;
    if (!*check_shared(path, sizeof path, names[scst])) return;
    if (!CHECK_OK(read_published(&archive, path))) continue;
    CHECK(lac_archive_count(archive) == 21);
    check_published(archive, scst);
    lac_archive_release(archive);
  }
}

int main(void) {
  RUN(both_containers_give_named_tensors);
  RUN(protocol_4_and_state_dicts_are_read);
  RUN(every_element_type_is_converted);
  RUN(values_that_do_not_fit_are_refused);
  RUN(sparse_tensors_become_dense_and_duplicates_add);
  RUN(sparse_tensors_are_checked);
  RUN(sizes_beyond_the_storage_are_refused);
  RUN(tensors_of_no_elements_are_read);
  RUN(code_is_refused_by_name);
  RUN(other_files_are_refused);
  RUN(cycles_and_towers_are_refused);
  RUN(the_budget_is_kept);
  RUN(damaged_files_fail_with_a_sentence);
  RUN(damaged_pickles_are_harmless);
  RUN(a_failing_allocation_is_reported);
  RUN(the_published_checkpoints_are_read);
  return check_finish();
}
