/* HDF5: round trips, the checksum, files from elsewhere, and a disk that fails. */
#include "check.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/hdf5.h"
#include "io/hdf5_writer.h"
#include "io/seal.h"

#include <fcntl.h>
#include <hdf5.h>
#include <math.h>

static const float six[] = {1, 2.5f, -3, 4, 5, 6};

static lac_status write_sample(const char *path, bool deflate) {
  lac_hdf5_writer *file = NULL;
  int32_t answer = 42;
  const lac_array w = {"params/core.lstm/w", LAC_F32, 2, {2, 3}, 6, (void *)six};
  const lac_array scalar = {"scalar", LAC_I32, 0, {0}, 1, &answer};
  const lac_array none = {"none", LAC_F32, 2, {0, 3}, 0, &answer};
  const lac_attribute text = {LAC_ATTRIBUTE_TEXT, "caf\xc3\xa9", 0, 0},
                      integer = {LAC_ATTRIBUTE_INTEGER, NULL, -7, 0},
                      number = {LAC_ATTRIBUTE_FLOAT, NULL, 0, 0.1};
  LAC_TRY(lac_hdf5_writer_open(&file, path));
  lac_status status = lac_hdf5_writer_array(file, &w, deflate);
  if (status == LAC_OK) status = lac_hdf5_writer_array(file, &scalar, deflate);
  if (status == LAC_OK) status = lac_hdf5_writer_array(file, &none, deflate);
  if (status == LAC_OK) status = lac_hdf5_writer_text(file, "config", "a\0b", 3);
  if (status == LAC_OK) status = lac_hdf5_writer_text(file, "blank", "", 0);
  if (status == LAC_OK) status = lac_hdf5_writer_attribute(file, "", "name", &text);
  if (status == LAC_OK) status = lac_hdf5_writer_attribute(file, "params", "n", &number);
  if (status == LAC_OK) status = lac_hdf5_writer_attribute(file, "params", "n", &integer);
  if (status == LAC_OK) status = lac_hdf5_writer_attribute(file, "scalar", "f", &number);
  if (status == LAC_OK) status = lac_hdf5_writer_commit(file);
  lac_hdf5_writer_close(file);
  return status;
}

static void check_array(const lac_hdf5 *file, const char *path, size_t rank, uint64_t count,
                        const void *data) {
  lac_archive *a = NULL;
  if (!CHECK_OK(lac_hdf5_read(&a, file, path))) return;
  const lac_array *x = lac_archive_at(a, 0);
  CHECK(x->rank == rank && x->count == count);
  CHECK(memcmp(x->data, data, count * 4) == 0);
  lac_archive_release(a);
}

static void check_text(const lac_hdf5 *file, const char *path, const char *right, size_t n) {
  char *text = NULL;
  size_t length = 0;
  if (!CHECK_OK(lac_hdf5_read_text(&text, &length, file, path))) return;
  CHECK(length == n && memcmp(text, right, n) == 0);
  free(text);
}

static void check_attributes(const lac_hdf5 *file) {
  lac_attribute v;
  if (CHECK_OK(lac_hdf5_read_attribute(&v, file, "", "name"))) {
    CHECK(v.kind == LAC_ATTRIBUTE_TEXT && strcmp(v.text, "caf\xc3\xa9") == 0);
    free(v.text);
  }
  if (CHECK_OK(lac_hdf5_read_attribute(&v, file, "/params", "n")))
    CHECK(v.kind == LAC_ATTRIBUTE_INTEGER && v.integer == -7);
  if (CHECK_OK(lac_hdf5_read_attribute(&v, file, "scalar", "f")))
    CHECK(v.kind == LAC_ATTRIBUTE_FLOAT && v.number == 0.1);
  if (CHECK_OK(lac_hdf5_read_attribute(&v, file, "scalar", "absent")))
    CHECK(v.kind == LAC_ATTRIBUTE_NONE);
}

