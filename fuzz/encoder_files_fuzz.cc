// LINK: feilun_model
// What a directory of sentence-transformers says of its model, its steps and its tensors
// (written_directory.h): refused with a sentence, or a way of pooling and a window within the model's
// positions.
#include <cstdint>

#include "model/bert_files.h"
#include "model/pooling_files.h"
#include "written_directory.h"

namespace {

using namespace feilun::model;

constexpr std::string_view kNames[] = {"config.json", "modules.json", "sentence_bert_config.json",
                                       "tokenizer_config.json", "1_Pooling/config.json"};

void check(const feilun::Error& error) {
  if (error.message.empty()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const WrittenDirectory directory(kNames);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  directory.write(text);
  bert_tensor_name(text.substr(0, text.find('\n')));
  const auto document = read_json_file(directory.path() / "config.json");
  if (!document) return 0;
  ModelFile file;
  auto shape = read_bert_config(HuggingFaceObject(document->root()));
  if (!shape) check(shape.error());
  if (shape) file.shape = *std::move(shape);
  const auto read = read_directory_pooling(directory.path(), {}, file);
  if (!read) {
    check(read.error());
  } else if (file.shape.architecture == "bert" &&
             (!file.embeds() || file.shape.context > file.shape.positions)) {
    __builtin_trap();
  }
  return 0;
}
