/**
 * Lacuna's C library, whole: include this one header.
 */
#ifndef LACUNA_H
#define LACUNA_H

#include "autograd/tape.h"
#include "core/status.h"
#include "device/device.h"
#include "device/kernel.h"
#include "device/pool.h"
#include "gemm/gemm.h"
#include "ops/elementwise.h"
#include "tensor/shape.h"
#include "tensor/tensor.h"

#endif
