#include "base/json.h"

#include <gtest/gtest.h>

#include <string>

namespace feilun {
namespace {

TEST(JsonDocument, ReadsTheWholeInputOrRefuses) {
  EXPECT_TRUE(JsonDocument::parse(R"({"a":[1,2.5,"x"]})"));
  for (const char* text : {"", "{", "{} x", "[1,]", "nul", "\"\\x\"", "{\"a\":1,}", "[1] [2]"}) {
    EXPECT_FALSE(JsonDocument::parse(text)) << text;
  }
}

TEST(JsonDocument, RefusesInputThatIsTooDeep) {
  EXPECT_FALSE(JsonDocument::parse(std::string(100'000, '[')));
  EXPECT_FALSE(JsonDocument::parse(std::string(65, '[') + std::string(65, ']')));
  EXPECT_TRUE(JsonDocument::parse(std::string(60, '[') + std::string(60, ']')));
}

}  // namespace
}  // namespace feilun
