#pragma once

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
  /// For reading the journal itself.
  Store& store() { return store_; }

  /// The row's value, nullptr when there is none. Good until the next call.
  Result<const std::string*> get(const std::string& key);
  void put(const std::string& key, std::string value);
  /// Of a row that nobody asks for soon: once written it is not kept in memory.
  void put_away(const std::string& key, std::string value);
  void erase(const std::string& key);
  /// Rows whose keys begin with `prefix`, in order, at most `limit`, with what is not yet written.
  Result<std::vector<StateRow>> scan(const std::string& prefix, int64_t limit);
  /// The same, of keys above `after`, which begins with the prefix too.
  Result<std::vector<StateRow>> scan_after(const std::string& prefix, const std::string& after,
                                           int64_t limit);
  /// Reads rows that are asked for soon, in one question.
  Result<> expect(const std::vector<std::string>& keys);

  /// The payload of an entry, this group's and sealed ones included. kNotFound when the journal has none of
  /// that sequence, or its segment was archived.
  Result<std::string> entry(int64_t sequence);
  /// Chains an entry behind the last; returns its sequence.
  int64_t append(WallTime time, std::string payload);
  /// Writes all entries and changed rows to the store; the commit is the caller's.
  Result<> flush();
  /// Forgets everything since begin(): the transaction was not committed.
  void forget();
  /// How often rows were forgotten: what was derived from them before may not be so.
  int64_t forgotten() const { return forgotten_; }

 private:
  struct Row {
    std::optional<std::string> value;
    bool changed = false;
    bool stored = true;  ///< the store may have it: erasing it must be told
    bool away = false;   ///< not to be kept once it is written
  };
  using Rows = std::unordered_map<std::string, Row>;

  Result<std::vector<StateRow>> scan_range(const std::string& from, const std::string& until, int64_t limit);
  void change(const std::string& key, std::optional<std::string> value);

  Store& store_;
  ChainHead head_;
  int64_t forgotten_ = 0;
  std::vector<JournalRow> entries_;
  Rows rows_;
  std::vector<Rows::value_type*> changed_;
};

}  // namespace feilun::ledger
