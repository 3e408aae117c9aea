#include "model/qwen_windows.h"

#include <algorithm>

namespace feilun::model {

Result<> read_qwen_windows(const HuggingFaceObject& config, Hyperparameters& shape) {
  if (!TRY(config.boolean("use_sliding_window")).value_or(false)) return {};
  const int usual = config.has("sliding_window") ? 0 : 4096;  // null: no window
  const int window = TRY(config.integer("sliding_window")).value_or(usual);
  TRY(read_windows(config, window, [](int) { return true; }, shape));
  if (config.has("layer_types") || shape.windows.empty()) return {};
  const auto full = static_cast<size_t>(TRY(config.integer("max_window_layers")).value_or(28));
  std::fill_n(shape.windows.begin(), std::min(full, shape.windows.size()), 0);
  return {};
}

Result<> refuse_gguf_window(const GgufSettings& settings, Hyperparameters&) {
  if (TRY(settings.integer_or("attention.sliding_window", 0)) == 0) return {};
  return fail(ErrorCode::kUnsupported, "{} is set, but the file does not say for which layers",
              settings.key("attention.sliding_window"));
}

}  // namespace feilun::model
