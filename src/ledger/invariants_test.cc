#include <gmock/gmock.h>

#include <latch>
#include <map>
#include <set>

#include "ledger/accounts_fixture.h"
#include "ledger/invoice_formats.h"
#include "ledger/rollups.h"
#include "pricing/machine_cost.h"

// The ledger's twelve promises, each with the test that shows it in the fewest lines. The property test
// (ledger_property_test.cc) asks all of them of a hundred thousand random operations; what else is asked of
// each, and where, stands above it.

namespace feilun::ledger {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class Invariant : public AccountsTest {
 protected:
  audit::Place place() {
    return {.directory = directory_.path(),
            .url = schema_.empty() ? "" : TestPostgres::server().url(),
            .schema = schema_};
  }
  std::vector<audit::ReadEntry> journal() {
    std::vector<audit::ReadEntry> entries;
    EXPECT_TRUE(audit::read_journal(place(), [&](const audit::ReadEntry& entry) -> Result<> {
      entries.push_back(entry);
      return {};
    }));
    return entries;
  }
  std::map<std::string, std::string> state() {
    std::map<std::string, std::string> rows;
    const auto source = place().open(audit::Access::kRead).value();
    EXPECT_TRUE(source->state([&](std::string key, std::string value) -> Result<> {
      rows.emplace(std::move(key), std::move(value));
      return {};
    }));
    return rows;
  }
  Settlement serve(const std::string& id, TokenCount input, TokenCount output) {
    EXPECT_TRUE(ledger_->hold_now(request(id, input, output)));
    return settle(id, {.input_fresh = input, .output = output});
  }
  Result<Refund> refund(const RefundRequest& asked) {
    return ledger_->write<Refund>([&](Books& books) { return books.refund(asked); });
  }
  /// A little of everything, a month long.
  void live_a_month() {
    credit("1");
    grant(package(150));
    Lot lot = money_lot("0.00002");
    lot.expires = in(1h);
    grant(lot);
    for (int i = 0; i < 5; ++i) serve("lived_" + std::to_string(i), 100, 10);
    ASSERT_TRUE(refund({.request_id = "lived_1"}));
    ASSERT_TRUE(ledger_->hold_now(request("open", 10, 10)));
    clock_.advance(2h);
    expire();
    clock_.advance(31 * 24h);
  }
  Result<Invoice> issue(Month month) {
    return ledger_->write<Invoice>([&](Books& books) { return books.issue_invoice("default", month); });
  }
  Month last_month() const { return TimeZone::utc().month_of(clock_.wall()) - std::chrono::months(1); }
};

// The auditor checks the sums and the chain of every ledger that any test verifies: verify_replay_test.cc,
// verify_test.cc.
TEST_F(Invariant, N01_TransactionsSumToZeroAreNeverChangedAndCorrectionsAreLinkedReversals) {
  live_a_month();
  const auto before = journal();
  const Money charged = serve("wrong", 100, 10).charged;
  ASSERT_TRUE(refund({.request_id = "wrong"}));
  const auto after = journal();
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(after[i].hash, before[i].hash);
  for (const auto& entry : after) {
    std::map<std::string, int128> sums;
    for (const auto& posting : entry.entry.postings) sums[posting.currency] += posting.amount;
    for (const auto& [currency, sum] : sums) EXPECT_TRUE(sum == 0) << entry.sequence;
  }
  const audit::Entry& reversal = after.back().entry;
  EXPECT_EQ(reversal.text("request"), "wrong");
  EXPECT_EQ(reversal.postings[0].account, "revenue");
  EXPECT_TRUE(reversal.postings[0].amount == -charged.pico());
}

// Over several gateways: GatewaysTogether (ledger_shared_test.cc); over HTTP: tests/system/paid_for_test.py.
TEST_F(Invariant, N02_AThousandAtOnceSpendExactlyWhatFiveHundredCost) {
  const Money each = Money::pico(100 * 300'000 + 10 * 600'000);
  ASSERT_TRUE(ledger_->credit("default", each * 500, "CNY", "", ""));
  const HoldRequest like = request("", 100, 10);
  std::atomic<int> served = 0;
  std::atomic<int> refused = 0;
  std::latch ended(1000);
  for (int i = 0; i < 1000; ++i) {
    HoldRequest asked = like;
    asked.request_id = "req_" + std::to_string(i);
    // Each settles on the writer's thread, in the middle of other holds, at exactly what was held.
    ledger_->hold(asked, [&, id = asked.request_id](Result<Hold> hold) {
      if (!hold || hold->exhausted) {
        EXPECT_EQ(hold ? ErrorCode::kInternal : hold.error().code, ErrorCode::kInsufficientQuota);
        ++refused;
        return ended.count_down();
      }
      ledger_->settle(id, {.input_fresh = 100, .output = 10}, Outcome::kCompleted,
                      [&](Result<Settlement> done) {
                        served += done.has_value();
                        ended.count_down();
                      });
    });
  }
  ended.wait();
  EXPECT_EQ(served, 500);
  EXPECT_EQ(refused, 500);
  EXPECT_TRUE(balance().posted.is_zero());
  EXPECT_TRUE(balance().pending.is_zero());
  expect_verified();
}

// Replies of the API under an idempotency key: gateway/idempotent_call_test.cc.
TEST_F(Invariant, N03_ARequestEndsOnceAndAnIdempotencyKeyIsGoodForEver) {
  ASSERT_TRUE(ledger_->credit("default", yuan("1"), "CNY", "", "key"));
  serve("r", 100, 10);
  clock_.advance(24h * 365 * 9);
  for (const bool restarted : {false, true}) {
    if (restarted) reopen();
    EXPECT_EQ(ledger_->settle_now("r", {.output = 1}, Outcome::kCompleted).error().code,
              ErrorCode::kConflict);
    EXPECT_EQ(ledger_->hold_now(request("r")).error().code, ErrorCode::kConflict);
    EXPECT_TRUE(ledger_->credit("default", yuan("1"), "CNY", "", "key"));
    EXPECT_EQ(ledger_->credit("default", yuan("2"), "CNY", "", "key").error().code, ErrorCode::kConflict);
    EXPECT_EQ(balance().posted, yuan("1") - Money::pico(100 * 300'000 + 10 * 600'000));
  }
  std::multiset<std::string> ends;
  for (const auto& entry : journal()) {
    if (entry.entry.kind() == audit::Kind::kSettle) ends.insert(entry.entry.text("request"));
  }
  EXPECT_THAT(ends, ElementsAre("r"));
}

// More of it: ledger_prices_test.cc, clock_steps_test.cc, and the price book's own tests.
TEST_F(Invariant, N04_AChargeIsPinnedToThePriceInForceAndIntervalsAreHalfOpen) {
  credit("1");
  PriceVersion dearer = price();
  dearer.rows[0].units.output = Money::pico(1'000'000);
  dearer.effective_from = in(1h);
  dearer.effective_until = in(2h);
  ASSERT_TRUE(ledger_->set_price(dearer));
  const auto charge_at = [&](const std::string& id, std::chrono::milliseconds past) {
    EXPECT_TRUE(ledger_->hold_now(request(id, 0, 1)));
    clock_.advance(past);
    const Money charged = settle(id, {.output = 1}).charged;
    clock_.advance(-past);
    return static_cast<int64_t>(charged.pico());
  };
  clock_.advance(1h - 1ms);
  EXPECT_EQ(charge_at("before", 30min), 600'000) << "held before the boundary, settled behind it";
  clock_.advance(1ms);
  EXPECT_EQ(charge_at("at", 0ms), 1'000'000);
  clock_.advance(1ms);
  EXPECT_EQ(charge_at("after", 0ms), 1'000'000);
  clock_.advance(1h - 2ms);
  EXPECT_EQ(charge_at("last", 1h), 1'000'000);
  clock_.advance(1ms);
  EXPECT_EQ(ledger_->hold_now(request("none")).error().code, ErrorCode::kNotFound);
  expect_verified();
}

// Ten million tiny charges: InvoicingTest.TenMillionTinyChargesLeaveTheirResidueInItsAccount through a
// ledger, Invoice.TenMillionTinyChargesLeaveExactlyTheirResidue of the invoice alone.
TEST_F(Invariant, N05_RoundingHappensOnceAndItsResidueIsInItsAccount) {
  credit("1");
  for (int i = 0; i < 40; ++i) serve("r" + std::to_string(i), 7 + i, 3 * i);
  const Money exact = ledger_->usage("default")->charged;
  clock_.advance(31 * 24h);
  const Invoice invoice = issue(last_month()).value();
  Money lines;
  for (const InvoiceLine& line : invoice.lines) lines += line.amount;
  EXPECT_EQ(lines, invoice.net);
  EXPECT_EQ(invoice.exact, exact);
  EXPECT_EQ(of("revenue"), exact);
  EXPECT_EQ(invoice.residue, exact - invoice.net);
  EXPECT_EQ(of("rounding"), -invoice.residue);
  EXPECT_EQ(wallet(), yuan("1") - invoice.net);
  expect_verified();
}

// More of it: lots_test.cc, refunds_test.cc.
TEST_F(Invariant, N06_CreditsBurnInOneOrderReversalsUnwindItAndWhatExpiresIsBreakage) {
  credit("1");
  const std::string last = grant(money_lot("0.000001", 1));
  Lot dated = money_lot("0.000001");
  dated.expires = in(2h);
  const std::string second = grant(dated);
  dated.expires = in(1h);
  const std::string first = grant(dated);
  const std::string third = grant(money_lot("0.000001"));
  ASSERT_TRUE(ledger_->hold_now(request("r", 0, 10)));
  settle("r", {.output = 10});  // 6 micro-yuan: all four, and two of the wallet
  std::vector<std::string> order;
  for (const auto& spent : journal().back().entry.fields.postings("spent")) order.push_back(spent.account);
  EXPECT_THAT(order, ElementsAre(first, second, third, last, wallet_of(project_id())));
  clock_.advance(1h);
  ASSERT_TRUE(refund({.request_id = "r", .amount = yuan("0.000005")}));
  EXPECT_EQ(wallet(), yuan("1"));
  EXPECT_EQ(of(last), yuan("0.000001"));
  EXPECT_EQ(of(third), yuan("0.000001"));
  EXPECT_EQ(of(second), yuan("0.000001"));
  EXPECT_TRUE(of(first).is_zero());
  ASSERT_TRUE(refund({.request_id = "r"}));
  EXPECT_EQ(of("breakage"), yuan("0.000001")) << "the first has expired";
  clock_.advance(1h);
  EXPECT_EQ(expire(), 1);
  EXPECT_EQ(of("breakage"), yuan("0.000002"));
  expect_verified();
}

TEST_F(Invariant, N07_TiersFollowTheJournalsOrderWhateverOrderRequestsBegan) {
  credit("1");
  PriceVersion tiered = price();
  tiered.rows.push_back(tiered.rows[0]);
  tiered.rows[1].volume_from = 100;
  tiered.rows[1].units.input_fresh = Money::pico(100'000);
  ASSERT_TRUE(ledger_->set_price(tiered));
  for (const char* id : {"a", "b", "c"}) ASSERT_TRUE(ledger_->hold_now(request(id, 60, 0)));
  EXPECT_EQ(settle("c", {.input_fresh = 60}).charged, Money::pico(60 * 300'000));
  EXPECT_EQ(settle("a", {.input_fresh = 60}).charged, Money::pico(60 * 300'000)) << "100 were not reached";
  EXPECT_EQ(settle("b", {.input_fresh = 60}).charged, Money::pico(60 * 100'000));
  expect_verified();
}

// From the engine's steps on: EngineCost.AccountsForAllTimeSinceItsStart (engine_cost_test.cc), TimeAccount.
TEST_F(Invariant, N08_AttributedCostsAndIdlingAreTheNodesCostToTheLastPicoUnit) {
  credit("1");
  pricing::MachineCost node({.per_hour = yuan("0.50"), .currency = "CNY"});
  std::chrono::nanoseconds all{0};
  Money idle;
  for (int i = 0; i < 30; ++i) {
    const std::chrono::nanoseconds busy(1'234'567 * i + 1);
    const std::string id = "r" + std::to_string(i);
    RequestCost cost{.attributed = busy, .cost_model = 1, .currency = "CNY", .per_hour = yuan("0.50")};
    cost.cost = node.accrue(busy);
    ASSERT_TRUE(ledger_->hold_now(request(id, 1, 1)));
    ASSERT_TRUE(wait<Settlement>([&](auto done) {
      ledger_->settle(id, {.input_fresh = 1}, Outcome::kCompleted, cost, std::move(done));
    }));
    idle += node.accrue(std::chrono::nanoseconds(7));
    all += busy + std::chrono::nanoseconds(7);
  }
  int128 attributed = 0;
  for (const auto& entry : journal()) {
    if (entry.entry.kind() == audit::Kind::kCost) attributed += entry.entry.amount("cost");
  }
  EXPECT_TRUE(attributed + idle.pico() == node.total().pico());
  EXPECT_TRUE(node.total().pico() == yuan("0.50").pico() * all.count() / pricing::kNanosecondsPerHour);
}

// Damaged rows of every table: AuditTest.RebuildingADamagedStateGivesTheSameBytes (audit_test.cc); damaged
// journals: verify_test.cc.
TEST_F(Invariant, N09_TheJournalAloneGivesEveryBalanceAndInvoiceByteForByte) {
  live_a_month();
  const std::string printed = invoice_json(issue(last_month()).value());
  ledger_.reset();
  const auto before = state();
  {
    const auto source = place().open(audit::Access::kRepair).value();
    for (const auto& [key, value] : before) ASSERT_TRUE(source->erase(key));
    ASSERT_TRUE(source->commit());
  }
  ASSERT_TRUE(state().empty());
  const auto rebuilt = audit::rebuild(place(), /*dry_run=*/false);
  ASSERT_TRUE(rebuilt) << rebuilt.error().message;
  EXPECT_EQ(state(), before);
  reopen();
  const auto again = issue(last_month());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(invoice_json(*again), printed);
  expect_verified();
}

// Kills, power losses, full disks and failed syncs at every write: tests/crash; the whole server:
// tests/crash/server_crash_test.py; PostgreSQL: postgres_faults_test.cc, postgres_turns_test.cc.
TEST_F(Invariant, N10_AfterARestartEachOpenRequestIsChargedItsLastMarkAndNothingIsHeld) {
  credit("1");
  ASSERT_TRUE(ledger_->hold_now(request("unmarked", 100, 100)));
  ASSERT_TRUE(ledger_->hold_now(request("marked", 100, 100)));
  for (const TokenCount output : {16, 32}) {
    const TokenUsage usage{.input_fresh = 100, .output = output};
    ASSERT_TRUE(wait<TokenUsage>([&](auto done) { ledger_->mark("marked", usage, std::move(done)); }));
  }
  serve("settled", 10, 10);
  reopen();
  EXPECT_TRUE(balance().pending.is_zero());
  const int64_t charged = (100 * 300'000 + 32 * 600'000) + (10 * 300'000 + 10 * 600'000);
  EXPECT_EQ(balance().posted, yuan("1") - Money::pico(charged));
  EXPECT_EQ(ledger_->settle_now("marked", {}, Outcome::kCompleted).error().code, ErrorCode::kConflict);
  expect_verified();
}

// Of a running server, with the engine's counter, the replies, the usage API and the FOCUS rows:
// tests/system/one_number_test.py.
TEST_F(Invariant, N11_SettlementUsageRollupLedgerAndInvoiceSayTheSame) {
  credit("1");
  Money settled;
  for (int i = 0; i < 20; ++i) settled += serve("r" + std::to_string(i), 10 * i, 20 - i).charged;
  const Month month = TimeZone::utc().month_of(clock_.wall());
  clock_.advance(31 * 24h);
  EXPECT_EQ(ledger_->usage("default")->charged, settled);
  EXPECT_EQ(of("revenue"), settled);
  const std::string payer = project_id();
  const Money rolled = ledger_
                           ->read<Money>([&](State& state) -> Result<Money> {
                             Money sum;
                             for (const UsageRow& row : TRY(monthly_usage(state, payer, month)))
                               sum += row.sums.charged;
                             return sum;
                           })
                           .value();
  EXPECT_EQ(rolled, settled);
  EXPECT_EQ(issue(month)->exact, settled);
  expect_verified();
}

// Gateways killed, stopped and cut off: ledger_shared_test.cc, lost_gateways_test.cc, outage_test.cc.
TEST_F(Invariant, N12_TwoGatewaysNeverOverspendTogetherAndALapsedOnesSettleIsRefused) {
  SKIP_WITHOUT_POSTGRES();
  move_to_postgres();
  set_up_price();
  credit("0.00006");  // one hundred output tokens
  TemporaryDirectory elsewhere;
  LedgerOptions others = options();
  others.directory = elsewhere.path();
  auto other = Ledger::open(others).value();
  ASSERT_TRUE(ledger_->hold_now(request("mine", 0, 60)));
  const Hold theirs = other->hold_now(request("theirs", 0, 60)).value();
  EXPECT_EQ(theirs.output_tokens, 40);
  EXPECT_TRUE(theirs.exhausted);
  // The other one is taken for dead: its hold is ended, and its settle comes too late.
  ASSERT_TRUE(ledger_->write<int64_t>([&](Books& books) { return books.recover({}, 10); }));
  EXPECT_EQ(other->settle_now("theirs", {.output = 40}, Outcome::kCompleted).error().code,
            ErrorCode::kConflict);
  EXPECT_EQ(balance().available(), yuan("0.00006"));
  other.reset();
  expect_verified();
}

}  // namespace
}  // namespace feilun::ledger
