/*
 * CLBlast enqueues into our queue and waits for nothing, so its products are in order with
 * everything else. It builds its kernels on first use and keeps them itself. The only file outside
 * device/ that sees OpenCL's headers.
 */
#include "gemm/clblast.h"

#include "device/pool.h"

#define CL_TARGET_OPENCL_VERSION 120
#include <clblast_c.h>

static int bid(lac_device *device) {
  return lac_device_caps(device)->is_cpu ? 0 : 50;
}

static lac_status probe(lac_device *device) {
  (void)device;
  return LAC_OK;
}

/* What a status means to somebody who cannot read CLBlast's header. */
static lac_status fail_clblast(lac_device *device, CLBlastStatusCode code) {
  const char *name = lac_device_caps(device)->name;
  switch (code) {
  case CLBlastTempBufferAllocFailure:
  case CLBlastOpenCLOutOfResources:
  case CLBlastOpenCLOutOfHostMemory:
    return lac_fail(LAC_ENOMEM, "gemm: CLBlast found no memory for its copies on %s (status %d)",
                    name, (int)code);
  case CLBlastOpenCLCompilerNotAvailable:
  case CLBlastOpenCLBuildProgramFailure:
  case CLBlastInvalidBinary:
  case CLBlastInvalidProgramExecutable:
    return lac_fail(LAC_EDEVICE,
                    "gemm: the driver of %s does not build CLBlast's kernels (status %d);"
                    " LACUNA_GEMM=tiled does without them",
                    name, (int)code);
  case CLBlastInvalidLocalMemUsage:
  case CLBlastInvalidLocalThreadsTotal:
  case CLBlastInvalidLocalThreadsDim:
    return lac_fail(LAC_EDEVICE,
                    "gemm: CLBlast's kernels are too large for %s (status %d);"
                    " LACUNA_GEMM=tiled does without them",
                    name, (int)code);
  default:
    return lac_fail(LAC_EDEVICE, "gemm: CLBlast failed on %s with status %d (clblast_c.h names it)",
                    name, (int)code);
  }
}

static CLBlastTranspose op(bool transposed) {
  return transposed ? CLBlastTransposeYes : CLBlastTransposeNo;
}

static lac_status product(lac_device *device, const lac_gemm_args *g) {
  cl_command_queue queue = lac_device_queue(device);
  const cl_mem a = lac_buffer_handle(g->a.buffer), b = lac_buffer_handle(g->b.buffer);
  const cl_mem c = lac_buffer_handle(g->c.buffer);
  const CLBlastLayout rows = CLBlastLayoutRowMajor;
  const CLBlastTranspose op_a = op(g->trans_a), op_b = op(g->trans_b);
  CLBlastStatusCode code;
  if (g->batch == 1)
    code = CLBlastSgemm(rows, op_a, op_b, g->m, g->n, g->k, g->alpha, a, g->a.offset, g->a.ld, b,
                        g->b.offset, g->b.ld, g->beta, c, g->c.offset, g->c.ld, &queue, NULL);
  else
    code = CLBlastSgemmStridedBatched(rows, op_a, op_b, g->m, g->n, g->k, g->alpha, a, g->a.offset,
                                      g->a.ld, g->stride_a, b, g->b.offset, g->b.ld, g->stride_b,
                                      g->beta, c, g->c.offset, g->c.ld, g->stride_c, g->batch,
                                      &queue, NULL);
  return code == CLBlastSuccess ? LAC_OK : fail_clblast(device, code);
}

/* Left to the end of the process, CLBlast would give its programs back to a driver that may be
 * gone. */
static void clear_cache(void) {
  CLBlastClearCache();
}

const lac_gemm_provider lac_gemm_clblast = {
    .name = "clblast", .bid = bid, .probe = probe, .product = product, .close = clear_cache};
