/* Archives and the conversions of stored elements. */
#include "check.h"

#include "io/archive.h"
#include "io/stored.h"

#include <math.h>

static void arrays_are_found_by_name_and_in_order(void) {
  lac_archive *archive = NULL;
  CHECK_OK(lac_archive_new(&archive, 0));
  for (int i = 0; i < 1000; i++) {
    char name[16];
    lac_array *array = NULL;
    snprintf(name, sizeof name, "t%d", i);
    if (!CHECK_OK(lac_archive_append(archive, &array, name, LAC_I32, 1, (uint64_t[]){2}))) break;
    ((int32_t *)array->data)[1] = i;
  }
  const lac_array *found = lac_archive_find(archive, "t777");
  CHECK(found && ((int32_t *)found->data)[0] == 0 && ((int32_t *)found->data)[1] == 777);
  CHECK(lac_archive_count(archive) == 1000);
  CHECK(strcmp(lac_archive_at(archive, 999)->name, "t999") == 0);
  CHECK(lac_archive_find(archive, "t1000") == NULL);
  lac_archive_release(archive);
}

static void bad_names_and_sizes_are_refused(void) {
  lac_archive *archive = NULL;
  const uint64_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, wraps[] = {1u << 31, 1u << 31, 4};
  CHECK_OK(lac_archive_new(&archive, 1 << 20));
  CHECK_OK(lac_archive_append(archive, NULL, "x", LAC_F32, 0, NULL));
  CHECK_FAILS(lac_archive_append(archive, NULL, "x", LAC_F32, 0, NULL), "'x' appears twice");
  CHECK_FAILS(lac_archive_append(archive, NULL, "a\x1b[31m", LAC_F32, 0, NULL),
              "control character");
  CHECK_FAILS(lac_archive_append(archive, NULL, "y", LAC_F32, 9, nine), "9 dimensions");
  CHECK_FAILS(lac_archive_append(archive, NULL, "y", LAC_F32, 3, wraps), "too large");
  CHECK_FAILS(lac_archive_append(archive, NULL, "y", LAC_F32, 1, (uint64_t[]){1 << 18}), "limit");
  CHECK_OK(lac_archive_append(archive, NULL, "y", LAC_F32, 1, (uint64_t[]){200000}));
  CHECK_FAILS(lac_archive_append(archive, NULL, "z", LAC_F32, 1, (uint64_t[]){200000}), "limit");
  CHECK(lac_archive_count(archive) == 2);
  lac_archive_release(archive);
}

/* The value of a binary16, straight from its definition. */
static double half_value(uint16_t h) {
  const int exponent = h >> 10 & 31, fraction = h & 1023;
  const double sign = h & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * ldexp(fraction, -24);
  return sign * ldexp(1024 + fraction, exponent - 25);
}

static void all_halves_are_exact(void) {
  int wrong = 0;
  for (uint32_t i = 0; i < 65536; i++) {
    const uint16_t h = (uint16_t)i;
    const double right = half_value(h);
    float got = 0;
    lac_stored_convert(&got, &h, LAC_STORED_F16, 1, "h");
    wrong += isnan(right) ? !isnan(got) : (double)got != right || !signbit(got) != !signbit(right);
  }
  CHECK(wrong == 0);
}

static void unaligned_elements_are_read(void) {
  unsigned char bytes[25];
  const int64_t longs[] = {-5, 1 << 30, 7};
  int32_t ints[3];
  memcpy(bytes + 1, longs, sizeof longs);
  CHECK_OK(lac_stored_convert(ints, bytes + 1, LAC_STORED_I64, 3, "x"));
  CHECK(ints[0] == -5 && ints[1] == 1 << 30 && ints[2] == 7);
}

static void special_doubles_stay_and_large_ones_are_refused(void) {
  float out[2];
  CHECK_OK(lac_stored_convert(out, (double[]){INFINITY, NAN}, LAC_STORED_F64, 2, "x"));
  CHECK(isinf(out[0]) && isnan(out[1]));
  CHECK_FAILS(lac_stored_convert(out, (double[]){0, -1e39}, LAC_STORED_F64, 2, "x"),
              "'x': value -1e+39 at element 1");
}

static void gathering_follows_the_strides(void) {
  const int32_t in[] = {0, 1, 2, 3, 4, 5, 6, 7};
  int32_t out[8] = {0};
  static const int32_t right[] = {0, 4, 2, 6, 1, 5, 3, 7};
  lac_stored_gather(out, in, 4, 3, (uint64_t[]){2, 2, 2}, (uint64_t[]){1, 2, 4});
  CHECK(memcmp(out, right, sizeof right) == 0);
  lac_stored_gather(out, in + 3, 4, 0, NULL, NULL);
  CHECK(out[0] == 3 && out[1] == 4);
  lac_stored_gather(out, in, 4, 2, (uint64_t[]){3, 0}, (uint64_t[]){1, 1}); // copies nothing
  CHECK(out[0] == 3);
}

int main(void) {
  RUN(arrays_are_found_by_name_and_in_order);
  RUN(bad_names_and_sizes_are_refused);
  RUN(all_halves_are_exact);
  RUN(unaligned_elements_are_read);
  RUN(special_doubles_stay_and_large_ones_are_refused);
  RUN(gathering_follows_the_strides);
  return check_finish();
}
