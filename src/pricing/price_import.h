#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "pricing/price_sheet.h"

namespace feilun::pricing {

/// Hours of a day in UTC, [from, until) since midnight; past midnight when `until` is the earlier.
struct DailyHours {
  std::chrono::microseconds from;
  std::chrono::microseconds until;

  bool contain(WallTime time) const;
};

/// What a provider asks for a model, as a public list has it: what an upstream costs, and where an operator's
/// own sheet may begin.
struct ReferencePrice {
  std::string provider;
  std::string model;
  /// In USD. Else why there is none: kUnsupported when the list has no price by the token, kInvalidArgument
  /// when what it has cannot be read.
  Result<PriceSheet> sheet;
  /// What else the list asks for (audio, images, searches, longer caching), under its name there, as written.
  std::vector<std::pair<std::string, std::string>> other;
  WallTime effective_from = WallTime::min();
  std::optional<DailyHours> hours;  ///< none: all day
};

class ReferencePrices {
 public:
  explicit ReferencePrices(std::vector<ReferencePrice> prices) : prices_(std::move(prices)) {}

  /// In the order of the file.
  const std::vector<ReferencePrice>& all() const { return prices_; }
  /// The price of a model at a time: of those that apply then the last in the file, else the first. `model`
  /// is the list's name for it, with or without "provider/" before. kNotFound names what the list has
  /// instead. The pointer lives as long as this.
  Result<const ReferencePrice*> find(std::string_view provider, std::string_view model, WallTime at) const;

 private:
  std::vector<ReferencePrice> prices_;
};

/// Reads LiteLLM's model_prices_and_context_window.json or the data.json of genai-prices, whichever the text
/// is. Their numbers are JSON's floats; they are read as the decimals that are written. An entry that cannot
/// be read keeps its error; kInvalidArgument only when the text is neither list.
Result<ReferencePrices> read_reference_prices(std::string_view text);

}  // namespace feilun::pricing
