#include "model/qwen_windows.h"

// Qwen2 and 2.5: biases on queries, keys and values, and none anywhere else.

namespace feilun::model {
namespace {

Result<> read_config(const HuggingFaceObject& config, Hyperparameters& shape) {
  shape.qkv_bias = true;
  return read_qwen_windows(config, shape);
}

constexpr Family kQwen2 = {
    .name = "qwen2",
    .hugging_face = "Qwen2ForCausalLM",
    .read_config = read_config,
    .read_gguf = refuse_gguf_window,
};

}  // namespace

const Family& qwen2_family() {
  return kQwen2;
}

}  // namespace feilun::model
