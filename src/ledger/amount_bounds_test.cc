#include <gtest/gtest.h>

#include "ledger/accounts_fixture.h"
#include "ledger/invoicing_fixture.h"

// Amounts beyond any sense are refused where they come in, and those that are let in never add up to more
// than the ledger can hold.

namespace feilun::ledger {
namespace {

constexpr const char* kMost = "1000000000000000.00";

class AmountBounds : public InvoicingTest {
 protected:
  const Money most_ = yuan(kMost);
  const Money above_ = most_ + Money::pico(1);

  template <typename T>
  void expect_bounded(const char* what, const std::function<Result<T>(Books&, Money)>& act) {
    const auto refused = ledger_->write<T>([&](Books& books) { return act(books, above_); });
    ASSERT_FALSE(refused) << what;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument) << what;
    EXPECT_NE(refused.error().message.find(kMost), refused.error().message.npos)
        << what << ": " << refused.error().message;
    const auto made = ledger_->write<T>([&](Books& books) { return act(books, most_); });
    EXPECT_TRUE(made) << what << ": " << made.error().message;
  }
};

TEST_F(AmountBounds, OfEveryActAreToldInTheRefusal) {
  expect_bounded<Balance>(
      "credit", [](Books& books, Money amount) { return books.credit("acme", amount, "CNY", "", ""); });
  expect_bounded<LotBalance>("lot", [](Books& books, Money amount) {
    Lot lot = money_lot("1");
    lot.amount = amount;
    return books.grant("acme", lot, "");
  });
  expect_bounded<Organisation>(
      "credit limit", [](Books& books, Money amount) { return books.set_credit_limit("acme", amount); });
  expect_bounded<Organisation>("organisation", [](Books& books, Money amount) {
    return books.create_organisation({.name = "rich", .currency = "CNY", .credit_limit = amount});
  });
  expect_bounded<SpendLimit>("limit", [this](Books& books, Money amount) {
    return books.set_limit({.scope = red_, .measure = Measure::kSpend, .bound = amount});
  });
  expect_bounded<Commitment>("commitment", [](Books& books, Money amount) {
    return books.commit({.organisation = "acme",
                         .currency = "CNY",
                         .amount = amount,
                         .from = parse_month("2023-11").value()});
  });
  expect_verified();
}

TEST_F(AmountBounds, OfPaymentsAreToldToo) {
  serve(red_, 5'000'000);
  go_to("2023-12-01T00:00:00Z");
  const std::string number = issue("acme", "2023-11").facts.number;
  int64_t payments = 0;
  expect_bounded<PaymentDone>("payment", [&](Books& books, Money amount) {
    return books.pay_invoice({.invoice = number, .reference = std::to_string(++payments), .amount = amount});
  });
  EXPECT_FALSE(pay({.invoice = number, .reference = "back", .amount = -above_}));
  EXPECT_TRUE(pay({.invoice = number, .reference = "back", .amount = -most_}));
  expect_verified();
}

TEST_F(AmountBounds, TheMostManyTimesIsHeldAndSpent) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(ledger_->credit("acme", most_, "CNY", "", ""));
  PriceVersion dear = price("dear");
  const Money unit = pricing::kUnitMax;
  dear.rows = pricing::flat_rows({unit, unit, unit, unit, unit});
  ASSERT_TRUE(ledger_->set_price(dear));
  dear.rows[0].units.input_fresh += Money::pico(1);
  const auto refused = ledger_->set_price(dear);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(unit.to_pico_string()), std::string::npos)
      << refused.error().message;
  // An upstream that reports nonsense: what was held is charged, and the invoice lists the rest as not
  // charged.
  for (int i = 0; i < 20; ++i) {
    HoldRequest asked = request("dear" + std::to_string(i), 0, 1'000'000);
    asked.project_id = red_;
    asked.offering = "dear";
    ASSERT_TRUE(ledger_->hold_now(asked));
    settle(asked.request_id, {.input_fresh = kTokensMax, .output = kTokensMax, .reasoning = kTokensMax});
  }
  EXPECT_EQ(of("revenue"), unit * 20'000'000);
  go_to("2023-12-01T00:00:00Z");
  EXPECT_EQ(issue("acme", "2023-11").exact, unit * 20'000'000);
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
