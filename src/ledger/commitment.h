#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/record.h"
#include "ledger/state.h"

namespace feilun::ledger {

/// An organisation's promise to be charged at least so much in each of its months. What a month lacks is
/// charged when it is over: the true-up.
struct Commitment {
  std::string id;            ///< "cmt_…"
  std::string organisation;  ///< id
  std::string currency;
  Money amount;                ///< a month
  Month from;                  ///< the first month
  std::optional<Month> until;  ///< the first month without it
  std::string idempotency_key = {};

  bool covers(Month month) const { return from <= month && (!until || month < *until); }
};

/// What came of one month.
struct TrueUp {
  std::string commitment_id;
  Month month;
  Money charged;    ///< by settles, whatever was refunded of it
  Money shortfall;  ///< charged now: max(0, amount − charged)
  int64_t sequence = 0;
};

Record record_of(const Commitment& commitment);
Result<Commitment> commitment_from(const Record& record);
/// At most one covers a month.
Result<std::vector<Commitment>> commitments_of(State& state, std::string_view organisation);
/// That covers the month.
Result<std::optional<Commitment>> commitment_of(State& state, std::string_view organisation, Month month);
/// kNotFound.
Result<Commitment> find_commitment(State& state, std::string_view id);
/// Those of one commitment, by month.
Result<std::vector<TrueUp>> true_ups_of(State& state, std::string_view commitment_id);
/// None when the month was not trued up yet.
Result<std::optional<TrueUp>> find_true_up(State& state, std::string_view commitment_id, Month month);

}  // namespace feilun::ledger
