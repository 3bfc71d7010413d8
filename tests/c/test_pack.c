/* Packed tensors: what comes back, how many bytes it takes, and bytes that lie. */
#include "check.h"

#include "bytes.h"
#include "core/memory.h"
#include "io/pack.h"
#include "io/stored.h"

#include <math.h>

/* A tensor of `count` elements, each non-zero with probability keep / 65536. */
static float *make_random(uint64_t count, unsigned keep, uint32_t seed) {
  float *x = calloc(count + 1, sizeof *x);
  if (!x) exit(2);
  for (uint64_t i = 0; i < count; i++)
    if (check_random(&seed) % 65536 < keep) {
      const float a = (float)(check_random(&seed) % 65536) - 32767.5f;
      x[i] = a / 65536 + ((float)(check_random(&seed) % 65536) - 32767.5f) / 131072;
      if (x[i] == 0) x[i] = 1;
    }
  return x;
}

static uint64_t count_nonzeros(const float *x, uint64_t count) {
  uint64_t n = 0;
  for (uint64_t i = 0; i < count; i++)
    n += x[i] != 0;
  return n;
}

/* Encode and decode; the caller frees *out. The size, 0 after a failure. */
static size_t round_trip(float **out, const float *x, uint64_t count, lac_pack_values values) {
  void *bytes_ = NULL;
  size_t size = 0;
  *out = calloc(count + 1, sizeof **out);
  if (!*out) exit(2);
  if (!CHECK_OK(lac_pack_encode(&bytes_, &size, x, count, values, "x"))) return 0;
  CHECK_OK(lac_pack_decode(*out, count, bytes_, size, "x"));
  free(bytes_);
  return size;
}

static void float32_is_bit_identical(void) {
  static const unsigned keeps[] = {0, 1, 300, 6554, 32768, 65535, 65536};
  for (size_t k = 0; k < sizeof keeps / sizeof *keeps; k++)
    for (uint64_t count = 0; count < 3000; count = count * 3 + 1) {
      float *x = make_random(count, keeps[k], 7), *y;
      round_trip(&y, x, count, LAC_PACK_FLOAT32);
      CHECK(memcmp(x, y, count * sizeof *x) == 0);
      free(x);
      free(y);
    }
}

static void unusual_floats_are_values_like_others(void) {
  static const uint32_t odd[] = {0x80000000, 0x7fc00000, 0x7f800001, 0xffffffff, 0x7f800000,
                                 0xff800000, 1,          0x80000001, 0x007fffff, 0x7f7fffff,
                                 0,          0x80000000, 0,          0x3f800000};
  float x[14], *y;
  memcpy(x, odd, sizeof x);
  round_trip(&y, x, 14, LAC_PACK_FLOAT32);
  CHECK(memcmp(x, y, sizeof x) == 0);
  free(y);
}

static void negative_zeros_cost_next_to_nothing(void) {
  enum { N = 8000 };
  float *x = calloc(N, sizeof *x), *y;
  if (!x) exit(2);
  for (int i = 0; i < N; i++)
    x[i] = -0.0f;
  CHECK(round_trip(&y, x, N, LAC_PACK_FLOAT32) < 200);
  CHECK(memcmp(x, y, N * sizeof *x) == 0);
  free(x);
  free(y);
}

static void float16_is_the_nearest(void) {
  enum { N = 20000 };
  float *x = make_random(N, 6000, 5), *y;
  x[3] = NAN;
  x[4] = -INFINITY;
  x[5] = -0.0f;
  x[6] = 1e-9f;
  x[7] = 65504;
  x[8] = 3e-6f;
  round_trip(&y, x, N, LAC_PACK_FLOAT16);
  CHECK(isnan(y[3]) && y[4] == -INFINITY && y[5] == 0 && !signbit(y[5]) && y[6] == 0);
  CHECK(y[7] == 65504 && fabsf(y[8] - x[8]) <= 0.5f / 16777216);
  int wrong = 0;
  for (int i = 9; i < N; i++) { // 11 significant bits, or multiples of 2^-24
    const float bound = fmaxf(fabsf(x[i]) / 2048, 0.5f / 16777216);
    wrong += !(fabsf(y[i] - x[i]) <= bound);
  }
  CHECK(wrong == 0);
  free(x);
  free(y);
}

