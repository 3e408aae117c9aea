#pragma once

#include <filesystem>
#include <string>

#include "model/tokenizer_spec.h"

namespace feilun::model {

struct HuggingFaceTokenizer {
  TokenizerSpec spec;
  std::string chat_template;  ///< empty: none
};

/// Reads tokenizer.json, or else the files of a vocabulary, with tokenizer_config.json and
/// chat_template.jinja.
Result<HuggingFaceTokenizer> read_hugging_face_tokenizer(const std::filesystem::path& directory);

}  // namespace feilun::model
