/**
 * Recurrent cells with fused gates.
 */
#ifndef LAC_LAYERS_RECURRENT_H
#define LAC_LAYERS_RECURRENT_H

#include "tensor/tensor.h"

/** Where results go, see lac_op_result(); NULL makes new tensors. */
typedef struct lac_lstm_places {
  lac_tensor *h, *c;
} lac_lstm_places;

/**
 * One step of a long short-term memory cell, from its pre-activations.
 *
 * z holds four blocks i, f, g, o (the order of PyTorch's LSTMCell): c = s(f) c_prev + s(i) tanh(g)
 * and h = s(o) tanh(c), with s the logistic function. Hochreiter and Schmidhuber 1997, "Long
 * short-term memory", with the forget gate of Gers, Schmidhuber and Cummins 2000.
 *
 * @param[out] h, c   [batch, hidden], new or at their places; the caller releases both
 * @param z           float32 [batch, 4 hidden]: W_ih x + b_ih + W_hh h + b_hh
 * @param c_prev      float32 [batch, hidden]
 * @param places      NULL for none
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE. NaN in a row makes that row NaN.
 *
 * Gradients: to z and c_prev, from h, c or both.
 */
lac_status lac_lstm_cell(lac_tensor **h, lac_tensor **c, lac_tensor *z, lac_tensor *c_prev,
                         const lac_lstm_places *places);

/**
 * What a gated recurrent unit lets through to its candidate: y = s(r) h, with s the logistic
 * function.
 *
 * Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical
 * machine translation", equation 8: the gate comes before the product with U, unlike in PyTorch's
 * GRUCell.
 *
 * @param[out] out  [batch, hidden], new or at its place; the caller releases it
 * @param z         float32 [batch, 2 hidden]: blocks r, u of pre-activations
 * @param h         float32 [batch, hidden]
 * @param place     see lac_op_result(); NULL for a new tensor
 * @return LAC_OK; LAC_EINVAL; LAC_ESHAPE; LAC_ENOMEM; LAC_EDEVICE
 *
 * Gradients: to z (its first block) and h.
 */
lac_status lac_gru_reset(lac_tensor **out, lac_tensor *z, lac_tensor *h, lac_tensor *place);

/**
 * The step of a gated recurrent unit: y = s(u) h + (1 - s(u)) tanh(candidate). Cho et al. 2014,
 * equation 7.
 *
 * @param z          as above
 * @param candidate  float32 [batch, hidden]: W x + U lac_gru_reset(z, h) + b
 * @return as above
 *
 * Gradients: to z (its second block), candidate and h.
 */
lac_status lac_gru_cell(lac_tensor **out, lac_tensor *z, lac_tensor *candidate, lac_tensor *h,
                        lac_tensor *place);

#endif
