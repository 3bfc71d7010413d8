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

#endif
