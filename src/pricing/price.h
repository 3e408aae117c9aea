#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/money.h"
#include "base/result.h"
#include "pricing/exchange_rates.h"

namespace feilun::pricing {

/// Token classes partition a request's tokens: fresh + cache_read + cache_write = input; reasoning ⊆ output
/// (the `output` field here excludes reasoning, so that the classes are disjoint and sum to the total).
struct TokenUsage {
  TokenCount input_fresh = 0;
  TokenCount cache_read = 0;
  TokenCount cache_write = 0;
  TokenCount output = 0;
  TokenCount reasoning = 0;

  TokenCount input() const { return input_fresh + cache_read + cache_write; }
  TokenCount total_output() const { return output + reasoning; }
  TokenUsage& operator+=(const TokenUsage& more);
  friend bool operator==(const TokenUsage&, const TokenUsage&) = default;
};

/// Which queue a request was served from; the price book may price each its own way.
enum class ServiceTier : uint8_t { kDefault = 0, kPriority = 1, kFlex = 2, kBatch = 3 };

/// "default", "priority", "flex", "batch".
std::string_view name_of(ServiceTier tier);
/// The reverse of name_of. kInvalidArgument with the four names.
Result<ServiceTier> parse_tier(std::string_view name);

/// Pico-units per token of each class.
struct UnitPrices {
  Money input_fresh;
  Money cache_read;
  Money cache_write;
  Money output;
  Money reasoning;

  friend bool operator==(const UnitPrices&, const UnitPrices&) = default;
};

/// What requests of `tier` pay whose input has at least `input_from` tokens and whose payer has used at least
/// `volume_from` tokens of the offering before in the month.
struct PriceRow {
  ServiceTier tier = ServiceTier::kDefault;
  TokenCount input_from = 0;
  TokenCount volume_from = 0;
  UnitPrices units;

  friend bool operator==(const PriceRow&, const PriceRow&) = default;
};

inline constexpr size_t kRowsMax = 256;
/// No unit price is above it: 10¹⁸ pico-units, a million units of the currency a token.
inline constexpr Money kUnitMax = Money::pico(1'000'000'000'000'000'000);

/// One version of an offering's price, in force in [effective_from, effective_until). Never changed once
/// published; a new price is a new version. All factors and rates are resolved to integers.
struct PriceVersion {
  int64_t id = 0;  ///< assigned by the ledger, pinned by every charge
  std::string offering;
  std::string currency;
  std::string organisation;    ///< empty: the list price; else a contract of that organisation
  std::vector<PriceRow> rows;  ///< as check_rows() wants them
  std::optional<Rate> rate;    ///< to this currency, where the prices were written in another
  WallTime effective_from;
  WallTime effective_until = WallTime::max();

  friend bool operator==(const PriceVersion&, const PriceVersion&) = default;
};

/// Checks a version's rows: 1 to kRowsMax, distinct and sorted by (tier, input_from, volume_from), one for
/// (default, 0, 0), one at (0, 0) for each tier that has any, no negative count, every unit in [0, kUnitMax].
/// kInvalidArgument names the first row at fault, counted from 0.
Result<> check_rows(const PriceVersion& price);

/// The index of the row that prices a request, for a version that check_rows() accepts: of the tier's rows
/// whose two thresholds are reached, the last. So the longest input threshold decides first, the volume
/// within it second, and the row prices the whole request, not what is above its threshold. A tier without
/// rows is priced as default. `input_tokens` and `volume` are at least 0.
size_t row_of(const PriceVersion& price, ServiceTier tier, TokenCount input_tokens, TokenCount volume);

/// Exact cost of a usage: Σ class tokens × unit price.
Money cost_of(const UnitPrices& units, const TokenUsage& usage);

/// The dearest that an input token can become in a request of this tier with this many input tokens or fewer
/// (a cancelled request pays for what was computed of its input), whatever classes its tokens turn out to be
/// and whatever volume its payer will have reached. Never below what cost_of() of row_of() charges.
Money worst_input_unit(const PriceVersion& price, ServiceTier tier, TokenCount input_tokens);
/// The same of an output token.
Money worst_output_unit(const PriceVersion& price, ServiceTier tier, TokenCount input_tokens);

/// "0.3" yuan per million tokens → pico-units per token (300,000). kInvalidArgument when it is negative or
/// not a whole number of pico-units per token.
Result<Money> per_million(std::string_view text);

/// The rows of a price that is the same for everyone: what a plain "price set" means.
std::vector<PriceRow> flat_rows(const UnitPrices& units);

/// The version without its id, as the journal keeps it:
///   {"offering":…,"currency":…,"organisation":…,"rate":{"from":"CNY","rate":"0.1389","since":…},
///    "from":…,"until":…,"rows":[{"tier":"default","input_from":0,"volume_from":0,"input":"300000",
///    "cache_read":…,"cache_write":…,"output":…,"reasoning":…},…]}
/// Times are microseconds since 1970, units decimal strings of pico-units per token; "organisation" is left
/// out where it is empty, "rate" and "until" where there is none. One version has one text. The names are
/// UTF-8.
std::string to_json(const PriceVersion& price);
/// The reverse of to_json(), of nothing but its own spelling. kInvalidArgument when the text is not what
/// to_json() writes of rows that check_rows() accepts.
Result<PriceVersion> price_from_json(std::string_view text);

}  // namespace feilun::pricing
