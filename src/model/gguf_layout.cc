#include "model/gguf_layout.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/decoder_rope.h"
#include "model/family.h"
#include "model/model_file_parts.h"

namespace feilun::model {
namespace {

using Kind = RopeScaling::Kind;

/// Makes one tensor of several that follow one another in the list of expected ones.
class Fuser {
 public:
  explicit Fuser(const Hyperparameters& shape)
      : fuses_qkv_(shape.architecture == "phi3"),
        fuses_gate_(shape.architecture == "phi3" || shape.architecture == "glm4"),
        shape_(shape) {}

  void add(const ExpectedTensor& expected) {
    auto [prefix, rest] = split(expected.name);
    const std::string name = prefix + fused_name(rest);
    const auto known = std::ranges::find(all_.rbegin(), all_.rend(), name, &GgufTensor::name);
    const bool near = known != all_.rend() && known - all_.rbegin() < 8;
    GgufTensor& tensor = near ? *known : all_.emplace_back(GgufTensor{.name = name});
    tensor.rank = expected.rank;
    tensor.parts.push_back(expected.name);
    tensor.dims[0] = expected.columns;
    if (name.ends_with("_exps.weight")) {
      tensor.rank = 3;
      tensor.dims[1] = expected.rows;
      tensor.dims[2] = static_cast<int64_t>(tensor.parts.size());
    } else {
      tensor.dims[1] = near ? tensor.dims[1] + expected.rows : expected.rows;
    }
    turn(rest, tensor);
  }
  std::vector<GgufTensor> take() { return std::move(all_); }

 private:
  static std::pair<std::string, std::string> split(const std::string& name) {
    const size_t dot = name.starts_with("blk.") ? name.find('.', 4) : std::string::npos;
    if (dot == std::string::npos) return {"", name};
    return {name.substr(0, dot + 1), name.substr(dot + 1)};
  }

  std::string fused_name(const std::string& rest) const {
    if (fuses_qkv_) {
      for (const char* part : {"attn_q.weight", "attn_k.weight", "attn_v.weight"}) {
        if (rest == part) return "attn_qkv.weight";
      }
    }
    if (fuses_gate_ && rest == "ffn_gate.weight") return "ffn_up.weight";
    // "ffn_gate.3.weight" → "ffn_gate_exps.weight"
    const size_t dot = rest.find('.');
    const bool numbered = dot != std::string::npos && rest.find('.', dot + 1) != std::string::npos;
    return numbered ? rest.substr(0, dot) + "_exps.weight" : rest;
  }

  /// llama's files turn neighbours, whatever the model was read from.
  void turn(const std::string& rest, GgufTensor& tensor) const {
    const bool reorders = shape_.architecture == "llama" && shape_.rope_pairs == RopePairs::kHalves;
    if (!reorders || (!rest.starts_with("attn_q.") && !rest.starts_with("attn_k."))) return;
    tensor.head_dim = shape_.head_dim;
    tensor.turned = shape_.rope_dimension > 0 ? shape_.rope_dimension : shape_.head_dim;
  }

