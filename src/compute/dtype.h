#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
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
  /// Signed bytes with one scale a column, in memory only (weight_matrix.h): no file has it, and it has no
  /// block.
  kW8 = 0xffff'fff8,
};

/// A block is the smallest unit of a type along K: `elements` numbers in `bytes` bytes.
struct BlockLayout {
  int64_t elements = 1;
  size_t bytes = 4;
};

/// The layout of a type; elements = 0 for an id that is not in DType.
BlockLayout block_layout(DType type);

/// Bytes that `elements` numbers take; `elements` is a multiple of the type's block.
size_t stored_bytes(DType type, int64_t elements);

/// "Q8_0". Ask only for types with a layout.
std::string_view dtype_name(DType type);

/// What a GGUF's type id stands for in a sentence, supported or not: "IQ4_XS", or "type 99" for an id that
/// nobody has given a meaning.
std::string type_id_name(uint32_t id);

/// Every type of DType, for a sentence: "F32, F16, …, Q6_K".
std::string supported_type_names();

}  // namespace feilun::compute
