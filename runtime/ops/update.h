/**
 * Optimiser steps: parameters in place, in one pass over their memory, and small ones several to a
 * launch. Nothing is recorded and nothing waits for the device.
 *
 * All take the parameters' own gradients and use them as
 *
 *   g = clamp(gradient * min(1, max_norm / (norm + 1e-6)), -clip, clip) + decay * w
 *
 * and keep w at 0 where a mask is 0.
 *
 * Each returns LAC_OK; LAC_EINVAL for a parameter that is closed, not contiguous or has no
 * gradient, for no parameter, and for settings outside what is said here; LAC_ESHAPE; LAC_EDEVICE.
 * What is wrong with the first parameter or the settings is found before anything moves; with a
 * later one, possibly after others moved.
 */
#ifndef LAC_OPS_UPDATE_H
#define LAC_OPS_UPDATE_H

#include "tensor/tensor.h"

/** One parameter and what belongs to it, all of its shape. */
typedef struct lac_update {
  lac_tensor *w;
  lac_tensor *s, *t; /* the rule's state, zeros before the first step; NULL where it needs none */
  lac_tensor *mask;  /* NULL, or w stays 0 where it is 0 */
  uint64_t count;    /* for Adam: steps of this parameter, this one included: 1 for the first */
} lac_update;

/** What the rules share. */
typedef struct lac_step {
  float rate;       /* learning rate, >= 0 */
  float decay;      /* weight decay, >= 0 */
  float clip;       /* limit of each gradient element; 0 or less: none */
  float max_norm;   /* limit of the norm; 0 or less: none */
  lac_tensor *norm; /* of all gradients, from lac_grad_norm; NULL where max_norm limits nothing */
} lac_step;

/** Settings of stochastic gradient descent. */
typedef struct lac_sgd {
  float momentum; /* 0 <= momentum < 1; above 0 needs s */
  bool nesterov;  /* needs momentum > 0 */
} lac_sgd;

/**
 * s = momentum * s + g; w = w - rate * s, or with nesterov w = w - rate * (g + momentum * s).
 *
 * Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning",
 * section 2, with the rate outside of s and, for Nesterov's, the variables exchanged as in
 * PyTorch's torch.optim.SGD.
 */
lac_status lac_sgd_step(const lac_update *list, size_t n, const lac_sgd *sgd, const lac_step *step);

/** Settings of Adam. */
typedef struct lac_adam {
  double beta1, beta2; /* 0 <= beta < 1 */
  float epsilon;       /* > 0 */
  bool tensorflow;     /* where epsilon is added, see lac_adam_step */
  bool decoupled;      /* weight decay beside the gradient: AdamW */
} lac_adam;

/**
 * s = b1 s + (1 - b1) g; t = b2 t + (1 - b2) g^2; with k = count
 *
 *   w = w - rate / (1 - b1^k) * s / (sqrt(t) / sqrt(1 - b2^k) + epsilon)
 *
 * or, as in TensorFlow, w = w - rate sqrt(1 - b2^k) / (1 - b1^k) * s / (sqrt(t) + epsilon).
 *
 * Kingma and Ba 2015, "Adam: a method for stochastic optimization": the first is algorithm 1 and
 * PyTorch's torch.optim.Adam, the second the end of section 2 and TensorFlow's AdamOptimizer
 * ("epsilon hat").
 *
 * With decoupled the decay is not part of g; w = w - rate * decay * w - (the step): Loshchilov and
 * Hutter 2019, "Decoupled weight decay regularization", algorithm 2, the decay multiplied by the
 * rate as in torch.optim.AdamW; epsilon as above.
 */
lac_status lac_adam_step(const lac_update *list, size_t n, const lac_adam *adam,
                         const lac_step *step);

/** Settings of RMSprop. */
typedef struct lac_rmsprop {
  double alpha;   /* 0 <= alpha < 1 */
  float epsilon;  /* > 0 */
  float momentum; /* 0 <= momentum < 1; above 0 needs t */
} lac_rmsprop;

/**
 * s = alpha s + (1 - alpha) g^2; d = g / (sqrt(s) + epsilon); with momentum d = t = momentum * t +
 * d; w = w - rate * d.
 *
 * Tieleman and Hinton 2012, lecture 6.5 of "Neural networks for machine learning"; epsilon outside
 * of the root, as in torch.optim.RMSprop.
 */
lac_status lac_rmsprop_step(const lac_update *list, size_t n, const lac_rmsprop *rmsprop,
                            const lac_step *step);

/**
 * y = the Euclidean norm of the gradients of all parameters together, a scalar on the device.
 *
 * @param w  n >= 1 parameters with gradients
 */
lac_status lac_grad_norm(lac_tensor **out, lac_tensor *const *w, size_t n);

#endif
