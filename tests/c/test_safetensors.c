/* safetensors: a round trip through a file, and headers that lie. */
#include "check.h"

#include "bytes.h"
#include "core/memory.h"
#include "io/safetensors.h"

static bytes file_of(const char *header, const void *data, size_t size) {
  bytes b = {0};
  const uint64_t length = strlen(header);
  put(&b, &length, 8);
  put(&b, header, (size_t)length);
  put(&b, data, size);
  return b;
}

static lac_status parse(lac_archive **out, bytes b) {
  const lac_status status = lac_safetensors_parse(out, b.at, b.size, "x.safetensors");
  drop(&b);
  return status;
}

static void what_is_written_comes_back(void) {
  lac_archive *out = NULL, *in = NULL;
  lac_array *w, *ids;
  const char *path = check_path("x.safetensors");
  CHECK_OK(lac_archive_new(&out, 0));
  CHECK_OK(lac_archive_append(out, &w, "a.\"w\" \xc3\xa9", LAC_F32, 2, (uint64_t[]){2, 3}));
  CHECK_OK(lac_archive_append(out, &ids, "ids", LAC_I32, 0, NULL));
  CHECK_OK(lac_archive_append(out, NULL, "none", LAC_F32, 2, (uint64_t[]){0, 4}));
  for (int i = 0; i < 6; i++)
    ((float *)w->data)[i] = (float)i / 3;
  *(int32_t *)ids->data = -9;
  CHECK_OK(lac_safetensors_write(out, path));
  if (CHECK_OK(lac_safetensors_read(&in, path))) {
    const lac_array *x = lac_archive_find(in, w->name), *n = lac_archive_find(in, "ids");
    CHECK(lac_archive_count(in) == 3);
    CHECK(x && x->rank == 2 && x->dims[1] == 3 && memcmp(x->data, w->data, 24) == 0);
    CHECK(n && n->rank == 0 && n->dtype == LAC_I32 && *(int32_t *)n->data == -9);
  }
  remove(path);
  lac_archive_release(out);
  lac_archive_release(in);
}

static void a_file_that_cannot_be_written_is_named(void) {
  lac_archive *out = NULL;
  CHECK_OK(lac_archive_new(&out, 0));
  CHECK_FAILS(lac_safetensors_write(out, check_path("no/such/x.st")),
              "x.st: cannot create: No such");
  CHECK_OK(lac_archive_append(out, NULL, "\xff", LAC_F32, 0, NULL));
  CHECK_FAILS(lac_safetensors_write(out, check_path("x.st")), "not a name in UTF-8");
  CHECK(access(check_path("x.st"), F_OK) != 0);
  lac_archive_release(out);
}

static void other_types_are_converted(void) {
  lac_archive *a = NULL;
  const unsigned char data[] = {0, 0x3e, 0xc0, 0x3f, 0xfe, 0xff, 7};
  if (CHECK_OK(parse(&a, file_of("{\"h\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[0,2]},"
                                 "\"b\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[2,4]},"
                                 "\"s\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[4,6]},"
                                 "\"__metadata__\":{\"format\":\"pt\"},"
                                 "\"u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[6,7]}}",
                                 data, 7)))) {
    CHECK(*(float *)lac_archive_find(a, "h")->data == 1.5f);
    CHECK(*(float *)lac_archive_find(a, "b")->data == 1.5f);
    CHECK(*(int32_t *)lac_archive_find(a, "s")->data == -2);
    CHECK(*(int32_t *)lac_archive_find(a, "u")->data == 7);
  }
  lac_archive_release(a);
}

static void headers_that_lie_are_refused(void) {
  static const struct {
    const char *header, *words;
  } cases[] = {
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}", "lies outside"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", "shape needs 12"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "follows a gap"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "4 bytes follow"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
       "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
       "overlaps"},
      {"{\"a\":{\"dtype\":\"F99\",\"shape\":[2],\"data_offsets\":[0,8]}}",
       "'F99' is not supported"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "numbers >= 0"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}",
       "too large"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "lies outside"},
      {"{\"a\":3}", "not described"},
      {"{\"a\":", "header is damaged"},
      {"[]", "does not start with a header"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    lac_archive *a = NULL;
    CHECK_FAILS(parse(&a, file_of(cases[i].header, "12345678", 8)), cases[i].words);
    CHECK(strncmp(lac_message(), "x.safetensors: ", 15) == 0 && a == NULL);
  }
}

static void damage_ends_in_a_sentence(void) {
  bytes whole =
      file_of("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "12345678", 8);
  uint32_t seed = 5;
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

static void failing_allocations_are_reported(void) {
  lac_status status = LAC_ENOMEM;
  const char *path = check_path("mem.st");
  lac_archive *out = NULL;
  CHECK_OK(lac_archive_new(&out, 0));
  CHECK_OK(lac_archive_append(out, NULL, "x", LAC_F32, 1, (uint64_t[]){3}));
  for (uint64_t n = 1; status != LAC_OK && lac_fault_set(n); n++) {
    lac_archive *in = NULL;
    status = lac_safetensors_write(out, path);
    if (status == LAC_OK) status = lac_safetensors_read(&in, path);
    if (status != LAC_OK && !CHECK(status == LAC_ENOMEM && in == NULL)) break;
    lac_archive_release(in);
  }
  lac_fault_set(0);
  lac_archive_release(out);
  remove(path);
}

int main(void) {
  RUN(what_is_written_comes_back);
  RUN(a_file_that_cannot_be_written_is_named);
  RUN(other_types_are_converted);
  RUN(headers_that_lie_are_refused);
  RUN(failing_allocations_are_reported);
  RUN(damage_ends_in_a_sentence);
  return check_finish();
}