static void what_is_written_comes_back(void) {
  for (int deflate = 0; deflate < 2; deflate++) {
    const char *path = check_path("x.h5");
    lac_hdf5 *file = NULL;
    CHECK_OK(write_sample(path, deflate));
    if (CHECK_OK(lac_hdf5_open(&file, path, true))) {
      CHECK(lac_hdf5_count(file) == 5 && strcmp(lac_hdf5_name(file, 3), "params/core.lstm/w") == 0);
      CHECK(lac_hdf5_has(file, "/scalar") && !lac_hdf5_has(file, "params"));
      check_array(file, "params/core.lstm/w", 2, 6, six);
      check_array(file, "scalar", 0, 1, &(int32_t){42});
      check_array(file, "none", 2, 0, six);
      check_text(file, "config", "a\0b", 3);
      check_text(file, "blank", "", 0);
      check_attributes(file);
    }
    lac_hdf5_close(file);
    remove(path);
  }
}

static void two_readers_of_one_file_do_not_meet(void) {
  const char *path = check_path("two.h5");
  lac_hdf5 *first = NULL, *second = NULL;
  CHECK_OK(write_sample(path, false));
  CHECK_OK(lac_hdf5_open(&first, path, true));
  CHECK_OK(lac_hdf5_open(&second, path, true));
  lac_hdf5_close(first);
  if (second) check_array(second, "scalar", 0, 1, &(int32_t){42});
  CHECK_OK(write_sample(path, true)); // replaced under the reader, who keeps the old one
  if (second) check_array(second, "params/core.lstm/w", 2, 6, six);
  lac_hdf5_close(second);
  remove(path);
}

static void failing_allocations_are_reported(void) {
  const char *path = check_path("mem.h5");
  lac_status status = LAC_ENOMEM;
  for (uint64_t n = 1; status != LAC_OK && lac_fault_set(n); n++) {
    status = write_sample(path, true);
    if (status != LAC_OK && !CHECK(status == LAC_ENOMEM && access(path, F_OK) != 0)) break;
  }
  lac_fault_set(0);
  CHECK_OK(write_sample(path, true));
  status = LAC_ENOMEM;
  for (uint64_t n = 1; status != LAC_OK && lac_fault_set(n); n++) {
    lac_hdf5 *file = NULL;
    lac_archive *a = NULL;
    status = lac_hdf5_open(&file, path, true);
    if (status == LAC_OK) status = lac_hdf5_read(&a, file, "scalar");
    if (status != LAC_OK && !CHECK(status == LAC_ENOMEM && a == NULL)) break;
    lac_archive_release(a);
    lac_hdf5_close(file);
  }
  lac_fault_set(0);
  remove(path);
}

static void equal_contents_give_equal_files(void) {
  void *first = NULL, *second = NULL;
  size_t n = 0, m = 0;
  const char *path = check_path("same.h5");
  CHECK_OK(write_sample(path, true));
  CHECK_OK(lac_file_read(&first, &n, path, 1 << 20));
  CHECK_OK(write_sample(path, true));
  CHECK_OK(lac_file_read(&second, &m, path, 1 << 20));
  CHECK(n == m && memcmp(first, second, n) == 0);
  free(first);
  free(second);
  remove(path);
}

static void large_arrays_and_texts_are_compressed(void) {
  enum { N = 1 << 20 };
  const char *path = check_path("large.h5");
  float *zeros = calloc(N, sizeof *zeros);
  lac_hdf5_writer *out = NULL;
  lac_hdf5 *in = NULL;
  void *whole = NULL;
  size_t size = SIZE_MAX;
  const lac_array x = {"x", LAC_F32, 2, {3, N / 3}, N / 3 * 3, zeros};
  if (!CHECK(zeros != NULL)) return;
  CHECK_OK(lac_hdf5_writer_open(&out, path));
  CHECK_OK(lac_hdf5_writer_array(out, &x, true));
  CHECK_OK(lac_hdf5_writer_text(out, "text", (const char *)zeros, N));
  CHECK_OK(lac_hdf5_writer_bytes(out, "bytes", zeros, 50000));
  CHECK_OK(lac_hdf5_writer_commit(out));
  CHECK_FAILS(lac_hdf5_writer_commit(out), "already complete");
  lac_hdf5_writer_close(out);
  if (CHECK_OK(lac_hdf5_open(&in, path, true))) {
    check_array(in, "x", 2, N / 3 * 3, zeros);
    check_text(in, "text", (const char *)zeros, N);
    check_text(in, "bytes", (const char *)zeros, 50000);
    uint64_t stored = 0;
    CHECK_OK(lac_hdf5_stored_bytes(&stored, in, "bytes"));
    CHECK(stored == 50000); // as they are
    CHECK_OK(lac_hdf5_stored_bytes(&stored, in, "text"));
    CHECK(stored > 0 && stored < N / 100);
    CHECK_FAILS(lac_hdf5_stored_bytes(&stored, in, "none"), "has no dataset 'none'");
  }
  lac_hdf5_close(in);
  CHECK_OK(lac_file_read(&whole, &size, path, 1 << 24));
  CHECK(size < 100000);
  free(whole);
  free(zeros);
  remove(path);
}

