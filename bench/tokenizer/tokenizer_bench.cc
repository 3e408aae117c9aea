// Reads a directory's or a GGUF's tokenizer and the files of a folder, encodes the documents of each (they
// are separated by 0x1e) as often as fills the time asked for, and prints for each file a line of JSON:
// megabytes per second on one thread, and how many tokens there are.
#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <string>

#include "model/gguf.h"
#include "model/gguf_model.h"
#include "model/hugging_face_tokenizer.h"
#include "model/mapped_file.h"

namespace {

namespace fs = std::filesystem;
using namespace feilun;
using namespace feilun::model;

Result<TokenizerSpec> read_spec(const fs::path& path) {
  if (fs::is_directory(path)) {
    auto read = TRY(read_hugging_face_tokenizer(path));
    return std::move(read.spec);
  }
  const auto file = TRY(MappedFile::open(path));
  return read_gguf_tokenizer(TRY(Gguf::parse(file->bytes())));
}

size_t encode_all(const Tokenizer& tokenizer, std::string_view documents) {
  size_t tokens = 0;
  while (!documents.empty()) {
    const size_t end = std::min(documents.find('\x1e'), documents.size());
    tokens += tokenizer.encode(documents.substr(0, end)).size();
    documents.remove_prefix(std::min(end + 1, documents.size()));
  }
  return tokens;
}

Result<> measure(const fs::path& vocabulary, const fs::path& texts, double seconds) {
  TokenizerSpec spec = TRY(read_spec(vocabulary));
  const int count = static_cast<int>(spec.tokens.size());
  const auto tokenizer = TRY(make_tokenizer(std::move(spec), count));
  for (const auto& entry : fs::directory_iterator(texts)) {
    const std::string text = TRY(read_text_file(entry.path(), size_t{64} << 20));
    size_t tokens = encode_all(*tokenizer, text);
    size_t bytes = 0;
    const std::clock_t start = std::clock();
    double passed = 0;
    while (passed < seconds) {
      tokens = encode_all(*tokenizer, text);
      bytes += text.size();
      passed = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    }
    fmt::print("{{\"text\": \"{}\", \"megabytes_per_second\": {:.3f}, \"tokens\": {}}}\n",
               entry.path().filename().string(), static_cast<double>(bytes) / 1e6 / passed, tokens);
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: tokenizer_bench VOCABULARY FOLDER-OF-TEXTS SECONDS\n");
    return 2;
  }
  const auto done = measure(argv[1], argv[2], std::atof(argv[3]));
  if (done) return 0;
  fmt::print(stderr, "{}\n", done.error().message);
  return 1;
}
