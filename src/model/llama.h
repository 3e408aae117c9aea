#pragma once

#include "model/decoder_design.h"

namespace feilun::model {

/// Llama and the many models of its shape (Mistral, Yi, SmolLM, TinyStories): the plain decoder. Llama 3's
/// long-context scaling of RoPE comes as the tensor "rope_freqs.weight", a divisor for each pair's frequency.
Result<DecoderDesign> llama_design(const ModelFile& file);

}  // namespace feilun::model
