#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "base/temporary_directory.h"
#include "model/gguf.h"
#include "model/gguf_model.h"
#include "model/gguf_writer.h"
#include "model/hugging_face_tokenizer.h"
#include "model/hugging_face_tokenizer_json.h"
#include "model/mapped_file.h"
#include "model/tiktoken.h"
#include "model/tokenizer_spec.h"
#include "model/tokenizer_unicode.h"

// The files of a tokenizer: rank files, vocab.txt, and what of tokenizer.json is refused.

namespace feilun::model {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class Folder {
 public:
  Folder& with(std::string_view name, std::string_view text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return *this;
  }
  Result<TokenizerSpec> spec() const {
    auto read = TRY(read_hugging_face_tokenizer(folder_.path()));
    return std::move(read.spec);
  }
  std::shared_ptr<const Tokenizer> tokenizer() const {
    auto read = spec();
    EXPECT_TRUE(read) << read.error().message;
    if (!read) return nullptr;
    const int count = static_cast<int>(read->tokens.size());
    auto made = make_tokenizer(std::move(*read), count);
    EXPECT_TRUE(made) << made.error().message;
    return made ? *made : nullptr;
  }

 private:
  TemporaryDirectory folder_;
};

std::vector<TokenId> numbers(simdjson::dom::element ids) {
  std::vector<TokenId> out;
  for (const auto id : ids.get_array()) out.push_back(static_cast<TokenId>(int64_t(id)));
  return out;
}

Result<JsonDocument> golden() {
  const std::string text =
      TRY(read_text_file(std::string(FEILUN_SOURCE_DIR) + "/tests/golden/tokenizer_tiktoken.json", 1 << 20));
  return JsonDocument::parse(text);
}

std::string error_of(std::string_view json) {
  const auto document = JsonDocument::parse(json);
  EXPECT_TRUE(document) << json;
  const auto spec = read_tokenizer_json(HuggingFaceObject(document->root()));
  return spec ? "" : spec.error().message;
}

TEST(TokenizerFiles, RankFilesGiveTheIdsOfTiktoken) {
  const auto document = golden();
  ASSERT_TRUE(document);
  const std::string_view ranks = document->root()["ranks"];
  for (const auto [family, ids] : document->root()["ids"].get_object()) {
    auto spec = parse_tiktoken(ranks);
    ASSERT_TRUE(spec) << spec.error().message;
    spec->pre = family;
    const int count = static_cast<int>(spec->tokens.size());
    const auto tokenizer = make_tokenizer(std::move(*spec), count);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    size_t at = 0;
    // The first Qwen normalises besides; the texts here are compared where that changes nothing.
    for (const auto text : document->root()["texts"].get_array()) {
      const std::string_view input = text;
      const bool comparable = family != "qwen2" || normalise_nfc(input) == input;
      if (comparable) EXPECT_EQ((*tokenizer)->encode(input), numbers(ids.at(at))) << family << ": " << input;
      ++at;
    }
    EXPECT_EQ(at, 45u);
  }
}

TEST(TokenizerFiles, TheClassSaysHowARankFileIsUsed) {
  const auto document = golden();
  ASSERT_TRUE(document);
  const std::string_view ranks = document->root()["ranks"];
  Folder folder;
  folder.with("x.tiktoken", ranks).with("tokenizer_config.json", R"({"tokenizer_class": "QWenTokenizer"})");
  const auto qwen = folder.tokenizer();
  ASSERT_NE(qwen, nullptr);
  const int count = qwen->vocabulary_size();
  const PromptFragment start{"<|im_start|>", true};
  EXPECT_THAT(qwen->encode(std::span(&start, 1)), ElementsAre(count - 207));
  EXPECT_GT(qwen->encode("<|im_start|>").size(), 1u);

  folder.with("tokenizer_config.json",
              R"({"tokenizer_class": "ChatGLM4Tokenizer", "eos_token": "<|endoftext|>",
    "added_tokens_decoder": {"500": {"content": "<|endoftext|>", "special": true}}})");
  const auto glm = folder.tokenizer();
  ASSERT_NE(glm, nullptr);
  EXPECT_EQ(glm->text(500), "<|endoftext|>");
  EXPECT_TRUE(glm->is_control(500));

