/* binary16: both directions, and the wide path against the plain one. */
#include "check.h"

#include "io/stored.h"

#include <math.h>

static void every_half_comes_back_and_both_paths_agree(void) {
  static uint16_t halves[65536], again[65536];
  static float floats[65536];
  bool same = true, right = true;
  for (uint32_t h = 0; h < 65536; h++)
    halves[h] = (uint16_t)h;
  CHECK_OK(lac_stored_convert(floats, halves, LAC_STORED_F16, 65536, "x"));
  for (uint32_t h = 0; h < 65536; h++) { // one element is too few for the wide path
    float one;
    CHECK_OK(lac_stored_convert(&one, &halves[h], LAC_STORED_F16, 1, "x"));
    same &= one == floats[h] || (isnan(one) && isnan(floats[h]));
  }
  CHECK(same);
  CHECK_OK(lac_stored_narrow_half(again, floats, 65536, "x"));
  for (uint32_t h = 0; h < 65536; h++)
    right &= again[h] == halves[h] || (isnan(floats[h]) && (again[h] & 0x7fff) > 0x7c00);
  CHECK(right);
}

static void known_halves_are_right(void) {
  static const uint16_t halves[] = {0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x3555, 0x7c00, 0x8000};
  static const float want[] = {1, -2, 65504, 0x1p-14f, 0x1p-24f, 0x1.554p-2f, INFINITY, -0.0f};
  float got[8];
  CHECK_OK(lac_stored_convert(got, halves, LAC_STORED_F16, 8, "x"));
  CHECK(memcmp(got, want, sizeof want) == 0);
}

static uint16_t narrow(float v) {
  uint16_t h = 0;
  CHECK_OK(lac_stored_narrow_half(&h, &v, 1, "x"));
  return h;
}

static void halves_are_rounded_to_the_nearest_and_ties_to_even(void) {
  CHECK(narrow(1 + 0x1p-11f) == 0x3c00 && narrow(1 + 3 * 0x1p-11f) == 0x3c02);
  CHECK(narrow(1 + 0x1.01p-11f) == 0x3c01 && narrow(-1 - 0x1.01p-11f) == 0xbc01);
  CHECK(narrow(2 - 0x1p-12f) == 0x4000);       // carries into the exponent
  CHECK(narrow(0x1p-14f - 0x1p-26f) == 0x400); // into the normal numbers
  CHECK(narrow(0x1p-25f) == 0 && narrow(0x1.8p-24f) == 2 && narrow(0x1.4p-25f) == 1);
  CHECK(narrow(65519.99f) == 0x7bff && narrow(-INFINITY) == 0xfc00);
  CHECK((narrow(NAN) & 0x7fff) > 0x7c00);
}

static void what_would_become_infinite_is_refused(void) {
  const float values[] = {1, -65520};
  uint16_t halves[2];
  CHECK_FAILS(lac_stored_narrow_half(halves, values, 2, "w"),
              "'w': value -65520 at element 1 does not fit float16");
}

int main(void) {
  RUN(every_half_comes_back_and_both_paths_agree);
  RUN(known_halves_are_right);
  RUN(halves_are_rounded_to_the_nearest_and_ties_to_even);
  RUN(what_would_become_infinite_is_refused);
  return check_finish();
}
