#include "compute/number_blocks.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "base/check.h"

namespace feilun::compute {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

}  // namespace

void NumberBlocks::read(std::span<const float> numbers) {
  numbers_ = numbers;
  maxima_.resize((numbers.size() + kNumberBlock - 1) / kNumberBlock);
  kernels_.block_maxima(numbers.data(), static_cast<int64_t>(numbers.size()), maxima_.data());
  largest_ = kNothing;
  for (const float maximum : maxima_) largest_ = std::max(largest_, maximum);
}

int64_t NumberBlocks::largest_at() const {
  if (largest_ == kNothing) return -1;
  const auto block = static_cast<size_t>(std::ranges::find(maxima_, largest_) - maxima_.begin());
  const std::span<const float> numbers = block_of(block);
  return static_cast<int64_t>(block * kNumberBlock) +
         (std::ranges::find(numbers, largest_) - numbers.begin());
}

/// As many blocks as numbers are wanted have a maximum at or above some bound, so the numbers wanted do too.
std::span<const int64_t> NumberBlocks::best(int64_t count) {
  const auto wanted = static_cast<size_t>(count);
  best_.clear();
  if (wanted == 0) return best_;
  float bound = std::numeric_limits<float>::lowest();
  if (wanted <= maxima_.size()) {
    ranked_ = maxima_;
    std::ranges::nth_element(ranked_, ranked_.begin() + static_cast<ptrdiff_t>(wanted) - 1, std::greater{});
    bound = std::max(bound, ranked_[wanted - 1]);
  }
  each_from(bound, [&](int64_t place, float) { best_.push_back(place); });
  if (best_.size() <= wanted) return best_;
  const auto better = [this](int64_t a, int64_t b) {
    const float at_a = numbers_[static_cast<size_t>(a)];
    const float at_b = numbers_[static_cast<size_t>(b)];
    return at_a != at_b ? at_a > at_b : a < b;
  };
  std::ranges::nth_element(best_, best_.begin() + static_cast<ptrdiff_t>(wanted), better);
  best_.resize(wanted);
  std::ranges::sort(best_);
  return best_;
}

double NumberBlocks::weigh(float scale) {
  scale_ = scale;
  weights_.resize(maxima_.size());
  kernels_.block_weights(numbers_.data(), static_cast<int64_t>(numbers_.size()), largest_, scale,
                         weights_.data());
  total_ = 0;
  for (const float weight : weights_) total_ += weight;
  return total_;
}

int64_t NumberBlocks::pick(double share) const {
  CHECK(total_ > 0);
  double left = share * total_;
  size_t block = 0;
  size_t heavy = 0;  // the last with any weight: rounding may carry the search past the end
  for (; block < weights_.size(); ++block) {
    if (weights_[block] > 0) heavy = block;
    if (left < weights_[block]) break;
    left -= weights_[block];
  }
  if (block == weights_.size()) block = heavy;
  const std::span<const float> numbers = block_of(block);
  float weights[kNumberBlock];
  kernels_.weights(numbers.data(), static_cast<int64_t>(numbers.size()), largest_, scale_, weights);
  size_t picked = 0;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (weights[i] == 0) continue;
    picked = i;
    if (left < weights[i]) break;
    left -= weights[i];
  }
  return static_cast<int64_t>(block * kNumberBlock + picked);
}

std::span<const float> NumberBlocks::block_of(size_t block) const {
  const size_t first = block * kNumberBlock;
  return numbers_.subspan(first, std::min<size_t>(kNumberBlock, numbers_.size() - first));
}

}  // namespace feilun::compute
