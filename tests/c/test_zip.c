/* ZIP archives: what is inside, and what damage or malice must lead to. */
#include "check.h"

#include "bytes.h"
#include "io/zip.h"

static char text[5000]; // compresses well

static bytes sample(bool deflate) {
  const member members[] = {{"a.txt", "hello", 5}, {"d/long", text, sizeof text}, {"empty", "", 0}};
  memset(text, 'x', sizeof text);
  return make_zip(members, 3, deflate);
}

static lac_status read_named(const bytes *b, const char *name, uint64_t limit, void **out,
                             size_t *size) {
  lac_zip *zip = NULL;
  size_t index;
  LAC_TRY(lac_zip_open_memory(&zip, b->at, b->size, "z.zip"));
  lac_status status = LAC_OK;
  if (!lac_zip_find(zip, &index, name))
    status = lac_fail(LAC_EIO, "z.zip: no %s", name);
  else
    status = lac_zip_read(zip, index, out, size, limit);
  lac_zip_close(zip);
  return status;
}

/* Read every entry; thrown away. */
static lac_status read_all(const bytes *b) {
  lac_zip *zip = NULL;
  LAC_TRY(lac_zip_open_memory(&zip, b->at, b->size, "z.zip"));
  lac_status status = LAC_OK;
  for (size_t i = 0; status == LAC_OK && i < lac_zip_count(zip); i++) {
    void *data = NULL;
    size_t size;
    status = lac_zip_read(zip, i, &data, &size, 1 << 20);
    free(data);
  }
  lac_zip_close(zip);
  return status;
}

static void stored_and_deflated_entries_are_read(void) {
  for (int deflate = 0; deflate < 2; deflate++) {
    bytes b = sample(deflate);
    void *data = NULL;
    size_t size = 0;
    if (CHECK_OK(read_named(&b, "d/long", 1 << 20, &data, &size)))
      CHECK(size == sizeof text && memcmp(data, text, size) == 0);
    free(data);
    data = NULL;
    if (CHECK_OK(read_named(&b, "empty", 0, &data, &size))) CHECK(size == 0);
    free(data);
    drop(&b);
  }
}

static void names_are_listed_in_order(void) {
  bytes b = sample(true);
  lac_zip *zip = NULL;
  if (CHECK_OK(lac_zip_open_memory(&zip, b.at, b.size, "z.zip"))) {
    CHECK(lac_zip_count(zip) == 3);
    CHECK(strcmp(lac_zip_name(zip, 1), "d/long") == 0);
  }
  lac_zip_close(zip);
  drop(&b);
}

static void an_entry_over_the_limit_is_refused(void) {
  bytes b = sample(true);
  void *data = NULL;
  size_t size;
  CHECK_FAILS(read_named(&b, "d/long", 4999, &data, &size),
              "z.zip: entry 'd/long' declares 5000 bytes, at most 4999");
  drop(&b);
}

/* Overwrite the size that the directory declares for the entry of 5000 bytes. */
static void declare(bytes *b, uint32_t size) {
  for (size_t i = 0; i + 46 < b->size; i++)
    if (memcmp(b->at + i, "PK\x01\x02", 4) == 0 && memcmp(b->at + i + 46, "d/long", 6) == 0)
      memcpy(b->at + i + 24, &size, 4);
}

static void a_size_that_cannot_be_true_is_refused(void) {
  bytes b = sample(true);
  void *data = NULL;
  size_t size;
  declare(&b, 1u << 30);
  CHECK_FAILS(read_named(&b, "d/long", UINT64_MAX, &data, &size), "more than its");
  declare(&b, 4000);
  CHECK_FAILS(read_named(&b, "d/long", UINT64_MAX, &data, &size), "longer than the 4000 bytes");
  declare(&b, 6000);
  CHECK_FAILS(read_named(&b, "d/long", UINT64_MAX, &data, &size), "'d/long'");
  drop(&b);
}

static void a_flipped_byte_is_a_checksum_error(void) {
  bytes b = sample(false);
  unsigned char *at = memchr(b.at, 'x', b.size);
  void *data = NULL;
  size_t size;
  if (CHECK(at != NULL)) at[100] ^= 1;
  CHECK_FAILS(read_named(&b, "d/long", 1 << 20, &data, &size), "CRC error");
  drop(&b);
}

static void truncation_and_noise_end_in_a_sentence(void) {
  bytes b = sample(true);
  uint32_t seed = 1;
  int accepted = 0;
  for (size_t n = 0; n < b.size; n++) {
    bytes prefix = {0};
    put(&prefix, b.at, n);
    accepted += read_all(&prefix) == LAC_OK || strncmp(lac_message(), "z.zip: ", 7) != 0;
    drop(&prefix);
  }
  CHECK(accepted == 0);
  for (int i = 0; i < 3000; i++) {
    bytes copy = {0};
    put(&copy, b.at, b.size);
    copy.at[check_random(&seed) % copy.size] = (unsigned char)check_random(&seed);
    read_all(&copy);
    drop(&copy);
  }
  drop(&b);
}

static void missing_files_are_named(void) {
  lac_zip *zip = NULL;
  CHECK_FAILS(lac_zip_open(&zip, check_path("none.zip")), "none.zip: cannot open: No such file");
  CHECK(zip == NULL);
}

int main(void) {
  RUN(stored_and_deflated_entries_are_read);
  RUN(names_are_listed_in_order);
  RUN(an_entry_over_the_limit_is_refused);
  RUN(a_size_that_cannot_be_true_is_refused);
  RUN(a_flipped_byte_is_a_checksum_error);
  RUN(truncation_and_noise_end_in_a_sentence);
  RUN(missing_files_are_named);
  return check_finish();
}
