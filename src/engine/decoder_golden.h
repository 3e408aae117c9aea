#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "base/json.h"
#include "compute/isa.h"
#include "compute/paged_kv.h"
#include "compute/thread_pool.h"
#include "model/decoder.h"

/// For tests: what transformers answers for the tiny models of tests/golden/models, and how far a decoder is
/// from it (tools/golden/tiny_models.py).

namespace feilun::engine {

/// Tokens, the first `prompt` of which are read at once, the others one by one; and the logits after the
/// prompt and after each token that follows.
struct GoldenPrompt {
  std::vector<model::TokenId> tokens;
  int64_t prompt = 0;
  std::vector<std::vector<double>> logits;
};

inline std::filesystem::path golden_model(const std::string& name) {
  return std::filesystem::path(FEILUN_SOURCE_DIR) / "tests/golden/models" / name;
}

inline std::vector<GoldenPrompt> golden_prompts(const std::string& name) {
  std::ifstream file(golden_model(name + ".json"), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const JsonDocument document = JsonDocument::parse(text).value();
  std::vector<GoldenPrompt> prompts;
  for (const auto entry : document.root().get_array()) {
    GoldenPrompt& prompt = prompts.emplace_back();
    prompt.prompt = entry["prompt"].get_int64();
    for (const int64_t token : entry["tokens"].get_array()) {
      prompt.tokens.push_back(static_cast<model::TokenId>(token));
    }
    for (const auto row : entry["logits"].get_array()) {
      auto& logits = prompt.logits.emplace_back();
      for (const double logit : row.get_array()) logits.push_back(logit);
    }
  }
  return prompts;
}

/// A decoder as a test wants it: what a model's file makes of it, or something else on purpose.
struct GoldenSubject {
  model::ModelFile file;
  model::DecoderDesign design;
  compute::Kernels kernels;

  explicit GoldenSubject(model::ModelFile from)
      : file(std::move(from)),
        design(model::decoder_design(file).value()),
        kernels(compute::kernels_for(compute::choose_isa().value())) {}

  /// max|Δ| / max|logit| over all answers, weights and cache in F32.
  double divergence(const std::vector<GoldenPrompt>& prompts) const {
    compute::ThreadPool pool(2);
    const auto decoder = model::Decoder::load(file, design, compute::DType::kF32, pool, kernels).value();
    double apart = 0;
    double largest = 0;
    for (const GoldenPrompt& prompt : prompts) {
      // One block more than the tokens take: a mutated mask may look at it.
      std::vector<int32_t> blocks(prompt.tokens.size() / compute::kKvBlockTokens + 2);
      std::iota(blocks.begin(), blocks.end(), 0);
      const auto shape = model::Decoder::kv_shape(file.shape, false);
      auto cache = compute::PagedKv::allocate(shape, static_cast<int64_t>(blocks.size())).value();
      int64_t done = 0;
      for (const std::vector<double>& expected : prompt.logits) {
        const int64_t count = done == 0 ? prompt.prompt : 1;
        const model::DecoderSlice slice{
            .tokens = std::span(prompt.tokens).subspan(static_cast<size_t>(done), static_cast<size_t>(count)),
            .position = done,
            .blocks = blocks,
            .logits = 1};
        const auto logits = decoder->forward(std::span(&slice, 1), cache);
        done += count;
        if (logits.size() != expected.size()) return INFINITY;
        for (size_t i = 0; i < expected.size(); ++i) {
          const double difference = std::abs(logits[i] - expected[i]);
          apart = std::isfinite(difference) ? std::max(apart, difference) : INFINITY;
          largest = std::max(largest, std::abs(expected[i]));
        }
      }
    }
    return largest > 0 ? apart / largest : INFINITY;
  }
};

}  // namespace feilun::engine
