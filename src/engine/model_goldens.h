#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/model_file.h"

namespace feilun::engine {

/// What another implementation answers after some token of a text: not all logits, but the highest and those
/// of some fixed tokens.
struct GoldenAnswer {
  int64_t position = 0;  ///< of the token that the logits follow
  double largest = 0;    ///< of the magnitudes of all logits
  double log_sum = 0;    ///< ln Σ e^logit over all logits
  std::vector<model::TokenId> ids;
  std::vector<double> logits;  ///< of `ids`
};

/// A text whose first `prompt` tokens are read at once, or in chunks, and the others one by one.
struct GoldenText {
  std::vector<model::TokenId> tokens;
  int64_t prompt = 0;
  std::vector<GoldenAnswer> answers;  ///< by rising position, from prompt − 1 on
};

/// Reads a goldens.json (tools/golden/exact_shapes.py):
///
///   {"sampled_ids": [id …],
///    "prompts": [{"tokens": [id …], "prompt": 600,
///                 "answers": [{"position": 599, "largest": 11.2, "log_sum": 14.1, "top_ids": [id …],
///                              "top_logits": [x …], "sampled_logits": [x …]} …]} …]}
///
/// kCorrupt, with the place, when it is not that or names a token outside the vocabulary; kNotFound, kIo.
Result<std::vector<GoldenText>> read_goldens(const std::filesystem::path& path, int vocabulary);
/// The same from the file's text.
Result<std::vector<GoldenText>> parse_goldens(std::string_view json, int vocabulary);

}  // namespace feilun::engine
