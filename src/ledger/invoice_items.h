#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/journal.h"
#include "ledger/state.h"

// What a payer's month holds beside the usage of its requests, summed as it happens so that an invoice finds
// it in a few rows: what its lots of money paid of that usage, the lots that it bought, and what came back to
// its wallet by refunds. A month is one of the payer's time zone.

namespace feilun::ledger {

enum class ItemKind : uint8_t { kLotSpent = 0, kLotBought = 1, kRefunded = 2 };

struct InvoiceItem {
  ItemKind kind = ItemKind::kRefunded;
  std::string lot;    ///< id; empty for refunds
  int64_t count = 0;  ///< of requests, purchases or refunds
  Money amount;       ///< never below zero
};

/// Adds one to the item's row.
Result<> add_invoice_item(State& state, std::string_view payer_id, Month month, ItemKind kind,
                          std::string_view lot, Money amount);
/// What a settle spent of lots of money.
Result<> add_lots_spent(State& state, std::string_view payer_id, Month month,
                        const std::vector<Posting>& spent);
Result<std::vector<InvoiceItem>> invoice_items(State& state, std::string_view payer_id, Month month);

}  // namespace feilun::ledger
