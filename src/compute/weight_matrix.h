#pragma once

#include <cstdint>
#include <span>

#include "compute/aligned_buffer.h"
#include "compute/dtype.h"
#include "compute/kernels.h"
#include "compute/thread_pool.h"

/// Weights as the kernels read them. A file stores a matrix row by row, a row being one output column's K
/// weights. Here 32 output columns form a panel that lies in memory exactly in the order in which a kernel
/// walks over it: 32 weights side by side belong to 32 lanes, and a panel is one sequential stream.
///
///   F32, F16, BF16   [K][32]
///   Q8_0             per group of 32 k: 32 F16 scales, then [8 steps of 4 k][32 columns][4] bytes q + 128
///   Q4_0             per group of 32 k: 32 F16 scales, then [4 steps of 8 k][32 columns][4] bytes, low
///   nibble
///                    the q + 8 of k 0…3 of the step, high nibble that of k 4…7
///   Q4_1             as Q4_0, with 32 F16 minima after the scales, and codes q without an offset
///   Q5_1             as Q8_0, with 32 F16 minima after the scales, and bytes q without an offset
///   W8               [K / 4][32 columns][4] bytes q + 128, then 32 F32 scales
///
/// Quantised panels take as many bytes as the file's blocks, but for Q5_1, whose bits lie apart from its
/// nibbles there. Columns past the last are zero.

namespace feilun::compute {

/// Weights along K that a packed matrix takes together: its depth is a multiple. 1 for floats.
constexpr int64_t packed_group(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16 ? 1 : kGroup;
}

/// Memory for the matrices of one model, reserved in one piece: matrices of a megabyte or two that each began
/// on a huge page of their own would waste a quarter of the memory.
class WeightArena {
 public:
  static Result<WeightArena> reserve(int64_t bytes);
  /// The next piece, on a 64-byte boundary. All pieces together must fit.
  std::byte* take(int64_t bytes);

 private:
  AlignedBuffer memory_;
  int64_t used_ = 0;
};

/// One packed matrix. Its memory belongs to the arena.
class WeightMatrix {
 public:
  /// Repacks a stored matrix: `columns` rows of `depth` elements of type `stored`. can_pack(stored, packed)
  /// must hold, and the sizes must agree.
  static WeightMatrix pack(DType stored, std::span<const std::byte> bytes, int64_t depth, int64_t columns,
                           DType packed, ThreadPool& pool, WeightArena& arena);

  DType type() const { return type_; }
  bool quantised() const { return packed_group(type_) > 1; }
  int64_t depth() const { return depth_; }
  int64_t columns() const { return columns_; }
  int64_t panels() const { return (columns_ + kPanelColumns - 1) / kPanelColumns; }
  const std::byte* panel(int64_t index) const { return memory_ + index * panel_bytes_; }
  /// The weights of one output column, `depth` floats: an embedding, where input and output share the table.
  void read_column(int64_t column, float* out) const;

 private:
  DType type_ = DType::kF32;
  int64_t depth_ = 0;
  int64_t columns_ = 0;
  int64_t panel_bytes_ = 0;
  const std::byte* memory_ = nullptr;
};

/// True for what a file stores and a panel keeps: F32, F16, BF16, Q8_0, Q4_0, Q4_1 and Q5_1.
bool can_pack(DType type);
/// Every packable type is packed as it is stored. A float type may become any other that can be written, a
/// type without a packed form what RowConverter makes of it, and any type F32 or W8.
bool can_pack(DType stored, DType packed);
/// Bytes of a packed matrix, a multiple of 64.
int64_t packed_bytes(DType type, int64_t depth, int64_t columns);

}  // namespace feilun::compute
