#pragma once

#include "model/decoder_design.h"
#include "model/parallel_work.h"

namespace feilun::model {

/// The first half of a feed-forward block, for one panel of its columns:
///
///   gated[row] = act(input[row]·gate) ∘ (input[row]·up)
///
/// quantised at once where `down` wants that: the columns are still in the first-level cache.
void gate_panel(const compute::Kernels& kernels, const DecoderDesign& design, const FeedForwardWeights& block,
                int64_t panel, Activations& input, int64_t first_row, int64_t rows, Activations& gated);

}  // namespace feilun::model
