// LINK: feilun_model
// Two GGUF files in one input (u32 size of the first, the first, the second) as the parts of one model:
// refused with a sentence, or every tensor of both is there and lies inside its part.
#include <cstring>
#include <vector>

#include "model/gguf_files.h"

namespace {

using feilun::model::Gguf;

struct Aligned {
  std::vector<uint64_t> words;
  std::span<const std::byte> bytes;
  Aligned(const uint8_t* data, size_t size) : words((size + 7) / 8) {
    if (size > 0) std::memcpy(words.data(), data, size);
    bytes = {reinterpret_cast<const std::byte*>(words.data()), size};
  }
};

bool inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  uint32_t first_bytes = 0;
  if (size < sizeof first_bytes) return 0;
  std::memcpy(&first_bytes, data, sizeof first_bytes);
  data += sizeof first_bytes;
  size -= sizeof first_bytes;
  if (first_bytes > size) return 0;
  const Aligned one(data, first_bytes);
  const Aligned two(data + first_bytes, size - first_bytes);
  auto first = Gguf::parse(one.bytes);
  auto second = Gguf::parse(two.bytes);
  if (!first || !second) return 0;
  const size_t tensors = first->tensors().size() + second->tensors().size();
  std::vector<feilun::model::GgufPart> parts;
  parts.push_back({"first", std::move(*first)});
  parts.push_back({"second", std::move(*second)});
  const auto joined = feilun::model::join_gguf_parts(std::move(parts));
  if (!joined) return joined.error().message.empty() ? (__builtin_trap(), 0) : 0;
  if (joined->tensors().size() != tensors) __builtin_trap();
  for (const auto& tensor : joined->tensors()) {
    if (!inside(tensor.data, one.bytes) && !inside(tensor.data, two.bytes)) __builtin_trap();
  }
  return 0;
}
