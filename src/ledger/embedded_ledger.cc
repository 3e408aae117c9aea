#include "ledger/embedded_ledger.h"

#include <future>
#include <utility>

#include "ledger/archive.h"
#include "ledger/books.h"
#include "ledger/open_store.h"
#include "ledger/tenant_records.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kRecoverAtOnce = 1000;
constexpr int64_t kKeysAtOnce = 1'000'000;
// How long a remote database may keep somebody waiting.
constexpr auto kReadWait = std::chrono::seconds(5);
constexpr auto kWriteWait = std::chrono::seconds(10);
constexpr auto kReadPause = std::chrono::milliseconds(500);  ///< after one who waited in vain
constexpr auto kKeysWait = std::chrono::milliseconds(250);

std::unexpected<Error> does_not_answer(std::string_view so) {
  return fail(ErrorCode::kUnavailable, "the ledger's database does not answer: {}", so);
}

/// A caller who may stop waiting for his act: it runs to its end before he leaves, or never.
struct Caller {
  std::mutex mutex;
  bool left = false;
  bool acted = false;
  bool wrote = false;  ///< an entry
};

Result<KeyChanges> keys_changed_after(State& state, int64_t sequence) {
  KeyChanges changes{.seen = state.head().sequence};
  for (const Record& record : TRY(records_changed_after(state, "key", sequence, kKeysAtOnce))) {
    changes.keys.push_back(TRY(key_from(record)));
  }
  for (const Record& record : TRY(records_changed_after(state, "project", sequence, kKeysAtOnce))) {
    changes.projects.push_back(TRY(project_from(record)));
  }
  for (const Record& record : TRY(records_changed_after(state, "organisation", sequence, kKeysAtOnce))) {
    changes.organisations.push_back(TRY(organisation_from(record)));
  }
  return changes;
}

}  // namespace

EmbeddedLedger::EmbeddedLedger(LedgerOptions options, ServingLock lock, std::unique_ptr<Store> reader,
                               std::unique_ptr<Writer> writer, std::unique_ptr<Spooler> spooler,
                               std::function<void()> before_stop)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      reader_(std::move(reader)),
      reader_state_(*reader_),
      key_cache_(
          [this](int64_t after) {
            return read<KeyChanges>([&](State& state) { return keys_changed_after(state, after); });
          },
          options_.clock == nullptr ? static_cast<const Clock&>(system_clock_) : *options_.clock,
          options_.url.empty() ? std::nullopt : std::optional<std::chrono::milliseconds>(kKeysWait)),
      writer_(std::move(writer)),
      before_stop_(std::move(before_stop)),
      spooler_(std::move(spooler)) {}

EmbeddedLedger::~EmbeddedLedger() {
  reader_->stop_waiting();
  before_stop_();
  // The reader goes before the writer's connection: whoever closes last folds the log into the database.
  writer_->stop();
  if (spooler_) spooler_->stop();
  key_cache_.stop();
  const std::lock_guard lock(reader_mutex_);
  reader_.reset();
}

Result<> EmbeddedLedger::write_any(std::move_only_function<Result<>(Books&)> act) {
  if (contact().away) return does_not_answer("nothing was written");
  std::promise<Result<>> promise;
  auto result = promise.get_future();
  const auto caller = std::make_shared<Caller>();
  auto acting = [this, caller, &act](Books& books) -> Result<> {
    const std::lock_guard lock(caller->mutex);
    if (caller->left) return does_not_answer("nobody waits any more");
    books.act_as(options_.actor);
    const ChainHead before = books.state().head();
    auto done = act(books);
    caller->acted = true;
    caller->wrote = books.state().head() != before;
    return done;
  };
  writer_->submit<void>(std::move(acting), [promise = std::move(promise)](Result<> done) mutable {
    promise.set_value(std::move(done));
  });
  if (is_remote() && result.wait_for(kWriteWait) == std::future_status::timeout) {
    if (spooler_) spooler_->suspect();
    const std::lock_guard lock(caller->mutex);
    caller->left = true;
    key_cache_.expire();
    return does_not_answer(caller->acted ? "whether it was written is not known yet" : "nothing was written");
  }
  auto done = result.get();
  const std::lock_guard lock(caller->mutex);
  if (caller->wrote) key_cache_.expire();
  return done;
}

Result<> EmbeddedLedger::read_any(std::move_only_function<Result<>(State&)> look) {
  if (is_unreadable()) return does_not_answer("try again in a few seconds");
  std::unique_lock lock(reader_mutex_, std::defer_lock);
  if (!is_remote()) lock.lock();
  if (!lock.owns_lock() && !lock.try_lock_for(kReadWait)) return does_not_answer("others are waiting for it");
  if (is_unreadable()) return does_not_answer("others have waited for it in vain");
  auto looked = look_once(look);
  if (!looked && looked.error().code == ErrorCode::kUnavailable && is_remote()) {
    unreadable_since_ = contact().returns;
    unreadable_until_ = std::chrono::steady_clock::now() + kReadPause;
    if (spooler_) spooler_->suspect();
  }
  return looked;
}

Result<> EmbeddedLedger::look_once(std::move_only_function<Result<>(State&)>& look) {
  // Whatever is thrown, the next one begins anew.
  const struct End {
    Store& store;
    ~End() { store.rollback(); }
  } end{*reader_};
  TRY(reader_->begin(Store::Access::kRead));
  TRY(reader_state_.begin());
  return look(reader_state_);
}

