#pragma once

#include "model/family.h"

namespace feilun::model {

/// Qwen's dense models have a window in the layers from max_window_layers on, and only where
/// use_sliding_window is true: their config.json gives a width even when it is not to be used.
Result<> read_qwen_windows(const HuggingFaceObject& config, Hyperparameters& shape);

/// GGUF files of these families do not say which layers a window is for.
Result<> refuse_gguf_window(const GgufSettings& settings, Hyperparameters& shape);

}  // namespace feilun::model
