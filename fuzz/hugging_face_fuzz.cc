// LINK: feilun_model
// A Hugging Face directory written in one input (written_directory.h).
#include <cstdint>

#include "model/hugging_face_tokenizer.h"
#include "model/model_file.h"
#include "written_directory.h"

namespace {

constexpr std::string_view kNames[] = {
    "config.json", "generation_config.json",      "tokenizer.json", "tokenizer_config.json", "vocab.json",
    "merges.txt",  "model.safetensors.index.json"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const WrittenDirectory directory(kNames);
  directory.write({reinterpret_cast<const char*>(data), size});
  (void)feilun::model::open_model(directory.path());
  auto read = feilun::model::read_hugging_face_tokenizer(directory.path());
  if (!read) return 0;
  const auto tokenizer = feilun::model::make_tokenizer(std::move(read->spec), 1 << 16);
  if (tokenizer) (*tokenizer)->encode("Once upon a time, 女孩\xff <|im_end|>");
  return 0;
}
