// LINK: feilun_model
// Any bytes as the GGUF of a BERT: refused with a sentence, or a model that turns tokens into vectors.
#include <cstring>
#include <vector>

#include "model/encoder.h"

namespace {

using namespace feilun::model;

/// A shape that takes long, or much memory, finds nothing that a small one does not.
bool is_small(const Hyperparameters& shape) {
  return shape.hidden <= 256 && shape.ffn <= 1024 && shape.layers <= 8 && shape.context <= 4096;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint64_t> aligned((size + 7) / 8);
  if (size > 0) std::memcpy(aligned.data(), data, size);
  const auto file = open_model_bytes({reinterpret_cast<const std::byte*>(aligned.data()), size});
  if (!file) return file.error().message.empty() ? (__builtin_trap(), 0) : 0;
  if (!file->embeds() || !is_small(file->shape)) return 0;
  const auto encoder =
      load_encoder(*file, {.window = file->shape.context, .pass_tokens = 16, .pass_inputs = 2});
  if (!encoder) return encoder.error().message.empty() ? (__builtin_trap(), 0) : 0;
  std::vector<TokenId> tokens =
      file->tokenizer->framed(file->tokenizer->encode("Once upon a time, 女孩\xff"));
  tokens.resize(static_cast<size_t>(file->shape.context), file->shape.vocabulary - 1);
  for (const TokenId id : tokens) {
    if (id < 0 || id >= file->shape.vocabulary) __builtin_trap();
  }
  const std::span<const TokenId> input(tokens);
  if ((*encoder)->vectors({&input, 1}).size() != static_cast<size_t>((*encoder)->width())) __builtin_trap();
  return 0;
}
