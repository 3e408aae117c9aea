#include "model/pooling.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace feilun::model {

std::string_view pooling_name(Pooling pooling) {
  switch (pooling) {
    case Pooling::kNone:
      return "none";
    case Pooling::kMean:
      return "mean";
    case Pooling::kFirst:
      return "first token";
    case Pooling::kLast:
      return "last token";
  }
  return "none";
}

void pool_rows(Pooling pooling, const float* rows, int64_t stride, int64_t count, std::span<float> out) {
  CHECK(pooling != Pooling::kNone && count > 0);
  const float* one = pooling == Pooling::kLast ? rows + (count - 1) * stride : rows;
  std::copy_n(one, out.size(), out.begin());
  if (pooling != Pooling::kMean) return;
  for (int64_t row = 1; row < count; ++row) {
    for (size_t i = 0; i < out.size(); ++i) out[i] += rows[row * stride + static_cast<int64_t>(i)];
  }
  for (float& x : out) x /= static_cast<float>(count);
}

bool scale_to_unit_length(std::span<float> vector) {
  double squares = 0;
  for (const float x : vector) squares += double{x} * double{x};
  if (!std::isfinite(squares) || squares <= 0) return false;
  const double factor = 1 / std::sqrt(squares);
  for (float& x : vector) x = static_cast<float>(x * factor);
  return true;
}

}  // namespace feilun::model
