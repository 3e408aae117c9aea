#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <ranges>

#include "base/log.h"
#include "ledger/accounts_fixture.h"
#include "ledger/idempotency.h"
#include "tests/crash/lossy_vfs.h"

// One script of everything that moves money, and a fault at each of its writes and syncs in turn, from the
// making of the database on. What is left must be the script's journal up to the last step that was
// acknowledged, or one step more; and a server that opens it must end what was open, and go on. Each case
// runs in a process of its own, because a VFS is the whole process's.

namespace feilun::ledger {
namespace {

using crash::Fault;

constexpr int kBroken = 10;     // the fault struck, and nothing more was taken
constexpr int kUntouched = 11;  // the script ended before the fault came

#define EXPECT_OR_EXIT(condition, code)                          \
  if (!(condition)) {                                            \
    std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
    _exit(code);                                                 \
  }

/// The script, over a ledger that `opened` gives.
class Script {
 public:
  Script(Ledger& ledger, ManualClock& clock) : ledger_(ledger), clock_(clock) {}

  /// Runs its steps until one fails; `done` hears of each that was acknowledged.
  Result<> run(const std::function<void()>& done) {
    for (const auto& step : steps()) {
      TRY(step());
      done();
    }
    return {};
  }

  Result<> hold(const char* id, TokenCount output = 20, const char* project = "default",
                std::optional<Claim> claim = {}) {
    HoldRequest asked{.request_id = id, .project_id = ledger_.find_project(project)->id, .offering = "nano"};
    asked.input_tokens = 10;
    asked.output_slice = output;
    asked.claim = std::move(claim);
    return only(ledger_.hold_now(asked));
  }
  Result<> settle(const char* id, TokenCount output) {
    return only(ledger_.settle_now(id, {.input_fresh = 10, .output = output}, Outcome::kCompleted));
  }
  Result<> price(int64_t unit) {
    PriceVersion price{.offering = "nano", .currency = "CNY"};
    const Money each = Money::pico(unit);
    price.rows = pricing::flat_rows({each, each, each, each, each});
    return only(ledger_.set_price(price));
  }

 private:
  using Step = std::function<Result<>()>;

  template <typename T>
  static Result<> only(const Result<T>& result) {
    return result ? Result<>() : Result<>(std::unexpected(result.error()));
  }
  template <typename T, typename Act>
  Result<> write(Act act) {
    return only(ledger_.write<T>(act));
  }
  Result<> top_up(const char* id) {
    return only(wait<Hold>([&](auto done) { ledger_.top_up(id, 9, std::move(done)); }));
  }
  Result<> mark(const char* id, TokenCount output) {
    const TokenUsage usage{.input_fresh = 10, .output = output};
    return only(wait<TokenUsage>([&](auto done) { ledger_.mark(id, usage, std::move(done)); }));
  }
  Result<> release(const char* id) {
    return only(wait<Settlement>([&](auto done) { ledger_.release(id, Outcome::kFailed, std::move(done)); }));
  }
  /// `hours`: until it expires, each lot after another number of them; 0: never.
  Result<> grant(LotKind kind, const char* unit, Money amount, int hours, const char* owner = "default",
                 Money paid = {}) {
    Lot lot{.kind = kind, .unit = unit, .amount = amount, .paid = paid};
    if (hours > 0) lot.expires = clock_.wall() + std::chrono::hours(hours);
    return write<LotBalance>([&](Books& books) { return books.grant(owner, lot, ""); });
  }
  Result<> limit() {
    SpendLimit limit{.scope = ledger_.find_project("default")->id, .measure = Measure::kTokens};
    limit.bound = Quantity::pico(100);
    limit.hard = false;
    limit.alerts = {10, 50};
    return write<SpendLimit>([&](Books& books) { return books.set_limit(limit); });
  }
  Result<> webhook() {
    return write<Webhook>([](Books& books) {
      return books.set_webhook({.organisation = "default", .url = "https://example.com"});
    });
  }
  Month this_month() const { return TimeZone::utc().month_of(clock_.wall()); }
  Month last_month() const { return this_month() - std::chrono::months(1); }
  Result<> invoice(const char* owner) {
    return write<Invoice>([&](Books& books) { return books.issue_invoice(owner, last_month()); });
  }
  /// A customer that pays behind, and has promised to be charged at least so much.
  Result<> customer() {
    return write<Project>([](Books& books) -> Result<Project> {
      TRY(books.create_organisation({.name = "acme", .currency = "CNY"}));
      return books.create_project("red", "CNY", "acme");
    });
  }
  Result<> credit_limit(const char* limit) {
    return write<Organisation>([&](Books& books) { return books.set_credit_limit("acme", yuan(limit)); });
  }
  Result<> commit() {
    return write<Commitment>([&](Books& books) {
      return books.commit(
          {.organisation = "acme", .currency = "CNY", .amount = yuan("0.6"), .from = this_month()});
    });
  }
  Result<> keep_reply(const char* id) {
    return ledger_.write<void>([&](Books& books) {
      return ledger::keep_reply(books.state(), "", "once", id, {.body = "{}"}, clock_.wall());
    });
  }
  Result<> true_up() {
    return write<std::optional<TrueUp>>([&](Books& books) { return books.true_up("acme", last_month()); });
  }
  /// Acme's is the second invoice of its month.
  std::string number() const { return to_string(last_month()) + "-0002"; }
  Result<> pay(const char* reference, const char* amount) {
    return write<PaymentDone>([&](Books& books) {
      return books.pay_invoice({.invoice = number(), .reference = reference, .amount = yuan(amount)});
    });
  }
  Result<> credit_note() {
    return write<Invoice>(
        [&](Books& books) { return books.credit_invoice({.invoice = number(), .reason = "goodwill"}); });
  }

