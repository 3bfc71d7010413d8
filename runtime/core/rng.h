/**
 * Random numbers by counting: (seed, stream, counter) -> 128 bits, the same on the host and on
 * every device, in whatever order and however divided they are drawn.
 *
 * Philox 4x32-10: Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3",
 * section 3.3. The key is the seed; the counter's low half counts, its high half names the stream.
 * cl/prelude.cl has the same function for kernels.
 */
#ifndef LAC_CORE_RNG_H
#define LAC_CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

/** A generator, by value: where in which stream it stands. */
typedef struct lac_rng {
  uint64_t seed, stream, counter;
} lac_rng;

/** Ten rounds: out = bijection of the counter chosen by the key. */
void lac_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/** The four words at the generator's counter, which moves on by one. */
void lac_rng_draw(lac_rng *rng, uint32_t out[4]);

/** A whole number 0 .. n - 1, every one equally likely; 0 for n = 0. Moves on by one or, rarely,
 * more. */
uint64_t lac_rng_below(lac_rng *rng, uint64_t n);

/** Counters that a fill of n elements uses: element i takes word i % 4 at counter + i / 4. */
uint64_t lac_rng_span(uint64_t n);

/**
 * A generator for another stream of the same seed, at its beginning. It depends on the parent's
 * seed and stream and on the name, not on what the parent has drawn.
 */
lac_rng lac_rng_fork(const lac_rng *rng, const void *name, size_t bytes);

#endif
