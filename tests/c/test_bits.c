/* Masks of one bit per weight, against the generator's words one by one. */
#include "check.h"
#include "sparse/bits.h"

#include <math.h>

static void *new_zeros(uint64_t count, size_t size) {
  void *p = calloc(count + 1, size);
  if (!p) exit(2);
  return p;
}

/* u of element e in 2^-24: upper bits from half e % 2 of word j of a counter, lower ones from that
 * of a later counter; the rest a word each behind them. */
static uint32_t number_of(const lac_bits_plan *plan, lac_rng rng, uint64_t e) {
  const uint64_t counters = plan->rows * plan->columns / 8, part = 2 * counters, i = e - 4 * part;
  const uint64_t shift = 16 * (e % 2);
  lac_rng later = rng;
  uint32_t upper[4], lower[4];
  if (e >= 4 * part) {
    rng.counter += 2 * counters + i / 4;
    lac_rng_draw(&rng, upper);
    return upper[i % 4] >> 8;
  }
  rng.counter += e % part / 2;
  later.counter += counters + e % part / 2;
  lac_rng_draw(&rng, upper);
  lac_rng_draw(&later, lower);
  return (upper[e / part] >> shift & 0xFFFF) << 8 | (lower[e / part] >> shift & 0xFFFF) >> 8;
}

static bool is_kept(const lac_bits_plan *plan, lac_rng rng, const float *odds, uint64_t e) {
  return (float)number_of(plan, rng, e) * 0x1p-24f * odds[e] < 1.0f;
}

/* Both orders have the right bit for every element of every range. */
static bool has_bits(const lac_bits_plan *plan, const uint32_t *forward, const uint32_t *back,
                     lac_rng rng, const float *odds) {
  for (uint32_t cut = 0; cut < plan->cuts; cut++)
    for (uint64_t row = 0; row < plan->rows; row++)
      for (uint64_t c = 0; c < plan->width[cut]; c++) {
        const bool kept = is_kept(plan, rng, odds, row * plan->columns + plan->start[cut] + c);
        const uint64_t f = plan->forward[cut] + row / 32 * plan->width[cut] + c;
        const uint64_t b = plan->back[cut] + c / 32 * plan->rows + row;
        if ((forward[f] >> row % 32 & 1) != kept || (back[b] >> c % 32 & 1) != kept) return false;
      }
  return true;
}

/* Draw in two pieces and order in two pieces, as two workers would. With `close` the upper bits
 * alone decide no element. */
static bool draws_rightly(lac_bits_plan plan, lac_rng rng, bool close) {
  lac_bits_lay_out(&plan);
  const uint64_t count = plan.rows * plan.columns, blocks = lac_bits_blocks(&plan);
  const uint64_t strips = (plan.rows + 31) / 32;
  float *odds = new_zeros(count, sizeof *odds);
  uint16_t *limits = new_zeros(count, sizeof *limits);
  uint16_t *quarters = new_zeros(lac_bits_words(&plan), sizeof *quarters);
  uint32_t *forward = new_zeros(plan.forward_words, sizeof *forward);
  uint32_t *back = new_zeros(plan.back_words, sizeof *back);
  for (uint64_t i = 0; i < count; i++)
    odds[i] = close ? 0x1p24f / (float)(number_of(&plan, rng, i) / 256 * 256 + i % 256)
                    : 1 + (float)(i % 17) / 4;
  lac_bits_limits(limits, odds, count);
  lac_bits_draw(&plan, quarters, &rng, odds, limits, blocks / 2, blocks);
  lac_bits_draw(&plan, quarters, &rng, odds, limits, 0, blocks / 2);
  lac_bits_order(&plan, forward, back, quarters, strips / 2, strips);
  lac_bits_order(&plan, forward, back, quarters, 0, strips / 2);
  const bool right = has_bits(&plan, forward, back, rng, odds);
  free(odds);
  free(limits);
  free(quarters);
  free(forward);
  free(back);
  return right;
}

static bool draws_all_sizes(lac_rng rng, bool close) {
  return draws_rightly((lac_bits_plan){.rows = 1, .columns = 1, .cuts = 1, .width = {1}}, rng,
                       close) &&
         draws_rightly((lac_bits_plan){.rows = 3, .columns = 5, .cuts = 2, .width = {1, 4}}, rng,
                       close) &&
         draws_rightly((lac_bits_plan){.rows = 45, .columns = 77, .cuts = 3, .width = {33, 32, 12}},
                       rng, close) &&
         draws_rightly((lac_bits_plan){.rows = 128, .columns = 96, .cuts = 2, .width = {64, 32}},
                       rng, close) &&
         draws_rightly((lac_bits_plan){.rows = 67, .columns = 259, .cuts = 1, .width = {259}}, rng,
                       close);
}

static void every_bit_is_the_generators_in_both_orders(void) {
  const lac_rng rng = {0x123456789abcdefu, 0x0370734413198a2eu, 7};
  CHECK(draws_all_sizes(rng, false));
}

static void lower_bits_decide_where_the_upper_do_not(void) {
  const lac_rng rng = {3, 0x8000000000000001u, 11};
  CHECK(draws_all_sizes(rng, true));
}

static void a_counter_may_pass_2_to_the_32_on_the_way(void) {
  const lac_rng rng = {5, 6, UINT32_MAX - 700};
  CHECK(draws_rightly((lac_bits_plan){.rows = 64, .columns = 100, .cuts = 2, .width = {60, 40}},
                      rng, false));
}

/* The first half of which not all numbers are kept; 65535 where all are. */
static uint16_t limit_by_trying(float odds) {
  uint32_t k = 0;
  while (k < 65535 && (float)(256 * k + 255) * odds < 0x1p24f)
    k++;
  return (uint16_t)k;
}

static void limits_part_what_upper_bits_decide(void) {
  enum { COUNT = 2039 };
  float odds[COUNT];
  uint16_t limits[COUNT];
  bool right = true;
  for (uint32_t i = 0; i < COUNT; i++) // next to a half, and anything
    odds[i] = i % 2 ? 0x1p24f / (float)(256 * (32 * i + 7) + i % 5 - 2) : expf((float)i / 50);
  odds[0] = 1;
  odds[2] = NAN;
  odds[4] = INFINITY;
  odds[6] = 1 + 0x1p-23f;
  lac_bits_limits(limits, odds, COUNT);
  for (uint32_t i = 0; i < COUNT; i++)
    right = right && limits[i] == limit_by_trying(odds[i]);
  CHECK(right);
}

int main(void) {
  RUN(every_bit_is_the_generators_in_both_orders);
  RUN(lower_bits_decide_where_the_upper_do_not);
  RUN(a_counter_may_pass_2_to_the_32_on_the_way);
  RUN(limits_part_what_upper_bits_decide);
  return check_finish();
}
