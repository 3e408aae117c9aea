#include "model/fused_tensors.h"

#include <utility>

#include "model/model_file_parts.h"

namespace feilun::model {
namespace {

/// Rows [first, first + rows) of a tensor whose rows all take equally many bytes.
TensorView rows_of(const TensorView& whole, std::string name, int64_t first, int64_t rows) {
  const int64_t all = whole.element_count() / whole.dims[0];
  const size_t row_bytes = whole.data.size() / static_cast<size_t>(all);
  TensorView part = whole;
  part.name = std::move(name);
  part.rank = 2;
  part.dims = {whole.dims[0], rows, 1, 1};
  part.data =
      whole.data.subspan(static_cast<size_t>(first) * row_bytes, static_cast<size_t>(rows) * row_bytes);
  return part;
}

/// A piece of a vector, whose elements are its rows.
TensorView elements_of(const TensorView& whole, std::string name, int64_t first, int64_t count) {
  const size_t bytes = whole.data.size() / static_cast<size_t>(whole.dims[0]);
  TensorView part = whole;
  part.name = std::move(name);
  part.dims = {count, 1, 1, 1};
  part.data = whole.data.subspan(static_cast<size_t>(first) * bytes, static_cast<size_t>(count) * bytes);
  return part;
}

/// Takes fused tensors apart, one at a time.
class Cutter {
 public:
  Cutter(const Hyperparameters& shape, std::vector<TensorView>& out) : shape_(shape), out_(out) {}

  void cut(TensorView tensor) {
    const size_t dot = tensor.name.find('.', sizeof("blk.") - 1);
    if (!tensor.name.starts_with("blk.") || dot == std::string::npos)
      return out_.push_back(std::move(tensor));
    prefix_ = tensor.name.substr(0, dot + 1);
    const std::string_view name = std::string_view(tensor.name).substr(dot + 1);
    const bool done = name == "attn_qkv.weight"        ? cut_qkv(tensor, ".weight")
                      : name == "attn_qkv.bias"        ? cut_qkv(tensor, ".bias")
                      : name == "ffn_up.weight"        ? cut_gate_up(tensor)
                      : name.ends_with("_exps.weight") ? cut_experts(tensor, name)
                                                       : false;
    if (!done) out_.push_back(std::move(tensor));
  }

 private:
  bool cut_qkv(const TensorView& tensor, std::string_view kind) {
    const int64_t q = int64_t{shape_.heads} * shape_.head_dim;
    const int64_t kv = int64_t{shape_.kv_heads} * shape_.head_dim;
    const bool vector = tensor.rank == 1;
    if (vector && compute::block_layout(tensor.type).elements != 1) return false;
    if (tensor.rank > 2 || tensor.dims[vector ? 0 : 1] != q + 2 * kv) return false;
    const auto part = vector ? elements_of : rows_of;
    const auto add = [&](std::string_view name, int64_t first, int64_t rows) {
      out_.push_back(part(tensor, fmt::format("{}{}{}", prefix_, name, kind), first, rows));
    };
    add("attn_q", 0, q);
    add("attn_k", q, kv);
    add("attn_v", q + kv, kv);
    return true;
  }

  bool cut_gate_up(const TensorView& tensor) {
    const int64_t ffn = shape_.ffn;
    if (tensor.rank != 2 || tensor.dims[1] != 2 * ffn) return false;
    out_.push_back(rows_of(tensor, prefix_ + "ffn_gate.weight", 0, ffn));
    out_.push_back(rows_of(tensor, prefix_ + "ffn_up.weight", ffn, ffn));
    return true;
  }

  bool cut_experts(const TensorView& tensor, std::string_view name) {
    const int count = shape_.experts.count;
    const bool both = name == "ffn_gate_up_exps.weight";
    const int64_t rows = tensor.dims[1];
    if (count < 1 || tensor.rank != 3 || tensor.dims[2] != count) return false;
    if (both && rows != 2 * int64_t{shape_.experts.ffn}) return false;
    const std::string_view stem = name.substr(0, name.size() - std::string_view("_exps.weight").size());
    for (int64_t i = 0; i < count; ++i) {
      const auto add = [&](std::string_view part, int64_t first, int64_t part_rows) {
        out_.push_back(
            rows_of(tensor, fmt::format("{}{}.{}.weight", prefix_, part, i), i * rows + first, part_rows));
      };
      if (!both) add(stem, 0, rows);
      if (both) add("ffn_gate", 0, rows / 2);
      if (both) add("ffn_up", rows / 2, rows / 2);
    }
    return true;
  }

  const Hyperparameters& shape_;
  std::vector<TensorView>& out_;
  std::string prefix_;
};

}  // namespace

void cut_fused_tensors(const Hyperparameters& shape, std::vector<TensorView>& tensors) {
  if (!check_shape(shape)) return;  // the products above are of numbers that have bounds
  std::vector<TensorView> out;
  out.reserve(tensors.size());
  Cutter cutter(shape, out);
  for (TensorView& tensor : tensors) {
    if (tensor.element_count() > 0) {
      cutter.cut(std::move(tensor));
    } else {
      out.push_back(std::move(tensor));
    }
  }
  tensors = std::move(out);
}

}  // namespace feilun::model
