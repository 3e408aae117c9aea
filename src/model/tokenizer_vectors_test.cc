#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/testdata.h"
#include "model/gguf.h"
#include "model/gguf_model.h"
#include "model/hugging_face_tokenizer.h"
#include "model/mapped_file.h"
#include "model/tokenizer_spec.h"

// Texts and token ids that other people's tokenizers gave: each .inp holds texts, the .out of the same name a
// line of ids for each.

namespace feilun::model {
namespace {

std::string read_all(const std::filesystem::path& path) {
  auto text = read_text_file(path, size_t{1} << 20);
  return text ? *text : std::string();
}

std::vector<std::string> split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t end = text.find(by); end != text.npos; end = text.find(by, at)) {
    parts.push_back(text.substr(at, end - at));
    at = end + by.size();
  }
  parts.push_back(text.substr(at));
  return parts;
}

std::string ids_text(const std::vector<TokenId>& ids) {
  std::string line;
  for (const TokenId id : ids) line += fmt::format(" {}", id);
  return line;
}

void expect_vectors(const Tokenizer& tokenizer, const std::string& name) {
  const auto stem = testdata_path("tokenizers/gguf-vocab/ggml-vocab-" + name + ".gguf").string();
  const auto texts = split(read_all(stem + ".inp"), "\n__ggml_vocab_test__\n");
  const auto lines = split(read_all(stem + ".out"), "\n");
  ASSERT_GE(lines.size(), texts.size());
  ASSERT_GT(texts.size(), 40u);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto ids = tokenizer.encode(texts[i]);
    EXPECT_EQ(ids_text(ids), lines[i]) << "text " << i << ": " << texts[i];
  }
}

std::shared_ptr<const Tokenizer> from_gguf(const std::string& name) {
  auto file = MappedFile::open(testdata_path("tokenizers/gguf-vocab/ggml-vocab-" + name + ".gguf"));
  if (!file) return nullptr;
  const auto gguf = Gguf::parse((*file)->bytes());
  if (!gguf) return nullptr;
  auto spec = read_gguf_tokenizer(*gguf);
  if (!spec) return nullptr;
  const int count = static_cast<int>(spec->tokens.size());
  auto tokenizer = make_tokenizer(std::move(*spec), count);
  return tokenizer ? *tokenizer : nullptr;
}

class GgufVocabulary : public testing::TestWithParam<const char*> {};

TEST_P(GgufVocabulary, GivesTheIdsOfOtherTokenizers) {
  SKIP_WITHOUT(testdata_path("tokenizers/gguf-vocab"));
  const auto tokenizer = from_gguf(GetParam());
  ASSERT_NE(tokenizer, nullptr);
  expect_vectors(*tokenizer, GetParam());
}

INSTANTIATE_TEST_SUITE_P(TokenizerVectors, GgufVocabulary,
                         testing::Values("llama-spm", "gpt-2", "phi-3", "deepseek-llm", "bert-bge"));

TEST(TokenizerVectors, BertFramesATextThatNoTemplateFramed) {
  SKIP_WITHOUT(testdata_path("tokenizers/gguf-vocab"));
  const auto tokenizer = from_gguf("bert-bge");
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(ids_text(tokenizer->framed(tokenizer->encode("Hello world"))), " 101 7592 2088 102");
  EXPECT_EQ(ids_text(from_gguf("llama-spm")->framed({})), " 1");
  EXPECT_EQ(ids_text(from_gguf("gpt-2")->framed({5})), " 5");
}

TEST(TokenizerVectors, Phi3ControlTokensSwallowTheWhiteSpaceAfterThem) {
  SKIP_WITHOUT(testdata_path("tokenizers/gguf-vocab"));
  const auto tokenizer = from_gguf("phi-3");
  ASSERT_NE(tokenizer, nullptr);
  const PromptFragment prompt{"<|user|>\n<|end|> \n<|endoftext|>\n", true};
  EXPECT_EQ(ids_text(tokenizer->encode(std::span(&prompt, 1))), " 32010 32007 32000 29871 13");
}

TEST(TokenizerVectors, Qwen2FromVocabAndMergesGivesTheIdsOfOtherTokenizers) {
  SKIP_WITHOUT(testdata_path("tokenizers/qwen2"));
  auto read = read_hugging_face_tokenizer(testdata_path("tokenizers/qwen2"));
  ASSERT_TRUE(read) << read.error().message;
  const int count = static_cast<int>(read->spec.tokens.size());
  const auto tokenizer = make_tokenizer(std::move(read->spec), count);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  expect_vectors(**tokenizer, "qwen2");
}

}  // namespace
}  // namespace feilun::model
