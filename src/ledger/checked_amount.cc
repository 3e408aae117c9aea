#include "ledger/checked_amount.h"

#include "ledger/limits.h"

namespace feilun::ledger {

Result<> check_amount(std::string_view what, Money amount, Money least) {
  if (amount >= least && amount <= kOneAmountMax) return {};
  return fail(ErrorCode::kInvalidArgument, "the {} can be from {} to {}, not {}", what, least.to_string(),
              kOneAmountMax.to_string(), amount.to_string());
}

Result<> check_funding(Money funding, Money more) {
  if (-(funding - more) <= kFundingMax) return {};
  return fail(ErrorCode::kInvalidArgument, "a ledger can hold {} of a currency, not {} more than {}",
              kFundingMax.to_string(), more.to_string(), (-funding).to_string());
}

}  // namespace feilun::ledger
