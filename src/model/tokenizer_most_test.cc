// A text of too many tokens is left where that is known, in every family of tokenizers
// (tests/golden/tokenizer_pipelines.json), and whatever is not left has the same tokens as ever.
#include <gtest/gtest.h>

#include "base/json.h"
#include "model/byte_level_alphabet.h"
#include "model/hugging_face_tokenizer_json.h"
#include "model/mapped_file.h"
#include "model/tokenizer_pieces.h"
#include "model/tokenizer_spec.h"

namespace feilun::model {
namespace {

void expect_left_in_time(const Tokenizer& tokenizer, std::string_view text) {
  const auto all = tokenizer.encode(text);
  for (const size_t most : {size_t{0}, size_t{1}, size_t{7}, all.size() / 2, all.size()}) {
    const auto some = tokenizer.encode(text, most);
    if (all.size() <= most) {
      EXPECT_EQ(some, all);
    } else {
      EXPECT_GT(some.size(), most);
    }
  }
}

TEST(TokenizerMost, IsKeptToByEveryFamilyAndChangesNothingBelow) {
  const auto text =
      read_text_file(std::string(FEILUN_SOURCE_DIR) + "/tests/golden/tokenizer_pipelines.json", 1 << 20);
  ASSERT_TRUE(text);
  const auto document = JsonDocument::parse(*text);
  ASSERT_TRUE(document);
  for (const auto entry : document->root()["pipelines"].get_array()) {
    SCOPED_TRACE(std::string(std::string_view(entry["name"])));
    auto spec = read_tokenizer_json(HuggingFaceObject(entry["tokenizer"]));
    ASSERT_TRUE(spec);
    const int count = static_cast<int>(spec->tokens.size());
    const auto tokenizer = *make_tokenizer(std::move(*spec), count);
    std::string joined;
    for (const auto each : document->root()["texts"].get_array()) {
      const std::string one(std::string_view{each});
      expect_left_in_time(*tokenizer, one);
      joined += one;
    }
    expect_left_in_time(*tokenizer, joined);
    expect_left_in_time(*tokenizer, std::string(3000, 'a'));
    expect_left_in_time(*tokenizer, std::string(500, ' ') + "飞轮飞轮飞轮\xff\xfe");
  }
}

TEST(TokenizerMost, ALongWordIsNotTokenisedToBeCounted) {
  TokenizerSpec spec;
  spec.pre = "gpt-2";
  for (int i = 0; i < 256; ++i) {
    spec.tokens.push_back(to_printable_bytes(std::string(1, static_cast<char>(i))));
  }
  spec.tokens.insert(spec.tokens.end(), {"aa", "aaaa"});
  spec.kinds.assign(spec.tokens.size(), TokenKind::kNormal);
  spec.merges = {{"a", "a"}, {"aa", "aa"}};
  const auto tokenizer = *make_tokenizer(std::move(spec), 258);
  const std::string word(100'000, 'a');
  EXPECT_EQ(tokenizer->encode(word).size(), 25'000u);
  EXPECT_EQ(tokenizer->encode(word, 25'000).size(), 25'000u);
  // Merging it would have found them all.
  EXPECT_EQ(tokenizer->encode(word, 24'999).size(), 25'000u);
  EXPECT_EQ(tokenizer->encode(word, 10).size(), 11u);
  EXPECT_EQ(tokenizer->encode("b " + word, 10).size(), 11u);
}

TEST(TokenizerMost, ReachIsTheFewestTokensThatLongestPiecesCouldBe) {
  const std::vector<std::string> pieces = {"a", "ab", "abcd", "cd", "xyz"};
  const PieceReach reach(pieces);
  const auto fewest = [&](std::string_view text) {
    size_t most = 0;
    while (reach.exceeds(text, most)) ++most;
    return most;
  };
  EXPECT_EQ(fewest(""), 0u);
  EXPECT_EQ(fewest("a"), 1u);
  EXPECT_EQ(fewest("abcd"), 1u);
  EXPECT_EQ(fewest("abcdabcd"), 2u);
  EXPECT_EQ(fewest("qqq"), 3u);
  EXPECT_EQ(fewest("qabcdq"), 3u);
  EXPECT_EQ(fewest("xyzzz"), 3u);
}

}  // namespace
}  // namespace feilun::model
