#pragma once

#include "model/hugging_face_json.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// What a tokenizer.json describes. kUnsupported, by name, for a part that is not known: nothing is tokenised
/// almost right.
Result<TokenizerSpec> read_tokenizer_json(const HuggingFaceObject& root);

}  // namespace feilun::model
