#include "pricing/decimal.h"

#include <gtest/gtest.h>

#include <limits>

namespace feilun::pricing {
namespace {

Decimal number(std::string_view text) {
  const auto parsed = Decimal::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(Decimal());
}

TEST(Decimal, ReadsTheSpellingsOfJsonNumbers) {
  for (const auto& [text, plain] : std::vector<std::pair<const char*, const char*>>{
           {"0.3", "0.3"},
           {"2.5e-07", "0.00000025"},
           {"2.5E+2", "250"},
           {"256000.0", "256000"},
           {"0", "0"},
           {"0.000", "0"},
           {"0e999", "0"},
           {"1e-40", "0.0000000000000000000000000000000000000001"},
           {"2.9999999999999997e-07", "0.00000029999999999999997"},
           {"007.50", "7.5"}}) {
    EXPECT_EQ(number(text).to_string(), plain) << text;
    EXPECT_EQ(number(plain), number(text)) << text;
  }
}

TEST(Decimal, RefusesWhatIsNoNumberOrDoesNotFit) {
  for (const char* text : {"",
                           ".",
                           ".5",
                           "5.",
                           "-1",
                           "-0",
                           "+1",
                           "1e",
                           "1e+",
                           "1e12345",
                           "0x10",
                           "1 ",
                           " 1",
                           "1,5",
                           "nan",
                           "1e41",
                           "1e-41",
                           "1234567890123456789012345678901",
                           "1.e3",
                           "1e5.0",
                           "e5",
                           "1e--5",
                           "1e99999999999999999999"}) {
    const auto parsed = Decimal::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

TEST(Decimal, MultipliesExactlyOrNotAtAll) {
  EXPECT_EQ(number("0.55").times(number("7.2456")).value(), number("3.98508"));
  EXPECT_EQ(number("0.5").times(number("2")).value(), Decimal::one());
  EXPECT_TRUE(number("0.5").times(Decimal()).value().is_zero());
  const Decimal long_number = number("1.23456789012345678901");
  EXPECT_FALSE(long_number.times(long_number));
}

TEST(Decimal, RoundsAHalfUpwardsToWholePicoUnits) {
  for (const auto& [text, pico] : std::vector<std::pair<const char*, int64_t>>{{"0.5", 1},
                                                                               {"0.49999999999999999999", 0},
                                                                               {"1.5", 2},
                                                                               {"2.5", 3},
                                                                               {"2.4999", 2},
                                                                               {"300000", 300'000},
                                                                               {"9e-1", 1},
                                                                               {"1e-40", 0}}) {
    EXPECT_EQ(number(text).to_pico().value().pico(), pico) << text;
  }
  EXPECT_EQ(number("9.9e-39").to_pico().value().pico(), 0);
  EXPECT_EQ(number("1e38").to_pico().value().to_pico_string(), "1" + std::string(38, '0'));
  EXPECT_FALSE(number("2e38").to_pico());
  EXPECT_FALSE(number("9e39").to_pico());
}

TEST(Decimal, CountsAreWholeNumbers) {
  EXPECT_EQ(number("2.56e5").to_count().value(), 256'000);
  EXPECT_EQ(number("9223372036854775807").to_count().value(), std::numeric_limits<int64_t>::max());
  for (const char* text : {"9223372036854775808", "1e20", "0.5", "3.2", "1e-40"}) {
    EXPECT_FALSE(number(text).to_count()) << text;
  }
}

TEST(Decimal, PowersOfTenChangeTheUnitOnly) {
  EXPECT_EQ(number("2.5e-07").times_ten_to(6), number("0.25"));
  EXPECT_EQ(number("0.3").times_ten_to(6).to_pico().value().pico(), 300'000);
  EXPECT_TRUE(Decimal().times_ten_to(6) == Decimal());
}

}  // namespace
}  // namespace feilun::pricing
