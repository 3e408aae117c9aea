#include "gateway/generation_parameters.h"

#include <charconv>
#include <utility>

#include "base/ids.h"
#include "gateway/service_tier.h"

namespace feilun::gateway {
namespace {

using pricing::ServiceTier;

/// Fields of neither endpoint here, although clients know them.
constexpr UnsupportedField kUnsupportedFields[] = {
    {"tools", "[]"},
    {"tool_choice", "\"none\" \"auto\""},
    {"functions", "[]"},
    {"function_call", "\"none\" \"auto\""},
    {"response_format", "{\"type\":\"text\"}"},
    {"modalities", "[\"text\"]"},
    {"audio", ""},
    {"prediction", ""},
    {"web_search_options", ""},
    {"reasoning_effort", ""},
    {"verbosity", "\"medium\""},
    {"moderation", ""},
    {"guided_json", ""},
    {"guided_regex", ""},
    {"guided_choice", ""},
    {"guided_grammar", ""},
    {"structured_outputs", ""},
    {"min_tokens", "0"},
    {"stop_token_ids", "[]"},
    {"use_beam_search", "false"},
};

template <typename To, typename From>
std::optional<To> as(const std::optional<From>& value) {
  if (!value) return std::nullopt;
  return static_cast<To>(*value);
}

/// Checked before it is copied: every choice of every prompt keeps its own.
Result<> check_stop(const RequestFields& fields, std::string_view text) {
  if (text.empty()) {
    return std::unexpected(
        fields.error(ErrorCode::kInvalidArgument, "stop", "a stop sequence must not be the empty string"));
  }
  if (text.size() > kStopBytesMax) {
    return std::unexpected(
        fields.error(ErrorCode::kInvalidArgument, "stop",
                     fmt::format("a stop sequence may have at most {} bytes", kStopBytesMax)));
  }
  return {};
}

Result<std::vector<std::string>> read_stop(const RequestFields& fields) {
  std::vector<std::string> stop;
  const auto value = fields.find("stop");
  if (!value) return stop;
  std::string_view one;
  simdjson::dom::array many;
  if (value->get(one) == simdjson::SUCCESS) {
    TRY(check_stop(fields, one));
    stop.emplace_back(one);
  } else if (value->get(many) == simdjson::SUCCESS) {
    for (const auto element : many) {
      if (element.get(one) != simdjson::SUCCESS) {
        return std::unexpected(fields.error(ErrorCode::kInvalidArgument, fmt::format("stop[{}]", stop.size()),
                                            "a stop sequence must be a string"));
      }
      TRY(check_stop(fields, one));
      stop.emplace_back(one);
      if (stop.size() > kStopStringsMax) break;
    }
  } else {
    return fields.wrong_type("stop", "a string or an array of strings");
  }
  if (stop.size() > kStopStringsMax) {
    return std::unexpected(fields.error(ErrorCode::kInvalidArgument, "stop",
                                        fmt::format("'stop' takes at most {} sequences", kStopStringsMax)));
  }
  return stop;
}

Result<std::vector<std::pair<engine::TokenId, float>>> read_logit_bias(const RequestFields& fields) {
  std::vector<std::pair<engine::TokenId, float>> bias;
  const auto object = TRY(fields.object("logit_bias"));
  if (!object) return bias;
  if (object->size() > kLogitBiasMax) {
    return std::unexpected(fields.error(ErrorCode::kInvalidArgument, "logit_bias",
                                        fmt::format("'logit_bias' takes at most {} tokens", kLogitBiasMax)));
  }
  const RequestFields entries(*object, "logit_bias");
  for (const auto field : *object) {
    engine::TokenId id = -1;
    const auto [end, bad] = std::from_chars(field.key.data(), field.key.data() + field.key.size(), id);
    if (bad != std::errc() || end != field.key.data() + field.key.size() || id < 0) {
      return std::unexpected(
          fields.error(ErrorCode::kInvalidArgument, "logit_bias",
                       "every key of 'logit_bias' must be a token id written as a string"));
    }
    if (field.value.is_null()) continue;
    const double value = TRY(entries.number_in(field.value, field.key, -100, 100));
    bias.emplace_back(id, static_cast<float>(value));
  }
  return bias;
}

Result<> read_stream_options(const RequestFields& fields, GenerationParameters& out) {
  out.stream = TRY(fields.boolean("stream")).value_or(false);
  const auto options = TRY(fields.object("stream_options"));
  if (!options) return {};
  if (!out.stream) {
    return std::unexpected(fields.error(ErrorCode::kInvalidArgument, "stream_options",
                                        "'stream_options' is only allowed together with 'stream': true"));
  }
  const RequestFields inner(*options, "stream_options");
  out.include_usage = TRY(inner.boolean("include_usage")).value_or(false);
  return {};
}

/// Fields that change nothing here, but whose type is still a mistake worth telling.
Result<> check_labels(const RequestFields& fields) {
  TRY(fields.string("user"));
  TRY(fields.string("safety_identifier"));
  TRY(fields.string("prompt_cache_key"));
  TRY(fields.boolean("store"));
  TRY(fields.object("metadata"));
  return {};
}

}  // namespace

Result<ServiceTier> read_tier(const RequestFields& fields) {
  const auto tier = TRY(fields.string("service_tier"));
  if (!tier || *tier == "auto") return ServiceTier::kDefault;
  for (const ServiceTier known : {ServiceTier::kDefault, ServiceTier::kFlex, ServiceTier::kPriority}) {
    if (*tier == tier_name(known)) return known;
  }
  return std::unexpected(fields.error(ErrorCode::kInvalidArgument, "service_tier",
                                      "'service_tier' must be auto, default, flex or priority"));
}

Result<GenerationParameters> read_parameters(const RequestFields& fields) {
  GenerationParameters out;
  const auto name = TRY(fields.string("model"));
  if (!name || name->empty()) {
    return std::unexpected(fields.error(ErrorCode::kInvalidArgument, "model", "'model' is required"));
  }
  out.model = *name;
  out.n = static_cast<int>(TRY(fields.integer("n", 1, kChoicesMax)).value_or(1));
  out.stop = TRY(read_stop(fields));
  TRY(read_stream_options(fields, out));
  out.temperature = as<float>(TRY(fields.number("temperature", 0, 2)));
  out.top_p = as<float>(TRY(fields.number("top_p", 0, 1)));
  out.min_p = as<float>(TRY(fields.number("min_p", 0, 1)));
  out.top_k = as<int>(TRY(fields.integer("top_k", -1, INT32_MAX)));
  out.repetition_penalty = as<float>(TRY(fields.number("repetition_penalty", 0.01, 100)));
  out.presence_penalty = static_cast<float>(TRY(fields.number("presence_penalty", -2, 2)).value_or(0));
  out.frequency_penalty = static_cast<float>(TRY(fields.number("frequency_penalty", -2, 2)).value_or(0));
  out.logit_bias = TRY(read_logit_bias(fields));
  out.seed = as<uint64_t>(TRY(fields.integer("seed", INT64_MIN, INT64_MAX)));
  out.ignore_eos = TRY(fields.boolean("ignore_eos")).value_or(false);
  out.tier = TRY(read_tier(fields));
  TRY(check_labels(fields));
  TRY(refuse_unsupported(fields, kUnsupportedFields));
  return out;
}

Result<engine::Sampling> sampling_for(const GenerationParameters& parameters,
                                      const model::SamplingDefaults& defaults, int vocabulary,
                                      int top_logprobs) {
  engine::Sampling sampling;
  sampling.temperature = parameters.temperature.value_or(defaults.temperature.value_or(1.0f));
  sampling.top_p = parameters.top_p.value_or(defaults.top_p.value_or(1.0f));
  sampling.min_p = parameters.min_p.value_or(defaults.min_p.value_or(0.0f));
  sampling.top_k = std::max(0, parameters.top_k.value_or(defaults.top_k.value_or(0)));
  sampling.repetition_penalty =
      parameters.repetition_penalty.value_or(defaults.repetition_penalty.value_or(1.0f));
  sampling.presence_penalty = parameters.presence_penalty;
  sampling.frequency_penalty = parameters.frequency_penalty;
  for (const auto& [id, bias] : parameters.logit_bias) {
    if (id >= vocabulary) {
      return std::unexpected(
          Error{ErrorCode::kInvalidArgument,
                fmt::format("token {} is not among this model's {} tokens", id, vocabulary),
                fmt::format("logit_bias.{}", id)});
    }
  }
  sampling.logit_bias = parameters.logit_bias;
  sampling.seed = parameters.seed.value_or(random_u64());
  sampling.ignore_eos = parameters.ignore_eos;
  sampling.top_logprobs = top_logprobs;
  return sampling;
}

uint64_t seed_of_prompt(uint64_t seed, size_t index) {
  if (index == 0) return seed;
  // The finaliser of SplitMix64 over the sequence that starts at the seed.
  uint64_t x = seed + static_cast<uint64_t>(index) * 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

Result<> refuse_unsupported(const RequestFields& fields, std::span<const UnsupportedField> table) {
  for (const UnsupportedField& field : table) {
    const auto value = fields.find(field.name);
    if (!value) continue;
    const std::string text = simdjson::minify(*value);
    bool harmless = false;
    for (std::string_view rest = field.harmless; !rest.empty();) {
      const size_t end = rest.find(' ');
      harmless = harmless || rest.substr(0, end) == text;
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
    if (harmless) continue;
    return std::unexpected(fields.error(ErrorCode::kUnsupported, field.name,
                                        fmt::format("'{}' is not supported by this server", field.name)));
  }
  return {};
}

}  // namespace feilun::gateway
