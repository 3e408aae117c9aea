#include "ledger/chores.h"

#include <gtest/gtest.h>

#include <fstream>

#include "ledger/accounts_fixture.h"
#include "ledger/invoicing.h"
#include "ledger/open_store.h"
#include "ledger/sealing.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;
using namespace std::chrono_literals;

/// 1 700 000 000 is 2023-11-14 22:13:20 UTC.
class ChoresTest : public AccountsTest {
 protected:
  ChoresTest() { credit("1000"); }

  ChoresDone run(bool invoices = false) { return run({.invoices = invoices}); }
  ChoresDone run(const ChoreOptions& options) {
    const auto done = do_chores(*ledger_, options, clock_.wall());
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or(ChoresDone());
  }
  Organisation make_customer(const char* zone = "UTC") {
    const Organisation made =
        ledger_
            ->write<Organisation>([&](Books& books) {
              return books.create_organisation({.name = "acme", .currency = "CNY", .time_zone = zone});
            })
            .value();
    EXPECT_TRUE(ledger_->credit(made.id, yuan("100"), "CNY", "test", ""));
    return made;
  }
  void commit(const Organisation& owner, const char* amount) {
    Commitment commitment{.organisation = owner.id, .currency = "CNY", .amount = yuan(amount)};
    commitment.from = 2023y / 11;
    const auto made = ledger_->write<Commitment>([&](Books& books) { return books.commit(commitment); });
    ASSERT_TRUE(made) << made.error().message;
  }
};

/// Requests whose entries are sealed.
class ArchivingChores : public ChoresTest {
 protected:
  void serve_and_seal(const LedgerOptions& at) {
    for (const char* id : {"r", "s", "t"}) {
      ASSERT_TRUE(ledger_->hold_now(request(id)));
      settle(id, {.input_fresh = 100});
    }
    const auto store = open_store(at).value();
    while (seal_oldest(*store, {.run = 2, .kept = 1}).value()) ++sealed_;
    ASSERT_GT(sealed_, 2);
  }
  int64_t archived(int after) { return run({.archive_after = after}).segments_archived; }

  int64_t sealed_ = 0;
};

TEST_F(ArchivingChores, SegmentsOlderThanTheMonthsThatAreKeptAreArchivedOnce) {
  serve_and_seal(options());
  clock_.advance(hours(24) * 30);  // December: one month before it is kept
  EXPECT_EQ(archived(1), 0);
  clock_.advance(hours(24) * 30);  // January
  EXPECT_EQ(archived(0), 0);
  EXPECT_EQ(archived(2), 0);
  EXPECT_EQ(archived(1), sealed_);
  EXPECT_EQ(archived(1), 0);
  EXPECT_TRUE(std::filesystem::exists(directory_.path() / "archive" / "B2SUMS"));
  expect_verified();
}

TEST_F(ArchivingChores, ArchivesWhereItIsToldToAndReadsThere) {
  auto elsewhere = options();
  elsewhere.archive = directory_.path() / "elsewhere";
  ledger_.reset();
  ledger_ = Ledger::open(elsewhere).value();
  serve_and_seal(elsewhere);
  clock_.advance(hours(24) * 60);
  EXPECT_EQ(archived(1), sealed_);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "archive"));
  EXPECT_TRUE(ledger_->write<Refund>([](Books& books) { return books.refund({.request_id = "r"}); }));
}

TEST_F(ChoresTest, LotsThatExpiredBecomeBreakageOnce) {
  Lot lot = money_lot("5");
  lot.expires = in(hours(1));
  for (int i = 0; i < 3; ++i) grant(lot);
  EXPECT_EQ(run().lots_expired, 0);
  clock_.advance(hours(1));
  EXPECT_EQ(run().lots_expired, 3);
  EXPECT_EQ(of("breakage"), yuan("15"));
  EXPECT_EQ(run().lots_expired, 0);
  expect_verified();
}

TEST_F(ChoresTest, EveryMonthOfACommitmentIsTruedUpOnceItIsOver) {
  const Organisation acme = make_customer();
  commit(acme, "10");
  EXPECT_EQ(run().months_trued_up, 0);
  clock_.advance(hours(24) * 60);  // January: November and December are over
  EXPECT_EQ(run().months_trued_up, 2);
  EXPECT_EQ(of(wallet_of(acme.id)), yuan("80"));
  EXPECT_EQ(run().months_trued_up, 0);
  expect_verified();
}

TEST_F(ChoresTest, AMonthEndsWhereTheCustomerLives) {
  const Organisation acme = make_customer("Asia/Shanghai");
  commit(acme, "10");
  clock_.advance(hours(24) * 16 - hours(6));  // 2023-11-30 16:13 UTC: December in Shanghai
  EXPECT_EQ(run().months_trued_up, 1);
}

TEST_F(ChoresTest, AnArchiveThatFailsStopsNoInvoice) {
  ASSERT_TRUE(ledger_->hold_now(request("r")));
  settle("r", {.input_fresh = 100});
  clock_.advance(hours(24) * 20);
  std::ofstream(directory_.path() / "archive") << "no directory";
  EXPECT_FALSE(do_chores(*ledger_, {.invoices = true, .archive_after = 1}, clock_.wall()));
  const auto issued =
      ledger_->read<std::vector<Receivable>>([](State& state) { return receivables(state, "", 10); });
  EXPECT_EQ(issued->size(), 1u);
}

TEST_F(ChoresTest, InvoicesAreIssuedWhereTheyAreWanted) {
  ASSERT_TRUE(ledger_->hold_now(request("r")));
  settle("r", {.input_fresh = 100});
  EXPECT_EQ(run(true).invoices_issued, 0);
  clock_.advance(hours(24) * 20);
  EXPECT_EQ(run(false).invoices_issued, 0);
  EXPECT_EQ(run(true).invoices_issued, 1);
  EXPECT_EQ(run(true).invoices_issued, 0);
  const auto issued =
      ledger_->read<std::vector<Receivable>>([](State& state) { return receivables(state, "", 10); });
  ASSERT_EQ(issued->size(), 1u);
  EXPECT_EQ(issued->front().number, "2023-11-0001");
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
