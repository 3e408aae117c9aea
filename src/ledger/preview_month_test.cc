#include "ledger/preview_month.h"

#include <gtest/gtest.h>

#include "ledger/invoicing_fixture.h"

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

/// In Shanghai a month begins eight hours before that of UTC, and its volume with it.
class PreviewOfAMonthInShanghai : public InvoicingTest {
 protected:
  static PriceVersion cheaper_from_a_million() {
    PriceVersion price{.offering = "nano", .currency = "CNY"};
    const Money unit = Money::pico(600'000), less = Money::pico(100'000);
    price.rows = pricing::flat_rows({unit, unit, unit, unit, unit});
    price.rows.push_back(price.rows[0]);
    price.rows[1].units = {less, less, less, less, less};
    price.rows[1].volume_from = 1'000'000;
    return price;
  }
  void serve_at(const char* time, TokenCount tokens) {
    go_to(time);
    serve(red_, tokens);
  }
};

TEST_F(PreviewOfAMonthInShanghai, BeforeIsTheInvoiceAndThePricesInForceChangeNothing) {
  const PriceVersion price = cheaper_from_a_million();
  ASSERT_TRUE(ledger_->set_price(price));
  serve_at("2023-11-30T15:59:59Z", 5'000'000);  // November's
  serve_at("2023-11-30T16:00:00Z", 2'000'000);  // the first of December
  serve_at("2023-12-15T00:00:00Z", 3'000'000);
  serve_at("2023-12-31T15:59:59Z", 1'000'000);
  serve_at("2023-12-31T16:00:00Z", 7'000'000);  // January's
  const Invoice invoice = issue("acme", "2023-12");
  const auto shown = preview_month(*ledger_, {price}, month("2023-12"), acme_);
  ASSERT_TRUE(shown) << shown.error().message;
  ASSERT_EQ(shown->totals.size(), 1u);
  EXPECT_EQ(shown->totals[0].revenue.requests, 3);
  EXPECT_EQ(shown->totals[0].revenue.before, invoice.exact);
  EXPECT_EQ(shown->totals[0].revenue.before, yuan("1.6"));
  EXPECT_EQ(shown->totals[0].revenue.change(), Money());
}

TEST_F(PreviewOfAMonthInShanghai, AZoneThatChangesLaterMovesNothing) {
  const PriceVersion price = cheaper_from_a_million();
  ASSERT_TRUE(ledger_->set_price(price));
  serve_at("2023-11-30T16:00:00Z", 2'000'000);
  serve_at("2023-12-15T00:00:00Z", 3'000'000);
  ASSERT_TRUE(ledger_->write<Organisation>(
      [](Books& books) { return books.change_organisation("acme", {.time_zone = "UTC"}); }));
  serve_at("2023-12-31T23:00:00Z", 1'000'000);
  go_to("2024-01-01T00:00:00Z");
  const auto shown = preview_month(*ledger_, {price}, month("2023-12"));
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_EQ(shown->totals.at(0).revenue.requests, 3);
  EXPECT_EQ(shown->totals.at(0).revenue.before, issue("acme", "2023-12").exact);
  EXPECT_EQ(shown->totals.at(0).revenue.change(), Money());
}

}  // namespace
}  // namespace feilun::ledger
