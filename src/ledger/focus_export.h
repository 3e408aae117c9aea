#pragma once

/// A month of the journal as FOCUS charges: what was used, by the hour, and who paid for it; packages and
/// plans that were bought, used and left; credits that paid; refunds, credit notes and true-ups; and what the
/// month's invoice adds, its taxes and its rounding. Rows come as the journal is read, an hour at a time, so
/// memory holds an hour's rows, the requests that are open at one moment, the buyers and their lots, however
/// long the month is. A buyer's rows sum to what the ledger charged it, and to its invoice's total where
/// there is one: the last rows come only when they do.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/civil_time.h"
#include "base/result.h"
#include "ledger/focus_rows.h"
#include "ledger/journal_walk.h"
#include "ledger/state.h"

namespace feilun::ledger {

class Ledger;

/// Who sells, as the operator's billing says it.
Result<FocusProvider> focus_provider(State& state);

class FocusExport {
 public:
  /// Of an organisation or a project with a wallet of its own (name or id), of all such projects ("default"),
  /// or, when `owner` is empty, of everyone. A month is the buyer's own, in its time zone. kNotFound.
  static Result<FocusExport> begin(State& state, Month month, std::string_view owner);

  /// Adds the next rows, often none; false when they were the last. Between two calls the transaction may
  /// end; what happens meanwhile in a month that is not over is told too. kCorrupt when the rows are not what
  /// the ledger charged: nothing that was added may then be trusted.
  Result<bool> next(State& state, std::vector<FocusCharge>& rows);

 private:
  struct OpenRequest {
    std::optional<ChargedRequest> request;            ///< none of buyers who are not asked for
    std::vector<std::pair<std::string, Money>> lots;  ///< what it holds of lots, by account
  };

  FocusExport(Month month, std::string scope);
  Result<> find_beginning(State& state);

  Result<> entry(State& state, const JournalRow& row);
  Result<> hold(State& state, const JournalRow& row);
  Result<> top_up(FieldReader& fields);
  Result<> settle(State& state, const JournalRow& row, std::string_view request_id);
  Result<> release(State& state, const JournalRow& row, std::string_view request_id);
  Result<> grant(State& state, const JournalRow& row, std::string_view lot_id);
  Result<> expire(State& state, const JournalRow& row, std::string_view lot_id);
  Result<> refund(State& state, const JournalRow& row, std::string_view request_id);
  Result<> credit_note(State& state, const JournalRow& row, FieldReader& fields);

  bool may_count(const JournalRow& row) const;
  /// The buyer, when it is asked for and the entry counts in its month; else nullptr.
  Result<FocusAccount*> account_at(State& state, std::string_view payer, const JournalRow& row);
  /// Moves lots on by a request of which no rows are asked for.
  Result<> use_lots(State& state, const std::vector<Posting>& spent);
  /// What was drawn but not spent of lots that have expired is left.
  Result<> leave_rest(State& state, const OpenRequest& open, const std::vector<Posting>& spent,
                      const JournalRow& row);
  Result<> leave(State& state, FocusLots::Known& known, Money amount, const JournalRow& row);

  Result<> finish(State& state, std::vector<FocusCharge>& rows);
  Result<> true_ups(State& state);
  Result<> invoice(State& state, FocusAccount& account);

  Month month_;
  Period around_;  ///< the month in every time zone
  std::string scope_;
  int64_t opened_ = INT64_MAX;  ///< the first entry that closed the month before for someone
  JournalWalk walk_;
  std::unordered_map<std::string, OpenRequest> open_;
  FocusLots lots_;
  FocusRows rows_;
  WallTime hour_;
};

/// The export as CSV, a piece of text at a time, each from a transaction of its own, so that neither the
/// ledger's other readers nor memory notice how large it is.
class FocusCsv {
 public:
  /// As FocusExport::begin().
  static Result<FocusCsv> begin(Ledger& ledger, Month month, const std::string& owner);

  /// The first piece begins with the header; empty when there are none left. Blocks.
  Result<std::string> next();
  int64_t rows() const { return rows_; }  ///< in the pieces so far

 private:
  FocusCsv(Ledger& ledger, FocusProvider provider, FocusExport exported)
      : ledger_(&ledger), provider_(std::move(provider)), exported_(std::move(exported)) {}

  Ledger* ledger_;
  FocusProvider provider_;
  FocusExport exported_;
  int64_t rows_ = 0;
  bool begun_ = false;
  bool more_ = true;
};

}  // namespace feilun::ledger
