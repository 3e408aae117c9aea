#include "engine/text_stream.h"

#include <gtest/gtest.h>

#include <random>

namespace feilun::engine {
namespace {

/// All that a reader gets when `bytes` come in pieces of `piece` bytes.
struct Read {
  std::string text;
  std::string stop;
};
Read read_in_pieces(std::string_view bytes, size_t piece, std::vector<std::string> stops = {}) {
  TextStream stream(false, std::move(stops));
  Read read;
  for (size_t i = 0; i < bytes.size(); i += piece) {
    const auto stop = stream.append(bytes.substr(i, piece));
    read.text += stream.take();
    if (stop) return {.text = read.text, .stop = *stop};
  }
  stream.finish();
  read.text += stream.take();
  return read;
}

TEST(TextStream, NeverCutsACodePoint) {
  TextStream stream(false, {});
  stream.append("a\xE9\xA3");
  EXPECT_EQ(stream.take(), "a");
  stream.append("\x9E\xF0");
  EXPECT_EQ(stream.take(), "飞");
  stream.append("\x9F\x98");
  EXPECT_EQ(stream.take(), "");
  stream.append("\x80!");
  EXPECT_EQ(stream.take(), "😀!");
}

TEST(TextStream, ReplacesAnUnfinishedCharacterAtTheEnd) {
  TextStream stream(false, {});
  stream.append("ok\xF0\x9F");
  EXPECT_EQ(stream.take(), "ok");
  stream.finish();
  EXPECT_EQ(stream.take(), "\uFFFD");
}

TEST(TextStream, ReplacesEachMaximalSubpartAsUnicodeSays) {
  // The examples of Unicode's tables 3-8 to 3-11.
  EXPECT_EQ(read_in_pieces("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 1).text,
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(read_in_pieces("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 2).text,
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(read_in_pieces("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 3).text,
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA\uFFFD\uFFFDB");
  EXPECT_EQ(read_in_pieces("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 4).text, "\uFFFD\uFFFD\uFFFD\uFFFDA");
}

TEST(TextStream, DropsOneLeadingSpaceOfTheFirstTokenOnly) {
  TextStream stream(true, {});
  stream.append("  Once");
  stream.append(" upon");
  EXPECT_EQ(stream.take(), " Once upon");
  TextStream late(true, {});
  late.append("x");
  late.append(" y");
  EXPECT_EQ(late.take(), "x y");
}

TEST(StopMatcher, CutsWhereverTheTokensAreCut) {
  for (size_t piece = 1; piece <= 12; ++piece) {
    const Read read = read_in_pieces("one\n\nUser: two", piece, {"\nUser:"});
    EXPECT_EQ(read.text, "one\n");
    EXPECT_EQ(read.stop, "\nUser:");
  }
}

TEST(StopMatcher, HoldsNoMoreThanItMust) {
  TextStream stream(false, {"END"});
  stream.append("abE");
  EXPECT_EQ(stream.take(), "ab");
  stream.append("N");
  EXPECT_EQ(stream.take(), "");
  stream.append("EN");
  EXPECT_EQ(stream.take(), "EN") << "the first EN is no beginning of END any more";
  stream.finish();
  EXPECT_EQ(stream.take(), "EN");
}

TEST(StopMatcher, FindsAMatchThatBeginsInsideAFailedOne) {
  EXPECT_EQ(read_in_pieces("aaab!", 1, {"aab"}).text, "a");
  EXPECT_EQ(read_in_pieces("abababac.", 2, {"ababac"}).text, "ab");
}

TEST(StopMatcher, TakesTheMatchThatIsCompleteFirst) {
  const Read read = read_in_pieces("xabcd", 5, {"abcd", "bc"});
  EXPECT_EQ(read.text, "xa");
  EXPECT_EQ(read.stop, "bc");
  EXPECT_EQ(read_in_pieces("xabc", 1, {"bc", "abc"}).stop, "abc") << "of two at once the longer";
}

TEST(StopMatcher, MatchesBytesInsideACharacterWithoutLeavingHalfOfIt) {
  EXPECT_EQ(read_in_pieces("ab飞轮", 1, {"飞"}).text, "ab");
  EXPECT_EQ(read_in_pieces("ab飞", 1, {"\xA3"}).text, "ab\uFFFD");
}

/// What the matcher must do, said plainly and slowly.
Read by_search(const std::string& bytes, const std::vector<std::string>& stops) {
  for (size_t end = 1; end <= bytes.size(); ++end) {
    const std::string_view head = std::string_view(bytes).substr(0, end);
    const std::string* found = nullptr;
    for (const std::string& stop : stops) {
      if (head.ends_with(stop) && (found == nullptr || stop.size() > found->size())) found = &stop;
    }
    if (found != nullptr) return {.text = bytes.substr(0, end - found->size()), .stop = *found};
  }
  return {.text = bytes, .stop = ""};
}

TEST(StopMatcher, AgreesWithAPlainSearchOnRandomTexts) {
  std::mt19937 random(7);
  const auto word = [&random](size_t length) {
    std::string letters;
    while (letters.size() < length) letters.push_back("ab"[random() % 2]);
    return letters;
  };
  int matches = 0;
  for (int round = 0; round < 5'000; ++round) {
    const std::string text = word(1 + random() % 30);
    std::vector<std::string> stops;
    for (size_t count = 1 + random() % 3; count > 0; --count) stops.push_back(word(1 + random() % 7));
    const Read expected = by_search(text, stops);
    const Read read = read_in_pieces(text, 1 + random() % 5, stops);
    ASSERT_EQ(read.text, expected.text) << text;
    ASSERT_EQ(read.stop, expected.stop) << text;
    matches += expected.stop.empty() ? 0 : 1;
  }
  EXPECT_GT(matches, 1'000);
  EXPECT_LT(matches, 4'900);
}

}  // namespace
}  // namespace feilun::engine
