#include "ledger/ledger.h"

#include <sodium.h>

#include <algorithm>
#include <future>
#include <system_error>
#include <vector>

#include "base/log.h"
#include "ledger/anchor.h"
#include "ledger/currency.h"
#include "ledger/embedded_ledger.h"
#include "ledger/open_store.h"
#include "ledger/serving_lock.h"
#include "ledger/spooler.h"
#include "ledger/sync_path.h"
#include "ledger/writer.h"

namespace feilun::ledger {
namespace {

/// Makes the directory and those above it when absent, with durable names.
Result<> make_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> changed;
  auto missing = std::filesystem::absolute(directory, error);
  while (!error && missing.has_relative_path() && !std::filesystem::exists(missing, error)) {
    missing = missing.parent_path();
    changed.push_back(missing);
  }
  if (!error) std::filesystem::create_directories(directory, error);
  if (error) return fail(ErrorCode::kIo, "cannot make {}: {}", directory.string(), error.message());
  for (const auto& parent : changed) TRY(sync_path(parent));
  return {};
}

/// The journal must reach at least as far as what was once anchored as durable. A sealed entry was durable.
Result<> check_anchor(Store& store, Anchor& anchor) {
  const ChainHead anchored = TRY(anchor.read());
  TRY(store.begin(Store::Access::kRead));
  const auto head = store.head();
  const auto at = store.entries(anchored.sequence - 1, 1);
  const auto sealed = store.segment_at(anchored.sequence);
  store.rollback();
  if (anchored.sequence == 0) {
    if (TRY(head).sequence > 0) {
      spdlog::warn(
          "ledger.anchor was missing and is made anew: it cannot tell whether entries after {} were lost",
          head->sequence);
    }
    return {};
  }
  if (!TRY(at).empty() && at->front().sequence == anchored.sequence && at->front().hash == anchored.hash)
    return {};
  if (const auto segment = TRY(sealed); segment && segment->last >= anchored.sequence) return {};
  return fail(ErrorCode::kCorrupt,
              "the ledger's journal lacks entry {}, which ledger.anchor saw durable: the database was cut or "
              "replaced; restore it, or remove ledger.anchor to accept the loss",
              anchored.sequence);
}

/// What an earlier process of this gateway could not tell the database, told before its holds are ended.
Result<Replayed> replay_spool(Store& store, const Clock& clock, const Spool& spool) {
  if (spool.found().empty()) return Replayed();
  TRY(store.begin(Store::Access::kWrite));
  State state(store);
  Books books(state);
  auto begun = books.begin(clock.wall());
  auto told = begun ? replay(books, spool.found()) : std::unexpected(begun.error());
  auto flushed = told ? state.flush() : Result<>();
  if (!told || !flushed) {
    store.rollback();
    return std::unexpected(told ? flushed.error() : told.error());
  }
  TRY(store.commit());
  spdlog::warn("{} marks and ends of requests came from ledger.spool", told->records);
  return told;
}

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(LedgerOptions options) {
  if (sodium_init() < 0) return fail(ErrorCode::kInternal, "libsodium does not start");
  TRY(minor_digits(TRY(parse_currency(options.default_currency))));
  TRY(make_directory(options.directory));
  ServingLock lock;
  if (options.serving) lock = TRY(ServingLock::take(options.directory));
  auto store = TRY(open_store(options));
  auto reader = TRY(open_store(options));
  Anchor anchor = TRY(Anchor::open(options.directory / "ledger.anchor"));
  TRY(check_anchor(*store, anchor));
  TRY(sync_path(options.directory));
  static const SystemClock system_clock;
  const Clock& clock = options.clock == nullptr ? static_cast<const Clock&>(system_clock) : *options.clock;
  std::unique_ptr<Lease> lease;
  std::optional<Spool> spool;
  Replayed replayed;
  if (options.serving && store->is_shared()) {
    lease = std::make_unique<Lease>(options.directory / "ledger.lease", options.lease, clock);
    spool.emplace(TRY(Spool::open(options.directory / "ledger.spool")));
    replayed = TRY(replay_spool(*store, clock, *spool));
  }
  // What is not written by then is told by the spool at the next start: nobody stays for it.
  std::vector<Store*> waiting = {store.get()};
  std::unique_ptr<Sealer> sealer;
  if (options.serving) {
    auto packing = TRY(open_store(options));
    waiting.push_back(packing.get());
    sealer = std::make_unique<Sealer>(std::move(packing));
  }
  const auto before_stop = [waiting] { std::ranges::for_each(waiting, &Store::stop_waiting); };
  auto writer = std::make_unique<Writer>(std::move(store), std::move(anchor), clock,
                                         options.group_commit_wait, std::move(lease), std::move(sealer));
  std::unique_ptr<Spooler> spooler;
  if (spool) {
    spooler = std::make_unique<Spooler>(*std::move(spool), *writer, clock, options.patience, replayed);
  }
  auto ledger = std::make_unique<EmbeddedLedger>(std::move(options), std::move(lock), std::move(reader),
                                                 std::move(writer), std::move(spooler), before_stop);
  TRY(ledger->prepare());
  return ledger;
}

Result<Hold> Ledger::hold_now(HoldRequest request) {
  std::promise<Result<Hold>> promise;
  auto result = promise.get_future();
  hold(std::move(request),
       [promise = std::move(promise)](Result<Hold> done) mutable { promise.set_value(std::move(done)); });
  return result.get();
}

Result<Settlement> Ledger::settle_now(std::string request_id, TokenUsage usage, Outcome outcome) {
  std::promise<Result<Settlement>> promise;
  auto result = promise.get_future();
  settle(std::move(request_id), usage, outcome,
         [promise = std::move(promise)](Result<Settlement> done) mutable {
           promise.set_value(std::move(done));
         });
  return result.get();
}

}  // namespace feilun::ledger
