#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ledger/books.h"
#include "ledger/ledger_fixture.h"
#include "ledger/lots.h"
#include "ledger/rows.h"

namespace feilun::ledger {

/// A ledger with one price and what its tests ask of accounts.
class AccountsTest : public LedgerTest {
 protected:
  AccountsTest() { set_up_price(); }

  static Lot money_lot(const char* amount, int64_t priority = 0) {
    Lot lot{.kind = LotKind::kCredit, .unit = "CNY", .amount = yuan(amount)};
    lot.priority = priority;
    return lot;
  }
  static Lot package(TokenCount tokens) {
    Lot lot{.kind = LotKind::kPackage, .unit = "TOK", .amount = token_amount(tokens)};
    lot.offerings = {"nano"};
    return lot;
  }
  Result<LotBalance> try_grant(const Lot& lot, const std::string& owner = "default") {
    return ledger_->write<LotBalance>([&](Books& books) { return books.grant(owner, lot, "test"); });
  }
  /// The account of the lot.
  std::string grant(const Lot& lot, const std::string& owner = "default") {
    const auto granted = try_grant(lot, owner);
    EXPECT_TRUE(granted) << granted.error().message;
    return granted ? lot_account(granted->lot.id) : "";
  }
  Money of(const std::string& account, const char* unit = "CNY") {
    return ledger_->read<Money>([&](State& state) { return ledger::account(state, account, unit); }).value();
  }
  TokenCount tokens_of(const std::string& account) { return tokens_in(of(account, "TOK")); }
  Money wallet() { return of(wallet_of(project_id())); }
  int64_t expire(int64_t limit = 100) {
    return ledger_->write<int64_t>([&](Books& books) { return books.expire_lots(limit); }).value();
  }
  size_t live() {
    const std::string payer = project_id();
    return ledger_->read<std::vector<LiveLot>>([&](State& state) { return live_lots(state, payer); })->size();
  }
  WallTime in(std::chrono::microseconds time) const { return clock_.wall() + time; }
  Settlement settle(const std::string& id, const TokenUsage& usage) {
    const auto settled = ledger_->settle_now(id, usage, Outcome::kCompleted);
    EXPECT_TRUE(settled) << settled.error().message;
    return settled.value_or(Settlement());
  }
  Hold top_up(const std::string& id, TokenCount more) {
    return wait<Hold>([&](auto done) { ledger_->top_up(id, more, std::move(done)); }).value();
  }
  void release(const std::string& id) {
    ASSERT_TRUE(
        wait<Settlement>([&](auto done) { ledger_->release(id, Outcome::kCancelled, std::move(done)); }));
  }
};

}  // namespace feilun::ledger
