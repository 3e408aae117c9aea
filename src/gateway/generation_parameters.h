#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "gateway/request_fields.h"
#include "pricing/price.h"

namespace feilun::gateway {

constexpr int kChoicesMax = 16;  ///< `n`
constexpr size_t kStopStringsMax = 4;
constexpr size_t kStopBytesMax = 1024;  ///< of one stop string
constexpr size_t kLogitBiasMax = 1024;
constexpr int kTopLogprobsMax = 20;

/// The fields that chat completions and completions share. What a request leaves out stays empty, so that
/// the model's own defaults can fill it.
struct GenerationParameters {
  std::string model;
  int n = 1;
  std::vector<std::string> stop;
  bool stream = false;
  bool include_usage = false;
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
  std::optional<int> top_k;
  float presence_penalty = 0;
  float frequency_penalty = 0;
  std::vector<std::pair<engine::TokenId, float>> logit_bias;
  std::optional<uint64_t> seed;
  bool ignore_eos = false;
  pricing::ServiceTier tier = pricing::ServiceTier::kDefault;  ///< asked for
};

Result<GenerationParameters> read_parameters(const RequestFields& fields);
/// Of these, the tier that is asked for.
Result<pricing::ServiceTier> read_tier(const RequestFields& fields);

/// The request's settings, else the model's, else OpenAI's. kInvalidArgument for a logit_bias id that the
/// model does not have. A request without a seed gets a random one.
Result<engine::Sampling> sampling_for(const GenerationParameters& parameters,
                                      const model::SamplingDefaults& defaults, int vocabulary,
                                      int top_logprobs);

/// The seed of the prompt at `index` in a request: equal prompts are sampled apart, the first as if it were
/// alone.
uint64_t seed_of_prompt(uint64_t seed, size_t index);

/// A field that clients know and this server does not serve: refused by name unless its value asks for
/// nothing. Silently ignoring one would give an answer that looks right and is not.
struct UnsupportedField {
  const char* name;
  /// The values that ask for nothing, as JSON, separated by spaces; "" when there is none but null.
  const char* harmless;
};
Result<> refuse_unsupported(const RequestFields& fields, std::span<const UnsupportedField> table);

}  // namespace feilun::gateway