static void writing_mistakes_are_sentences(void) {
  lac_hdf5_writer *file = NULL;
  const char *path = check_path("m.h5");
  const lac_array x = {"a/b", LAC_F32, 1, {6}, 6, (void *)six};
  static const char *const bad[] = {"", "/a", "a//b", "a/", ".", "a/./b"};
  char *huge = calloc(70001, 1);
  if (!CHECK(huge != NULL)) return;
  memset(huge, 'x', 70000);
  const lac_attribute text = {LAC_ATTRIBUTE_TEXT, huge, 0, 0};
  CHECK_OK(lac_hdf5_writer_open(&file, path));
  CHECK_OK(lac_hdf5_writer_array(file, &x, false));
  CHECK_FAILS(lac_hdf5_writer_array(file, &x, false), "m.h5: already has 'a/b'");
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    CHECK_FAILS(lac_hdf5_writer_text(file, bad[i], "x", 1), "is not a path for a dataset");
  CHECK_FAILS(lac_hdf5_writer_attribute(file, "a/b", "k", &text),
              "70000 bytes; write it as a text");
  CHECK_FAILS(lac_hdf5_writer_attribute(file, "none", "k", &text), "has no 'none'");
  CHECK_OK(lac_hdf5_writer_commit(file)); // none of these spoils the file
  lac_hdf5_writer_close(file);
  CHECK_FAILS(lac_hdf5_writer_open(&file, check_path("no/such/x.h5")),
              "cannot create: No such file");
  free(huge);
  remove(path);
}

/* ---- the checksum ---- */

static void write_bytes(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  CHECK(file && fwrite(data, 1, size, file) == size);
  if (file) fclose(file);
}

static void truncation_and_damage_are_found_before_parsing(void) {
  const char *path = check_path("d.h5");
  unsigned char *whole = NULL;
  size_t size = 0;
  uint32_t seed = 11;
  int accepted = 0;
  lac_hdf5 *file = NULL;
  CHECK_OK(write_sample(path, false));
  if (!CHECK_OK(lac_file_read((void **)&whole, &size, path, 1 << 20))) return;
  for (size_t n = 0; n < size; n += 37) {
    write_bytes(path, whole, n);
    accepted += lac_hdf5_open(&file, path, false) == LAC_OK;
  }
  CHECK(accepted == 0);
  write_bytes(path, whole, size - 1);
  CHECK_FAILS(lac_hdf5_open(&file, path, false), "d.h5: is truncated: ");
  for (int i = 0; i < 1000; i++) {
    const size_t at = LAC_SEAL_BYTES + check_random(&seed) % (size - LAC_SEAL_BYTES);
    const unsigned char flip = (unsigned char)(1u << i % 8);
    whole[at] ^= flip;
    write_bytes(path, whole, size);
    whole[at] ^= flip;
    accepted += lac_hdf5_open(&file, path, true) == LAC_OK;
  }
  CHECK(accepted == 0);
  CHECK_FAILS(lac_hdf5_open(&file, path, true), "is damaged: its checksum is");
  whole[17] = '2';
  write_bytes(path, whole, size);
  CHECK_FAILS(lac_hdf5_open(&file, path, true), "newer version");
  free(whole);
  remove(path);
}

/* ---- files from elsewhere ---- */

static void other_files_are_refused(void) {
  const char *path = check_path("o.h5");
  lac_hdf5 *file = NULL;
  write_bytes(path, "hello", 5);
  CHECK_FAILS(lac_hdf5_open(&file, path, true), "o.h5: is not an HDF5 file");
  write_bytes(path, "", 0);
  CHECK_FAILS(lac_hdf5_open(&file, path, true), "o.h5: is not an HDF5 file");
  remove(path);
  CHECK_FAILS(lac_hdf5_open(&file, path, true), "o.h5: cannot open: No such file");
  CHECK_FAILS(lac_hdf5_open(&file, "/tmp", true), "/tmp: is not a file");
  CHECK(file == NULL);
}