  folder.with("tokenizer_config.json", R"({"tokenizer_class": "OtherTokenizer"})");
  const auto other = folder.spec();
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("OtherTokenizer"));
}

TEST(TokenizerFiles, RefusesABrokenRankFile) {
  for (const std::string_view bad : {"", "YQ==", "YQ== x", "YQ== 0 1", "Y 0", "Y!== 0", " 0", "YQ== -1",
                                     "YQ== 99999999", "YQ== 99999999999999999999"}) {
    EXPECT_FALSE(parse_tiktoken(bad)) << bad;
  }
  EXPECT_FALSE(parse_tiktoken(std::string(4000, 'A') + " 0"));
  EXPECT_TRUE(parse_tiktoken("YQ== 0\r\n\nYg== 1"));
}

// Tokens of one letter in every length have as many merges as they have bytes.
TEST(TokenizerFiles, RefusesARankFileOfMoreMergesThanLanguageHas) {
  const auto ranks = [](int tokens) {
    std::string text;
    for (int i = 1; i <= tokens; ++i) {
      // Zero bytes: in base 64 every digit of theirs is A.
      std::string digits(static_cast<size_t>((i * 8 + 5) / 6), 'A');
      while (digits.size() % 4 != 0) digits += '=';
      text += digits + fmt::format(" {}\n", i - 1);
    }
    return text;
  };
  EXPECT_TRUE(parse_tiktoken(ranks(32)));
  const auto refused = parse_tiktoken(ranks(200));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("merges"));
}

TEST(TokenizerFiles, ReadsBertsVocabulary) {
  Folder folder;
  folder.with("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\n,\n女\n");
  const auto tokenizer = folder.tokenizer();
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_THAT(tokenizer->encode("The cats, dogs 女女"), ElementsAre(5, 6, 7, 8, 1, 9, 9));
  EXPECT_THAT(tokenizer->framed(tokenizer->encode("the")), ElementsAre(2, 5, 3));
  EXPECT_EQ(tokenizer->bytes(6), " cat");
  EXPECT_EQ(tokenizer->bytes(7), "s");
  EXPECT_EQ(tokenizer->bytes(2), "");
  folder.with("tokenizer_config.json", R"({"do_lower_case": false})");
  EXPECT_THAT(folder.tokenizer()->encode("The the"), ElementsAre(1, 5));
}

TEST(TokenizerFiles, ContentNeverBecomesAControlTokenInAnyFamily) {
  Folder folder;
  folder.with("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n[\nSEP\nsep\n]\n");
  const auto bert = folder.tokenizer();
  ASSERT_NE(bert, nullptr);
  EXPECT_THAT(bert->encode("[SEP]"), ElementsAre(5, 7, 8));
  const PromptFragment trusted{"[SEP]", true};
  EXPECT_THAT(bert->encode(std::span(&trusted, 1)), ElementsAre(3));

  TokenizerSpec unigram;
  unigram.family = TokenizerSpec::Family::kUnigram;
  unigram.tokens = {"<unk>", "</s>", "<", "/", "s", ">", "▁"};
  unigram.kinds.assign(7, TokenKind::kNormal);
  unigram.kinds[0] = TokenKind::kUnknown;
  unigram.kinds[1] = TokenKind::kControl;
  unigram.scores.assign(7, -1.0f);
  unigram.unknown = 0;
  const auto pieces = make_tokenizer(unigram, 7);
  ASSERT_TRUE(pieces) << pieces.error().message;
  EXPECT_THAT((*pieces)->encode("</s>"), ElementsAre(2, 3, 4, 5));
}

