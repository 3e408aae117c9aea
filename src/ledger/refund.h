#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "ledger/state.h"

// A refund is a linked reversal of a settle: it gives back what the request was charged, or a part, to where
// it was drawn from, in the reverse of the order in which it was spent.

namespace feilun::ledger {

struct RefundRequest {
  std::string request_id;
  /// What to give back; without either, all that is left of both.
  std::optional<Money> amount = {};
  std::optional<TokenCount> tokens = {};  ///< of packages
  std::string reason = {};
  /// When not empty: the same key for the same request refunds once.
  std::string idempotency_key = {};
};

struct Refund {
  std::string idempotency_key;
  Money amount;
  TokenCount tokens = 0;
  int64_t sequence = 0;  ///< its journal entry
};

/// Those of one request, oldest first.
Result<std::vector<Refund>> refunds_of(State& state, std::string_view request_id);

/// What a request was charged and what has come back of it, in money and in tokens of packages.
struct ChargeLeft {
  Money charged;
  Money refunded;
  TokenCount tokens = 0;
  TokenCount tokens_refunded = 0;
};
/// kNotFound for a request that was never held, kConflict for one that has not ended.
Result<ChargeLeft> charge_left(State& state, std::string_view request_id);

}  // namespace feilun::ledger
