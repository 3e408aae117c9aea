#pragma once

#include <algorithm>
#include <cstdint>

#include "compute/aligned_buffer.h"
#include "compute/kernels.h"
#include "model/decoder_weights.h"

namespace feilun::model {

/// Columns rounded up to whole panels: kernels write nothing less.
inline int64_t padded_to_panels(int64_t columns) {
  return (columns + compute::kPanelColumns - 1) / compute::kPanelColumns * compute::kPanelColumns;
}

/// The input of a Linear: rows of floats, and the same rows quantised where some weights want that.
class Activations {
 public:
  explicit Activations(int64_t depth = 0) : depth_(depth), stride_((depth + 31) / 32 * 32) {}

  Result<> reserve(int64_t rows) {
    TRY(floats_.reserve(static_cast<size_t>(rows * stride_)));
    TRY(q_.reserve(static_cast<size_t>(rows * stride_)));
    TRY(scale_.reserve(static_cast<size_t>(rows * stride_ / 32)));
    return sum_.reserve(static_cast<size_t>(rows * stride_ / 32));
  }
  int64_t stride() const { return stride_; }
  float* row(int64_t row) { return floats_.data() + row * stride_; }
  compute::QuantisedRows quantised() { return {q_.data(), scale_.data(), sum_.data()}; }
  /// Sets `count` elements of a row from `first` on, in the forms that `reader` reads. Both are multiples of
  /// 32 where it reads quantised ones.
  void put(const compute::Kernels& kernels, const Linear& reader, int64_t at, int64_t first,
           const float* from, int64_t count) {
    if (reader.reads_floats) std::copy_n(from, count, row(at) + first);
    if (reader.reads_quantised) quantise_from(kernels, from, at, first, count);
  }
  /// Quantises `count` elements of a row from `first` on; both are multiples of 32, and so is the depth.
  void quantise(const compute::Kernels& kernels, int64_t at, int64_t first, int64_t count) {
    quantise_from(kernels, row(at) + first, at, first, count);
  }
  void quantise(const compute::Kernels& kernels, int64_t at) { quantise(kernels, at, 0, depth_); }
  /// Copies row `from` of other activations of the same depth to row `to`.
  void copy_row(Activations& other, int64_t from, int64_t to) {
    const int64_t groups = depth_ / 32;
    std::copy_n(other.row(from), depth_, row(to));
    std::copy_n(other.q_.data() + from * depth_, depth_, q_.data() + to * depth_);
    std::copy_n(other.scale_.data() + from * groups, groups, scale_.data() + to * groups);
    std::copy_n(other.sum_.data() + from * groups, groups, sum_.data() + to * groups);
  }

 private:
  void quantise_from(const compute::Kernels& kernels, const float* from, int64_t at, int64_t first,
                     int64_t count) {
    const int64_t group = at * (depth_ / 32) + first / 32;
    kernels.quantise_row(from, count, q_.data() + at * depth_ + first, scale_.data() + group,
                         sum_.data() + group);
  }

  int64_t depth_;
  int64_t stride_;
  compute::AlignedArray<float> floats_;
  compute::AlignedArray<int8_t> q_;
  compute::AlignedArray<float> scale_;
  compute::AlignedArray<int32_t> sum_;
};

/// The matmul of one panel of a Linear, counted over all its parts; `out` is column 0 of the output rows.
inline compute::MatmulJob panel_job(const Linear& linear, size_t part, int64_t panel, int64_t count,
                                    Activations& input, int64_t first_row, int64_t rows) {
  const compute::WeightMatrix& matrix = linear.parts[part];
  const int64_t groups = matrix.depth() / 32;
  compute::QuantisedRows xq = input.quantised();
  xq.q += first_row * matrix.depth();
  xq.scale += first_row * groups;
  xq.sum += first_row * groups;
  return {.panels = matrix.panel(panel),
          .type = matrix.type(),
          .panel_count = count,
          .depth = matrix.depth(),
          .rows = rows,
          .x = input.row(first_row),
          .x_stride = input.stride(),
          .xq = xq};
}

}  // namespace feilun::model
