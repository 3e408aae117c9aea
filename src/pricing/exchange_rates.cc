#include "pricing/exchange_rates.h"

#include <tuple>

#include "base/civil_time.h"
#include "base/money.h"
#include "pricing/json_fields.h"

namespace feilun::pricing {
namespace {

/// A moment, or a day of UTC for its first moment.
Result<WallTime> parse_since(std::string_view text) {
  if (text.contains('T')) return parse_iso8601(text);
  return WallTime(std::chrono::sys_days(TRY(parse_day(text))));
}

Result<Rate> read_rate(simdjson::dom::element element, const std::string& path) {
  JsonFields fields = TRY(JsonFields::of(element, path));
  Rate rate;
  rate.from = TRY(fields.take_text("from"));
  rate.to = TRY(fields.take_text("to"));
  rate.rate = TRY(fields.take_decimal("rate"));
  const std::string_view since_text = TRY(fields.take_text("since"));
  auto since = parse_since(since_text);
  if (!since) return fail_at(fields.path_of("since"), std::move(since).error());
  rate.since = *since;
  TRY(fields.finish());
  return rate;
}

}  // namespace

Result<> ExchangeRates::add(const Rate& rate) {
  TRY(parse_currency(rate.from));
  TRY(parse_currency(rate.to));
  if (rate.from == rate.to) {
    return fail(ErrorCode::kInvalidArgument, "{} to {} is always 1: leave it out", rate.from, rate.to);
  }
  if (rate.rate.is_zero()) {
    return fail(ErrorCode::kInvalidArgument, "the rate from {} to {} is 0", rate.from, rate.to);
  }
  if (!rates_[{rate.from, rate.to}].emplace(rate.since, rate.rate).second) {
    return fail(ErrorCode::kConflict, "there is already a rate from {} to {} since {}", rate.from, rate.to,
                to_iso8601(rate.since));
  }
  return {};
}

Result<Rate> ExchangeRates::rate_at(std::string_view from, std::string_view to, WallTime at) const {
  Rate rate{std::string(from), std::string(to), Decimal::one(), WallTime::min()};
  if (from == to) return rate;
  const auto dated = rates_.find({rate.from, rate.to});
  if (dated != rates_.end()) {
    const auto next = dated->second.upper_bound(at);
    if (next != dated->second.begin()) {
      std::tie(rate.since, rate.rate) = *std::prev(next);
      return rate;
    }
  }
  return fail(ErrorCode::kNotFound, "no exchange rate from {} to {} is in force on {}: add one", from, to,
              to_iso8601(at));
}

Result<ExchangeRates> rates_from_json(std::string_view text) {
  const JsonDocument document = TRY(parse_json_with_written_numbers(text));
  ExchangeRates rates;
  size_t index = 0;
  for (const auto element : TRY(read_array(document.root(), ""))) {
    const std::string path = fmt::format("[{}]", index++);
    auto added = rates.add(TRY(read_rate(element, path)));
    if (!added) return fail_at(path, std::move(added).error());
  }
  return rates;
}

}  // namespace feilun::pricing
