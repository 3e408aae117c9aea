// LINK: feilun_model
// Any bytes as a GGUF: refused with a sentence, or a model whose tokenizer takes any text and whose weights
// are numbers of the type they claim.
#include <cstring>
#include <vector>

#include "compute/dequantise.h"
#include "model/model_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint64_t> aligned((size + 7) / 8);
  if (size > 0) std::memcpy(aligned.data(), data, size);
  const std::span bytes(reinterpret_cast<const std::byte*>(aligned.data()), size);
  const auto model = feilun::model::open_model_bytes(bytes);
  if (!model) return model.error().message.empty() ? (__builtin_trap(), 0) : 0;
  for (const auto id : model->tokenizer->encode("Once upon a time, 女孩\xff")) model->tokenizer->bytes(id);
  for (const auto& tensor : model->weights->tensors()) {
    std::vector<float> row(static_cast<size_t>(tensor.dims[0]));
    const size_t row_bytes = feilun::compute::stored_bytes(tensor.type, tensor.dims[0]);
    feilun::compute::dequantise(tensor.type, tensor.data.first(row_bytes), row);
  }
  return 0;
}
