#include "model/family.h"

// Mistral: Llama with a sliding window in every layer. In GGUF it is called llama.

namespace feilun::model {
namespace {

Result<> read_config(const HuggingFaceObject& config, Hyperparameters& shape) {
  const int usual = config.has("sliding_window") ? 0 : 4096;  // null: no window
  set_windows(TRY(config.integer("sliding_window")).value_or(usual), shape);
  return {};
}

constexpr Family kMistral = {
    .name = "llama",
    .hugging_face = "MistralForCausalLM",
    .gguf_pairs = RopePairs::kNeighbours,
    .read_config = read_config,
};

}  // namespace

const Family& mistral_family() {
  return kMistral;
}

}  // namespace feilun::model
