#include "model/decoder_rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "model/decoder_weights.h"

namespace feilun::model {
namespace {

constexpr float kFullTurn = 2.0f * std::numbers::pi_v<float>;

std::vector<float> plain_frequencies(float base, int dimension) {
  std::vector<float> frequencies;
  for (int i = 0; i < dimension / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dimension);
    frequencies.push_back(1.0f / std::pow(base, exponent));
  }
  return frequencies;
}

float llama3_frequency(float frequency, const RopeScaling& scaling) {
  const auto context = static_cast<float>(scaling.original_context);
  const float wavelength = kFullTurn / frequency;
  if (wavelength > context / scaling.low_frequency) return frequency / scaling.factor;
  if (wavelength < context / scaling.high_frequency) return frequency;
  const float between =
      (context / wavelength - scaling.low_frequency) / (scaling.high_frequency - scaling.low_frequency);
  return (1 - between) * frequency / scaling.factor + between * frequency;
}

/// The pair, as a real number, that turns so many times in the original window.
double yarn_pair(double turns, const RopeScaling& scaling, double base, int dimension) {
  const double window = scaling.original_context;
  return dimension * std::log(window / (turns * 2 * std::numbers::pi)) / (2 * std::log(base));
}

void scale_by_yarn(const Hyperparameters& shape, int dimension, std::vector<float>& frequencies) {
  const RopeScaling& scaling = shape.rope_scaling;
  double low = yarn_pair(scaling.fast_turns, scaling, shape.rope_base, dimension);
  double high = yarn_pair(scaling.slow_turns, scaling, shape.rope_base, dimension);
  if (scaling.whole_pairs) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dimension - 1.0);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const auto ramp = static_cast<float>(std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0));
    frequencies[i] = frequencies[i] / scaling.factor * ramp + frequencies[i] * (1 - ramp);
  }
}

}  // namespace

Result<Rope> decoder_rope(const ModelFile& file) {
  const Hyperparameters& shape = file.shape;
  const RopeScaling& scaling = shape.rope_scaling;
  const int dimension = shape.rope_dimension > 0 ? shape.rope_dimension : shape.head_dim;
  Rope rope{.frequencies = plain_frequencies(shape.rope_base, dimension)};
  switch (scaling.kind) {
    case RopeScaling::Kind::kNone:
      break;
    case RopeScaling::Kind::kLinear:
      for (float& frequency : rope.frequencies) frequency /= scaling.factor;
      break;
    case RopeScaling::Kind::kLlama3:
      for (float& frequency : rope.frequencies) frequency = llama3_frequency(frequency, scaling);
      break;
    case RopeScaling::Kind::kYarn:
      scale_by_yarn(shape, dimension, rope.frequencies);
      rope.magnitude = scaling.magnitude > 0    ? scaling.magnitude
                       : scaling.factor <= 1.0f ? 1.0f
                                                : 0.1f * std::log(scaling.factor) + 1.0f;
      break;
  }
  if (!shape.rope_divisors) return rope;
  const std::vector<float> divisors =
      TRY(load_vector(*file.weights, "rope_freqs.weight", static_cast<int64_t>(rope.frequencies.size())));
  for (size_t i = 0; i < divisors.size(); ++i) {
    if (!(divisors[i] > 0)) return fail(ErrorCode::kCorrupt, "rope_freqs.weight holds {}", divisors[i]);
    rope.frequencies[i] /= divisors[i];
  }
  return rope;
}

}  // namespace feilun::model
