#pragma once

#include <string>
#include <vector>

#include "base/money.h"
#include "ledger/journal.h"
#include "ledger/rows.h"

// What a hold draws from where, and what its end gives back. Sources are spent in a fixed order; a request
// keeps one draw for each account it drew from, in the order in which it first did, and spending, when it
// ends, begins with the first.

namespace feilun::ledger {

/// An account that may be spent, and how much of it.
struct Source {
  std::string account;
  Money available;
};

/// What a request may draw on, in the order in which it is spent.
struct Sources {
  std::vector<Source> packages;  ///< in kTokenUnit
  std::vector<Source> money;     ///< lots, then the wallet with its credit
};

/// Below zero counts as nothing.
Money sum_of(const std::vector<Source>& sources);

/// How an amount is drawn from the sources, in their order; they have enough.
std::vector<Draw> draws_of(Money amount, const std::vector<Source>& sources, std::string_view unit);
void add_draws(std::vector<Draw>& draws, const std::vector<Draw>& more);

/// The postings that set `draws` aside for the payer.
std::vector<Posting> holding(const OpenHold& hold, const std::vector<Draw>& draws);

/// A draw as it ends.
struct EndedDraw {
  Draw spent;  ///< how much of it was
  Money left;
};
/// Spends `charged` and `covered` package tokens of what the hold drew, in the order drawn.
std::vector<EndedDraw> end_draws(const OpenHold& hold, Money charged, TokenCount covered);

/// What was spent, as the entry that ends the hold names it: nothing of a draw that was not needed.
std::vector<Posting> spent_of(const std::vector<EndedDraw>& draws);

/// Tokens as an amount of kTokenUnit, and back.
inline Money token_amount(TokenCount tokens) {
  return Money::pico(1'000'000'000'000) * tokens;
}
inline TokenCount tokens_in(Money amount) {
  return static_cast<TokenCount>(amount.pico() / 1'000'000'000'000);
}

}  // namespace feilun::ledger
