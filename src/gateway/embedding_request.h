#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/text_or_tokens.h"

namespace feilun::gateway {

constexpr size_t kEmbeddingInputsMax = 2048;

/// A checked body of POST /v1/embeddings.
struct EmbeddingRequest {
  std::string model;
  std::vector<TextOrTokens> inputs;  ///< none empty
  bool base64 = false;               ///< little-endian floats in base64 instead of numbers
  std::optional<int> dimensions;     ///< ≥ 1: as many of the first, at most the model's
};

/// kInvalidArgument with the field's path as `param`. Any bytes may be given.
Result<EmbeddingRequest> parse_embedding_request(std::string_view body);

}  // namespace feilun::gateway
