/**
 * Cells on a device whose memory and instructions are the host's: the formulas of cl/recurrent.cl,
 * row by row, more than twice as fast as compilers make of small ones.
 */
#ifndef LAC_LAYERS_RECURRENT_HOST_H
#define LAC_LAYERS_RECURRENT_HOST_H

#include "tensor/tensor.h"

/** Whether this device is one, with instructions that pay. */
bool lac_cells_on_host(const lac_device *device);

/**
 * The cell of lac_lstm_cell(), all tensors contiguous; the activations go to gates, or nowhere with
 * NULL. Needs lac_cells_on_host().
 *
 * @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE
 */
lac_status lac_lstm_cell_host(lac_tensor *h, lac_tensor *c, lac_tensor *gates, const lac_tensor *z,
                              const lac_tensor *c_prev);

/** What lac_lstm_cell_host_backward() reads and adds to; those that may be NULL are not there. */
typedef struct lac_lstm_gradients {
  lac_tensor *gz, *gc_prev; /* gc_prev may be NULL */
  lac_tensor *gh, *gc;      /* each may be NULL */
  const lac_tensor *gates, *c, *c_prev;
} lac_lstm_gradients;

/** @return LAC_OK; LAC_ENOMEM; LAC_EDEVICE */
lac_status lac_lstm_cell_host_backward(const lac_lstm_gradients *g);

#endif
