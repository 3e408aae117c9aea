#include "compute/row_converter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "compute/k_group_scale.h"
#include "compute/quantise.h"

// Quantised weights are not any numbers: those of a group lie on a grid, a·j + b with small whole j. Q8_0 has
// a grid too, D·c with |c| ≤ 127. With D = a/n for a whole n, neighbours on the first grid are exactly n
// apart on the second, so all weights of the group keep their distances, and what is rounded is their common
// offset alone: by D times the distance of b/D from a whole number. Several n keep every |c| ≤ 127, and one
// of them is nearly always far better than the usual D = amax/127. For Q5_0, whose b is a multiple of a, n =
// 1 loses nothing at all. Q6_K has two steps in a group of 32, and Q4_0 and Q8_0 are never requantised.

namespace feilun::compute {
namespace {

constexpr int kGroupWeights = 32;
constexpr float kCodeMax = 127;
constexpr float kF16Max = 65504;

/// The distance a of a group's grid; 0 for types without one.
float grid_step(DType type, const std::byte* block, int group) {
  uint16_t scale;
  std::memcpy(&scale, block, sizeof scale);
  switch (type) {
    case DType::kQ4_1:
    case DType::kQ5_0:
    case DType::kQ5_1:
      return std::fabs(f16_to_f32(scale));
    case DType::kQ4_K:
    case DType::kQ5_K:
      return std::fabs(k_group_scale(block, group).scale);
    default:
      return 0;
  }
}

/// The scale of Q8_0 that loses least of a group with this step whose largest magnitude is `amax`.
float best_scale(float step, float amax) {
  const float plain = amax / kCodeMax;
  const bool ordinary = step > 0 && step <= kF16Max && amax > 0 && amax <= std::numeric_limits<float>::max();
  if (!ordinary) return plain;
  float best = plain;
  float best_error = plain * 0.289f;  // rounding at random has an RMS of D/√12
  const float levels = amax / step;
  for (int n = 1; n <= kCodeMax && best_error > 0; ++n) {
    const float code = static_cast<float>(n) * levels;
    if (code >= kCodeMax + 0.5f) break;
    const float nearest = static_cast<float>(static_cast<int>(code + 0.5f));
    const float error = std::fabs(code - nearest) * step / static_cast<float>(n);
    if (error >= best_error) continue;
    best_error = error;
    best = step / static_cast<float>(n);
  }
  return best;
}

}  // namespace

RowConverter::RowConverter(DType from, DType to, int64_t depth)
    : from_(from), to_(to), floats_(static_cast<size_t>(depth)), bytes_(stored_bytes(to, depth)) {
  CHECK(from == to || can_quantise(to));
}

std::span<const std::byte> RowConverter::convert(std::span<const std::byte> row) {
  if (from_ == to_) return row;
  dequantise(from_, row, floats_);
  if (to_ == DType::kQ8_0) {
    requantise(row);
  } else {
    quantise(to_, floats_, bytes_);
  }
  return bytes_;
}

void RowConverter::requantise(std::span<const std::byte> row) {
  const BlockLayout from = block_layout(from_);
  const size_t to_bytes = block_layout(DType::kQ8_0).bytes;
  for (size_t at = 0, to = 0; at < floats_.size(); at += kGroupWeights, to += to_bytes) {
    const auto elements = static_cast<size_t>(from.elements);
    const std::byte* block = row.data() + at / elements * from.bytes;
    const auto weights = std::span(floats_).subspan(at).first<kGroupWeights>();
    float amax = 0;
    for (const float w : weights) amax = std::max(amax, std::fabs(w));
    const float step = grid_step(from_, block, static_cast<int>(at % elements) / kGroupWeights);
    quantise_q8_0(weights, best_scale(step, amax), std::span(bytes_).subspan(to).first<34>());
  }
}

}  // namespace feilun::compute
