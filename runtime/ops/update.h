/**
 * Optimiser steps: one parameter, in place, in one pass over its memory. Nothing is recorded.
 *
 * Both take the parameter's own gradient and use it as
 *
 *   g = clamp(gradient, -clip, clip) + decay * w
 *
 * and both keep w at 0 where a mask is 0.
 *
 * Each returns LAC_OK; LAC_EINVAL for a parameter that is closed, not contiguous or has no
 * gradient, and for settings outside what is said here; LAC_ESHAPE; LAC_EDEVICE.
 */
#ifndef LAC_OPS_UPDATE_H
#define LAC_OPS_UPDATE_H

#include "tensor/tensor.h"

/** What the rules share. */
typedef struct lac_step {
  float rate;       /* learning rate, >= 0 */
  float decay;      /* weight decay, >= 0 */
  float clip;       /* limit of each gradient element; 0 or less: none */
  lac_tensor *mask; /* NULL, or of the parameter's shape: w stays 0 where it is 0 */
} lac_step;

/**
 * v = momentum * v + g; w = w - rate * v.
 *
 * @param v  the parameter's shape, zeros before the first step; NULL where momentum is 0
 */
lac_status lac_sgd_step(lac_tensor *w, lac_tensor *v, float momentum, const lac_step *step);

/** Settings of Adam. */
typedef struct lac_adam {
  double beta1, beta2; /* 0 <= beta < 1 */
  float epsilon;       /* > 0 */
  uint64_t count;      /* steps of this parameter, this one included: 1 for the first */
  bool tensorflow;     /* where epsilon is added, see lac_adam_step */
} lac_adam;

/**
 * m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; with t = count
 *
 *   w = w - rate / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + epsilon)            or, as in
 * TensorFlow, w = w - rate sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)
 *
 * Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1 and the end of
 * section 2.
 *
 * @param m, v  the parameter's shape, zeros before the first step
 */
lac_status lac_adam_step(lac_tensor *w, lac_tensor *m, lac_tensor *v, const lac_adam *adam,
                         const lac_step *step);

#endif
