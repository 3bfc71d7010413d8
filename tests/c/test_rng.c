/* Philox against the answers that its authors publish with Random123 (kat_vectors, philox 4x32-10).
 */
#include "check.h"

#include "core/rng.h"

static void known_answers_are_given(void) {
  static const struct {
    uint32_t counter[4], key[2], out[4];
  } cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint32_t out[4];
    lac_philox(out, cases[i].counter, cases[i].key);
    CHECK(memcmp(out, cases[i].out, sizeof out) == 0);
  }
}

static void seed_is_the_key_and_stream_the_upper_counter(void) {
  lac_rng rng = {0x299f31d0a4093822u, 0x0370734413198a2eu, 0x85a308d3243f6a88u};
  uint32_t out[4];
  lac_rng_draw(&rng, out);
  CHECK(out[0] == 0xd16cfe09 && out[3] == 0x24126ea1);
  CHECK(rng.counter == 0x85a308d3243f6a89u);
}

static void below_stays_below_also_near_the_largest_range(void) {
  lac_rng rng = {1, 2, 3};
  const uint64_t huge = (UINT64_MAX / 3) * 2 + 1; // a third of all draws has to be drawn again
  for (int i = 0; i < 100; i++)
    CHECK(lac_rng_below(&rng, huge) < huge);
  CHECK(rng.counter > 103);
  CHECK(lac_rng_below(&rng, 1) == 0 && lac_rng_below(&rng, 0) == 0);
}

int main(void) {
  RUN(known_answers_are_given);
  RUN(seed_is_the_key_and_stream_the_upper_counter);
  RUN(below_stays_below_also_near_the_largest_range);
  return check_finish();
}
