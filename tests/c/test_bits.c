/* Masks of one bit per weight, against the generator's words one by one. */
#include "check.h"
#include "sparse/bits.h"

static void *new_zeros(uint64_t count, size_t size) {
  void *p = calloc(count + 1, size);
  if (!p) exit(2);
  return p;
}

/* Whether the draw keeps element e: word j of counter q, the rest with the counter after them. */
static bool is_kept(const lac_bits_plan *plan, lac_rng rng, const float *odds, uint64_t e) {
  const uint64_t part = plan->rows * plan->columns / 4;
  uint32_t words[4];
  rng.counter += e < 4 * part ? e % part : part;
  lac_rng_draw(&rng, words);
  const uint32_t word = words[e < 4 * part ? e / part : e - 4 * part];
  return (float)(word >> 8) * 0x1p-24f * odds[e] < 1.0f;
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

/* Draw in two pieces and order in two pieces, as two workers would. */
static bool draws_rightly(lac_bits_plan plan, lac_rng rng) {
  lac_bits_lay_out(&plan);
  const uint64_t count = plan.rows * plan.columns, blocks = lac_bits_blocks(&plan);
  const uint64_t strips = (plan.rows + 31) / 32;
  float *odds = new_zeros(count, sizeof *odds);
  uint16_t *quarters = new_zeros(lac_bits_words(&plan), sizeof *quarters);
  uint32_t *forward = new_zeros(plan.forward_words, sizeof *forward);
  uint32_t *back = new_zeros(plan.back_words, sizeof *back);
  for (uint64_t i = 0; i < count; i++)
    odds[i] = 1 + (float)(i % 17) / 4;
  lac_bits_draw(&plan, quarters, &rng, odds, blocks / 2, blocks);
  lac_bits_draw(&plan, quarters, &rng, odds, 0, blocks / 2);
  lac_bits_order(&plan, forward, back, quarters, strips / 2, strips);
  lac_bits_order(&plan, forward, back, quarters, 0, strips / 2);
  const bool right = has_bits(&plan, forward, back, rng, odds);
  free(odds);
  free(quarters);
  free(forward);
  free(back);
  return right;
}

static void every_bit_is_the_generators_in_both_orders(void) {
  const lac_rng rng = {0x123456789abcdefu, 0x0370734413198a2eu, 7};
  CHECK(draws_rightly((lac_bits_plan){.rows = 1, .columns = 1, .cuts = 1, .width = {1}}, rng));
  CHECK(draws_rightly((lac_bits_plan){.rows = 3, .columns = 5, .cuts = 2, .width = {1, 4}}, rng));
  CHECK(draws_rightly((lac_bits_plan){.rows = 45, .columns = 77, .cuts = 3, .width = {33, 32, 12}},
                      rng));
  CHECK(draws_rightly((lac_bits_plan){.rows = 128, .columns = 96, .cuts = 2, .width = {64, 32}},
                      rng));
  CHECK(draws_rightly((lac_bits_plan){.rows = 67, .columns = 259, .cuts = 1, .width = {259}}, rng));
}

static void a_counter_may_pass_2_to_the_32_on_the_way(void) {
  const lac_rng rng = {5, 6, UINT32_MAX - 700};
  CHECK(draws_rightly((lac_bits_plan){.rows = 64, .columns = 100, .cuts = 2, .width = {60, 40}},
                      rng));
}

int main(void) {
  RUN(every_bit_is_the_generators_in_both_orders);
  RUN(a_counter_may_pass_2_to_the_32_on_the_way);
  return check_finish();
}
