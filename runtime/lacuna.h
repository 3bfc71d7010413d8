/**
 * Lacuna's C library, whole: include this one header.
 */
#ifndef LACUNA_H
#define LACUNA_H

#include "autograd/tape.h"
#include "core/rng.h"
#include "core/status.h"
#include "device/device.h"
#include "device/kernel.h"
#include "device/pool.h"
#include "gemm/gemm.h"
#include "layers/attention.h"
#include "layers/dropout.h"
#include "layers/recurrent.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "ops/matmul.h"
#include "ops/index.h"
#include "ops/loss.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "ops/update.h"
#include "tensor/shape.h"
#include "tensor/tensor.h"

#endif
