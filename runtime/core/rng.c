/* Pure arithmetic; no state but the caller's. */
#include "core/rng.h"

/* One round's multiplication of a counter word. */
static void multiply(uint32_t *high, uint32_t *low, uint32_t factor, uint32_t word) {
  const uint64_t product = (uint64_t)factor * word;
  *high = (uint32_t)(product >> 32);
  *low = (uint32_t)product;
}

void lac_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
  uint32_t x[4] = {counter[0], counter[1], counter[2], counter[3]}, k[2] = {key[0], key[1]};
  for (int round = 0; round < 10; round++) {
    uint32_t high0, low0, high1, low1;
    multiply(&high0, &low0, 0xD2511F53u, x[0]);
    multiply(&high1, &low1, 0xCD9E8D57u, x[2]);
    x[0] = high1 ^ x[1] ^ k[0];
    x[1] = low1;
    x[2] = high0 ^ x[3] ^ k[1];
    x[3] = low0;
    k[0] += 0x9E3779B9u;
    k[1] += 0xBB67AE85u;
  }
  for (int i = 0; i < 4; i++)
    out[i] = x[i];
}

void lac_rng_draw(lac_rng *rng, uint32_t out[4]) {
  const uint32_t counter[4] = {(uint32_t)rng->counter, (uint32_t)(rng->counter >> 32),
                               (uint32_t)rng->stream, (uint32_t)(rng->stream >> 32)};
  const uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
  lac_philox(out, counter, key);
  rng->counter++;
}

uint64_t lac_rng_below(lac_rng *rng, uint64_t n) {
  uint32_t words[4];
  uint64_t value;
  if (n == 0) return 0;
  const uint64_t surplus =
      (UINT64_MAX % n + 1) % n; // values at the top that would favour small results
  do {
    lac_rng_draw(rng, words);
    value = (uint64_t)words[1] << 32 | words[0];
  } while (value > UINT64_MAX - surplus);
  return value % n;
}

uint64_t lac_rng_span(uint64_t n) {
  return n / 4 + (n % 4 != 0);
}

lac_rng lac_rng_fork(const lac_rng *rng, const void *name, size_t bytes) {
  const unsigned char *p = name;
  uint64_t hash = 14695981039346656037u; // FNV-1a, 64 bits
  for (size_t i = 0; i < bytes; i++)
    hash = (hash ^ p[i]) * 1099511628211u;
  // Under the seed's complement, so that a stream's name is never a number drawn from another
  // stream.
  lac_rng namer = {~rng->seed, rng->stream, hash};
  uint32_t words[4];
  lac_rng_draw(&namer, words);
  return (lac_rng){rng->seed, (uint64_t)words[1] << 32 | words[0], 0};
}