  std::vector<Step> steps() {
    return {[&] { return only(ledger_.credit("default", yuan("1"), "CNY", "", "once")); },
            [&] { return price(1'000'000); },
            [&] { return webhook(); },
            [&] { return limit(); },
            [&] { return hold("a"); },
            [&] { return grant(LotKind::kPackage, "TOK", token_amount(25), 0); },
            [&] { return mark("a", 5); },
            [&] { return hold("b", 30); },
            [&] { return settle("a", 12); },
            [&] { return only(ledger_.credit("default", yuan("1"), "CNY", "", "once")); },
            [&] { return grant(LotKind::kCredit, "CNY", Money::pico(7'000'000), 1); },
            [&] { return hold("c"); },
            [&] { return top_up("c"); },
            [&] { return price(2'000'000); },
            [&] { return release("b"); },
            [&] { return mark("c", 25); },
            [&] { return write<Refund>([](Books& books) { return books.refund({.request_id = "a"}); }); },
            [&] { return settle("c", 26); },
            [&] { return customer(); },
            [&] { return credit_limit("1"); },
            [&] { return commit(); },
            [&] { return grant(LotKind::kPlan, "CNY", yuan("0.4"), 0, "acme", yuan("0.3")); },
            [&] { return grant(LotKind::kQuota, "CNY", Money::pico(9'000'000), 2, "acme"); },
            [&] { return hold("g", 20, "acme/red", Claim{.key = "once"}); },
            [&] { return settle("g", 15); },
            [&] { return keep_reply("g"); },
            [&] { return hold("d"); },
            [&] { return mark("d", 3); },
            [&] { return clock_.advance(std::chrono::hours(24 * 40)), settle("d", 4); },
            [&] { return write<int64_t>([](Books& books) { return books.expire_lots(10); }); },
            [&] { return invoice("default"); },
            [&] { return true_up(); },
            [&] { return invoice("acme"); },
            [&] { return pay("bank 1", "0.1"); },
            [&] { return pay("bank 1, back", "-0.1"); },
            [&] { return pay("bank 2", "0.2"); },
            [&] { return credit_note(); },
            [&] { return hold("e"); },
            [&] { return mark("e", 6); },
            [&] { return hold("f"); }};
  }

