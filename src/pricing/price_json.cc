// A version's one spelling as JSON. Reading accepts that spelling only, by writing what was read again: so a
// journal entry cannot be changed without changing the version it means.
#include <algorithm>
#include <boost/json.hpp>

#include "base/json.h"
#include "pricing/class_fields.h"
#include "pricing/price.h"

namespace feilun::pricing {
namespace {

namespace json = boost::json;
using simdjson::dom::element;

json::object row_to_json(const PriceRow& row) {
  json::object object;
  object["tier"] = name_of(row.tier);
  object["input_from"] = row.input_from;
  object["volume_from"] = row.volume_from;
  for (const auto& [name, price, unit] : kClassFields) object[name] = (row.units.*unit).to_pico_string();
  return object;
}

template <typename T>
Result<T> field(element object, const char* name) {
  T value;
  if (object[name].get(value)) {
    return fail(ErrorCode::kInvalidArgument, "a price lacks '{}', or it is of the wrong type", name);
  }
  return value;
}

/// More digits than kUnitMax has: what was published under an older bound stays readable.
Result<Money> parse_pico(std::string_view text) {
  constexpr size_t kDigitsMax = 25;
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || text.size() > kDigitsMax || !digits) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not pico-units per token", text);
  }
  int128 value = 0;
  for (char c : text) value = value * 10 + (c - '0');
  return Money::pico(value);
}

Result<PriceRow> row_from_json(element object) {
  PriceRow row;
  const auto tier = TRY(field<std::string_view>(object, "tier"));
  row.tier = TRY(parse_tier(tier));
  row.input_from = TRY(field<int64_t>(object, "input_from"));
  row.volume_from = TRY(field<int64_t>(object, "volume_from"));
  for (const auto& [name, price, unit] : kClassFields) {
    const auto text = TRY(field<std::string_view>(object, name));
    row.units.*unit = TRY(parse_pico(text));
  }
  return row;
}

WallTime wall_time(int64_t microseconds) {
  return WallTime(std::chrono::microseconds(microseconds));
}

int64_t microseconds_of(WallTime time) {
  return time.time_since_epoch().count();
}

Result<Rate> rate_from_json(element object, const std::string& to) {
  Rate rate{.to = to};
  const auto from = TRY(field<std::string_view>(object, "from"));
  rate.from = TRY(parse_currency(from));
  const auto digits = TRY(field<std::string_view>(object, "rate"));
  rate.rate = TRY(Decimal::parse(digits));
  rate.since = wall_time(TRY(field<int64_t>(object, "since")));
  return rate;
}

}  // namespace

std::string to_json(const PriceVersion& price) {
  json::object object;
  object["offering"] = price.offering;
  object["currency"] = price.currency;
  if (!price.organisation.empty()) object["organisation"] = price.organisation;
  if (price.rate) {
    object["rate"] = {{"from", price.rate->from},
                      {"rate", price.rate->rate.to_string()},
                      {"since", microseconds_of(price.rate->since)}};
  }
  object["from"] = microseconds_of(price.effective_from);
  if (price.effective_until != WallTime::max()) object["until"] = microseconds_of(price.effective_until);
  json::array rows;
  for (const PriceRow& row : price.rows) rows.push_back(row_to_json(row));
  object["rows"] = std::move(rows);
  return json::serialize(object);
}

Result<PriceVersion> price_from_json(std::string_view text) {
  const JsonDocument document = TRY(JsonDocument::parse(text));
  const element root = document.root();
  PriceVersion price;
  price.offering = TRY(field<std::string_view>(root, "offering"));
  const auto currency = TRY(field<std::string_view>(root, "currency"));
  price.currency = TRY(parse_currency(currency));
  if (!root["organisation"].error()) {
    price.organisation = TRY(field<std::string_view>(root, "organisation"));
  }
  if (!root["rate"].error()) {
    const auto rate = TRY(field<element>(root, "rate"));
    price.rate = TRY(rate_from_json(rate, price.currency));
  }
  price.effective_from = wall_time(TRY(field<int64_t>(root, "from")));
  if (!root["until"].error()) price.effective_until = wall_time(TRY(field<int64_t>(root, "until")));
  for (const element row : TRY(field<simdjson::dom::array>(root, "rows"))) {
    price.rows.push_back(TRY(row_from_json(row)));
  }
  TRY(check_rows(price));
  if (to_json(price) != text) {
    return fail(ErrorCode::kInvalidArgument, "a price is not in the one spelling it has in the journal");
  }
  return price;
}

}  // namespace feilun::pricing
