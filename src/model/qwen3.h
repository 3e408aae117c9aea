#pragma once

#include "model/decoder_design.h"

namespace feilun::model {

/// Qwen3: the decoder with an RMS norm on every query and key head, heads whose width is independent of the
/// hidden size, and RoPE on halves.
Result<DecoderDesign> qwen3_design(const ModelFile& file);

}  // namespace feilun::model
