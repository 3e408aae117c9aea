#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compute/dtype.h"

namespace feilun::compute {

/// Rows of one stored type turned into rows of another, one at a time.
class RowConverter {
 public:
  /// Any type becomes itself or one that `quantise` writes; Q4_K also Q4_1, and Q5_K Q5_1.
  static bool can_convert(DType from, DType to);
  /// A row has `depth` elements, whole blocks of both types.
  RowConverter(DType from, DType to, int64_t depth);

  /// The converted row, valid until the next call; `row` itself where the types are one.
  std::span<const std::byte> convert(std::span<const std::byte> row);

 private:
  DType from_;
  DType to_;
  std::vector<float> floats_;
  std::vector<std::byte> bytes_;
};

}  // namespace feilun::compute
