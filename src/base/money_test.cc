#include "base/money.h"

#include <gtest/gtest.h>

namespace feilun {
namespace {

TEST(Money, ParsesAndPrintsExactDecimals) {
  for (const char* text : {"1.50", "0.00", "-3.25", "0.000000000001", "123456789012345678901.00"}) {
    EXPECT_EQ(Money::parse(text).value().to_string(), text);
  }
  EXPECT_EQ(Money::parse("0.3").value().pico(), 300'000'000'000);
  EXPECT_EQ(Money::parse("7").value().to_string(), "7.00");
}

TEST(Money, RefusesWhatIsNotAnAmount) {
  for (const char* text :
       {"", "-", ".5", "1.", "1e3", "1,5", "+1", "0.0000000000001", "1 ", "--1", "1234567890123456789012"}) {
    EXPECT_FALSE(Money::parse(text)) << text;
  }
}

TEST(Money, CountsAffordableTokensDownward) {
  const Money unit = Money::pico(600'000);
  EXPECT_EQ(affordable_tokens(Money::pico(22'500'000), unit, 1000), 37);
  EXPECT_EQ(affordable_tokens(Money::pico(-1), unit, 1000), 0);
  EXPECT_EQ(affordable_tokens(Money::pico(0), Money(), 1000), 1000);
  EXPECT_EQ(affordable_tokens(Money::parse("1000000").value(), unit, 256), 256);
}

TEST(Money, OverflowEndsTheProcessInsteadOfWrapping) {
  const Money large = Money::pico(static_cast<int128>(1) << 126);
  EXPECT_DEATH((void)(large + large), "CHECK");
}

}  // namespace
}  // namespace feilun