// Models ship tokens of a conversation's frame that are not marked special.
TEST(TokenizerFiles, ContentNeverBecomesATokenThatLooksLikeControl) {
  const std::vector<std::string> framing = {"<｜User｜>",    "<|fim_prefix|>", "<start_of_turn>",
                                            "<end_of_turn>", "</s>",           "<s>"};
  const std::vector<std::string> words = {"<think>", "<tool_call>", "<||>", "<｜｜>"};
  for (const std::string_view normaliser : {"null", R"({"type": "NFKC"})"}) {
    std::string list;
    int id = 0;
    for (const auto* texts : {&framing, &words}) {
      for (const auto& text : *texts) list += fmt::format(R"({{"id": {}, "content": "{}"}},)", ++id, text);
    }
    list.pop_back();
    Folder folder;
    folder.with("tokenizer.json",
                fmt::format(R"({{"model": {{"type": "BPE", "vocab": {{"a": 0}}, "merges": []}},
        "normalizer": {}, "pre_tokenizer": {{"type": "ByteLevel"}}, "added_tokens": [{}]}})",
                            normaliser, list));
    const auto tokenizer = folder.tokenizer();
    ASSERT_NE(tokenizer, nullptr);
    const auto ids_of = [&](const std::string& text, bool trusted) {
      const PromptFragment fragment{"a" + text, trusted};
      return tokenizer->encode(std::span(&fragment, 1));
    };
    for (const auto& text : framing) {
      EXPECT_THAT(ids_of(text, false), testing::Each(0)) << text;
      const auto ids = ids_of(text, true);
      ASSERT_EQ(ids.size(), 2u) << text;
      EXPECT_FALSE(tokenizer->is_control(ids[1]));
      EXPECT_EQ(tokenizer->bytes(ids[1]), text);
    }
    for (const auto& text : words) EXPECT_EQ(ids_of(text, false).size(), 2u) << text;
  }
}

// The template's name of a special token need not be a token's text; its ids count.
TEST(TokenizerFiles, FramesATextByTheIdsOfTheTemplatesTokens) {
  const auto spec_of = [](std::string_view special_tokens) {
    const auto document = JsonDocument::parse(fmt::format(
        R"({{"model": {{"type": "BPE", "vocab": {{"a": 0, "b": 1, "c": 2}}, "merges": []}},
            "post_processor": {{"type": "TemplateProcessing",
              "single": [{{"SpecialToken": {{"id": "start", "type_id": 0}}}},
                         {{"Sequence": {{"id": "A", "type_id": 0}}}},
                         {{"SpecialToken": {{"id": "b", "type_id": 0}}}}]{}}},
            "pre_tokenizer": {{"type": "ByteLevel"}}}})",
        special_tokens));
    EXPECT_TRUE(document);
    return read_tokenizer_json(HuggingFaceObject(document->root()));
  };
  const auto spec = spec_of(R"(, "special_tokens": {"start": {"id": "start", "ids": [1, 2], "tokens": []},
                                                    "b": {"id": "b", "ids": [0], "tokens": ["a"]}})");
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_THAT(spec->frame_begin, ElementsAre(1, 2));
  EXPECT_THAT(spec->frame_end, ElementsAre(0));
  for (const std::string_view bad :
       {"", R"(, "special_tokens": {"start": {"ids": [1]}})", R"(, "special_tokens": {"start": {}, "b": {}})",
        R"(, "special_tokens": {"start": {"ids": []}, "b": {"ids": [1]}})",
        R"(, "special_tokens": {"start": {"ids": [-1]}, "b": {"ids": [1]}})",
        R"(, "special_tokens": {"start": {"ids": [4294967296]}, "b": {"ids": [1]}})"}) {
    EXPECT_FALSE(spec_of(bad)) << bad;
  }
}

