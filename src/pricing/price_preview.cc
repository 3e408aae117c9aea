#include "pricing/price_preview.h"

#include <algorithm>

#include "base/check.h"
#include "pricing/token_sum.h"

namespace feilun::pricing {

std::string Revenue::change_percent() const {
  if (before.is_zero()) return {};
  constexpr int128 kHundredthsOfPercent = 10'000;
  const int128 whole = before.pico() < 0 ? -before.pico() : before.pico();
  const bool negative = change().is_negative() != before.is_negative();
  const int128 magnitude = change().is_negative() ? -change().pico() : change().pico();
  // Apart, so that the product stays small: a gain may be any multiple of what there was.
  const int128 times = magnitude / whole;
  const int128 rest = (magnitude % whole) * kHundredthsOfPercent;
  const int128 rounded = rest / whole + (rest % whole >= whole - rest % whole ? 1 : 0);
  // An amount of two decimals, written as one.
  constexpr int128 kPicoOfHundredth = 10'000'000'000;
  int128 hundredths;
  CHECK(!__builtin_mul_overflow(times, kHundredthsOfPercent * kPicoOfHundredth, &hundredths));
  hundredths += rounded * kPicoOfHundredth;
  return Money::pico(negative ? -hundredths : hundredths).to_string();
}

namespace {

Money revenue_at(const PriceVersion& price, const SettledUsage& settled) {
  const size_t row = row_of(price, settled.tier, settled.usage.input(), settled.volume_before);
  return cost_of(price.rows[row].units, settled.usage) - cost_of(price.rows[row].units, settled.covered);
}

}  // namespace

Result<PreviewBuilder> PreviewBuilder::make(std::vector<PriceVersion> candidates) {
  PreviewBuilder builder;
  for (PriceVersion& candidate : candidates) {
    TRY(check_rows(candidate));
    Key key(candidate.currency, candidate.offering, candidate.organisation);
    const auto [at, added] = builder.candidates_.emplace(std::move(key), std::move(candidate));
    if (!added) {
      return fail(ErrorCode::kConflict,
                  "two prices of {} in {} for the same customers cannot be compared at once",
                  at->second.offering, at->second.currency);
    }
  }
  return builder;
}

const PriceVersion* PreviewBuilder::candidate_for(const SettledUsage& settled) const {
  for (const std::string& organisation : {settled.customer, std::string()}) {
    const auto found = candidates_.find({settled.currency, settled.offering, organisation});
    if (found != candidates_.end()) return &found->second;
  }
  return nullptr;
}

void PreviewBuilder::add(const SettledUsage& settled) {
  const PriceVersion* candidate = candidate_for(settled);
  PreviewLine& line = lines_[{settled.currency, settled.offering, settled.customer}];
  if (line.revenue.requests == 0) {
    line = {.currency = settled.currency,
            .customer = settled.customer,
            .customer_name = settled.customer_name,
            .offering = settled.offering,
            .repriced = candidate != nullptr};
  }
  line.revenue.requests += 1;
  line.revenue.tokens = add_tokens(line.revenue.tokens, settled.usage.input() + settled.usage.total_output());
  line.revenue.before += settled.charged;
  line.revenue.after += candidate == nullptr ? settled.charged : revenue_at(*candidate, settled);
  first_ = std::min(first_, settled.time);
  last_ = std::max(last_, settled.time);
}

PricePreview PreviewBuilder::finish() const {
  PricePreview preview{.first = first_, .last = last_};
  std::map<std::string, Revenue> totals;
  for (const auto& [key, line] : lines_) {
    preview.lines.push_back(line);
    Revenue& total = totals[line.currency];
    total.requests += line.revenue.requests;
    total.tokens = add_tokens(total.tokens, line.revenue.tokens);
    total.before += line.revenue.before;
    total.after += line.revenue.after;
  }
  for (const auto& [currency, revenue] : totals) preview.totals.push_back({currency, revenue});
  std::ranges::sort(preview.lines, {}, [](const PreviewLine& line) {
    return std::tuple(line.currency, line.revenue.change(), line.customer, line.offering);
  });
  return preview;
}

}  // namespace feilun::pricing
