#pragma once

#include <filesystem>
#include <optional>

#include "model/hugging_face_json.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {

/// The tokenizer of a directory without tokenizer.json: vocab.json and merges.txt, a tiktoken rank file, or
/// BERT's vocab.txt. They hold tokens alone; the class that tokenizer_config.json names says the rest, and
/// one that is not known is refused. nullopt when there is no such file.
Result<std::optional<TokenizerSpec>> read_vocabulary_files(const std::filesystem::path& directory,
                                                           const HuggingFaceObject& config);

/// The same from the text of BERT's vocab.txt, a token a line.
Result<TokenizerSpec> parse_word_pieces(std::string_view text, const HuggingFaceObject& config);

}  // namespace feilun::model
