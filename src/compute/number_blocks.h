#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compute/kernels.h"

namespace feilun::compute {

/// A long row of numbers, such as the logits of a vocabulary, as blocks of 64 with the largest of each:
/// whoever looks for large numbers looks into few blocks. What is not a number is passed over everywhere.
///
/// One thread at a time. Memory is kept from row to row.
class NumberBlocks {
 public:
  explicit NumberBlocks(const Kernels& kernels) : kernels_(kernels) {}

  /// Looks at another row, which must stay as it is while it is asked about.
  void read(std::span<const float> numbers);

  float number(int64_t place) const { return numbers_[static_cast<size_t>(place)]; }
  /// −∞ where there is none.
  float largest() const { return largest_; }
  /// Where it stands, of equals the first; −1 where there is none.
  int64_t largest_at() const;
  /// The places of the `count` largest, of equals the first, in rising order; fewer where there are no more
  /// above −∞. Valid until the next call.
  std::span<const int64_t> best(int64_t count);

  /// visit(place, number) for every number of at least `least`, in rising order of places.
  template <typename Visit>
  void each_from(float least, Visit&& visit) const {
    for (size_t block = 0; block < maxima_.size(); ++block) {
      if (!(maxima_[block] >= least)) continue;
      const std::span<const float> numbers = block_of(block);
      for (size_t i = 0; i < numbers.size(); ++i) {
        if (numbers[i] >= least) visit(static_cast<int64_t>(block * kNumberBlock + i), numbers[i]);
      }
    }
  }

  /// Gives each number x the weight e^((x − largest)·scale), and returns their sum. Weights below e⁻⁸⁷ are
  /// zero. `scale` is positive and finite.
  double weigh(float scale);
  /// The place where the running sum of the weights, taken in rising order, passes `share` of the whole;
  /// 0 ≤ share < 1. After weigh(), where some number is above −∞.
  int64_t pick(double share) const;

 private:
  std::span<const float> block_of(size_t block) const;

  const Kernels& kernels_;
  std::span<const float> numbers_;
  float largest_ = 0;
  std::vector<float> maxima_;
  float scale_ = 1;
  double total_ = 0;
  std::vector<float> weights_;  ///< of whole blocks
  std::vector<int64_t> best_;
  std::vector<float> ranked_;
};

}  // namespace feilun::compute
