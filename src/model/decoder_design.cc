#include "model/decoder_design.h"

#include <cmath>

#include "compute/kernels.h"
#include "model/llama.h"
#include "model/qwen3.h"

namespace feilun::model {
namespace {

Result<> check_shape(const Hyperparameters& shape) {
  constexpr int kWidthMax = 1 << 20;
  for (const int width :
       {shape.layers, shape.hidden, shape.heads, shape.kv_heads, shape.head_dim, shape.ffn}) {
    if (width < 1 || width > kWidthMax)
      return fail(ErrorCode::kUnsupported, "a width of {} in the model", width);
  }
  if (shape.vocabulary < 1) return fail(ErrorCode::kUnsupported, "a vocabulary of {}", shape.vocabulary);
  if (shape.heads % shape.kv_heads != 0) {
    return fail(ErrorCode::kUnsupported, "{} query heads on {} KV heads", shape.heads, shape.kv_heads);
  }
  if (shape.head_dim % 2 != 0 || shape.head_dim > compute::kHeadDimMax) {
    return fail(ErrorCode::kUnsupported, "heads of {} elements; even and at most {} are supported",
                shape.head_dim, compute::kHeadDimMax);
  }
  return {};
}

}  // namespace

Result<DecoderDesign> decoder_design(const ModelFile& file) {
  TRY(check_shape(file.shape));
  if (file.shape.architecture == "llama") return llama_design(file);
  if (file.shape.architecture == "qwen3") return qwen3_design(file);
  return fail(ErrorCode::kUnsupported, "architecture \"{}\" is not supported", file.shape.architecture);
}

std::vector<float> rope_inverse_frequencies(float base, int head_dim) {
  std::vector<float> frequencies;
  for (int i = 0; i < head_dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    frequencies.push_back(1.0f / std::pow(base, exponent));
  }
  return frequencies;
}

}  // namespace feilun::model
