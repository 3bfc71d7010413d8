/**
 * Matrix products behind one interface: C = alpha * op(A) * op(B) + beta * C, row-major float32.
 *
 * A provider computes products in queue order on one kind of device. Which one serves a device is
 * found by probing when the device is first used, and may be overridden ($LACUNA_GEMM or
 * lac_gemm_use).
 *
 * - host: CPU devices, one thread per worker of core/workers, as a native kernel in the queue.
 *   Products with prepared weights, and those of many rows, run from packed panels, all others by
 *   OpenBLAS.
 * - clblast: GPUs, CLBlast
 * - tiled: everywhere, cl/matmul.cl
 */
#ifndef LAC_GEMM_GEMM_H
#define LAC_GEMM_GEMM_H

#include "core/workers.h"
#include "device/device.h"

/** A row-major matrix in a buffer: element (i, j) at offset + i * ld + j. */
typedef struct lac_matrix {
  lac_buffer *buffer;
  uint64_t offset; /* in elements */
  uint64_t ld;     /* elements from one row to the next, >= columns as stored */
} lac_matrix;

/** A row in a buffer: element j at offset + j; no row where buffer is NULL. */
typedef struct lac_row {
  lac_buffer *buffer;
  uint64_t offset;
} lac_row;

/** One product, or `batch` of them at fixed strides. */
typedef struct lac_gemm_args {
  bool trans_a, trans_b; /* op(X) = X^T: A is stored [k, m], B is stored [n, k] */
  uint64_t m, n, k;      /* C is [m, n] */
  float alpha, beta;     /* beta = 0 never reads C */
  lac_matrix a, b, c;
  uint64_t batch;                        /* 1 for a single product */
  uint64_t stride_a, stride_b, stride_c; /* elements between products; 0 repeats A or B */
  lac_row start; /* n elements that every row of C starts from in place of beta * C; batch is 1 */
} lac_gemm_args;

/** Weights in the form a provider likes best as B of a product; made once, used while they keep
 * their value. */
typedef struct lac_prepared lac_prepared;

/**
 * A mask of prepared weights: 32-bit words from `first` on, one for 32 outputs and an input. Bit j
 * of word [p * k + i] is set where output 32 p + j counts at input i.
 */
typedef struct lac_words {
  lac_buffer *buffer;
  uint64_t first;
} lac_words;

/** One way to compute products: a row in gemm.c. */
typedef struct lac_gemm_provider {
  const char *name;
  bool starts; /* products obey args->start; else C holds it already, and beta is 1 */
  /** How much it is wanted on the device: the highest bid that passes its trial wins. */
  int (*bid)(lac_device *device);
  /** Why it cannot serve the device, by its capabilities; LAC_OK to go on to a trial product. */
  lac_status (*probe)(lac_device *device);
  /** Enqueue; m, n, k, batch > 0 and alpha != 0. Serves single products as a batch of one. */
  lac_status (*product)(lac_device *device, const lac_gemm_args *args);
  /** B of products with these trans_b, n and k, all > 0. NULL: the provider has no such form. */
  lac_status (*prepare)(lac_buffer **out, lac_device *device, const lac_matrix *b, bool trans_b,
                        uint64_t n, uint64_t k);
  /** product() with the buffer that prepare() gave; args->b is still the weights. With mask (or
   * NULL) only some of them count, see lac_gemm_masked(). */
  lac_status (*product_prepared)(lac_device *device, const lac_gemm_args *args,
                                 lac_buffer *prepared, const lac_words *mask);
  /** Drop what the provider's library keeps of devices; on the end of a device it served. Or NULL.
   */
  void (*close)(void);
} lac_gemm_provider;

/**
 * Enqueue C = alpha * op(A) * op(B) + beta * C, or + start in every row.
 *
 * m, n or batch of zero does nothing. With k = 0 or alpha = 0, C is scaled by beta, or is the
 * start, and A and B are not read and may have no buffer. C must not overlap A or B, nor the
 * products of a batch each other.
 *
 * @return LAC_OK; LAC_EDEVICE; LAC_ENOMEM; LAC_EUNSUPPORTED when a size or ld passes 2^31 - 1;
 *         on the first call for a device also what lac_gemm_name() returns
 */
lac_status lac_gemm(lac_device *device, const lac_gemm_args *args);

/**
 * The provider serving a device ("host", "clblast", "tiled").
 *
 * @return LAC_OK; LAC_EINVAL when $LACUNA_GEMM or $LACUNA_THREADS is wrong; LAC_EUNSUPPORTED when
 * no provider works there, or the one that $LACUNA_GEMM names does not; LAC_ENOMEM
 */
lac_status lac_gemm_name(lac_device *device, const char **out);

/**
 * Choose a provider by name; NULL goes back to the automatic choice.
 *
 * @return LAC_OK; LAC_EINVAL for an unknown name (the message lists them); LAC_EUNSUPPORTED when it
 * does not work, or computes wrongly, on this device; then the choice stays as it was
 */
lac_status lac_gemm_use(lac_device *device, const char *name);

/**
 * Whether a provider works on a device: its probe, then a few small products compared with plain
 * loops.
 *
 * @return LAC_OK; LAC_EUNSUPPORTED with the reason; LAC_ENOMEM; LAC_EDEVICE; LAC_EINVAL
 */
lac_status lac_gemm_try(const lac_gemm_provider *provider, lac_device *device);

/** The names of all providers, NULL-terminated. */
const char *const *lac_gemm_providers(void);

/**
 * Prepare weights for many small products of which they are B: [n, k] with trans_b, else [k, n].
 * Waits for nothing: the weights may still be being computed. They take about as much memory again.
 *
 * @param[out] out  released with lac_gemm_release(); NULL when the device's provider has no such
 * form
 * @return LAC_OK; LAC_EDEVICE; LAC_ENOMEM
 */
lac_status lac_gemm_prepare(lac_prepared **out, lac_device *device, const lac_matrix *b,
                            bool trans_b, uint64_t n, uint64_t k);

/** lac_gemm with args->b = the weights `w` was made from, and the same trans_b; w may be NULL. */
lac_status lac_gemm_prepared(lac_device *device, const lac_gemm_args *args, const lac_prepared *w);
void lac_gemm_release(lac_prepared *w);

/** Whether the device's provider prepares weights, and so can mask them. */
lac_status lac_gemm_masks(lac_device *device, bool *out);

/** lac_gemm_prepared with the weights where `mask` has a bit, and 0 elsewhere. w is not NULL. */
lac_status lac_gemm_masked(lac_device *device, const lac_gemm_args *args, const lac_prepared *w,
                           const lac_words *mask);

/** The device's host threads, for native kernels that share their work out. Borrowed. */
lac_status lac_gemm_workers(lac_device *device, lac_workers **out);

#endif
