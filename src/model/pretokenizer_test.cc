#include "model/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/pretokenizer_families.h"

namespace feilun::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

Words split(const PreTokenizer& words, std::string_view text) {
  Words out;
  words.split(text, true, [&](std::string_view word) {
    out.emplace_back(word);
    return true;
  });
  return out;
}

Words split(std::string pattern, std::string_view text) {
  const auto words = PreTokenizer::make({{.text = std::move(pattern)}});
  EXPECT_TRUE(words) << words.error().message;
  return words ? split(*words, text) : Words();
}

size_t bytes_of(const Words& words) {
  size_t bytes = 0;
  for (const std::string& word : words) bytes += word.size();
  return bytes;
}

TEST(PreTokenizer, KnowsFamiliesByTheirOtherNames) {
  for (const std::string_view name :
       {"gpt-2",       "qwen2",        "qwen3",       "deepseek-r1-qwen", "qwen35",       "llama3",
        "llama-v3",    "smollm",       "starcoder",   "command-r",        "deepseek-llm", "deepseek-coder",
        "deepseek-v3", "glm4",         "chatglm-bpe", "tekken",           "gpt-4o",       "falcon",
        "stablelm2",   "jina-v2-code", "phi-2",       "kimi-k2"}) {
    EXPECT_TRUE(find_word_family(name)) << name;
  }
  const auto unknown = find_word_family("default");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("\"default\""));
}

TEST(PreTokenizer, ReadsPatternsAsTheirMakersMeantThem) {
  EXPECT_THAT(split(R"(\s)", "a\u180e b"), ElementsAre("a\u180e", " ", "b"));
  EXPECT_THAT(split(R"(\w+)", "a\u0301_9\u203f-"), ElementsAre("a\u0301_9\u203f", "-"));
  EXPECT_THAT(split(R"([a-z&&[^aeiou]]+)", "strange"), ElementsAre("str", "a", "ng", "e"));
  EXPECT_THAT(split(R"(\p{Han})", "女。"), ElementsAre("女", "。"));
  EXPECT_THAT(split(R"(b$)", "ab\nab"), ElementsAre("a", "b", "\na", "b"));
  EXPECT_THAT(split(R"(^b)", "bb\nb"), ElementsAre("b", "b\n", "b"));
  EXPECT_THAT(split(R"(\u5973|\x{2c})", "a女,"), ElementsAre("a", "女", ","));
  EXPECT_THAT(split(R"(a{)", "ba{"), ElementsAre("b", "a{"));
  EXPECT_THAT(split(R"(ba{,2})", "baaabb"), ElementsAre("baa", "a", "b", "b"));
  EXPECT_THAT(split(R"(a{2,})", "abaaa"), ElementsAre("ab", "aaa"));
  EXPECT_THAT(split(R"(a{,})", "aaa{,}"), ElementsAre("aa", "a{,}"));
  EXPECT_THAT(split(R"(a{1,2,3})", "aa{1,2,3}"), ElementsAre("a", "a{1,2,3}"));
}

TEST(PreTokenizer, RefusesPatternsThatItMightReadWrongly) {
  for (const std::string_view bad :
       {R"((a)\1)", R"((?R))", "(*UCP)a", R"(\h)",         R"(\Q)",           "[a[b]]",
        "[a&&b]",   "a{1,3}+", "a{,3}+",  "a{2}?",         R"([\S])",         "(?x)a b",
        "(a",       "[a",      "\\",      R"(\p{L)",       R"(\p{Nonsense})", "[]",
        R"(\x{})",  R"(\u12)", "\xff",    R"((?<name>a))", R"(a\K)"}) {
    const auto words = PreTokenizer::make({{.text = std::string(bad)}});
    ASSERT_FALSE(words) << bad;
    EXPECT_THAT(words.error().message, HasSubstr("pattern"));
  }
  EXPECT_FALSE(PreTokenizer::make({{.text = std::string(20'000, 'a')}}));
  EXPECT_FALSE(PreTokenizer::make({{.text = std::string(200, '(') + std::string(200, ')')}}));
}

TEST(PreTokenizer, GivesUpOnPatternsThatNeedTooMuchWork) {
  // Exponential, cubic and quadratic; the last two scan far without any backtracking between the starts.
  for (const std::string_view pattern : {"(a+)+$|b", "(a|a)*c", "a*a*a*a*b", "a+b", "a++b", "(?=a*b)a",
                                         "(?:a{1,50}){1,50}b", "(?<=a)(?:a|aa)+b"}) {
    const std::string text = std::string(200'000, 'a') + "!";
    EXPECT_EQ(bytes_of(split(std::string(pattern), text)), text.size()) << pattern;
  }
}

TEST(PreTokenizer, NeedsFewStepsForWordsHoweverLongTheText) {
  // The same pattern as a file would bring it, counted, and as the table has it, uncounted.
  const std::string known((*find_word_family("gpt-4o"))->patterns[0]);
  std::string text;
  while (text.size() < 1'000'000)
    text += "Words and Ｗｏｒｄｓ, 12345 numbers;\r\n\r\n   don't   飞轮飞轮!!\t";
  EXPECT_EQ(split(known + "|z{9}", text), split(known, text));
}

TEST(PreTokenizer, IsLinearInAnyText) {
  for (const std::string_view name :
       {"gpt-2", "qwen2", "llama-bpe", "tekken", "gpt-4o", "kimi-k2", "deepseek-v3", "deepseek-llm",
        "deepseek-coder", "falcon", "bailingmoe", "qwen35"}) {
    std::vector<WordStep> steps;
    for (const std::string_view pattern : (*find_word_family(name))->patterns)
      steps.push_back({.text = std::string(pattern)});
    const auto words = PreTokenizer::make(std::move(steps));
    ASSERT_TRUE(words);
    for (const std::string_view unit :
         {"a", " ", "\n", " \n", "A", "aA", "1", "'", "!", "\u3000", "女", "🙂", "\u0301"}) {
      std::string text;
      while (text.size() < 50'000) text += unit;
      for (const std::string_view end : {"", "a", "\n"}) {
        EXPECT_EQ(bytes_of(split(*words, text + std::string(end))), text.size() + end.size()) << name << unit;
      }
    }
  }
}

}  // namespace
}  // namespace feilun::model
