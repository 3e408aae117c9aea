#include "ledger/ledger_property.h"

#include "ledger/commitment.h"

// The run itself: the road of requests, time, restarts, and what is compared.
//
// FEILUN_LEDGER_SEED and FEILUN_LEDGER_OPERATIONS ask for another run.

namespace feilun::ledger {
namespace {

using namespace std::chrono_literals;

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr int64_t kOperations = 12'000;  // these take ten times as long
#else
constexpr int64_t kOperations = 120'000;
#endif
constexpr int64_t kRoadOperations = 200;  ///< of a round
constexpr int64_t kActs = 20;             ///< at most, of a round

/// What a run must meet with to be worth its name.
constexpr const char* kSeen[] = {"hold done",
                                 "top_up done",
                                 "mark done",
                                 "settle done",
                                 "release done",
                                 "refund done",
                                 "grant done",
                                 "price done",
                                 "credit",
                                 "invoice",
                                 "true_up",
                                 "notified",
                                 "restart",
                                 "grant again",
                                 "credit again",
                                 "refund again",
                                 "invoice again",
                                 "true_up again",
                                 "payment done",
                                 "payment again",
                                 "payment error 4",
                                 "payment back done",
                                 "payment back error 0",
                                 "credit note done",
                                 "credit note again",
                                 "credit note error 4",
                                 "hold error 3",
                                 "hold error 4",
                                 "hold error 6",
                                 "hold error 7",
                                 "settle error 4",
                                 "refund error 4"};

int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

std::vector<Run> runs() {
  std::vector<Run> all;
  for (const bool postgres : {false, true}) {
    all.push_back({postgres, static_cast<uint64_t>(from_environment("FEILUN_LEDGER_SEED", 1))});
  }
  return all;
}

}  // namespace

std::string LedgerProperty::some_request() {
  // Mostly near the newest, so that requests are met again while open; sometimes one long ended, or unknown.
  const int64_t back = below(10) == 0 ? below(next_request_ + 1) - 5 : below(40);
  return "req_" + std::to_string(std::max<int64_t>(0, next_request_ - back));
}

TokenUsage LedgerProperty::some_usage() {
  return {.input_fresh = below(60),
          .cache_read = below(40),
          .cache_write = below(20),
          .output = below(80),
          .reasoning = below(20)};
}

Month LedgerProperty::some_month(const std::string& payer) {
  const Month month = shadow_.zones.at(payer).month_of(wall_clock_.wall()) - std::chrono::months(below(3));
  return std::max(month, first_month_);
}

void LedgerProperty::add_project(const Project& project, const char* zone) {
  projects_.push_back(project.id);
  scopes_.push_back(project.id);
  shadow_.projects[project.id] = project;
  shadow_.zones.insert_or_assign(project.payer, TimeZone::find(zone).value());
  if (std::ranges::find(payers_, project.payer) == payers_.end()) payers_.push_back(project.payer);
  keys_.push_back(ledger_->create_key(project.id, "key", KeyRole::kProject)->key.id);
  scopes_.push_back(keys_.back());
}

void LedgerProperty::set_up_tenants() {
  const auto set_up = [&](Books& books) -> Result<> {
    acme_ =
        TRY(books.create_organisation({.name = "acme", .currency = "CNY", .time_zone = "Asia/Shanghai"})).id;
    TRY(books.create_project("red", "CNY"));
    TRY(books.create_project("one", "CNY", "acme"));
    TRY(books.create_project("two", "CNY", "acme"));
    for (const std::string& whose : {acme_, std::string("default")}) {
      TRY(books.set_webhook({.organisation = whose, .url = "https://example.com/" + whose}));
    }
    first_month_ = TimeZone::find("Asia/Shanghai")->month_of(wall_clock_.wall());
    TRY(books.commit(
        {.organisation = "acme", .currency = "CNY", .amount = committed_, .from = first_month_}));
    return {};
  };
  ASSERT_TRUE(ledger_->write<void>(set_up));
  for (const char* name : {"default", "red"}) add_project(ledger_->find_project(name).value(), "UTC");
  for (const char* name : {"acme/one", "acme/two"}) {
    add_project(ledger_->find_project(name).value(), "Asia/Shanghai");
  }
  scopes_.push_back(acme_);
  shadow_.now = wall_clock_.wall();
}

void LedgerProperty::ask() {
  const int64_t dice = below(100);
  const std::string id = some_request();
  if (dice < 38) {
    HoldRequest asked{.request_id = dice < 34 ? "req_" + std::to_string(++next_request_) : id};
    const auto project = static_cast<size_t>(below(std::ssize(projects_)));
    asked.key_id = below(8) == 0 ? "" : keys_[project];
    asked.project_id = projects_[project];
    asked.offering = below(4) == 0 ? "mega" : "nano";
    asked.tier = below(4) == 0 ? ServiceTier::kFlex : ServiceTier::kDefault;
    asked.input_tokens = below(5) == 0 ? 0 : below(110);
    asked.output_slice = below(64);
    ledger_->hold(asked, expect<Hold>("hold", answer(shadow_.hold(asked))));
  } else if (dice < 54) {
    const TokenCount more = below(64);
    topped_up_.insert(id);
    ledger_->top_up(id, more, expect<Hold>("top_up", answer(shadow_.top_up(id, more))));
  } else if (dice < 68 || (GetParam().postgres && topped_up_.contains(id))) {
    // Over PostgreSQL a top-up is given up when its request ends before it is answered.
    const TokenUsage usage = some_usage();
    ledger_->mark(id, usage, expect<TokenUsage>("mark", answer(shadow_.mark(id, usage))));
  } else if (dice < 92) {
    const TokenUsage usage = some_usage();
    const auto settled = shadow_.settle(id, usage);
    if (settled) settled_.push_back(id);
    ledger_->settle(id, usage, Outcome::kCompleted, expect<Settlement>("settle", answer(settled)));
  } else {
    ledger_->release(id, Outcome::kCancelled, expect<Settlement>("release", answer(shadow_.release(id))));
  }
}

void LedgerProperty::pass_time() {
  auto by = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::milliseconds(below(30'000)));
  const int64_t dice = below(100);
  if (dice < 40) {
    // To a boundary, or a moment before or after it.
    const Period month = shadow_.zones.at(one_of(payers_)).period_of(some_month(payers_[0]));
    boundaries_.push_back(month.until);
    const WallTime now = wall_clock_.wall();
    std::erase_if(boundaries_, [&](WallTime each) { return each < now - 1s || each == WallTime::max(); });
    if (!boundaries_.empty()) {
      const WallTime next = below(4) == 0 ? one_of(boundaries_) : std::ranges::min(boundaries_);
      by = next - now + std::chrono::milliseconds(below(3) - 1);
    }
  } else if (dice < 45) {
    by = std::chrono::hours(1 + below(24 * 8));
  } else if (dice < 50) {
    by = -std::chrono::microseconds(below(2'000'000));  // the clock is set back
  }
  wall_clock_.set_by(by);
  shadow_.now = wall_clock_.wall();
}

/// Goes on with the files as a kill leaves them: nothing is closed, the log is not folded in. (What was not
/// synced, and power that goes in the middle of an operation, are in tests/crash.)
void LedgerProperty::be_killed() {
  if (!schema_.empty()) return;
  const TemporaryDirectory left;
  // First the database: what a checkpoint has not put there by then is in the log, which is copied behind it.
  constexpr const char* kFiles[] = {"ledger.db", "ledger.db-wal", "ledger.anchor"};
  for (const char* file : kFiles) std::filesystem::copy_file(directory_.path() / file, left.path() / file);
  ledger_.reset();
  for (const char* file : kFiles) {
    std::filesystem::copy_file(left.path() / file, directory_.path() / file,
                               std::filesystem::copy_options::overwrite_existing);
  }
  ++seen_["kill"];
}

void LedgerProperty::restart(bool serving) {
  ledger_.reset();
  LedgerOptions patient = options(serving);
  patient.clock = &wall_clock_;
  // Nothing is spooled, and no lease runs out, because the machine is busy.
  patient.lease = patient.patience = std::chrono::minutes(10);
  auto opened = Ledger::open(patient);
  ASSERT_TRUE(opened) << opened.error().message;
  ledger_ = *std::move(opened);
  ++seen_["restart"];
  if (!serving) return;
  shadow_.recover();
  // A gateway on PostgreSQL ends what was left open a thousand at a time.
  while (ledger_->write<int64_t>([](Books& books) { return books.recover({}, 1000); }).value() > 0) {
  }
}

void LedgerProperty::round() {
  topped_up_.clear();
  for (int64_t i = 0; i < kRoadOperations; ++i) ask();
  // What was asked before is answered when this is done.
  ASSERT_TRUE(ledger_->write<void>([&](Books& books) -> Result<> {
    for (int64_t acts = below(kActs); acts > 0 && !HasFailure(); --acts) act(books);
    return {};
  }));
}

void LedgerProperty::compare_accounts() {
  const auto rows =
      ledger_->read<std::vector<StateRow>>([](State& state) { return state.scan("A", 1'000'000); }).value();
  std::map<std::string, Money> accounts;
  for (const StateRow& row : rows) {
    std::string name = row.key.substr(1);
    name[name.find('\0')] = ' ';
    const Money balance = FieldReader(row.value).amount();
    if (!balance.is_zero()) accounts[name] = balance;
  }
  std::erase_if(shadow_.accounts, [](const auto& each) { return each.second.is_zero(); });
  for (const auto& [name, balance] : shadow_.accounts) EXPECT_EQ(accounts[name], balance) << name;
  EXPECT_EQ(accounts.size(), shadow_.accounts.size());
}

TEST_P(LedgerProperty, AnswersAsItsShadowWhateverHappens) {
  const int64_t operations = from_environment("FEILUN_LEDGER_OPERATIONS", kOperations);
  std::printf("seed %llu, %lld operations\n", static_cast<unsigned long long>(GetParam().seed),
              static_cast<long long>(operations));
  int64_t verified = 0;
  for (int64_t rounds = 1; operations_ < operations; ++rounds) {
    round();
    if (rounds % 20 == 0 || HasFailure()) compare_accounts();
    if (HasFailure()) FAIL() << "in round " << rounds << ", at " << to_iso8601(wall_clock_.wall());
    if (below(15) == 0) {
      if (below(2) == 0) be_killed();
      restart(/*serving=*/below(3) != 0);
    }
    if (operations_ - verified > operations / 3) {
      expect_verified();
      verified = operations_;
    }
    pass_time();
  }
  restart(/*serving=*/true);
  compare_accounts();
  expect_verified();
  if (operations >= 100'000) {
    for (const char* what : kSeen) EXPECT_GT(seen_[what], 0) << what;
    EXPECT_EQ(seen_["kill"] > 0, schema_.empty());
  }
  for (const auto& [what, times] : seen_)
    std::printf("%8lld %s\n", static_cast<long long>(times), what.c_str());
}

INSTANTIATE_TEST_SUITE_P(Stores, LedgerProperty, ::testing::ValuesIn(runs()), [](const auto& each) {
  return std::string(each.param.postgres ? "Postgres" : "Sqlite");
});

}  // namespace feilun::ledger
