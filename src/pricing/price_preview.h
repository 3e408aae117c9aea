#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "pricing/price.h"

namespace feilun::pricing {

/// One settled request as the journal has it.
struct SettledUsage {
  std::string customer;       ///< id of the organisation that paid
  std::string customer_name;  ///< for people
  std::string offering;
  std::string currency;
  ServiceTier tier = ServiceTier::kDefault;
  TokenUsage usage;
  TokenUsage covered;            ///< of the usage, paid for with packages: it brings nothing
  TokenCount volume_before = 0;  ///< the customer's tokens of the offering in the month, before this request
  Money charged;
  WallTime time;
};

/// Revenue as it was, and as it would have been.
struct Revenue {
  int64_t requests = 0;
  TokenCount tokens = 0;
  Money before;
  Money after;

  Money change() const { return after - before; }
  /// The change in percent of `before`: "-33.33", half away from zero; empty when there was no revenue
  /// before. Exact until the last digit for revenues below 10²⁰ units of the currency.
  std::string change_percent() const;
  friend bool operator==(const Revenue&, const Revenue&) = default;
};

/// What one customer brought with one offering in one currency.
struct PreviewLine {
  std::string currency;
  std::string customer;
  std::string customer_name;
  std::string offering;
  bool repriced = false;  ///< false: no candidate prices it, so it stays what was charged
  Revenue revenue;
};

struct PreviewTotal {
  std::string currency;
  Revenue revenue;
};

/// The answer to "what would these requests have brought at those prices".
struct PricePreview {
  std::vector<PreviewTotal> totals;  ///< one a currency, in alphabetical order
  std::vector<PreviewLine> lines;    ///< by currency; then the greatest loss first, the greatest gain last
  WallTime first = WallTime::max();  ///< of the settled requests; max and min when there are none
  WallTime last = WallTime::min();
};

/// Adds up a month's requests one by one, in any order, against candidate prices. A request costs what the
/// candidate of its offering and currency says for its tier, length and volume: a contract of its customer
/// before the list price; without a candidate, what was charged. When the candidates are to take effect does
/// not matter: the question is what they would have meant.
class PreviewBuilder {
 public:
  /// kConflict when two candidates are of the same offering, currency and organisation; kInvalidArgument when
  /// check_rows() refuses one.
  static Result<PreviewBuilder> make(std::vector<PriceVersion> candidates);

  void add(const SettledUsage& settled);
  PricePreview finish() const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  ///< currency, offering, organisation

  const PriceVersion* candidate_for(const SettledUsage& settled) const;

  std::map<Key, PriceVersion> candidates_;
  std::map<Key, PreviewLine> lines_;
  WallTime first_ = WallTime::max();
  WallTime last_ = WallTime::min();
};

/// The preview as a table for people, and as JSON with exact amounts in pico-units.
std::string to_table(const PricePreview& preview);
std::string to_json(const PricePreview& preview);

}  // namespace feilun::pricing
