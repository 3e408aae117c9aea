#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compute/dtype.h"

namespace feilun::compute {

/// Rows of one stored type turned into rows of another, one at a time. `to` is a type that `quantise` writes.
class RowConverter {
 public:
  /// A row has `depth` elements, whole blocks of both types.
  RowConverter(DType from, DType to, int64_t depth);

  /// The converted row, valid until the next call; `row` itself where the types are one.
  std::span<const std::byte> convert(std::span<const std::byte> row);

 private:
  void requantise(std::span<const std::byte> row);

  DType from_;
  DType to_;
  std::vector<float> floats_;
  std::vector<std::byte> bytes_;
};

}  // namespace feilun::compute
