/**
 * Words drawn at random from rows of scores, and rows of which some words are left out.
 */
#ifndef LAC_OPS_DRAW_H
#define LAC_OPS_DRAW_H

#include "core/rng.h"
#include "tensor/tensor.h"

/** What may be drawn, in this order. */
typedef struct lac_draw_args {
  lac_tensor *x;     /* float32 [rows, n], scores, 1 <= n <= 2^24 */
  lac_tensor *words; /* int32 [rows, any], of each row no word twice; what is not within 0 .. n - 1
                        does not count. NULL for none */
  lac_tensor *amounts; /* float32 of the shape of words: what is taken from their scores; NULL: they
                          are left out, as with +inf. A row that has no other words keeps these */
  uint32_t top_k;      /* so many largest scores are left; 0 for all */
  float nucleus; /* of these the fewest largest that together have this probability; 1 for all */
  float temperature;  /* > 0; divides the scores where it is about probability */
  lac_tensor *places; /* int32 [rows], see lac_draw; NULL: 0, 1, 2, ... */
  lac_rng *rng;
} lac_draw_args;

/**
 * The scores, -inf where a word may not be drawn. `places` and `rng` are not looked at.
 *
 * Where the last score that is left equals others, all of them are left. NaN stays. Top-k: Fan,
 * Lewis and Dauphin 2018, "Hierarchical neural story generation", section 5.4. Nucleus: Holtzman et
 * al. 2020, "The curious case of neural text degeneration", section 3.1.
 *
 * @param[out] out  new tensor [rows, n]; the caller releases it
 * @return LAC_OK; LAC_EINVAL, also for a temperature or nucleus out of range; LAC_ESHAPE;
 * LAC_ENOMEM; LAC_EDEVICE
 *
 * No gradient.
 */
lac_status lac_draw_allowed(lac_tensor **out, const lac_draw_args *args);

/**
 * A word of each row, with probability softmax(allowed / temperature).
 *
 * By inversion: one random number of 24 bits per row, that at the generator's counter +
 * places[row]. What a row draws depends on its scores and its place alone. Probabilities are exact
 * to about 2^-23.
 *
 * @param[out] ids       new int32 [rows]; 0 for a row with NaN or +inf, or without a finite score
 * @param[out] logprobs  new float32 [rows]: ln softmax(x) at the words, whatever temperature and
 * restrictions; NaN for such a row
 * @return as lac_draw_allowed. The generator moves on by the number of rows, by 1 with places, by 0
 * after a failure
 *
 * No gradient.
 */
lac_status lac_draw(lac_tensor **ids, lac_tensor **logprobs, const lac_draw_args *args);

#endif
