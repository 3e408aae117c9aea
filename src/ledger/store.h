#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/bytes.h"
#include "ledger/journal.h"

namespace feilun::ledger {

/// One row of the state: what the journal's entries add up to, as an ordered map from bytes to bytes.
/// state_rows.h knows what the rows mean; a Store does not.
struct StateRow {
  std::string key;
  std::string value;
};

/// A row put (with a value) or erased (without). The bytes are the caller's.
struct StateChange {
  std::string_view key;
  std::optional<std::string_view> value;
  bool is_new = false;  ///< put: there is no such row yet, for sure
};

/// A sealed run of the journal: its entries [first, last] as one compressed archive (segment.h).
struct Segment {
  int64_t first = 0;
  int64_t last = 0;
  Hash hash{};  ///< of entry `last`
  std::string bytes;
  bool archived = false;  ///< its bytes are not in the database
};

/// Where the ledger lies: the journal, its sealed segments, and the state derived from it. It keeps bytes and
/// knows no rules (books.h), so that a second kind of database is a small thing.
///
/// One Store is one connection, used by one thread at a time. Every call happens between begin() and commit()
/// or rollback(). A write transaction excludes all other writers, of any process on any machine; a reader
/// sees one moment. An I/O or format failure of any call is remembered: failure() tells the writer that
/// nothing more may be written through this Store.
class Store {
 public:
  enum class Access { kRead, kWrite };

  virtual ~Store() = default;

  /// kUnavailable when the write lock, or the database, cannot be had for too long; that is not a failure().
  virtual Result<> begin(Access access) = 0;
  /// Returns once everything written since begin() is durable.
  virtual Result<> commit() = 0;
  virtual void rollback() = 0;
  /// House-keeping between transactions, after replies went out (SQLite: checkpoints).
  virtual Result<> maintain() = 0;
  virtual const std::optional<Error>& failure() const = 0;
  /// From now on not even closing writes anything.
  virtual void abandon() = 0;
  /// The process is to end: from now on nothing waits for longer than seconds, not even a commit() whose
  /// outcome is unknown. Any thread.
  virtual void stop_waiting() {}

  /// Whether other gateways may write here too. Where they may, each has a lease (lease.h), a row beside the
  /// journal that is no part of it. Inside write transactions; times are the database's.
  virtual bool is_shared() const { return false; }
  virtual Result<> take_lease(std::string_view /*name*/, std::chrono::milliseconds /*lasts*/) { return {}; }
  /// False when it has run out and others have seen it.
  virtual Result<bool> renew_lease(std::string_view /*name*/, std::chrono::milliseconds /*lasts*/) {
    return true;
  }
  virtual Result<> end_lease(std::string_view /*name*/) { return {}; }
  /// Those that have run out.
  virtual Result<> end_lapsed_leases() { return {}; }
  /// All that were not ended.
  virtual Result<std::vector<std::string>> leases() { return std::vector<std::string>(); }
  /// The first by name of those that have not run out; empty where there is none.
  virtual Result<std::string> leading_lease() { return std::string(); }

  /// The last entry of all; sequence 0 and a hash of zeros before the first.
  virtual Result<ChainHead> head() = 0;
  /// Entries that are not sealed, with sequences above `after`, in order, at most `limit`.
  virtual Result<std::vector<JournalRow>> entries(int64_t after, int64_t limit) = 0;
  virtual Result<> append(std::span<const JournalRow> rows) = 0;

  /// All segments in order, without their bytes.
  virtual Result<std::vector<Segment>> segments() = 0;
  /// The last segment that begins at or before the entry, without its bytes.
  virtual Result<std::optional<Segment>> segment_at(int64_t sequence) = 0;
  /// kNotFound when the segment was archived; archive.h finds it there.
  virtual Result<std::string> segment_bytes(int64_t first) = 0;
  /// Puts the segment in the place of its entries, of which the last one of all is never part.
  virtual Result<> seal(const Segment& segment) = 0;
  /// Forgets the bytes of a segment that lies elsewhere now; its line stays.
  virtual Result<> archive_segment(int64_t first) = 0;

  virtual Result<std::optional<std::string>> get(std::string_view key) = 0;
  /// Those of the rows that are there, in no order: one question for many.
  virtual Result<std::vector<StateRow>> get_all(std::span<const std::string> keys) = 0;
  /// Rows with from ≤ key < until in order, at most `limit`.
  virtual Result<std::vector<StateRow>> scan(std::string_view from, std::string_view until,
                                             int64_t limit) = 0;
  /// Keys are in ascending order, none twice.
  virtual Result<> write(std::span<const StateChange> changes) = 0;

  /// The directory where segments lie that were moved out of the database; empty: nobody knows.
  const std::filesystem::path& archive() const { return archive_; }
  void set_archive(std::filesystem::path directory) { archive_ = std::move(directory); }

 private:
  std::filesystem::path archive_;
};

}  // namespace feilun::ledger
