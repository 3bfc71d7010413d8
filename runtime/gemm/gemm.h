/**
 * Matrix products behind one interface: C = alpha * op(A) * op(B) + beta * C, row-major float32.
 *
 * A provider computes products in queue order on one kind of device. Which one serves a device is found
 * by probing when the device is first used, and may be overridden ($LACUNA_GEMM or lac_gemm_use).
 *
 *   host     CPU devices: OpenBLAS, one thread per worker of core/workers, as a native kernel in the
 *            queue; small products against prepared weights run from packed panels
 *   clblast  GPUs: CLBlast
 *   tiled    everywhere: cl/matmul.cl
 */
#ifndef LAC_GEMM_GEMM_H
#define LAC_GEMM_GEMM_H

#include "device/device.h"

/** A row-major matrix in a buffer: element (i, j) at offset + i * ld + j. */
typedef struct lac_matrix {
  lac_buffer *buffer;
  uint64_t offset; /* in elements */
  uint64_t ld;     /* elements from one row to the next, >= columns as stored */
} lac_matrix;

/** One product, or `batch` of them at fixed strides. */
typedef struct lac_gemm_args {
  bool trans_a, trans_b; /* op(X) = X^T: A is stored [k, m], B is stored [n, k] */
  uint64_t m, n, k;      /* C is [m, n] */
  float alpha, beta;     /* beta = 0 never reads C */
  lac_matrix a, b, c;
  uint64_t batch;                        /* 1 for a single product */
  uint64_t stride_a, stride_b, stride_c; /* elements between products; 0 repeats an operand */
} lac_gemm_args;

/** Weights in the form a provider likes best for y = x W^T; made once, used while W keeps its value. */
typedef struct lac_prepared lac_prepared;

typedef struct lac_gemm_provider {
  const char *name;
  /** Whether it works on the device; a cheap look at the capabilities, plus a trial product if need be. */
  bool (*probe)(lac_device *device);
  /** How much it is wanted there: the highest bid of the probed wins. */
  int (*bid)(lac_device *device);
  lac_status (*product)(lac_device *device, const lac_gemm_args *args);
  lac_status (*product_batched)(lac_device *device, const lac_gemm_args *args);
  /** Weights W [n, k] for products with trans_b; NULL members mean: use product(). */
  lac_status (*prepare)(lac_prepared **out, lac_device *device, const lac_matrix *w, uint64_t n,
                        uint64_t k);
  lac_status (*product_prepared)(lac_device *device, const lac_gemm_args *args,
                                 const lac_prepared *w);
  void (*release)(lac_prepared *w);
} lac_gemm_provider;

/**
 * Enqueue C = alpha * op(A) * op(B) + beta * C.
 *
 * m, n or batch of zero does nothing; k = 0 scales C. C must not overlap A or B.
 *
 * @return LAC_OK; LAC_EDEVICE; LAC_ENOMEM
 */
lac_status lac_gemm(lac_device *device, const lac_gemm_args *args);

/** The provider serving a device ("host", "clblast", "tiled"). */
lac_status lac_gemm_name(lac_device *device, const char **out);

/**
 * Choose a provider by name; NULL goes back to the automatic choice.
 *
 * @return LAC_OK; LAC_EINVAL for an unknown name (the message lists them); LAC_EUNSUPPORTED when it does
 *         not work on this device
 */
lac_status lac_gemm_use(lac_device *device, const char *name);

/** The names of all providers, NULL-terminated. */
const char *const *lac_gemm_providers(void);

/**
 * Prepare weights W [n, k] for many small products y = x W^T. Waits for nothing.
 *
 * @return LAC_OK with *out possibly NULL, which lac_gemm_prepared takes to mean plain products
 */
lac_status lac_gemm_prepare(lac_prepared **out, lac_device *device, const lac_matrix *w, uint64_t n,
                            uint64_t k);

/** lac_gemm with args->b = the weights `w` was made from (trans_b true); w may be NULL. */
lac_status lac_gemm_prepared(lac_device *device, const lac_gemm_args *args, const lac_prepared *w);
void lac_gemm_release(lac_device *device, lac_prepared *w);

#endif