static void halves_round_ties_to_even(void) {
  static const struct {
    float x;
    unsigned half;
  } cases[] = {{1, 0x3c00},
               {1 + 1.0f / 2048, 0x3c00},
               {1 + 3.0f / 2048, 0x3c02},
               {-2, 0xc000},
               {65519.996f, 0x7bff},
               {65520, 0x7c00},
               {5.9604645e-8f, 1},
               {2.9802322e-8f, 0},
               {2.98023259e-8f, 1},
               {-8.940697e-8f, 0x8002},
               {6.1035156e-5f, 0x0400},
               {6.1005354e-5f, 0x0400},
               {6.0975552e-5f, 0x03ff},
               {4094.5f, 0x6bff},
               {4095, 0x6c00},
               {4095.5f, 0x6c00}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    if (!CHECK(lac_stored_to_half(cases[i].x) == cases[i].half))
      printf("  of %.9g: %04x\n", (double)cases[i].x, lac_stored_to_half(cases[i].x));
  for (unsigned h = 0; h < 65536; h++) { // every half is its own nearest
    const uint16_t half = (uint16_t)h;
    float x;
    CHECK_OK(lac_stored_convert(&x, &half, LAC_STORED_F16, 1, "h"));
    const bool same =
        isnan(x) ? (lac_stored_to_half(x) & 0x7fff) > 0x7c00 : lac_stored_to_half(x) == half;
    if (!same) CHECK(same);
  }
}

static void int8_keeps_half_a_step_of_each_run(void) {
  enum { N = 40000 };
  float *x = make_random(N, 3000, 9), *y;
  for (int i = N / 2; i < N; i++)
    x[i] *= 1000; // other runs have other scales
  round_trip(&y, x, N, LAC_PACK_INT8);
  int index = 0, wrong = 0;
  float largest = 0;
  for (int i = 0; i < N; i++) {
    if (x[i] == 0) {
      wrong += y[i] != 0;
      continue;
    }
    if (index++ % LAC_PACK_RUN == 0) {
      largest = 0;
      for (int k = i, met = 0; k < N && met < LAC_PACK_RUN; k++) {
        largest = fmaxf(largest, fabsf(x[k]));
        met += x[k] != 0;
      }
    }
    wrong += !(fabsf(y[i] - x[i]) <= largest / 254 * 1.0001f);
  }
  CHECK(index > 1000 && wrong == 0);
  free(x);
  free(y);
}

static void masks_cost_their_positions_only(void) {
  enum { N = 1 << 20 };
  float *x = make_random(N, 1638, 11), *y; // 2.5 %
  for (int i = 0; i < N; i++)
    x[i] = x[i] != 0;
  const size_t size = round_trip(&y, x, N, LAC_PACK_ONES);
  CHECK(memcmp(x, y, N * sizeof *x) == 0);
  CHECK((double)size <= 0.87 * (double)count_nonzeros(x, N));
  free(x);
  free(y);
}

/* n H(k / n) / 8 bytes are the least that random positions can take. */
static void positions_are_within_two_percent_of_the_bound(void) {
  static const double sparsities[] = {0.5, 0.9, 0.95, 0.975, 0.99, 0.999};
  enum { N = 2000000 };
  for (size_t i = 0; i < sizeof sparsities / sizeof *sparsities; i++) {
    const double s = sparsities[i];
    float *x = make_random(N, (unsigned)lround(65536 * (1 - s)), 13), *y;
    for (int k = 0; k < N; k++)
      x[k] = x[k] != 0;
    const double kept = (double)count_nonzeros(x, N), p = kept / N;
    const double bound = -N * (p * log2(p) + (1 - p) * log2(1 - p)) / 8;
    const double size = (double)round_trip(&y, x, N, LAC_PACK_ONES);
    if (getenv("LACUNA_SHOW"))
      printf("%.1f %%: %.4f bytes per position, bound %.4f\n", 100 * s, size / kept, bound / kept);
    CHECK(size >= bound && size <= 1.02 * bound + 100);
    free(x);
    free(y);
  }
}

static void values_that_do_not_fit_are_named(void) {
  float x[] = {0, 1, 70000};
  void *bytes_ = NULL;
  size_t size;
  CHECK_FAILS(lac_pack_encode(&bytes_, &size, x, 3, LAC_PACK_FLOAT16, "a.w"),
              "'a.w': value 70000 at element 2 does not fit float16");
  CHECK_FAILS(lac_pack_encode(&bytes_, &size, x, 3, LAC_PACK_ONES, "a.w"),
              "value 70000 at element 2 is neither 0 nor 1");
  x[1] = NAN;
  CHECK_FAILS(lac_pack_encode(&bytes_, &size, x, 3, LAC_PACK_INT8, "a.w"),
              "value nan at element 1 cannot be an int8");
  CHECK(bytes_ == NULL);
}

/* ---- damage ---- */

static void seal(unsigned char *at, size_t size) {
  uint32_t crc = UINT32_MAX; // CRC-32 of ISO 3309, bit by bit
  for (size_t i = 0; i < size - 4; i++) {
    crc ^= at[i];
    for (int k = 0; k < 8; k++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  crc = ~crc;
  memcpy(at + size - 4, &crc, 4);
}

/* Decode a copy that ends where its memory ends, into a tensor that does too. */
static lac_status decode_copy(const unsigned char *at, size_t size, uint64_t count, bool sealed) {
  unsigned char *copy = malloc(size ? size : 1);
  float *y = malloc(count * sizeof *y + (count == 0));
  if (!copy || !y) exit(2);
  if (size) memcpy(copy, at, size);
  if (sealed && size >= 4) seal(copy, size);
  const lac_status status = lac_pack_decode(y, count, copy, size, "x");
  free(copy);
  free(y);
  return status;
}

static void damage_is_always_found(void) {
  for (int kind = LAC_PACK_FLOAT32; kind <= LAC_PACK_INT8; kind++) {
    enum { N = 700 };
    float *x = make_random(N, 9000, 17);
    unsigned char *at = NULL;
    size_t size = 0;
    int accepted = 0;
    if (!CHECK_OK(lac_pack_encode((void **)&at, &size, x, N, (lac_pack_values)kind, "x"))) return;
    CHECK_OK(decode_copy(at, size, N, false));
    for (size_t n = 0; n < size; n++)
      accepted += decode_copy(at, n, N, false) == LAC_OK;
    for (size_t i = 0; i < size; i++) {
      at[i] ^= 0x10;
      accepted += decode_copy(at, size, N, false) == LAC_OK;
      at[i] ^= 0x10;
    }
    CHECK(accepted == 0);
    CHECK_FAILS(decode_copy(at, size, N + 1, false), "hold 700 elements, not 701");
    free(at);
    free(x);
  }
}

/* With a right checksum the decoder is on its own: no position may leave the tensor. */
static void bytes_made_to_pass_the_checksum_do_no_harm(void) {
  uint32_t seed = 19;
  int refused = 0, tried = 0;
  for (int kind = LAC_PACK_FLOAT32; kind <= LAC_PACK_ONES; kind++) {
    enum { N = 300 };
    float *x = make_random(N, 9000, 23);
    unsigned char *at = NULL;
    size_t size = 0;
    for (int i = 0; i < N; i++)
      if (kind == LAC_PACK_ONES) x[i] = x[i] != 0;
    if (!CHECK_OK(lac_pack_encode((void **)&at, &size, x, N, (lac_pack_values)kind, "x"))) return;
    for (size_t n = 0; n < size; n++, tried++)
      refused += decode_copy(at, n, N, true) != LAC_OK;
    for (int i = 0; i < 4000; i++, tried++) {
      unsigned char *copy = malloc(size);
      if (!copy) exit(2);
      memcpy(copy, at, size);
      for (uint32_t n = check_random(&seed) % 4; n < 4; n++) {
        const uint32_t where = check_random(&seed) % (i % 2 ? 12 : (uint32_t)size);
        copy[where] = (unsigned char)check_random(&seed);
      }
      refused += decode_copy(copy, size, N, true) != LAC_OK;
      free(copy);
    }
    for (int i = 0; i < 2000; i++, tried++) { // nothing but noise behind a header that is right
      unsigned char noise[64] = {(unsigned char)(0x10 + kind), 0xac, 2, (unsigned char)(i % 128),
                                 0};
      for (size_t k = 5; k < sizeof noise; k++)
        noise[k] = (unsigned char)check_random(&seed);
      refused += decode_copy(noise, sizeof noise, N, true) != LAC_OK;
    }
    free(at);
    free(x);
  }
  CHECK(refused > tried / 3);
}

static void headers_that_lie_are_refused(void) {
  static const struct {
    unsigned char at[24];
    size_t size;
    const char *words;
  } cases[] = {
      {{0x20, 3, 0, 0}, 8, "packed in a way this program does not know (32)"},
      {{0x14, 3, 0, 0}, 8, "packed in a way this program does not know (20)"},
      {{0x10, 3, 4, 0}, 8, "more non-zero elements than elements"},
      {{0x10, 3, 1, 9}, 8, "the values are cut"},
      {{0x10, 0x83, 0x80, 0x80, 0x80}, 9, "the header is cut"},
      {{0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0}, 17, "header is cut"},
      {{0x10, 0x83, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0},
       17,
       "elements, not 3"},
      {{0x10, 3, 0, 1, 7}, 9, "their number is wrong"},
      {{0x12, 3, 3, 4, 0, 0, 0xc0, 0x7f}, 12, "a scale is no number"},
      {{0x12, 3, 3, 2, 0, 0}, 10, "the scales are cut"},
      {{0x10}, 3, "too short"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    CHECK_FAILS(decode_copy(cases[i].at, cases[i].size, 3, true), cases[i].words);
    CHECK(strncmp(lac_message(), "'x': ", 5) == 0);
  }
}

static void a_header_tells_kind_and_counts(void) {
  const float x[] = {0, 0, 3, 0, -1};
  lac_pack_header header = {0};
  void *at = NULL;
  size_t size;
  if (CHECK_OK(lac_pack_encode(&at, &size, x, 5, LAC_PACK_INT8, "x")) &&
      CHECK_OK(lac_pack_read_header(&header, at, size, "x")))
    CHECK(header.values == LAC_PACK_INT8 && header.count == 5 && header.nonzeros == 2);
  CHECK(strcmp(lac_pack_values_name(header.values), "int8") == 0);
  CHECK(lac_pack_values_name((lac_pack_values)4) == NULL);
  free(at);
}

static void failing_allocations_are_reported(void) {
  enum { N = 3000 };
  float *x = make_random(N, 9000, 29), *y = make_random(N, 0, 1);
  lac_status status = LAC_ENOMEM;
  void *at = NULL;
  size_t size = 0;
  if (CHECK_OK(lac_pack_encode(&at, &size, x, N, LAC_PACK_FLOAT32, "x"))) free(at);
  for (uint64_t n = 1; status != LAC_OK && lac_fault_set(n); n++) {
    at = NULL;
    status = lac_pack_encode(&at, &size, x, N, LAC_PACK_FLOAT32, "x");
    if (status == LAC_OK) status = lac_pack_decode(y, N, at, size, "x");
    if (status != LAC_OK && !CHECK(status == LAC_ENOMEM)) break;
    free(at);
  }
  lac_fault_set(0);
  free(x);
  free(y);
}

int main(void) {
  RUN(float32_is_bit_identical);
  RUN(unusual_floats_are_values_like_others);
  RUN(negative_zeros_cost_next_to_nothing);
  RUN(float16_is_the_nearest);
  RUN(halves_round_ties_to_even);
  RUN(int8_keeps_half_a_step_of_each_run);
  RUN(masks_cost_their_positions_only);
  RUN(positions_are_within_two_percent_of_the_bound);
  RUN(values_that_do_not_fit_are_named);
  RUN(damage_is_always_found);
  RUN(bytes_made_to_pass_the_checksum_do_no_harm);
  RUN(headers_that_lie_are_refused);
  RUN(a_header_tells_kind_and_counts);
  RUN(failing_allocations_are_reported);
  return check_finish();
}