TEST(TokenizerFiles, SaysWhatItDoesNotKnow) {
  const auto model = [](std::string_view rest) {
    return fmt::format(R"({{"model": {{"type": "BPE", "vocab": {{"a": 0, "aa": 1}}, "merges": ["a a"]}}{}}})",
                       rest);
  };
  EXPECT_THAT(error_of(R"({"model": {"type": "WordLevel"}})"), HasSubstr("WordLevel"));
  EXPECT_THAT(error_of(model(R"(, "normalizer": {"type": "Precompiled"})")), HasSubstr("Precompiled"));
  EXPECT_THAT(error_of(model(R"(, "pre_tokenizer": {"type": "UnicodeScripts"})")),
              HasSubstr("UnicodeScripts"));
  EXPECT_THAT(error_of(model(R"(, "post_processor": {"type": "Odd"})")), HasSubstr("Odd"));
  EXPECT_THAT(error_of(model(R"(, "pre_tokenizer": {"type": "Split", "behavior": "Isolated"})")),
              HasSubstr("no pattern"));
  EXPECT_THAT(error_of(model(
                  R"(, "pre_tokenizer": {"type": "Split", "behavior": "Odd", "pattern": {"Regex": "a"}})")),
              HasSubstr("Odd"));
  EXPECT_THAT(
      error_of(R"({"model": {"type": "BPE", "vocab": {}, "merges": [], "end_of_word_suffix": "</w>"}})"),
      HasSubstr("end_of_word_suffix"));
}

// A list of added tokens that lets the table grow with each of them would fill memory from a small file.
TEST(TokenizerFiles, RefusesIdsFarOutsideTheVocabularyHoweverTheyAreReached) {
  const auto added = [](std::string_view tokens) {
    return error_of(fmt::format(R"({{"model": {{"type": "BPE", "vocab": {{"a": 0}}, "merges": ["a a"]}},
                                   "pre_tokenizer": {{"type": "ByteLevel"}}, "added_tokens": [{}]}})",
                                tokens));
  };
  EXPECT_EQ(added(R"({"id": 4098, "content": "x"})"), "");
  EXPECT_THAT(added(R"({"id": 4098, "content": "x"}, {"id": 12290, "content": "y"})"), HasSubstr("12290"));

  Folder folder;
  folder.with("vocab.txt", "[UNK]\n[CLS]\n[SEP]\n");
  folder.with("tokenizer_config.json", R"({"added_tokens_decoder": {"4098": {"content": "x"}}})");
  EXPECT_TRUE(folder.spec());
  folder.with("tokenizer_config.json",
              R"({"added_tokens_decoder": {"4098": {"content": "x"}, "12290": {"content": "y"}}})");
  EXPECT_FALSE(folder.spec());
}

Result<TokenizerSpec> through_gguf(const GgufWriter& writer) {
  const TemporaryDirectory folder;
  TRY(writer.write(folder / "x.gguf", {}));
  const auto file = TRY(MappedFile::open(folder / "x.gguf"));
  return read_gguf_tokenizer(TRY(Gguf::parse(file->bytes())));
}

TEST(TokenizerFiles, AGgufThatDoesNotSayAddsBosWhereItsFamilyDoes) {
  const auto bos_of = [](std::string_view pre, std::optional<bool> says) -> TokenId {
    GgufWriter writer;
    writer.set_string("tokenizer.ggml.model", "gpt2");
    writer.set_string("tokenizer.ggml.pre", pre);
    writer.set_strings("tokenizer.ggml.tokens", std::vector<std::string>{"a", "<s>"});
    writer.set_i32s("tokenizer.ggml.token_type", std::vector<int32_t>{1, 3});
    writer.set_u32("tokenizer.ggml.bos_token_id", 1);
    if (says) writer.set_bool("tokenizer.ggml.add_bos_token", *says);
    auto spec = through_gguf(writer);
    EXPECT_TRUE(spec) << spec.error().message;
    const auto tokenizer = make_tokenizer(std::move(*spec), 2);
    EXPECT_TRUE(tokenizer) << tokenizer.error().message;
    EXPECT_EQ((*tokenizer)->framed({0}).size(), (*tokenizer)->bos() < 0 ? 1u : 2u);
    return (*tokenizer)->bos();
  };
  for (const std::string_view pre : {"llama3", "llama-v3", "llama-bpe", "falcon3", "pixtral", "tekken"}) {
    EXPECT_EQ(bos_of(pre, std::nullopt), 1) << pre;
    EXPECT_EQ(bos_of(pre, false), -1) << pre;
  }
  for (const std::string_view pre : {"gpt-2", "qwen2", "glm4", "deepseek-llm", "gpt-4o", "smollm"}) {
    EXPECT_EQ(bos_of(pre, std::nullopt), -1) << pre;
    EXPECT_EQ(bos_of(pre, true), 1) << pre;
  }
}