  bool fuses_qkv_;
  bool fuses_gate_;
  const Hyperparameters& shape_;
  std::vector<GgufTensor> all_;
};

/// What llama3's scaling divides each frequency by.
std::vector<float> llama3_divisors(Hyperparameters shape) {
  ModelFile file;
  file.shape = std::move(shape);
  const auto scaled = decoder_rope(file);
  file.shape.rope_scaling = {};
  const auto plain = decoder_rope(file);
  std::vector<float> divisors;
  for (size_t i = 0; i < plain->frequencies.size(); ++i) {
    divisors.push_back(plain->frequencies[i] / scaled->frequencies[i]);
  }
  return divisors;
}

/// The window that the family's own pattern of layers has, 0 for none.
Result<int> window_of(const Hyperparameters& shape) {
  if (shape.windows.empty()) return 0;
  const int window = shape.windows.front();
  const bool alternates = shape.architecture == "gemma2";
  for (size_t i = 0; i < shape.windows.size(); ++i) {
    const bool has_one = !alternates || i % 2 == 0;
    if (shape.windows[i] == (has_one ? window : 0) && !shape.architecture.starts_with("qwen")) continue;
    return fail(ErrorCode::kUnsupported,
                "GGUF has no words for which of this model's layers have a sliding window");
  }
  return window;
}

Result<> write_rope(const Hyperparameters& shape, auto&& number, auto&& real, auto&& text) {
  real("rope.freq_base", shape.rope_base);
  number("rope.dimension_count", shape.rope_dimension > 0 ? shape.rope_dimension : shape.head_dim);
  const RopeScaling& scaling = shape.rope_scaling;
  if (scaling.kind == Kind::kNone || scaling.kind == Kind::kLlama3) return {};
  text("rope.scaling.type", scaling.kind == Kind::kLinear ? "linear" : "yarn");
  real("rope.scaling.factor", scaling.factor);
  if (scaling.kind == Kind::kLinear) return {};
  if (scaling.magnitude != 0.0f || !scaling.whole_pairs) {
    return fail(ErrorCode::kUnsupported, "GGUF has no words for this model's kind of yarn");
  }
  number("rope.scaling.original_context_length", scaling.original_context);
  real("rope.scaling.yarn_beta_fast", scaling.fast_turns);
  real("rope.scaling.yarn_beta_slow", scaling.slow_turns);
  return {};
}

}  // namespace

std::vector<GgufTensor> gguf_layout(const Hyperparameters& shape) {
  Fuser fuser(shape);
  for (const ExpectedTensor& expected : expected_tensors(shape)) fuser.add(expected);
  std::vector<GgufTensor> all = fuser.take();
  if (shape.rope_scaling.kind == Kind::kLlama3) {
    GgufTensor divisors{.name = "rope_freqs.weight", .rank = 1, .values = llama3_divisors(shape)};
    divisors.dims[0] = static_cast<int64_t>(divisors.values.size());
    all.insert(all.begin() + 1, std::move(divisors));
  }
  return all;
}

Result<> write_gguf_shape(const Hyperparameters& shape, GgufWriter& writer) {
  const auto key = [&](std::string_view name) { return fmt::format("{}.{}", shape.architecture, name); };
  const auto number = [&](std::string_view name, int value) {
    writer.set_u32(key(name), static_cast<uint32_t>(value));
  };
  const auto real = [&](std::string_view name, float value) { writer.set_f32(key(name), value); };
  const auto text = [&](std::string_view name, std::string_view value) {
    writer.set_string(key(name), value);
  };
  number("block_count", shape.layers);
  number("context_length", shape.context);
  number("embedding_length", shape.hidden);
  number("feed_forward_length", shape.ffn);
  number("attention.head_count", shape.heads);
  number("attention.head_count_kv", shape.kv_heads);
  number("attention.key_length", shape.head_dim);
  number("attention.value_length", shape.head_dim);
  real("attention.layer_norm_rms_epsilon", shape.norm_epsilon);
  TRY(write_rope(shape, number, real, text));
  number("vocab_size", shape.vocabulary);
  const int window = TRY(window_of(shape));
  if (window > 0 || shape.architecture == "gemma2") number("attention.sliding_window", window);
  if (shape.architecture == "gemma2") {
    real("attn_logit_softcapping", shape.score_cap);
    real("final_logit_softcapping", shape.logit_cap);
  }
  if (shape.score_divisor > 0) real("attention.scale", 1.0f / std::sqrt(shape.score_divisor));
  if (shape.experts.count > 0) {
    number("expert_count", shape.experts.count);
    number("expert_used_count", shape.experts.used);
    number("expert_feed_forward_length", shape.experts.ffn);
    writer.set_bool(key("expert_weights_norm"), shape.experts.normalised);
  }
  return {};
}

}  // namespace feilun::model