bool EmbeddedLedger::is_unreadable() const {
  const Spooler::Contact seen = contact();
  const bool came_back = seen.returns != unreadable_since_;
  return seen.away || (!came_back && std::chrono::steady_clock::now() < unreadable_until_.load());
}

Result<> EmbeddedLedger::prepare() {
  const std::string currency = options_.default_currency;
  TRY(write<Project>([&](Books& books) { return books.ensure_project("default", currency); }));
  if (!options_.serving || !options_.url.empty()) return {};
  while (TRY(write<int64_t>([](Books& books) { return books.recover({}, kRecoverAtOnce); })) > 0) {
  }
  return {};
}

Result<Project> EmbeddedLedger::create_project(std::string name, std::string currency) {
  return write<Project>([&](Books& books) { return books.create_project(name, currency); });
}

Result<Project> EmbeddedLedger::find_project(std::string_view name_or_id) {
  return read<Project>([&](State& state) { return ledger::find_project(state, name_or_id); });
}

Result<std::vector<Project>> EmbeddedLedger::projects() {
  return read<std::vector<Project>>([](State& state) { return all_projects(state); });
}

Result<NewKey> EmbeddedLedger::create_key(std::string_view project, std::string name, KeyRole role) {
  return write<NewKey>([&](Books& books) { return books.create_key(project, name, role); });
}

Result<std::vector<Key>> EmbeddedLedger::keys(std::string_view project) {
  return read<std::vector<Key>>([&](State& state) -> Result<std::vector<Key>> {
    return keys_of(state, TRY(ledger::find_project(state, project)).id);
  });
}

Result<> EmbeddedLedger::revoke_key(std::string_view key_id) {
  return write<void>([&](Books& books) { return books.revoke_key(key_id); });
}

Result<Key> EmbeddedLedger::authenticate(std::string_view secret) {
  return key_cache_.find(secret);
}

Result<Balance> EmbeddedLedger::credit(std::string_view owner, Money amount, std::string_view currency,
                                       std::string_view reason, std::string_view idempotency_key) {
  return write<Balance>(
      [&](Books& books) { return books.credit(owner, amount, currency, reason, idempotency_key); });
}

Result<Balance> EmbeddedLedger::balance(std::string_view project) {
  return read<Balance>([&](State& state) -> Result<Balance> {
    const Project found = TRY(ledger::find_project(state, project));
    return payer_balance(state, found.payer, found.currency);
  });
}

Result<UsageTotals> EmbeddedLedger::usage(std::string_view project) {
  return read<UsageTotals>([&](State& state) -> Result<UsageTotals> {
    return usage_totals(state, TRY(ledger::find_project(state, project)).id);
  });
}

Result<PriceVersion> EmbeddedLedger::set_price(PriceVersion price) {
  return write<PriceVersion>([&](Books& books) { return books.set_price(price); });
}

Result<PriceVersion> EmbeddedLedger::price_at(std::string_view offering, std::string_view currency,
                                              WallTime at) {
  return read<PriceVersion>([&](State& state) { return find_price_at(state, offering, currency, "", at); });
}

void EmbeddedLedger::hold(HoldRequest request, Done<Hold> done) {
  std::vector<std::string> rows;
  if (request.request_id.find('\0') == std::string::npos) rows = request_keys(request.request_id);
  if (spooler_) return spooler_->hold(std::move(request), std::move(rows), std::move(done));
  writer_->submit<Hold>([request = std::move(request)](Books& books) { return books.hold(request); },
                        std::move(done), Writer::WhenLocked::kFail, std::move(rows));
}

void EmbeddedLedger::top_up(std::string request_id, TokenCount more, Done<Hold> done) {
  if (spooler_) return spooler_->top_up(std::move(request_id), more, std::move(done));
  writer_->submit<Hold>([id = std::move(request_id), more](Books& books) { return books.top_up(id, more); },
                        std::move(done));
}

void EmbeddedLedger::mark(std::string request_id, TokenUsage usage, Done<TokenUsage> done) {
  if (spooler_) return spooler_->mark(std::move(request_id), usage, std::move(done));
  writer_->submit<TokenUsage>(
      [id = std::move(request_id), usage](Books& books) { return books.mark(id, usage); }, std::move(done));
}

void EmbeddedLedger::settle(std::string request_id, TokenUsage usage, Outcome outcome,
                            std::optional<RequestCost> cost, Done<Settlement> done) {
  if (spooler_) {
    return spooler_->settle(std::move(request_id), usage, outcome, std::move(cost), std::move(done));
  }
  writer_->submit<Settlement>([id = std::move(request_id), usage, outcome, cost = std::move(cost)](
                                  Books& books) { return books.settle(id, usage, outcome, cost); },
                              std::move(done), Writer::WhenLocked::kWait);
}

void EmbeddedLedger::release(std::string request_id, Outcome outcome, Done<Settlement> done) {
  if (spooler_) return spooler_->release(std::move(request_id), outcome, std::move(done));
  writer_->submit<Settlement>(
      [id = std::move(request_id), outcome](Books& books) { return books.release(id, outcome); },
      std::move(done), Writer::WhenLocked::kWait);
}

Result<> EmbeddedLedger::flush() {
  return write<void>([](Books&) { return Result<>(); });
}

Result<int64_t> EmbeddedLedger::archive(WallTime before, int64_t limit) {
  const auto store = TRY(open_store(options_));
  return TRY(archive_segments(*store, store->archive(), before, limit)).segments;
}

}  // namespace feilun::ledger