TEST(TokenizerFiles, ReadsUnigramsFromAGguf) {
  const std::vector<std::string> tokens = {"<pad>", "</s>", "<unk>", "\u2581the", "\u2581",
                                           "t",     "h",    "e",     "cat"};
  const std::vector<float> scores = {0, 0, 0, -2, -3, -4, -4, -4, -5};
  const std::vector<int32_t> kinds = {3, 3, 2, 1, 1, 1, 1, 1, 1};
  GgufWriter writer;
  writer.set_string("tokenizer.ggml.model", "t5");
  writer.set_strings("tokenizer.ggml.tokens", tokens);
  writer.set_f32s("tokenizer.ggml.scores", scores);
  writer.set_i32s("tokenizer.ggml.token_type", kinds);
  writer.set_u32("tokenizer.ggml.eos_token_id", 1);
  writer.set_u32("tokenizer.ggml.unknown_token_id", 2);
  const auto spec = through_gguf(writer);
  ASSERT_TRUE(spec) << spec.error().message;
  const auto tokenizer = make_tokenizer(*spec, 9);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_THAT((*tokenizer)->framed((*tokenizer)->encode("the cat het xx")),
              ElementsAre(3, 4, 8, 4, 6, 7, 5, 4, 2, 1));
  // A table of replacements comes with most of them; guessing what it says would be tokenising almost right.
  writer.set_i32s("tokenizer.ggml.precompiled_charsmap", std::vector<int32_t>{1});
  const auto refused = through_gguf(writer);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("compiled table"));
}

TEST(TokenizerFiles, KnowsWhatAGgufCannotSay) {
  const auto fits = [](std::string_view normaliser, std::string_view words) {
    const auto document = JsonDocument::parse(
        fmt::format(R"({{"model": {{"type": "BPE", "vocab": {{"a": 0, "aa": 1}}, "merges": ["a a"]}},
                       "normalizer": {}, "pre_tokenizer": {}}})",
                    normaliser, words));
    EXPECT_TRUE(document);
    const auto spec = read_tokenizer_json(HuggingFaceObject(document->root()));
    EXPECT_TRUE(spec) << spec.error().message;
    return check_fits_gguf(*spec).has_value();
  };
  constexpr std::string_view kMarks =
      R"({"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"})";
  constexpr std::string_view kBytes = R"({"type": "ByteLevel", "add_prefix_space": false})";
  EXPECT_TRUE(fits("null", kBytes));
  EXPECT_TRUE(fits(kMarks, "null"));
  EXPECT_TRUE(fits("null", R"({"type": "Metaspace", "prepend_scheme": "first"})"));
  EXPECT_FALSE(fits(R"({"type": "Lowercase"})", kBytes));
  EXPECT_FALSE(fits("null", R"({"type": "ByteLevel", "add_prefix_space": true})"));
  EXPECT_FALSE(fits(R"({"type": "NFKC"})", R"({"type": "Metaspace"})"));
  EXPECT_FALSE(fits(kMarks, R"({"type": "Digits"})"));
}

TEST(TokenizerFiles, RefusesANormaliserThatBlowsTextsUp) {
  TokenizerSpec spec;
  spec.tokens = {"a"};
  spec.pre = "gpt-2";
  for (int i = 0; i < 20; ++i) spec.normaliser.push_back({NormaliserStep::Kind::kReplaceText, "a", "aa"});
  const auto made = make_tokenizer(spec, 1);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("times longer"));
  spec.normaliser.resize(5);
  EXPECT_TRUE(make_tokenizer(spec, 1));
}

}  // namespace
}  // namespace feilun::model
