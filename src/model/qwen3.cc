#include "model/qwen_windows.h"

// Qwen3: an RMS norm on every query and key head, whose width is independent of the hidden size.

namespace feilun::model {
namespace {

Result<> read_config(const HuggingFaceObject& config, Hyperparameters& shape) {
  TRY(read_attention_bias(config, shape));
  return read_qwen_windows(config, shape);
}

constexpr Family kQwen3 = {
    .name = "qwen3",
    .hugging_face = "Qwen3ForCausalLM",
    .qk_norm = true,
    .head_dim = 128,
    .read_config = read_config,
    .read_gguf = refuse_gguf_window,
};

}  // namespace

const Family& qwen3_family() {
  return kQwen3;
}

}  // namespace feilun::model
