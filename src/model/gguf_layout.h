#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/gguf_writer.h"
#include "model/model_file.h"

/// How GGUF files hold a decoder: the inverse of what gguf_model.h and fused_tensors.h read.

namespace feilun::model {

/// One tensor of a GGUF file, made of tensors as expected_tensors names them.
struct GgufTensor {
  std::string name;
  int rank = 2;
  std::array<int64_t, 4> dims = {1, 1, 1, 1};
  std::vector<std::string> parts;  ///< their rows follow one another; empty: `values`
  int64_t head_dim = 0;            ///< not 0: in each head of so many rows the first `turned` change places,
  int64_t turned = 0;              ///< halves that RoPE turns together becoming neighbours
  std::vector<float> values;

  /// The row of the parts that stands at `row` in the file.
  int64_t source_row(int64_t row) const {
    const int64_t at = head_dim > 0 ? row % head_dim : 0;
    if (at >= turned) return row;
    return row - at + at % 2 * (turned / 2) + at / 2;
  }
};

/// All tensors, in the order of their use. `shape` is good (check_shape).
std::vector<GgufTensor> gguf_layout(const Hyperparameters& shape);

/// Writes what the file says of the decoder ("llama.block_count" and so on). kUnsupported for what GGUF has
/// no words for.
Result<> write_gguf_shape(const Hyperparameters& shape, GgufWriter& writer);

}  // namespace feilun::model
