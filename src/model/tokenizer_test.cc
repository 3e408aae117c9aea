#include "model/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/testdata.h"
#include "model/byte_level_alphabet.h"
#include "model/hugging_face_tokenizer.h"
#include "model/mapped_file.h"
#include "model/tokenizer_spec.h"
#include "model/tokenizer_unicode.h"

namespace feilun::model {
namespace {

using testing::ElementsAre;

std::shared_ptr<const Tokenizer> from_directory(std::string_view relative) {
  auto read = read_hugging_face_tokenizer(testdata_path(relative));
  if (!read) return nullptr;
  const int count = static_cast<int>(read->spec.tokens.size());
  auto tokenizer = make_tokenizer(std::move(read->spec), count);
  return tokenizer ? *tokenizer : nullptr;
}

const Tokenizer* qwen2() {
  static const auto tokenizer = from_directory("tokenizers/qwen2");
  return tokenizer.get();
}

const Tokenizer* tinystories() {
  static const auto tokenizer = from_directory("models/tinystories-656K");
  return tokenizer.get();
}

std::string decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids) text += tokenizer.bytes(id);
  return text;
}

std::vector<TokenId> encode(const Tokenizer& tokenizer, std::vector<PromptFragment> fragments) {
  return tokenizer.encode(fragments);
}

/// Sixteen bytes' tokens and two merges, with one control and one user-defined token.
TokenizerSpec small_spec() {
  TokenizerSpec spec;
  spec.pre = "gpt-2";
  for (const char c : std::string_view("abcdefgh<|>\n !x")) {
    spec.tokens.push_back(to_printable_bytes(std::string_view(&c, 1)));
  }
  spec.tokens.insert(spec.tokens.end(), {"ab", "abab", "<|a|>", "<b>", "<|a|>c"});
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  spec.kinds[17] = spec.kinds[19] = TokenKind::kControl;
  spec.kinds[18] = TokenKind::kUserDefined;
  spec.merges = {{"a", "b"}, {"ab", "ab"}};
  return spec;
}

std::shared_ptr<const Tokenizer> small() {
  const auto tokenizer = make_tokenizer(small_spec(), 24);
  return tokenizer ? *tokenizer : nullptr;
}

TEST(Tokenizer, MergesByRankFromTheLeft) {
  EXPECT_THAT(small()->encode("ababab"), ElementsAre(16, 15));
  EXPECT_THAT(small()->encode("aab"), ElementsAre(0, 15));
}

TEST(Tokenizer, KeepsControlTokensOutOfContent) {
  const auto tokenizer = small();
  EXPECT_THAT(encode(*tokenizer, {{"<|a|>", true}}), ElementsAre(17));
  EXPECT_EQ(encode(*tokenizer, {{"<|a|>", false}}).size(), 5u);
  // A part of its text from outside is enough to make it text.
  EXPECT_EQ(encode(*tokenizer, {{"<|a", true}, {"|>", false}}).size(), 5u);
  EXPECT_THAT(encode(*tokenizer, {{"<|a", true}, {"|>", true}}), ElementsAre(17));
  EXPECT_THAT(encode(*tokenizer, {{"<|a|>", true}, {"c", false}}), ElementsAre(17, 2));
}

TEST(Tokenizer, KeepsWhatBeginsOrEndsATextOutOfContentWhateverItsKind) {
  for (const bool is_end : {false, true}) {
    TokenizerSpec spec = small_spec();
    (is_end ? spec.eos : spec.bos) = 18;
    const auto tokenizer = make_tokenizer(std::move(spec), 24).value();
    EXPECT_EQ(encode(*tokenizer, {{"<b>", false}}).size(), 3u);
    EXPECT_THAT(encode(*tokenizer, {{"<b>", true}}), ElementsAre(18));
  }
}

TEST(Tokenizer, FindsUserDefinedTokensAnywhereAndTheLongestFirst) {
  const auto tokenizer = small();
  EXPECT_THAT(encode(*tokenizer, {{"a<b>c", false}}), ElementsAre(0, 18, 2));
  EXPECT_THAT(encode(*tokenizer, {{"<|a|>c", true}}), ElementsAre(19));
}

TEST(Tokenizer, FragmentBordersDoNotCutWords) {
  EXPECT_THAT(encode(*small(), {{"a", true}, {"b", false}}), ElementsAre(15));
}

TEST(Tokenizer, ControlTokensDecodeToNothingAndShowTheirText) {
  const auto tokenizer = small();
  EXPECT_EQ(tokenizer->bytes(17), "");
  EXPECT_EQ(tokenizer->text(17), "<|a|>");
  EXPECT_TRUE(tokenizer->is_control(17));
  EXPECT_EQ(tokenizer->bytes(18), "<b>");
  EXPECT_FALSE(tokenizer->is_control(18));
  EXPECT_EQ(tokenizer->vocabulary_size(), 24);
  EXPECT_EQ(tokenizer->bytes(23), "");
}

TEST(Tokenizer, RefusesMoreTokensThanRows) {
  const auto tokenizer = make_tokenizer(small_spec(), 19);
  ASSERT_FALSE(tokenizer);
  EXPECT_THAT(tokenizer.error().message, testing::HasSubstr("20 tokens"));
}

