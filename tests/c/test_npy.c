/* .npy and .npz files built in memory, and the region features of the shared data. */
#include "check.h"

#include "bytes.h"
#include "core/memory.h"
#include "io/npy.h"

static bytes npy(int version, const char *header, const void *data, size_t size) {
  bytes b = {0};
  const uint32_t length = (uint32_t)strlen(header);
  const unsigned char fixed[] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0};
  put(&b, fixed, sizeof fixed);
  put(&b, &length, version == 1 ? 2 : 4);
  put(&b, header, length);
  put(&b, data, size);
  return b;
}

/* Parse and release the bytes. */
static lac_status parse(lac_archive **out, bytes b) {
  lac_archive *archive;
  LAC_TRY(lac_archive_new(&archive, 1 << 20));
  const lac_status status = lac_npy_parse(archive, "x", b.at, b.size);
  if (status == LAC_OK)
    *out = archive;
  else
    lac_archive_release(archive);
  drop(&b);
  return status;
}

static const int32_t six[] = {1, 2, 3, 4, 5, 6};

static void versions_and_orders_are_read(void) {
  static const int32_t turned[] = {1, 3, 5, 2, 4, 6};
  lac_archive *a = NULL;
  const char *rows = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }   \n";
  for (int version = 1; version <= 3; version++) {
    if (CHECK_OK(parse(&a, npy(version, rows, six, sizeof six)))) {
      const lac_array *x = lac_archive_at(a, 0);
      CHECK(x->rank == 2 && x->dims[0] == 2 && x->dims[1] == 3 && x->dtype == LAC_I32);
      CHECK(memcmp(x->data, six, sizeof six) == 0);
    }
    lac_archive_release(a);
    a = NULL;
  }
  const char *columns = "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3)}";
  if (CHECK_OK(parse(&a, npy(1, columns, six, sizeof six))))
    CHECK(memcmp(lac_archive_at(a, 0)->data, turned, sizeof turned) == 0);
  lac_archive_release(a);
}

static void element_types_are_converted(void) {
  lac_archive *a = NULL;
  if (CHECK_OK(
          parse(&a, npy(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}", "\0\1", 2))))
    CHECK(((int32_t *)lac_archive_at(a, 0)->data)[1] == 1);
  lac_archive_release(a);
  a = NULL;
  const double scalar = 0.25;
  if (CHECK_OK(
          parse(&a, npy(1, "{'shape': (), 'descr': '<f8', 'fortran_order': False}", &scalar, 8))))
    CHECK(lac_archive_at(a, 0)->rank == 0 && *(float *)lac_archive_at(a, 0)->data == 0.25f);
  lac_archive_release(a);
}

static void mistakes_are_sentences(void) {
  lac_archive *a = NULL;
  CHECK_FAILS(parse(&a, npy(1, "{'descr': '>f4', 'fortran_order': False, 'shape': (6,)}", six, 24)),
              "element type '>f4' is not supported");
  CHECK_FAILS(parse(&a, npy(1, "{'descr': '|O', 'fortran_order': False, 'shape': (6,)}", six, 24)),
              "element type '|O' is not supported");
  CHECK_FAILS(parse(&a, npy(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}",
                            six, 24)),
              "structured");
  CHECK_FAILS(parse(&a, npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (7,)}", six, 24)),
              "truncated: 24 of 28 bytes");
  CHECK_FAILS(parse(&a, npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (5,)}", six, 24)),
              "4 bytes follow");
  CHECK_FAILS(parse(&a, npy(1, "{'descr': '<f4', 'shape': (5,)}", six, 24)), "is missing");
  CHECK_FAILS(
      parse(&a, npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", six, 24)),
      "not a number");
  CHECK_FAILS(parse(&a, npy(1,
                            "{'descr': '<f4', 'fortran_order': False, "
                            "'shape': (4294967296, 4294967296)}",
                            six, 24)),
              "too large");
  CHECK_FAILS(parse(&a, npy(4, "{}", six, 24)), "version 4");
  CHECK(a == NULL);
}

static void damage_ends_in_a_sentence(void) {
  bytes whole = npy(1, "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }\n", six, 24);
  uint32_t seed = 3;
  int accepted = 0;
  for (size_t n = 0; n < whole.size; n++) {
    lac_archive *a = NULL;
    bytes prefix = {0};
    put(&prefix, whole.at, n);
    accepted += parse(&a, prefix) == LAC_OK;
  }
  CHECK(accepted == 0);
  for (int i = 0; i < 5000; i++) {
    lac_archive *a = NULL;
    bytes copy = {0};
    put(&copy, whole.at, whole.size);
    copy.at[check_random(&seed) % copy.size] = (unsigned char)check_random(&seed);
    parse(&a, copy);
    lac_archive_release(a);
  }
  drop(&whole);
}

static void npz_files_are_read_by_name(void) {
  bytes x = npy(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (6,)}", six, 24);
  const member members[] = {{"feat.npy", x.at, x.size}, {"box.npy", x.at, x.size}};
  bytes b = make_zip(members, 2, true);
  const char *path = check_path("x.npz");
  FILE *file = fopen(path, "wb");
  lac_archive *a = NULL;
  if (CHECK(file && fwrite(b.at, 1, b.size, file) == b.size)) fclose(file);
  lac_status status = LAC_ENOMEM;
  for (uint64_t n = 1; status != LAC_OK && lac_fault_set(n); n++) {
    status = lac_npz_read(&a, path);
    if (status != LAC_OK && !CHECK(status == LAC_ENOMEM && a == NULL)) break;
  }
  lac_fault_set(0);
  lac_archive_release(a);
  a = NULL;
  if (CHECK_OK(lac_npz_read(&a, path))) {
    CHECK(lac_archive_count(a) == 2);
    CHECK(lac_archive_find(a, "box") && strcmp(lac_archive_at(a, 0)->name, "feat") == 0);
  }
  lac_archive_release(a);
  remove(path);
  drop(&x);
  drop(&b);
}

static void region_features_are_read(void) {
  char path[1024];
  lac_archive *a = NULL;
  if (!*check_shared(path, sizeof path, "data/coco5/bu/cocobu_fc/391895.npy")) return;
  if (CHECK_OK(lac_npy_read(&a, path)))
    CHECK(lac_archive_at(a, 0)->count == 2048 && lac_archive_at(a, 0)->dtype == LAC_F32);
  lac_archive_release(a);
}

int main(void) {
  RUN(versions_and_orders_are_read);
  RUN(element_types_are_converted);
  RUN(mistakes_are_sentences);
  RUN(damage_ends_in_a_sentence);
  RUN(npz_files_are_read_by_name);
  RUN(region_features_are_read);
  return check_finish();
}
