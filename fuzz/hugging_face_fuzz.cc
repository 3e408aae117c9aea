// LINK: feilun_model
// A Hugging Face directory written in one input: lines of "=== NAME" start a file, what follows is its text.
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "model/hugging_face_tokenizer.h"
#include "model/model_file.h"

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNames[] = {
    "config.json", "generation_config.json",      "tokenizer.json", "tokenizer_config.json", "vocab.json",
    "merges.txt",  "model.safetensors.index.json"};

/// A folder of this process, gone when it ends.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("feilun-fuzz-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

void write_files(const fs::path& folder, std::string_view text) {
  for (const std::string_view name : kNames) {
    const std::string mark = "=== " + std::string(name) + "\n";
    const size_t at = text.find(mark);
    if (at == text.npos) {
      std::error_code ignored;
      fs::remove(folder / name, ignored);
      continue;
    }
    const size_t begin = at + mark.size();
    const std::string_view body = text.substr(begin, text.find("=== ", begin) - begin);
    std::ofstream(folder / name, std::ios::binary) << body;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Folder owned;
  const fs::path& folder = owned.path;
  write_files(folder, {reinterpret_cast<const char*>(data), size});
  (void)feilun::model::open_model(folder);
  auto read = feilun::model::read_hugging_face_tokenizer(folder);
  if (!read) return 0;
  const auto tokenizer = feilun::model::make_tokenizer(std::move(read->spec), 1 << 16);
  if (tokenizer) (*tokenizer)->encode("Once upon a time, 女孩\xff <|im_end|>");
  return 0;
}
