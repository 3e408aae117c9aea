#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "ledger/journal.h"
#include "ledger/store.h"

namespace feilun::ledger {

/// The state as one writer sees it: rows are read once, changed in memory, and written in one go together
/// with the entries that changed them. Between groups it keeps what it knows for as long as nobody else wrote
/// (the journal's head is where it left it), so that a writer alone hardly reads at all.
class State {
 public:
  explicit State(Store& store) : store_(store) {}

  /// Inside a transaction of the store: takes up what others have written since.
  Result<> begin();
  const ChainHead& head() const { return head_; }
  /// The last entry that the store has; those behind it are this group's.
  int64_t written() const { return head_.sequence - std::ssize(entries_); }
  /// For reading the journal itself.
  Store& store() { return store_; }

  /// The row's value, nullptr when there is none. Good until the next call.
  Result<const std::string*> get(std::string_view key);
  void put(std::string_view key, std::string value);
  /// Of a row that nobody asks for soon: once written it is not kept in memory.
  void put_away(std::string_view key, std::string value);
  void erase(std::string_view key);

  /// A row as the writer knows it.
  class Row {
   public:
    std::string_view key() const { return key_; }
    /// nullptr when there is none.
    const std::string* value() const { return value_ ? &*value_ : nullptr; }

   private:
    friend class State;
    std::string_view key_;  ///< in the map
    std::optional<std::string> value_;
    bool changed_ = false;
    bool stored_ = true;  ///< the store may have it: erasing it must be told
    bool away_ = false;   ///< not to be kept once it is written
  };
  /// A row that is read and then changed is looked for once: the same as get() and put(). Good until the next
  /// flush() or forget().
  Result<Row*> find(std::string_view key);
  void put(Row& row, std::string value);
  /// Rows whose keys begin with `prefix`, in order, at most `limit`, with what is not yet written.
  Result<std::vector<StateRow>> scan(const std::string& prefix, int64_t limit);
  /// The same, of keys above `after`, which begins with the prefix too.
  Result<std::vector<StateRow>> scan_after(const std::string& prefix, const std::string& after,
                                           int64_t limit);
  /// Reads rows that are asked for soon, in one question.
  Result<> expect(std::vector<std::string> keys);
  /// Reads a table of few rows (with many it does nothing), so that until forget() nobody asks the store for
  /// what it does not have.
  Result<> know_whole(char table);

  /// An entry, this group's and sealed ones included. kNotFound when the journal has none of
  /// that sequence, or its segment was archived.
  Result<JournalRow> entry(int64_t sequence);
  /// Chains an entry behind the last; returns its sequence.
  int64_t append(WallTime time, std::string payload);
  /// Writes all entries and changed rows to the store; the commit is the caller's.
  Result<> flush();
  /// From here on changes can be undone, until the next flush().
  void mark();
  /// All is as it was at mark(). False when it was all along.
  bool undo();
  /// Forgets everything since begin(): the transaction was not committed.
  void forget();
  /// How often rows were forgotten: what was derived from them before may not be so.
  int64_t forgotten() const { return forgotten_; }

 private:
  /// What a row was before it was changed.
  struct Before {
    Row* row;
    std::optional<std::string> value;
    bool changed;
    bool away;
    bool known;  ///< false: nobody had asked for it yet
  };
  struct KeyHash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Rows = std::unordered_map<std::string, Row, KeyHash, std::equal_to<>>;

  Result<std::vector<StateRow>> scan_range(const std::string& from, const std::string& until, int64_t limit);
  /// The row in memory, made without a value where there is none.
  Row& known(std::string_view key);
  void change(Row& row, std::optional<std::string> value);
  bool is_known_whole(std::string_view key) const;

  Store& store_;
  ChainHead head_;
  int64_t forgotten_ = 0;
  std::vector<JournalRow> entries_;
  Rows rows_;
  std::vector<Row*> changed_;
  std::string whole_;  ///< tables all of whose rows are in rows_

  std::vector<Before> undo_;  ///< since mark(), in order
  ChainHead marked_head_;
  size_t marked_entries_ = 0;
};

}  // namespace feilun::ledger
