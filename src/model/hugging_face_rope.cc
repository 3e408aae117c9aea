#include "model/hugging_face_rope.h"

#include <cmath>

namespace feilun::model {
namespace {

using Kind = RopeScaling::Kind;

Result<Kind> read_kind(const HuggingFaceObject& rope) {
  auto type = TRY(rope.string("rope_type"));
  if (!type) type = TRY(rope.string("type"));
  if (!type || *type == "default") return Kind::kNone;
  if (*type == "linear") return Kind::kLinear;
  if (*type == "llama3") return Kind::kLlama3;
  if (*type == "yarn") return Kind::kYarn;
  return fail(ErrorCode::kUnsupported,
              "the model needs RoPE scaling of type {}, which this version does not have", *type);
}

Result<float> needed_number(const HuggingFaceObject& rope, std::string_view key) {
  const auto number = TRY(rope.number(key));
  if (!number) return fail(ErrorCode::kCorrupt, "config.json's RoPE scaling does not say {}", key);
  return *number;
}

/// Some files scale by what one factor says over what another says.
Result<float> read_magnitude(const HuggingFaceObject& rope, float factor) {
  if (const auto given = TRY(rope.number("attention_factor"))) return *given;
  const float all = TRY(rope.number("mscale_all_dim")).value_or(0.0f);
  const float some = TRY(rope.number("mscale")).value_or(0.0f);
  if (all == 0.0f || some == 0.0f || factor <= 1.0f) return 0.0f;
  const float log = 0.1f * std::log(factor);
  return (log * some + 1.0f) / (log * all + 1.0f);
}

Result<RopeScaling> read_scaling(const HuggingFaceObject& config, const HuggingFaceObject& rope,
                                 int context) {
  RopeScaling scaling;
  scaling.kind = TRY(read_kind(rope));
  if (scaling.kind == Kind::kNone) return scaling;
  scaling.factor = TRY(needed_number(rope, "factor"));
  if (scaling.kind == Kind::kLinear) return scaling;
  // Some files keep the window of the first training beside the scaling.
  const auto outside = TRY(config.integer("original_max_position_embeddings"));
  const auto inside = TRY(rope.integer("original_max_position_embeddings"));
  scaling.original_context = outside ? *outside : inside.value_or(context);
  if (scaling.kind == Kind::kLlama3) {
    scaling.low_frequency = TRY(needed_number(rope, "low_freq_factor"));
    scaling.high_frequency = TRY(needed_number(rope, "high_freq_factor"));
    return scaling;
  }
  scaling.fast_turns = TRY(rope.number("beta_fast")).value_or(scaling.fast_turns);
  scaling.slow_turns = TRY(rope.number("beta_slow")).value_or(scaling.slow_turns);
  scaling.whole_pairs = TRY(rope.boolean("truncate")).value_or(true);
  scaling.magnitude = TRY(read_magnitude(rope, scaling.factor));
  return scaling;
}

/// rope_parameters may hold an object for each type of layer.
Result<> refuse_nested(const HuggingFaceObject& rope) {
  for (const std::string_view type : {"full_attention", "sliding_attention"}) {
    if (!rope.has(type)) continue;
    return fail(ErrorCode::kUnsupported, "RoPE that differs between layers is not supported");
  }
  return {};
}

}  // namespace

Result<> read_hugging_face_rope(const HuggingFaceObject& config, float rotary_part, Hyperparameters& shape) {
  shape.rope_base = TRY(config.number("rope_theta")).value_or(10000.0f);
  float part = TRY(config.number("partial_rotary_factor")).value_or(rotary_part);
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    const auto rope = TRY(config.object(key));
    if (!rope) continue;
    TRY(refuse_nested(*rope));
    shape.rope_scaling = TRY(read_scaling(config, *rope, shape.context));
    shape.rope_base = TRY(rope->number("rope_theta")).value_or(shape.rope_base);
    part = TRY(rope->number("partial_rotary_factor")).value_or(part);
  }
  if (!(part > 0.0f && part <= 1.0f)) {
    return fail(ErrorCode::kCorrupt, "partial_rotary_factor is {}, not from 0 to 1", part);
  }
  // The part is a decimal fraction: a float's error must not cost an element.
  if (part < 1.0f) shape.rope_dimension = static_cast<int>(part * static_cast<float>(shape.head_dim) + 1e-3f);
  return {};
}

}  // namespace feilun::model
