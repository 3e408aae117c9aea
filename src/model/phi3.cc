#include "model/family.h"

// Phi-3 and Phi-4-mini: Llama with queries, keys and values in one tensor, gate and up in another
// (fused_tensors.h), and a window in every layer of the short-context models. The long-context models scale
// RoPE by "longrope", two sets of divisors chosen by the length of the text so far, which would make a
// token's keys depend on how long its text becomes: refused.

namespace feilun::model {
namespace {

Result<> read_config(const HuggingFaceObject& config, Hyperparameters& shape) {
  if (shape.rope_scaling.kind == RopeScaling::Kind::kYarn) {
    return fail(ErrorCode::kUnsupported,
                "Phi's RoPE scaling of type yarn is its longrope, which this version does not have");
  }
  set_windows(TRY(config.integer("sliding_window")).value_or(0), shape);
  return {};
}

Result<> read_gguf(const GgufSettings& settings, Hyperparameters& shape) {
  set_windows(TRY(settings.integer_or("attention.sliding_window", 0)), shape);
  return {};
}

constexpr Family kPhi3 = {
    .name = "phi3",
    .hugging_face = "Phi3ForCausalLM",
    .norm_epsilon = 1e-5f,
    .read_config = read_config,
    .read_gguf = read_gguf,
};

}  // namespace

const Family& phi3_family() {
  return kPhi3;
}

}  // namespace feilun::model
