#pragma once

#include "model/hugging_face_json.h"
#include "model/model_file.h"

namespace feilun::model {

/// Reads RoPE's base, scaling and share of a head: from rope_theta and rope_scaling, or from rope_parameters,
/// where newer files keep all of it. `rotary_part` holds where nothing is said. kUnsupported for a kind of
/// scaling that is not computed here.
Result<> read_hugging_face_rope(const HuggingFaceObject& config, float rotary_part, Hyperparameters& shape);

}  // namespace feilun::model
