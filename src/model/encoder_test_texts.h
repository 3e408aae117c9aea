#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
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

using Vectors = std::vector<std::vector<float>>;

inline Vectors vectors_of(Encoder& encoder, std::span<const std::vector<TokenId>> inputs) {
  std::vector<std::span<const TokenId>> spans(inputs.begin(), inputs.end());
  const std::span<const float> all = encoder.vectors(spans);
  Vectors out;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const auto one =
        all.subspan(i * static_cast<size_t>(encoder.width()), static_cast<size_t>(encoder.width()));
    out.emplace_back(one.begin(), one.end());
  }
  return out;
}

/// Says so many times that a pass may go on.
inline GoOn go_on_for(int times) {
  return [times]() mutable { return times-- > 0; };
}

inline std::vector<std::vector<TokenId>> golden_ids(std::string_view model) {
  std::vector<std::vector<TokenId>> ids;
  for (const GoldenText& text : golden_texts(model)) ids.push_back(text.ids);
  return ids;
}

/// Every golden text has these tokens and this vector, in full precision.
inline void expect_golden(const std::filesystem::path& path, std::string_view name, Pooling pooling) {
  const ModelFile file = open_model(path).value();
  EXPECT_TRUE(file.embeds());
  EXPECT_EQ(file.pooling, pooling);
  const auto encoder =
      load_encoder(file, {.conversion = compute::DType::kF32, .kv_bf16 = false, .threads = 2}).value();
  const std::vector<GoldenText> texts = golden_texts(name);
  ASSERT_EQ(texts.size(), 20u);
  for (const GoldenText& text : texts) {
    const std::vector<TokenId> tokens = tokens_of(file, text.text);
    EXPECT_EQ(tokens, text.ids) << text.text;
    const std::vector<float> vector = vectors_of(*encoder, std::span(&text.ids, 1)).front();
    float most = 0;
    double sum = 0;
    double length = 0;
    for (size_t i = 0; i < text.vector.size(); ++i)
      most = std::max(most, std::fabs(vector[i] - text.vector[i]));
    for (const float x : vector) sum += x;
    for (const float x : vector) length += double{x} * double{x};
    EXPECT_LT(most, 2e-6f) << text.text;
    EXPECT_NEAR(sum, text.sum, 1e-4) << text.text;
    EXPECT_NEAR(length, 1, 1e-6) << text.text;
  }
}

}  // namespace feilun::model
