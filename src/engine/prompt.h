#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/model_file.h"

namespace feilun::engine {

/// A conversation as the model's template writes it. BOS comes first exactly once where the model wants one,
/// whether or not the template prints it. Of more than `most` tokens, as Tokenizer::encode() has it.
/// kUnsupported for a model without a template.
Result<std::vector<model::TokenId>> encode_chat(const model::ModelFile& file, const model::ChatInput& input,
                                                size_t most);
/// A text to be continued, none of it trusted; BOS first where the model wants one.
std::vector<model::TokenId> encode_text(const model::ModelFile& file, std::string_view text, size_t most);

}  // namespace feilun::engine
