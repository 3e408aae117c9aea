#pragma once

#include <string>

#include "base/clock.h"
#include "base/money.h"
#include "base/result.h"

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
  friend bool operator==(const TokenUsage&, const TokenUsage&) = default;
};

/// Which queue a request was served from; the price book may price each its own way.
enum class ServiceTier : uint8_t { kDefault = 0, kPriority = 1, kFlex = 2, kBatch = 3 };

/// One version of an offering's price: pico-units per token of each class, in force in
/// [effective_from, effective_until). Never changed once written; a new price is a new version.
struct PriceVersion {
  int64_t id = 0;  ///< assigned by the ledger, pinned by every charge
  std::string offering;
  std::string currency;
  Money input_fresh;
  Money cache_read;
  Money cache_write;
  Money output;
  Money reasoning;
  WallTime effective_from;
  WallTime effective_until = WallTime::max();
};

/// Exact cost of a usage: Σ class tokens × unit price.
Money cost_of(const PriceVersion& price, const TokenUsage& usage);
/// The dearest that `tokens` input tokens can become, whatever class they turn out to be.
Money worst_input_cost(const PriceVersion& price, TokenCount tokens);
/// The dearest unit price of an output token.
Money worst_output_unit(const PriceVersion& price);
/// "0.3" yuan per million tokens → pico-units per token (300,000). kInvalidArgument when it is negative or
/// not a whole number of pico-units per token.
Result<Money> per_million(std::string_view text);

}  // namespace feilun::pricing
