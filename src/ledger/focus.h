#pragma once

/// The export that buyers load into their cost tools: FOCUS 1.2, one CSV row per charge. A row says what was
/// used or bought, at which list and contracted price, and four costs of it: BilledCost is what the invoice
/// asks for, ListCost and ContractedCost are quantity times unit price, EffectiveCost spreads what was
/// prepaid over what it paid for. Amounts are printed exactly, so the rows of an invoice sum to its total to
/// the last pico-unit: its charges, its taxes and, as a row of its own, what rounding took.
///
/// docs/formats/focus.md says where each column comes from. Everything here is a function of its arguments.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/invoice.h"
#include "pricing/price.h"

namespace feilun::ledger {

enum class ChargeCategory : uint8_t { kUsage, kPurchase, kTax, kCredit, kAdjustment };

/// Who sells. All four are printed on every row.
struct FocusProvider {
  std::string provider;
  std::string publisher;
  std::string invoice_issuer;
  std::string service;
};

/// A token package or a savings plan that a charge buys, uses, or lets expire.
struct FocusCommitment {
  enum class Part : uint8_t { kBought, kUsed, kUnused };

  std::string id;
  std::string name;
  std::string type;  ///< as the customer knows it: "Token Package"
  Part part = Part::kBought;
  bool of_spend = false;  ///< measured in money, else in tokens
  TokenCount tokens = 0;  ///< bought, used or left
  Money spend;            ///< the same when it is of_spend
};

/// Prices that were agreed in another currency than the invoice's.
struct FocusPricingCurrency {
  std::string currency;
  Money list_unit;
  Money contracted_unit;
  Money effective;
};

/// What a row is made of. Texts are UTF-8. A charge that a package pays for only in part is two charges.
struct FocusCharge {
  std::string organisation_id;    ///< or that of a project with a wallet of its own
  std::string organisation_name;  ///< empty: printed as the id
  std::string project_id;         ///< empty: of the organisation as a whole
  std::string project_name;
  std::string key_id;  ///< empty: no key, or several
  std::string key_name;
  std::string currency;
  std::string invoice_number;  ///< empty: on no invoice yet
  Period billing_period;
  Period charge_period;
  ChargeCategory category = ChargeCategory::kUsage;
  bool corrects_invoiced = false;  ///< takes back from a period that was already invoiced
  bool recurring = false;          ///< a purchase that is made again each period
  std::string offering;            ///< of a purchase or of what is unused: what was bought
  pricing::ServiceTier tier = pricing::ServiceTier::kDefault;
  std::string token_class;    ///< as in ChargeLine; empty: no tokens
  int64_t list_price_id = 0;  ///< the list price's version and row, whatever contract applied
  size_t list_row = 0;
  int64_t price_id = 0;     ///< the version that was charged
  TokenCount quantity = 0;  ///< tokens, or how many were bought; negative when taken back
  Money list_unit;          ///< a token, or one of what is bought
  Money contracted_unit;
  Money billed;                    ///< exact
  std::optional<Money> list_cost;  ///< of taxes; else quantity × unit, or billed where there is no unit
  std::optional<Money> contracted_cost;
  std::optional<Money> effective;  ///< else billed; of a purchase nothing
  std::string description;         ///< empty: said from the other fields
  std::optional<FocusCommitment> commitment;
  std::optional<FocusPricingCurrency> pricing;
};

/// A column of the export and how its cell is made; no cell: null.
struct FocusRow {
  const FocusProvider& provider;
  const FocusCharge& charge;
};
struct FocusColumn {
  enum class Type : uint8_t { kString, kDecimal, kDateTime, kJson };

  std::string_view name;
  Type type;
  std::optional<std::string> (*cell)(const FocusRow& row);
};
/// In the order of the export: FOCUS's by name, then ours.
std::span<const FocusColumn> focus_columns();

/// RFC 4180. Null is an empty field. Texts are as they were given, also those a spreadsheet would take for a
/// formula: FOCUS wants them unaltered.
std::string focus_csv_header();
void append_focus_row(std::string& csv, const FocusProvider& provider, const FocusCharge& charge);
std::string focus_csv(const FocusProvider& provider, std::span<const FocusCharge> charges);

/// What FOCUS shows for a charge, in the order of the columns' names.
Money list_cost_of(const FocusCharge& charge);
Money contracted_cost_of(const FocusCharge& charge);
Money effective_cost_of(const FocusCharge& charge);

/// The part of a price that falls on what lies from `before` to `after` of `total`. Whatever the parts are,
/// those that make up the whole sum to the price. 0 ≤ before ≤ after ≤ total, 0 < total ≤ kFundingMax in
/// pico.
Money amortised(Money price, int128 total, int128 before, int128 after);

/// What charges sum to, by the four measures.
struct FocusCosts {
  Money billed;
  Money list;
  Money contracted;
  Money effective;

  FocusCosts& operator+=(const FocusCharge& charge);
};

/// The rows that an invoice adds to those of its charges: one for each tax and one for rounding, if it took
/// or gave anything. `charges` are all the invoice's; kCorrupt when they are not its exact sum.
Result<std::vector<FocusCharge>> focus_invoice_charges(const Invoice& invoice, const FocusCosts& charges);

}  // namespace feilun::ledger
