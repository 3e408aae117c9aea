#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace feilun::compute {

/// How numbers are stored. The values are GGUF's type ids.
enum class DType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};

/// A block is the smallest unit of a type along K: `elements` numbers in `bytes` bytes.
struct BlockLayout {
  int64_t elements = 1;
  size_t bytes = 4;
};

/// The layout of a type; elements = 0 for an id that is not in DType.
BlockLayout block_layout(DType type);
/// "Q8_0"; "type 99" never: ask only for ids with a layout.
std::string_view dtype_name(DType type);

}  // namespace feilun::compute
