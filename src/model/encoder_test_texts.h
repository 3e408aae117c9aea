#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/json.h"
#include "model/encoder.h"

/// The texts of tests/golden/embeddings.json with what sentence-transformers makes of them.

namespace feilun::model {

struct GoldenText {
  std::string text;
  std::vector<TokenId> ids;
  std::vector<float> vector;  ///< the first numbers of it, to six digits
  double sum = 0;             ///< of all of it
};

inline std::filesystem::path golden_path(std::string_view name) {
  return std::filesystem::path(FEILUN_SOURCE_DIR) / "tests/golden" / name;
}

inline std::vector<GoldenText> golden_texts(std::string_view model) {
  std::ifstream file(golden_path("embeddings.json"), std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(file), {}};
  const JsonDocument document = JsonDocument::parse(json).value();
  std::vector<GoldenText> texts;
  for (const auto entry : document.root()[model].get_array().value()) {
    GoldenText text{.text = std::string(entry["text"].get_string().value()),
                    .ids = {},
                    .vector = {},
                    .sum = entry["sum"].get_double().value()};
    for (const auto id : entry["ids"].get_array().value())
      text.ids.push_back(static_cast<TokenId>(id.get_int64().value()));
    for (const auto x : entry["vector"].get_array().value())
      text.vector.push_back(static_cast<float>(x.get_double().value()));
    texts.push_back(std::move(text));
  }
  return texts;
}

inline std::vector<TokenId> tokens_of(const ModelFile& file, std::string_view text) {
  return file.tokenizer->framed(file.tokenizer->encode(text));
}

}  // namespace feilun::model
