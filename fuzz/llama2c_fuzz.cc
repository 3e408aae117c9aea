// LINK: feilun_model
// The first byte says whether the rest is a llama2.c checkpoint or a tokenizer for as many tokens as the next
// says.
#include <cstdint>

#include "model/convert_llama2c.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::span bytes(reinterpret_cast<const std::byte*>(data) + 2, size - 2);
  if (data[0] % 2 == 0) {
    (void)feilun::model::parse_llama2c_checkpoint(bytes);
    return 0;
  }
  auto spec = feilun::model::parse_llama2c_tokenizer(bytes, data[1]);
  if (!spec) return 0;
  const auto tokenizer = feilun::model::make_tokenizer(std::move(*spec), data[1] + 3);
  if (tokenizer) (*tokenizer)->encode("Once upon a time, 女孩\xff");
  return 0;
}
