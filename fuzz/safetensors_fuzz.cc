// LINK: feilun_model
// Any bytes as a safetensors file: refused, or every tensor lies inside them.
#include <cstdint>

#include "model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto tensors = feilun::model::parse_safetensors(bytes);
  if (!tensors) return 0;
  for (const auto& tensor : *tensors) {
    const bool inside = tensor.data.data() >= bytes.data() &&
                        tensor.data.data() + tensor.data.size() <= bytes.data() + bytes.size();
    if (!inside) __builtin_trap();
  }
  return 0;
}
