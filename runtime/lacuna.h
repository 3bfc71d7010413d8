/**
 * Lacuna's C library, whole: include this one header.
 */
#ifndef LACUNA_H
#define LACUNA_H

#include "autograd/tape.h"
#include "core/dtype.h"
#include "core/memory.h"
#include "core/rng.h"
#include "core/status.h"
#include "core/workers.h"
#include "device/device.h"
#include "device/kernel.h"
#include "device/pool.h"
#include "gemm/gemm.h"
#include "io/archive.h"
#include "io/hdf5.h"
#include "io/hdf5_writer.h"
#include "io/npy.h"
#include "io/pth.h"
#include "io/safetensors.h"
#include "io/zip.h"
#include "layers/attention.h"
#include "layers/dropout.h"
#include "layers/recurrent.h"
#include "ops/elementwise.h"
#include "ops/index.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "ops/update.h"
#include "sparse/mask.h"
#include "tensor/shape.h"
#include "tensor/tensor.h"
#include "text/normalise.h"

#endif
