#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/journal.h"
#include "pricing/price.h"

namespace feilun::ledger {

/// A class of tokens: its name as invoices and exports have it, its count and its price.
struct TokenClass {
  std::string_view name;
  TokenCount pricing::TokenUsage::* tokens;
  Money pricing::UnitPrices::* unit;
};
/// In the order in which packages cover them.
std::span<const TokenClass> token_classes();

/// A request as the journal's hold and settle tell of it.
struct ChargedRequest {
  std::string id;
  std::string key_id;
  std::string project_id;
  std::string payer_id;
  std::string offering;
  pricing::ServiceTier tier = pricing::ServiceTier::kDefault;
  int64_t price_id = 0;
  TokenCount input_tokens = 0;  ///< by which the price's row was chosen
  WallTime held;

  WallTime settled;
  int64_t sequence = 0;  ///< of its settle
  size_t price_row = 0;
  pricing::TokenUsage usage;
  std::vector<Posting> spent;  ///< of each draw, in the order drawn
  std::string currency;        ///< empty where no money was held

  Money charged() const;
  TokenCount covered() const;  ///< tokens that packages paid for
};

/// Reads the fields of a hold's entry, or adds those of its settle. kCorrupt.
Result<ChargedRequest> request_from_hold(const JournalRow& row);
Result<> read_settle(const JournalRow& row, ChargedRequest& request);

/// One class of a request's tokens that one source paid for.
struct ChargePart {
  const TokenClass* token_class = nullptr;
  std::string account;  ///< that paid: a wallet's or a lot's; empty: what was not charged
  TokenCount tokens = 0;
  Money cost;  ///< zero of what packages paid for
};

/// What packages paid for is a line of tokens, and what money paid for a line of money: along each lie the
/// classes, and again the sources in the order in which they were spent. A part is where one class and one
/// source meet; a token counts where its last pico-unit lies. So any stretch of the lines has its parts, and
/// the parts of stretches that make up the whole sum to it: what a refund gives back is the lines' end.
struct ChargeStretch {
  TokenCount tokens_from = 0;
  TokenCount tokens_until = 0;
  Money money_from;
  Money money_until;
};
std::vector<ChargePart> parts_of(const ChargedRequest& request, const pricing::UnitPrices& units,
                                 const ChargeStretch& stretch);
/// All of it: also tokens that are free, and, with no account, those that the hold did not pay for.
std::vector<ChargePart> parts_of(const ChargedRequest& request, const pricing::UnitPrices& units);

}  // namespace feilun::ledger