TEST(Tokenizer, GivesTheIdsOfHuggingFaceForRandomTexts) {
  SKIP_WITHOUT(testdata_path("tokenizers/qwen2"));
  const auto text =
      read_text_file(std::string(FEILUN_SOURCE_DIR) + "/tests/golden/tokenizer_strings.json", 1 << 20);
  ASSERT_TRUE(text);
  const auto document = JsonDocument::parse(*text);
  ASSERT_TRUE(document && qwen2() && tinystories());
  int cases = 0;
  for (const auto entry : document->root().get_array()) {
    const std::string_view input = entry["text"];
    const auto expect = [&](const Tokenizer& tokenizer, const char* name) {
      std::vector<TokenId> wanted;
      for (const auto id : entry[name].get_array()) wanted.push_back(static_cast<TokenId>(int64_t(id)));
      EXPECT_EQ(tokenizer.encode(input), wanted) << name << " case " << cases << ": " << input;
    };
    expect(*qwen2(), "qwen2");
    expect(*tinystories(), "tinystories");
    EXPECT_EQ(decode(*qwen2(), qwen2()->encode(input)), normalise_nfc(input));
    ++cases;
  }
  EXPECT_EQ(cases, 300);
}

TEST(Tokenizer, NormalisesBetweenControlTokensButNotThem) {
  SKIP_WITHOUT(testdata_path("tokenizers/qwen2"));
  // A mark after a control token must not combine with it, and one after a letter must, across a border.
  const auto ids = encode(*qwen2(), {{"<|im_start|>", true}, {"\u0301e", false}, {"\u0301<|im_end|>", true}});
  ASSERT_GE(ids.size(), 3u);
  EXPECT_EQ(ids.front(), 151644);
  EXPECT_EQ(ids.back(), 151645);
  EXPECT_EQ(decode(*qwen2(), ids), "\u0301\u00e9");
}

TEST(Tokenizer, AcceptsAnyBytes) {
  SKIP_WITHOUT(testdata_path("tokenizers/qwen2"));
  std::string all;
  for (int i = 0; i < 512; ++i) all += static_cast<char>(i * 7);
  for (const std::string& text :
       {all, std::string("\xff\xfe"), std::string("a\xe4\xb8"), std::string("\xf0\x9f\x99 b"),
        std::string("\xed\xa0\x80"), std::string("\0x\0", 3)}) {
    EXPECT_EQ(decode(*qwen2(), qwen2()->encode(text)), text);
    EXPECT_FALSE(tinystories()->encode(text).empty());
  }
}

/// A megabyte of one thing, and less of others. Quadratic work would take minutes; the test's own time limit
/// is the check.
std::vector<std::string> monotonous_texts() {
  std::vector<std::string> texts(1);
  for (int i = 0; i < 50'000; ++i) texts[0] += i < 25'000 ? "\u0301" : "\u0323";
  const auto add = [&texts](std::string_view unit, size_t bytes) {
    texts.emplace_back();
    while (texts.back().size() < bytes) texts.back() += unit;
  };
  for (const std::string_view unit : {"a", " ", "😀", "ab"}) add(unit, 1'000'000);
  for (const std::string_view unit : {"\n", " \n", "1", "'", "!", "\u00a0", "\xff", "<|im_", "é"})
    add(unit, 50'000);
  return texts;
}

TEST(Tokenizer, HasNoPathologicalInput) {
  SKIP_WITHOUT(testdata_path("tokenizers/qwen2"));
  for (const std::string& text : monotonous_texts()) {
    EXPECT_EQ(decode(*qwen2(), qwen2()->encode(text)), normalise_nfc(text));
    EXPECT_FALSE(tinystories()->encode(text).empty());
    if (text.size() < 100'000) EXPECT_FALSE(encode(*qwen2(), {{text, true}}).empty());
  }
}

/// Letters and what they make in pairs, for the families that go by scores or by the longest piece.
TokenizerSpec letters_spec(TokenizerSpec::Family family) {
  TokenizerSpec spec;
  spec.family = family;
  spec.tokens = {"<unk>",    "\u2581",  "a",   "b",   "ab",   "aa", "aaaa",
                 "aaaaaaaa", "\u2581a", "##a", "##b", "##aa", "!",  "1"};
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  spec.kinds[0] = TokenKind::kUnknown;
  spec.unknown = 0;
  for (size_t i = 0; i < spec.tokens.size(); ++i) spec.scores.push_back(-static_cast<float>(i));
  return spec;
}

TEST(Tokenizer, HasNoPathologicalInputInOtherFamilies) {
  using Family = TokenizerSpec::Family;
  for (const Family family : {Family::kSentencePiece, Family::kUnigram, Family::kWordPiece}) {
    const auto tokenizer = make_tokenizer(letters_spec(family), 14);
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    for (const std::string& text : monotonous_texts()) EXPECT_FALSE((*tokenizer)->encode(text).empty());
  }
}

TEST(TokenizerUnicode, KnowsWellFormedText) {
  EXPECT_EQ(code_point_bytes("女"), 3u);
  EXPECT_EQ(code_point_bytes("\xf4\x8f\xbf\xbf"), 4u);
  for (const std::string_view bad : {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                                     "\xf4\x90\x80\x80", "\xf8", "\xe4\xb8", ""}) {
    EXPECT_EQ(code_point_bytes(bad), 0u);
  }
  EXPECT_EQ(well_formed_start("aé\xff"), "aé");
}

TEST(TokenizerUnicode, ComposesCanonically) {
  EXPECT_EQ(normalise_nfc("e\u0301"), "é");
  EXPECT_EQ(normalise_nfc("q\u0307\u0323"), "q\u0323\u0307");
  EXPECT_EQ(normalise_nfc("\u1100\u1161\u11a8"), "각");
  EXPECT_EQ(normalise_nfc("\u212b"), "\u00c5");
  EXPECT_EQ(normalise_nfc("e\xff\u0301"), "e\xff\u0301");
}

}  // namespace
}  // namespace feilun::model