static void put_dataset(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims,
                        hid_t create, hid_t memory, const void *data) {
  const hid_t space = H5Screate_simple(rank, dims, NULL);
  const hid_t id = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
  if (data) H5Dwrite(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
  H5Dclose(id);
  H5Sclose(space);
}

/* A file without our block, with what other programs may put into one. */
static void write_foreign(const char *path) {
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t one = 1, two = 2, huge[] = {1u << 20, 1u << 20},
                nine[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  const hid_t plain = H5P_DEFAULT, outside = H5Pcreate(H5P_DATASET_CREATE),
              chunked = H5Pcreate(H5P_DATASET_CREATE), text = H5Tcopy(H5T_C_S1);
  const char *words = "some words";
  H5Tset_size(text, H5T_VARIABLE);
  H5Pset_external(outside, "/etc/hostname", 0, 8);
  H5Pset_chunk(chunked, 2, (hsize_t[]){64, 64});
  put_dataset(file, "doubles", H5T_IEEE_F64BE, 1, &two, plain, H5T_NATIVE_DOUBLE,
              (double[]){0.5, -INFINITY});
  put_dataset(file, "longs", H5T_STD_I64LE, 1, &two, plain, H5T_NATIVE_INT64, (int64_t[]){5, -6});
  put_dataset(file, "beyond", H5T_STD_U64LE, 1, &one, plain, H5T_NATIVE_UINT64,
              (uint64_t[]){UINT64_MAX});
  put_dataset(file, "bytes", H5T_STD_U8LE, 1, &two, plain, H5T_NATIVE_INT, (int[]){0, 255});
  put_dataset(file, "string", text, 1, &one, plain, text, &words);
  put_dataset(file, "outside", H5T_STD_U8LE, 1, (hsize_t[]){8}, outside, H5T_NATIVE_INT, NULL);
  put_dataset(file, "huge", H5T_IEEE_F32LE, 2, huge, chunked, H5T_NATIVE_INT, NULL);
  put_dataset(file, "nine", H5T_IEEE_F32LE, 9, nine, plain, H5T_NATIVE_INT, NULL);
  H5Lcreate_external("/etc/passwd", "x", file, "external", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/doubles", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
  H5Tclose(text);
  H5Pclose(outside);
  H5Pclose(chunked);
  H5Fclose(file);
}

static void foreign_types_are_converted_or_refused(void) {
  const char *path = check_path("f.h5");
  lac_hdf5 *file = NULL;
  lac_archive *a = NULL;
  write_foreign(path);
  if (CHECK_OK(lac_hdf5_open(&file, path, true))) {
    check_array(file, "doubles", 1, 2, (float[]){0.5f, -INFINITY});
    check_array(file, "longs", 1, 2, (int32_t[]){5, -6});
    check_array(file, "bytes", 1, 2, (int32_t[]){0, 255});
    check_text(file, "string", "some words", 10);
    CHECK_FAILS(lac_hdf5_read(&a, file, "beyond"), "does not fit int32");
    CHECK_FAILS(lac_hdf5_read(&a, file, "string"), "neither numbers nor booleans");
    CHECK_FAILS(lac_hdf5_read(&a, file, "outside"), "keeps its data in other files");
    CHECK_FAILS(lac_hdf5_read(&a, file, "huge"), "limit");
    CHECK_FAILS(lac_hdf5_read(&a, file, "nine"), "9 dimensions");
    CHECK_FAILS(lac_hdf5_read(&a, file, "external"), "has no dataset");
    CHECK_FAILS(lac_hdf5_read(&a, file, "soft"), "has no dataset");
  }
  CHECK(a == NULL);
  lac_hdf5_close(file);
  remove(path);
}

static void golden_files_open_without_a_checksum(void) {
  char path[1024];
  lac_hdf5 *file = NULL;
  lac_archive *a = NULL;
  lac_attribute v = {0};
  if (!*check_shared(path, sizeof path, "golden/updown_tiny3_xe.h5")) return;
  if (!CHECK_OK(lac_hdf5_open(&file, path, true))) return;
  CHECK(lac_hdf5_count(file) > 20);
  for (size_t i = 0; i < lac_hdf5_count(file); i++) {
    const char *name = lac_hdf5_name(file, i);
    if (CHECK_OK(lac_hdf5_read(&a, file, name))) lac_archive_release(a);
    if (CHECK_OK(lac_hdf5_read_attribute(&v, file, name, "desc")))
      CHECK(v.kind == LAC_ATTRIBUTE_TEXT);
    free(v.text);
  }
  lac_hdf5_close(file);
}

/* ---- growing datasets ---- */

/* Row i of [rows, 1000] is i, i + 1/1024, ... as a float16 holds it below 2. */
static lac_status append_rows(lac_hdf5_writer *out, const char *name, uint64_t first,
                              uint64_t count, lac_stored type) {
  static float data[64 * 1000];
  const lac_array array = {name, LAC_F32, 2, {count, 1000}, count * 1000, data};
  for (uint64_t i = 0; i < array.count; i++)
    data[i] = (float)((first * 1000 + i) % 2048) / 2048;
  return lac_hdf5_writer_append(out, &array, type);
}

static lac_status write_growing(const char *path) {
  lac_hdf5_writer *out = NULL;
  lac_status status = lac_hdf5_writer_open(&out, path);
  for (uint64_t at = 0; status == LAC_OK && at < 600; at += 60) { // more than one copy at the end
    status = append_rows(out, "half", at, 60, LAC_STORED_F16);
    if (status == LAC_OK) status = append_rows(out, "deep/full", at, 60, LAC_STORED_F32);
  }
  if (status == LAC_OK) status = lac_hdf5_writer_commit(out);
  lac_hdf5_writer_close(out);
  return status;
}

static void check_grown(const lac_hdf5 *file, const char *path, const char *name, lac_stored type) {
  static float want[600 * 1000], got[600 * 1000];
  static char bytes[sizeof got];
  lac_hdf5_place place = {0};
  const size_t size = sizeof got / 4 * lac_stored_bytes(type);
  for (size_t i = 0; i < 600 * 1000; i++)
    want[i] = (float)(i % 2048) / 2048;
  check_array(file, name, 2, 600 * 1000, want);
  if (!CHECK_OK(lac_hdf5_locate(&place, file, name))) return;
  CHECK(place.type == type && place.rows == 600 && place.width == 1000);
  const int fd = open(path, O_RDONLY);
  CHECK(fd >= 0 && pread(fd, bytes, size, (off_t)place.offset) == (ssize_t)size);
  if (fd >= 0) close(fd);
  CHECK_OK(lac_stored_convert(got, bytes, type, 600 * 1000, name));
  CHECK(memcmp(got, want, sizeof got) == 0);
}

static void rows_may_be_appended_and_found_again_without_the_library(void) {
  const char *path = check_path("rows.h5");
  lac_hdf5 *file = NULL;
  lac_hdf5_place place;
  if (!CHECK_OK(write_growing(path))) return;
  if (CHECK_OK(lac_hdf5_open(&file, path, true))) {
    check_grown(file, path, "half", LAC_STORED_F16);
    check_grown(file, path, "deep/full", LAC_STORED_F32);
    CHECK_FAILS(lac_hdf5_locate(&place, file, "deep"), "has no dataset 'deep'");
  }
  lac_hdf5_close(file);
  file = NULL;
  CHECK_OK(write_sample(path, true));
  if (CHECK_OK(lac_hdf5_open(&file, path, true))) {
    CHECK_FAILS(lac_hdf5_locate(&place, file, "scalar"), "'scalar' is not rows of float32");
    CHECK_FAILS(lac_hdf5_locate(&place, file, "config"), "'config' is not rows of float32");
    CHECK_FAILS(lac_hdf5_locate(&place, file, "params/core.lstm/w"), "does not lie in one piece");
  }
  lac_hdf5_close(file);
  remove(path);
}

static void appending_mistakes_are_sentences(void) {
  const char *path = check_path("rows.h5");
  lac_hdf5_writer *out = NULL;
  lac_hdf5 *file = NULL;
  float row[] = {1, 70000};
  const lac_array wide = {"half", LAC_F32, 2, {1, 2}, 2, row},
                  flat = {"x", LAC_F32, 1, {2}, 2, row},
                  large = {"large", LAC_F32, 2, {2, 1}, 2, row},
                  small = {"large", LAC_F32, 2, {1, 1}, 1, row};
  CHECK_OK(lac_hdf5_writer_open(&out, path));
  CHECK_OK(append_rows(out, "half", 0, 1, LAC_STORED_F16));
  CHECK_FAILS(lac_hdf5_writer_append(out, &wide, LAC_STORED_F16),
              "rows.h5: 'half' has rows of 1000 numbers, got 2");
  CHECK_FAILS(lac_hdf5_writer_append(out, &flat, LAC_STORED_F32), "'x' takes rows of numbers");
  CHECK_FAILS(lac_hdf5_writer_append(out, &large, LAC_STORED_F16),
              "rows.h5: 'large': value 70000 at element 1 does not fit float16");
  CHECK_OK(lac_hdf5_writer_append(out, &small, LAC_STORED_F16));
  CHECK_OK(lac_hdf5_writer_commit(out));
  lac_hdf5_writer_close(out);
  if (CHECK_OK(lac_hdf5_open(&file, path, true))) check_array(file, "large", 2, 1, row);
  lac_hdf5_close(file);
  remove(path);
}

/* ---- a failing disk ---- */

/* Put /dev/full under the open temporary file: from now on every write says "no space left". */
static bool fill_disk(const char *path) {
  char name[64], target[600], temp[600];
  snprintf(temp, sizeof temp, "%s.tmp-%ld", path, (long)getpid());
  for (int fd = 3; fd < 256; fd++) {
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(name, target, sizeof target - 1);
    if (n < 0) continue;
    target[n] = '\0';
    if (strcmp(target, temp) != 0) continue;
    const int full = open("/dev/full", O_RDWR);
    const bool done = full >= 0 && dup2(full, fd) == fd;
    if (full >= 0) close(full);
    return done;
  }
  return false;
}

static void check_full_disk(bool before_writing) {
  const char *path = check_path("full.h5");
  char temp[600];
  lac_hdf5_writer *out = NULL;
  lac_hdf5 *in = NULL;
  const lac_array x = {"x", LAC_F32, 1, {6}, 6, (void *)six};
  CHECK_OK(write_sample(path, false));
  CHECK_OK(lac_hdf5_writer_open(&out, path));
  if (!before_writing) CHECK_OK(lac_hdf5_writer_array(out, &x, true));
  if (!fill_disk(path))
    printf("skipped: %s: no /dev/full or no /proc\n", check_test);
  else if (before_writing) {
    CHECK_FAILS(lac_hdf5_writer_array(out, &x, false), "full.h5: cannot write 'x': No space left");
    CHECK_FAILS(lac_hdf5_writer_commit(out), "an earlier write failed");
  } else
    CHECK_FAILS(lac_hdf5_writer_commit(out), "full.h5: cannot write: No space left");
  lac_hdf5_writer_close(out);
  snprintf(temp, sizeof temp, "%s.tmp-%ld", path, (long)getpid());
  CHECK(access(temp, F_OK) != 0);
  if (CHECK_OK(lac_hdf5_open(&in, path, true))) CHECK(lac_hdf5_has(in, "scalar"));
  lac_hdf5_close(in);
  remove(path);
}

static void a_full_disk_loses_nothing(void) {
  check_full_disk(true);
  check_full_disk(false);
}

int main(void) {
  RUN(what_is_written_comes_back);
  RUN(two_readers_of_one_file_do_not_meet);
  RUN(failing_allocations_are_reported);
  RUN(equal_contents_give_equal_files);
  RUN(large_arrays_and_texts_are_compressed);
  RUN(writing_mistakes_are_sentences);
  RUN(truncation_and_damage_are_found_before_parsing);
  RUN(other_files_are_refused);
  RUN(foreign_types_are_converted_or_refused);
  RUN(golden_files_open_without_a_checksum);
  RUN(rows_may_be_appended_and_found_again_without_the_library);
  RUN(appending_mistakes_are_sentences);
  RUN(a_full_disk_loses_nothing);
  return check_finish();
}
