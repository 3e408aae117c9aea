#include <gtest/gtest.h>

#include <random>

#include "ledger/accounts_fixture.h"
#include "ledger/shadow_accounts.h"

// Random lots, holds, top-ups, settles, refunds and expiries against the ledger and a shadow of it: after
// each the accounts must be equal, to the pico-unit and to the token.

namespace feilun::ledger {
namespace {

using std::chrono::seconds;

constexpr int kSteps = 4'000;

class AccountsProperty : public AccountsTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  int64_t below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }

  void step(int64_t dice);
  void grant_some();
  void hold_some();
  void end_some(ShadowAccounts::Request& request, const std::string& id);
  void refund_some(ShadowAccounts::Request& request, const std::string& id);
  void compare();

  std::mt19937_64 random_{GetParam()};
  ShadowAccounts shadow_{price().rows[0].units};
  std::vector<std::string> accounts_ = {wallet_of(project_id())};
  int64_t holds_ = 0;
};

void AccountsProperty::grant_some() {
  ShadowAccounts::Purse purse{.tokens = below(3) == 0, .for_nano = below(4) != 0, .priority = below(3)};
  purse.expires = below(2) == 0 ? INT64_MAX : shadow_.now + 1 + below(40);
  purse.left = purse.tokens ? 1 + below(300) : 1 + below(100'000'000);
  Lot lot = purse.tokens ? package(purse.left) : money_lot("1", purse.priority);
  if (!purse.tokens) lot.amount = Money::pico(purse.left);
  lot.priority = purse.priority;
  lot.offerings =
      purse.for_nano ? std::vector<std::string>{"nano", "mega"} : std::vector<std::string>{"mega"};
  if (purse.expires != INT64_MAX) lot.expires = in(seconds(purse.expires - shadow_.now));
  const auto granted = try_grant(lot);
  if (!granted) return;  // it has sixty-four
  accounts_.push_back(lot_account(granted->lot.id));
  purse.account = accounts_.back();
  shadow_.purses.push_back(purse);
}

void AccountsProperty::hold_some() {
  const std::string id = "req_" + std::to_string(++holds_);
  const TokenCount input = below(120);
  const TokenCount slice = below(60);
  const auto hold = ledger_->hold_now(request(id, input, slice));
  EXPECT_EQ(hold ? hold->output_tokens : -1, shadow_.hold(id, input, slice)) << id;
}

void AccountsProperty::end_some(ShadowAccounts::Request& request, const std::string& id) {
  const int64_t kind = below(8);
  if (kind == 0) {
    release(id);
    shadow_.end(request, 0, 0);
  } else if (kind <= 3) {
    const TokenCount more = below(50);
    const TokenCount before = request.output;
    EXPECT_EQ(top_up(id, more).output_tokens, before + shadow_.top_up(request, more)) << id;
  } else {
    TokenUsage usage;
    TokenCount input = below(request.input + 1);
    usage.input_fresh = below(input + 1);
    usage.cache_read = below(input - usage.input_fresh + 1);
    usage.cache_write = input - usage.input_fresh - usage.cache_read;
    const TokenCount output = below(request.output + 1);
    usage.reasoning = below(output + 1);
    usage.output = output - usage.reasoning;
    EXPECT_EQ(settle(id, usage).charged, Money::pico(shadow_.settle(request, usage))) << id;
  }
}

void AccountsProperty::refund_some(ShadowAccounts::Request& request, const std::string& id) {
  const int64_t money = shadow_.spent(request, false);
  const int64_t tokens = shadow_.spent(request, true);
  RefundRequest asked{.request_id = id};
  const bool whole = below(2) == 0;
  if (!whole) asked.amount = Money::pico(below(money + 2));
  if (!whole) asked.tokens = below(tokens + 2);
  const int64_t amount = whole ? money : static_cast<int64_t>(asked.amount->pico());
  const int64_t count = whole ? tokens : *asked.tokens;
  const bool possible = amount <= money && count <= tokens && amount + count > 0;
  const auto refund = ledger_->write<Refund>([&](Books& books) { return books.refund(asked); });
  EXPECT_EQ(refund.has_value(), possible) << id;
  if (possible) shadow_.refund(request, amount, count);
}

void AccountsProperty::step(int64_t dice) {
  if (dice < 6) return grant_some();
  if (dice < 10) {
    const Money amount = Money::pico(1 + below(50'000'000));
    ASSERT_TRUE(ledger_->credit("default", amount, "CNY", "", ""));
    shadow_.purses[0].left += static_cast<int64_t>(amount.pico());
    return;
  }
  if (dice < 20) {
    const int64_t passes = 1 + below(5);
    clock_.advance(seconds(passes));
    shadow_.now += passes;
    return;
  }
  if (dice < 22) {
    expire(1000);
    return shadow_.sweep();
  }
  if (dice < 55 || holds_ == 0) return hold_some();
  const std::string id = "req_" + std::to_string(std::max<int64_t>(1, holds_ - below(25)));
  const auto request = shadow_.requests.find(id);
  if (request == shadow_.requests.end()) return;
  if (request->second.open) return end_some(request->second, id);
  if (dice < 70) refund_some(request->second, id);
}

void AccountsProperty::compare() {
  ledger_
      ->read<void>([&](State& state) -> Result<> {
        for (size_t i = 0; i < accounts_.size(); ++i) {
          const auto& purse = shadow_.purses[i];
          const Money left = TRY(account(state, accounts_[i], purse.tokens ? "TOK" : "CNY"));
          EXPECT_EQ(left, purse.tokens ? token_amount(purse.left) : Money::pico(purse.left)) << accounts_[i];
        }
        EXPECT_EQ(TRY(account(state, "breakage", "CNY")), Money::pico(shadow_.breakage[false]));
        EXPECT_EQ(TRY(account(state, "breakage", "TOK")), token_amount(shadow_.breakage[true]));
        return {};
      })
      .value();
}

TEST_P(AccountsProperty, BurnsSettlesRefundsAndExpiresAsItsShadow) {
  for (int i = 0; i < kSteps && !HasFailure(); ++i) {
    step(below(100));
    if (i % 10 == 0) compare();
    if (i % 1000 == 999) {
      reopen(/*serving=*/false);
      expect_verified();
    }
  }
  compare();
  EXPECT_EQ(shadow_.over_hold, 0);
  EXPECT_GT(shadow_.breakage[false], 0);
  EXPECT_GT(shadow_.breakage[true], 0);
  EXPECT_GT(holds_, 1000);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AccountsProperty, ::testing::Values(1, 2));

}  // namespace
}  // namespace feilun::ledger
