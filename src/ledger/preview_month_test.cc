#include "ledger/preview_month.h"

#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"

namespace feilun::ledger {
namespace {

using PreviewMonth = AccountsTest;

TEST_F(PreviewMonth, TokensOfPackagesBringNothingAtAnyPrice) {
  credit("1");
  grant(package(104));
  // 100 input tokens and 4 of 10 output tokens are covered; 6 are sold.
  ASSERT_TRUE(ledger_->hold_now(request("r", 100, 20)));
  EXPECT_EQ(settle("r", {.input_fresh = 100, .output = 10}).charged, yuan("0.0000036"));
  PriceVersion twice = price();
  for (Money* unit : {&twice.rows[0].units.input_fresh, &twice.rows[0].units.output}) *unit += *unit;
  const Month month = parse_month("2023-11").value();
  const auto same = preview_month(*ledger_, {price()}, month);
  ASSERT_TRUE(same) << same.error().message;
  ASSERT_EQ(same->totals.size(), 1u);
  EXPECT_EQ(same->totals[0].revenue.after, yuan("0.0000036"));
  EXPECT_EQ(same->totals[0].revenue.tokens, 110);
  EXPECT_EQ(preview_month(*ledger_, {twice}, month)->totals[0].revenue.after, yuan("0.0000072"));
}

TEST_F(PreviewMonth, CoveredInputStillChoosesTheRow) {
  credit("1");
  grant(package(100));
  ASSERT_TRUE(ledger_->hold_now(request("r", 100, 20)));
  settle("r", {.input_fresh = 100, .output = 10});
  PriceVersion longer = price();
  longer.rows.push_back(longer.rows[0]);
  longer.rows[1].input_from = 100;
  longer.rows[1].units.output = Money::pico(1'000'000);
  const auto shown = preview_month(*ledger_, {longer}, parse_month("2023-11").value());
  EXPECT_EQ(shown->totals.at(0).revenue.after, yuan("0.00001"));
}

}  // namespace
}  // namespace feilun::ledger
