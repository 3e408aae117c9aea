#include "model/safetensors.h"

#include <algorithm>
#include <cstring>

#include "base/json.h"

namespace feilun::model {
namespace {

using compute::DType;
using simdjson::dom::element;

constexpr uint64_t kHeaderBytesMax = 100'000'000;

Result<DType> read_type(std::string_view tensor, std::string_view name) {
  if (name == "F32") return DType::kF32;
  if (name == "F16") return DType::kF16;
  if (name == "BF16") return DType::kBF16;
  if (name.starts_with("F8_") || name.starts_with("F4")) {
    return fail(
        ErrorCode::kUnsupported,
        "tensor {} is stored as {}, floats of a few bits whose scales are tensors of their own, which this "
        "version does not read; take the model's BF16 release, or a GGUF of it",
        tensor, name);
  }
  return fail(
      ErrorCode::kUnsupported,
      "tensor {} is stored as {}; a Hugging Face directory must hold F32, F16 or BF16: take a release of "
      "the model that is not quantised, or a GGUF of it",
      tensor, name);
}

Result<> read_dims(element shape, TensorView& tensor) {
  simdjson::dom::array dims;
  if (shape.get(dims) != simdjson::SUCCESS || dims.size() < 1 || dims.size() > 4) {
    return fail(ErrorCode::kCorrupt, "tensor {} has no shape of one to four dimensions", tensor.name);
  }
  tensor.rank = static_cast<int>(dims.size());
  int place = tensor.rank;
  for (const element dim : dims) {
    int64_t size = 0;
    if (dim.get(size) != simdjson::SUCCESS || size < 1 || size >> 48 != 0) {
      return fail(ErrorCode::kCorrupt, "a dimension of tensor {} is not a positive number", tensor.name);
    }
    tensor.dims[--place] = size;
  }
  return {};
}

Result<uint64_t> needed_bytes(const TensorView& tensor) {
  uint64_t bytes = compute::block_layout(tensor.type).bytes;
  for (const int64_t dim : tensor.dims) {
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dim), &bytes) || bytes >> 56 != 0) {
      return fail(ErrorCode::kCorrupt, "tensor {} has more elements than can be counted", tensor.name);
    }
  }
  return bytes;
}

Result<TensorView> read_tensor(std::string_view name, element entry, std::span<const std::byte> data) {
  TensorView tensor;
  tensor.name = name;
  std::string_view type;
  element shape;
  simdjson::dom::array offsets;
  const bool complete = entry["dtype"].get(type) == simdjson::SUCCESS &&
                        entry["shape"].get(shape) == simdjson::SUCCESS &&
                        entry["data_offsets"].get(offsets) == simdjson::SUCCESS && offsets.size() == 2;
  if (!complete) {
    return fail(ErrorCode::kCorrupt, "tensor {} lacks its dtype, shape or data_offsets", name);
  }
  tensor.type = TRY(read_type(name, type));
  TRY(read_dims(shape, tensor));
  const uint64_t bytes = TRY(needed_bytes(tensor));
  uint64_t begin = 0;
  uint64_t end = 0;
  const bool numbers =
      offsets.at(0).get(begin) == simdjson::SUCCESS && offsets.at(1).get(end) == simdjson::SUCCESS;
  if (!numbers || begin > end || end > data.size()) {
    return fail(ErrorCode::kCorrupt, "tensor {} does not lie inside the file: is the download complete?",
                name);
  }
  if (end - begin != bytes) {
    return fail(ErrorCode::kCorrupt, "tensor {} has {} bytes, but its shape needs {}", name, end - begin,
                bytes);
  }
  tensor.data = data.subspan(static_cast<size_t>(begin), static_cast<size_t>(bytes));
  return tensor;
}

Result<> check_disjoint(const std::vector<TensorView>& tensors) {
  std::vector<const TensorView*> order;
  for (const TensorView& tensor : tensors) order.push_back(&tensor);
  std::ranges::sort(order, {}, [](const TensorView* tensor) { return tensor->data.data(); });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->data.data() < order[i - 1]->data.data() + order[i - 1]->data.size()) {
      return fail(ErrorCode::kCorrupt, "tensors {} and {} overlap", order[i - 1]->name, order[i]->name);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<TensorView>> parse_safetensors(std::span<const std::byte> file) {
  uint64_t length = 0;
  if (file.size() >= sizeof length) std::memcpy(&length, file.data(), sizeof length);
  if (file.size() < sizeof length || length > kHeaderBytesMax || length > file.size() - sizeof length) {
    return fail(ErrorCode::kCorrupt, "this is not a whole safetensors file: its header does not fit");
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + sizeof length, length);
  const auto data = file.subspan(sizeof length + static_cast<size_t>(length));
  const JsonDocument header = TRY(JsonDocument::parse(text));
  simdjson::dom::object entries;
  if (header.root().get(entries) != simdjson::SUCCESS) {
    return fail(ErrorCode::kCorrupt, "the safetensors header is not an object");
  }
  std::vector<TensorView> tensors;
  for (const auto [name, entry] : entries) {
    // BERT's files carry the numbers 0, 1, 2… as integers; nothing computes with them.
    if (name == "__metadata__" || name.ends_with("position_ids")) continue;
    tensors.push_back(TRY(read_tensor(name, entry, data)));
  }
  TRY(check_disjoint(tensors));
  return tensors;
}

}  // namespace feilun::model
