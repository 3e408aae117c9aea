#include <gtest/gtest.h>

#include "base/json.h"
#include "model/hugging_face_tokenizer_json.h"
#include "model/mapped_file.h"
#include "model/tokenizer_spec.h"

// tokenizer.json files of every kind that is read, with the ids that Hugging Face's tokenizers gives
// (tools/golden/tokenizer_pipelines.py).

namespace feilun::model {
namespace {

std::string ids_text(std::span<const TokenId> ids) {
  std::string line;
  for (const TokenId id : ids) line += fmt::format(" {}", id);
  return line;
}

std::string ids_text(simdjson::dom::element ids) {
  std::string line;
  for (const auto id : ids.get_array()) line += fmt::format(" {}", int64_t(id));
  return line;
}

void expect_pipeline(simdjson::dom::element texts, simdjson::dom::element entry) {
  auto spec = read_tokenizer_json(HuggingFaceObject(entry["tokenizer"]));
  ASSERT_TRUE(spec) << spec.error().message;
  const int count = static_cast<int>(spec->tokens.size());
  const auto tokenizer = make_tokenizer(std::move(*spec), count);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  size_t at = 0;
  for (const auto element : texts.get_array()) {
    const PromptFragment fragment{std::string(std::string_view(element)), true};
    const auto ids = (*tokenizer)->encode(std::span(&fragment, 1));
    EXPECT_EQ(ids_text(ids), ids_text(entry["ids"].at(at))) << "text " << at << ": " << fragment.text;
    if (at == 1) EXPECT_EQ(ids_text((*tokenizer)->framed(ids)), ids_text(entry["framed"]));
    ++at;
  }
}

TEST(TokenizerPipelines, GiveTheIdsOfHuggingFace) {
  const auto text =
      read_text_file(std::string(FEILUN_SOURCE_DIR) + "/tests/golden/tokenizer_pipelines.json", 1 << 20);
  ASSERT_TRUE(text);
  const auto document = JsonDocument::parse(*text);
  ASSERT_TRUE(document) << document.error().message;
  int pipelines = 0;
  for (const auto entry : document->root()["pipelines"].get_array()) {
    SCOPED_TRACE(std::string(std::string_view(entry["name"])));
    expect_pipeline(document->root()["texts"], entry);
    ++pipelines;
  }
  EXPECT_EQ(pipelines, 15);
}

}  // namespace
}  // namespace feilun::model
