#pragma once

// The source of the kernels of one instruction set. Standard library templates stay out of it: the linker
// keeps one copy of an inline function, and it might keep the one compiled for the newest machine.

#include "compute/attention_body.h"
#include "compute/matmul_body.h"
#include "compute/number_blocks_body.h"
#include "compute/rows_body.h"

namespace feilun::compute::FEILUN_ISA_NAMESPACE {
namespace {

constexpr Kernels kKernels = {
    .matmul = matmul,
    .attend = attend,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .quantise_row = quantise_row,
    .swiglu = swiglu,
    .geglu = geglu,
    .gelu = gelu,
    .soft_cap = soft_cap,
    .rotate = rotate,
    .block_maxima = block_maxima,
    .weights = weights,
    .block_weights = block_weights,
    .dot = dot,
};

}  // namespace
}  // namespace feilun::compute::FEILUN_ISA_NAMESPACE
