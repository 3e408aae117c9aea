#include "ledger/currency.h"

#include <gtest/gtest.h>

namespace feilun::ledger {
namespace {

Money money(std::string_view text) {
  return Money::parse(text).value();
}

TEST(Currency, HasTheDecimalsOfItsSmallestCoin) {
  EXPECT_EQ(minor_digits("CNY"), 2);
  EXPECT_EQ(minor_digits("USD"), 2);
  EXPECT_EQ(minor_digits("JPY"), 0);
  EXPECT_EQ(minor_digits("KRW"), 0);
  EXPECT_EQ(minor_digits("KWD"), 3);
  for (const char* code : {"", "XXX", "XAU", "cny", "CN", "CNYY", "ZZZ"}) EXPECT_FALSE(minor_digits(code));
}

TEST(Currency, ItsSmallestUnitIsExact) {
  EXPECT_EQ(smallest_unit(0), money("1"));
  EXPECT_EQ(smallest_unit(2), money("0.01"));
  EXPECT_EQ(smallest_unit(3), money("0.001"));
  EXPECT_EQ(smallest_unit(12), Money::pico(1));
}

TEST(Currency, RoundsHalvesAwayFromZero) {
  const Money cent = money("0.01");
  EXPECT_EQ(round_to(money("0.005"), cent), money("0.01"));
  EXPECT_EQ(round_to(money("0.004999999999"), cent), money("0"));
  EXPECT_EQ(round_to(money("0.014999999999"), cent), money("0.01"));
  EXPECT_EQ(round_to(money("-0.005"), cent), money("-0.01"));
  EXPECT_EQ(round_to(money("-0.004999999999"), cent), money("0"));
  EXPECT_EQ(round_to(money("12.5"), money("1")), money("13"));
  EXPECT_EQ(round_to(money("12"), money("1")), money("12"));
}

TEST(Currency, AmountsAreWrittenWithItsDecimalsAndNeverCut) {
  EXPECT_EQ(to_decimal(money("12"), 2), "12.00");
  EXPECT_EQ(to_decimal(money("12"), 0), "12");
  EXPECT_EQ(to_decimal(money("120"), 0), "120");
  EXPECT_EQ(to_decimal(money("0"), 0), "0");
  EXPECT_EQ(to_decimal(money("-12.5"), 3), "-12.500");
  EXPECT_EQ(to_decimal(money("0.000000000001"), 2), "0.000000000001");
  EXPECT_EQ(to_decimal(money("12.345"), 2), "12.345");
  EXPECT_EQ(to_decimal(money("12.5"), 0), "12.5");
}

}  // namespace
}  // namespace feilun::ledger