  Ledger& ledger_;
  ManualClock& clock_;
};

LedgerOptions options(const std::filesystem::path& directory, const ManualClock& clock) {
  return {.directory = directory, .serving = true, .clock = &clock};
}

/// What an entry does, whatever ids it has.
std::string essence(const audit::Entry& entry) {
  std::string text = entry.spec->name;
  for (const audit::Posting& posting : entry.postings) {
    text += ' ' + posting.account.substr(0, posting.account.find(':')) + posting.currency +
            Money::pico(posting.amount).to_string();
  }
  return text;
}

std::vector<std::string> journal_in(const std::filesystem::path& directory) {
  std::vector<std::string> entries;
  const auto take = [&](const audit::ReadEntry& read) -> Result<> {
    entries.push_back(essence(read.entry));
    return {};
  };
  (void)audit::read_journal({.directory = directory}, take);  // none where there is no database yet
  return entries;
}

/// The journal of the script, and how long it was after each step; the first: after opening.
struct Reference {
  std::vector<std::string> entries;
  std::vector<size_t> lengths;
};

const Reference& reference() {
  static const Reference made = [] {
    Reference whole;
    const TemporaryDirectory directory;
    ManualClock clock;
    const auto ledger = Ledger::open(options(directory.path(), clock)).value();
    const auto note = [&] {
      whole.lengths.push_back(static_cast<size_t>(
          ledger->read<int64_t>([](State& state) { return Result<int64_t>(state.head().sequence); })
              .value()));
    };
    note();
    EXPECT_TRUE(Script(*ledger, clock).run(note));
    whole.entries = journal_in(directory.path());
    return whole;
  }();
  return made;
}

void run_child(const std::filesystem::path& directory, Fault fault, int64_t nth) {
  crash::install_lossy_vfs();
  spdlog::set_level(spdlog::level::off);
  crash::arm(fault, nth);
  ManualClock clock;
  int acknowledged = -1;
  const auto tell = [&] { std::ofstream(directory / "acknowledged") << ++acknowledged; };
  auto opened = Ledger::open(options(directory, clock));
  if (!opened) _exit(crash::syncs_since_fault() >= 0 ? kBroken : 1);
  tell();
  Ledger& ledger = **opened;
  const auto ran = Script(ledger, clock).run(tell);
  if (ran) {
    opened->reset();
    _exit(kUntouched);
  }
  EXPECT_OR_EXIT(ran.error().code == ErrorCode::kUnavailable, 2);
  EXPECT_OR_EXIT(!ledger.healthy(), 3);
  EXPECT_OR_EXIT(ledger.credit("default", yuan("1"), "CNY", "", "").error().code == ErrorCode::kUnavailable,
                 4);
  EXPECT_OR_EXIT(ledger.hold_now({.request_id = "z"}).error().code == ErrorCode::kUnavailable, 5);
  EXPECT_OR_EXIT(ledger.flush().error().code == ErrorCode::kUnavailable, 6);
  EXPECT_OR_EXIT(ledger.balance("default"), 7);
  opened->reset();
  EXPECT_OR_EXIT(crash::syncs_since_fault() == 0, 8);
  _exit(kBroken);
}

/// Serves requests until the log is so long that it is folded into the database.
void run_checkpointing_child(const std::filesystem::path& directory, Fault fault, int64_t nth) {
  crash::install_lossy_vfs();
  spdlog::set_level(spdlog::level::off);
  ManualClock clock;
  auto opened = Ledger::open(options(directory, clock));
  EXPECT_OR_EXIT(opened, 1);
  Script script(**opened, clock);
  EXPECT_OR_EXIT((*opened)->credit("default", yuan("1"), "CNY", "", "once"), 1);
  EXPECT_OR_EXIT(script.price(1), 1);
  crash::arm(fault, nth);
  for (int i = 0; i < 2000; ++i) {
    const std::string id = "req_" + std::to_string(i);
    if (script.hold(id.c_str()) && script.settle(id.c_str(), 5)) continue;
    EXPECT_OR_EXIT(script.price(1).error().code == ErrorCode::kUnavailable, 2);
    opened->reset();
    EXPECT_OR_EXIT(crash::syncs_since_fault() == 0, 3);
    _exit(kBroken);
  }
  _exit(kUntouched);
}

class LedgerFaults : public ::testing::Test {
 protected:
  // Of these files nothing is lost with the power but time.
  LedgerFaults() { setenv("TMPDIR", std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp", 0); }

  /// Whether the fault came before the script ended.
  bool strikes(Fault fault, int64_t nth) {
    SCOPED_TRACE(fmt::format("fault {} at {}", static_cast<int>(fault), nth));
    const TemporaryDirectory directory;
    const pid_t child = fork();
    if (child == 0) run_child(directory.path(), fault, nth);
    int status = 0;
    waitpid(child, &status, 0);
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : killed ? kBroken : -1;
    EXPECT_TRUE(code == kBroken || code == kUntouched) << code;
    expect_nothing_lost(directory.path());
    expect_it_goes_on(directory.path());
    return code == kBroken;
  }
  void expect_a_failed_checkpoint_ends_it(int64_t nth) {
    const TemporaryDirectory directory;
    const pid_t child = fork();
    if (child == 0) run_checkpointing_child(directory.path(), Fault::kFailedDatabaseSync, nth);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, kBroken);
    expect_it_goes_on(directory.path());
  }
  /// Each write or sync, until the script is through.
  void strike_each(Fault fault, int64_t least) {
    int64_t struck = 0;
    while (strikes(fault, struck + 1) && !HasFailure()) ++struck;
    EXPECT_GE(struck, least);
  }

 private:
  void expect_nothing_lost(const std::filesystem::path& directory) {
    int64_t acknowledged = -1;
    std::ifstream(directory / "acknowledged") >> acknowledged;
    const std::vector<std::string> found = journal_in(directory);
    const Reference& whole = reference();
    const size_t least = acknowledged < 0 ? 0 : whole.lengths.at(static_cast<size_t>(acknowledged));
    const auto next = static_cast<size_t>(acknowledged + 1);
    const size_t most = next < whole.lengths.size() ? whole.lengths.at(next) : whole.lengths.back();
    EXPECT_TRUE(found.size() == least || found.size() == most)
        << found.size() << " entries after step " << acknowledged << ", not " << least << " or " << most;
    EXPECT_TRUE(std::ranges::equal(found, whole.entries | std::views::take(found.size())));
  }
  void expect_it_goes_on(const std::filesystem::path& directory) {
    ManualClock clock;
    clock.advance(std::chrono::hours(24 * 41));
    {
      const auto ledger = Ledger::open(options(directory, clock));
      ASSERT_TRUE(ledger) << ledger.error().message;
      EXPECT_TRUE((*ledger)->balance("default")->pending.is_zero()) << "a hold leaked";
      const auto acme = (*ledger)->balance("acme/red");  // none when it was not made yet
      EXPECT_TRUE(!acme || acme->pending.is_zero()) << "a hold leaked";
      EXPECT_TRUE((*ledger)->credit("default", yuan("1"), "CNY", "", "once"));
      Script again(**ledger, clock);
      EXPECT_TRUE(again.price(5));
      EXPECT_TRUE(again.hold("again"));
      EXPECT_TRUE(again.settle("again", 3));
    }
    const auto report = verify(directory);
    ASSERT_TRUE(report) << report.error().message;
    for (const std::string& problem : report->findings()) ADD_FAILURE() << problem;
  }
};

TEST_F(LedgerFaults, FullDiskAtAnyWriteStopsTakingMoney) {
  strike_each(Fault::kFullDisk, 100);
}

TEST_F(LedgerFaults, ShortWriteAtAnyPlaceStopsTakingMoney) {
  strike_each(Fault::kShortWrite, 100);
}

TEST_F(LedgerFaults, PowerLossAtAnyWriteLosesNothingAcknowledged) {
  strike_each(Fault::kPowerLoss, 100);
}

TEST_F(LedgerFaults, PowerLossThatKeepsSomeBlocksLosesNothingAcknowledged) {
  strike_each(Fault::kTornPowerLoss, 100);
}

TEST_F(LedgerFaults, FailedSyncStopsTakingMoneyAndIsNeverRetried) {
  strike_each(Fault::kFailedSync, 25);
}

TEST_F(LedgerFaults, FailedSyncOfACheckpointStopsTakingMoneyToo) {
  for (int64_t nth = 1; nth < 4; ++nth) expect_a_failed_checkpoint_ends_it(nth);
}

}  // namespace
}  // namespace feilun::ledger
