#include <gtest/gtest.h>

#include "base/json.h"
#include "base/testdata.h"
#include "model/hugging_face_tokenizer.h"
#include "model/mapped_file.h"
#include "model/pretokenizer.h"
#include "model/pretokenizer_families.h"
#include "model/tokenizer_spec.h"
#include "model/tokenizer_unicode.h"

// Ten thousand random texts against hashes of the ids that Hugging Face's tokenizers gives. The texts are
// made here as tools/golden/tokenizer_strings.py makes them, from the same parts and numbers.

namespace feilun::model {
namespace {

/// SplitMix64.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  uint64_t below(uint64_t end) {
    uint64_t x = state_ += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (x ^ x >> 31) % end;
  }

 private:
  uint64_t state_;
};

struct Parts {
  struct Range {
    char32_t low = 0;
    char32_t high = 0;
  };
  std::vector<std::string> words;
  std::vector<Range> ranges;
  std::vector<std::string> runs;

  explicit Parts(simdjson::dom::element root) {
    for (const auto word : root["words"].get_array()) words.emplace_back(std::string_view(word));
    for (const auto run : root["runs"].get_array()) runs.emplace_back(std::string_view(run));
    for (const auto range : root["ranges"].get_array()) {
      ranges.push_back(
          {static_cast<char32_t>(int64_t(range.at(0))), static_cast<char32_t>(int64_t(range.at(1)))});
    }
  }

  void append(Numbers& numbers, std::string& text) const {
    const uint64_t kind = numbers.below(8);
    if (kind < 3) {
      text += words[numbers.below(words.size())];
    } else if (kind < 7) {
      const Range range = ranges[numbers.below(ranges.size())];
      for (uint64_t left = 1 + numbers.below(8); left > 0; --left) {
        append_rune(range.low + static_cast<char32_t>(numbers.below(range.high - range.low + 1)), text);
      }
    } else {
      const std::string& run = runs[numbers.below(runs.size())];
      for (uint64_t left = 1 + numbers.below(40); left > 0; --left) text += run;
    }
  }

  std::string text(Numbers& numbers) const {
    std::string text;
    for (uint64_t left = 1 + numbers.below(8); left > 0; --left) append(numbers, text);
    return text;
  }
};

std::shared_ptr<const Tokenizer> from_directory(std::string_view relative) {
  auto read = read_hugging_face_tokenizer(testdata_path(relative));
  if (!read) return nullptr;
  const int count = static_cast<int>(read->spec.tokens.size());
  auto tokenizer = make_tokenizer(std::move(read->spec), count);
  return tokenizer ? *tokenizer : nullptr;
}

/// What decodes back, or a space and the text where the vocabulary begins each text with one.
std::string normalised(const Tokenizer& tokenizer, std::string_view text) {
  if (!tokenizer.strips_leading_space()) return normalise_nfc(text);
  std::string out = " ";
  for (size_t at = 0; at < text.size();) {
    const bool mark = text.substr(at).starts_with("\u2581");
    out += mark ? ' ' : text[at];
    at += mark ? 3 : 1;
  }
  return out;
}

void expect_round_trip(const Tokenizer& tokenizer, std::string_view text, const std::vector<TokenId>& ids) {
  std::string back;
  for (const TokenId id : ids) {
    if (tokenizer.is_control(id)) return;  // a character unknown to the vocabulary
    back += tokenizer.bytes(id);
  }
  EXPECT_EQ(back, normalised(tokenizer, text));
}

/// FNV-1a over numbers.
class Hash {
 public:
  void add(uint64_t number) { value_ = (value_ ^ number) * 0x100000001b3; }
  std::string text() const { return fmt::format("{:016x}", value_); }

 private:
  uint64_t value_ = 0xcbf29ce484222325;
};

void expect_block(const Tokenizer& tokenizer, const Parts& parts, uint64_t block, int texts,
                  std::string_view hash) {
  Numbers numbers(block);
  Hash found;
  for (int i = 0; i < texts; ++i) {
    const std::string text = parts.text(numbers);
    const auto ids = tokenizer.encode(text);
    for (const TokenId id : ids) found.add(static_cast<uint64_t>(id) + 1);
    found.add(0);
    expect_round_trip(tokenizer, text, ids);
  }
  EXPECT_EQ(found.text(), hash) << "block " << block;
}

Result<JsonDocument> golden() {
  const std::string text =
      TRY(read_text_file(std::string(FEILUN_SOURCE_DIR) + "/tests/golden/tokenizer_blocks.json", 1 << 20));
  return JsonDocument::parse(text);
}

void expect_blocks(std::string_view name, std::string_view directory) {
  const auto document = golden();
  ASSERT_TRUE(document);
  const auto tokenizer = from_directory(directory);
  ASSERT_NE(tokenizer, nullptr);
  const Parts parts(document->root());
  const int texts = static_cast<int>(int64_t(document->root()["texts"]));
  uint64_t block = 0;
  for (const auto hash : document->root()["hashes"][name].get_array()) {
    expect_block(*tokenizer, parts, block++, texts, std::string_view(hash));
  }
  EXPECT_EQ(block * static_cast<uint64_t>(texts), 10'000u);
}

TEST(TokenizerBlocks, Qwen2GivesTheIdsOfHuggingFaceForTenThousandTexts) {
  SKIP_WITHOUT(testdata_path("tokenizers/qwen2"));
  expect_blocks("qwen2", "tokenizers/qwen2");
}

TEST(TokenizerBlocks, TinystoriesGivesTheIdsOfHuggingFaceForTenThousandTexts) {
  SKIP_WITHOUT(testdata_path("models/tinystories-656K"));
  expect_blocks("tinystories", "models/tinystories-656K");
}

/// Sizes in bytes of the words of a block's texts.
std::string word_hash(const PreTokenizer& words, const Parts& parts, uint64_t block, int texts) {
  Numbers numbers(block);
  Hash found;
  for (int i = 0; i < texts; ++i) {
    words.split(parts.text(numbers), true, [&](std::string_view word) {
      found.add(word.size());
      return true;
    });
    found.add(0);
  }
  return found.text();
}

TEST(TokenizerBlocks, EveryFamilyCutsWordsWhereHuggingFaceDoes) {
  const auto document = golden();
  ASSERT_TRUE(document);
  const Parts parts(document->root());
  const int texts = static_cast<int>(int64_t(document->root()["texts"]));
  int families = 0;
  for (const auto [name, hashes] : document->root()["families"].get_object()) {
    const auto family = find_word_family(name);
    ASSERT_TRUE(family) << name;
    std::vector<WordStep> steps;
    for (const std::string_view pattern : (*family)->patterns)
      steps.push_back({.text = std::string(pattern)});
    const auto words = PreTokenizer::make(steps);
    ASSERT_TRUE(words) << words.error().message;
    uint64_t block = 0;
    for (const auto hash : hashes.get_array()) {
      EXPECT_EQ(word_hash(*words, parts, block, texts), std::string_view(hash)) << name << " block " << block;
      ++block;
    }
    ++families;
  }
  EXPECT_EQ(families, 12);
}

}  // namespace
}  // namespace feilun::model
