#include "model/family.h"

// Llama and the many models of its shape (Yi, SmolLM, TinyStories): the plain decoder. GGUF's converters
// order the rows of Q and K so that neighbours turn together. Llama 3's scaling of RoPE stands in
// config.json, and in GGUF as the tensor "rope_freqs.weight". Mistral's GGUF files go by this name too,
// window and all.

namespace feilun::model {
namespace {

Result<> read_config(const HuggingFaceObject& config, Hyperparameters& shape) {
  if (TRY(config.boolean("mlp_bias")).value_or(false)) {
    return fail(ErrorCode::kUnsupported,
                "config.json sets mlp_bias, and feed-forward biases are not computed here");
  }
  return read_attention_bias(config, shape);
}

Result<> read_gguf(const GgufSettings& settings, Hyperparameters& shape) {
  set_windows(TRY(settings.integer_or("attention.sliding_window", 0)), shape);
  return {};
}

constexpr Family kLlama = {
    .name = "llama",
    .hugging_face = "LlamaForCausalLM",
    .gguf_pairs = RopePairs::kNeighbours,
    .read_config = read_config,
    .read_gguf = read_gguf,
};

}  // namespace

const Family& llama_family() {
  return kLlama;
}

}  // namespace feilun::model
