// The list of genai-prices is an array of providers with their models. A model's prices are one object, or
// several under constraints: a first day, or hours of the day. A price is a number of dollars per million
// tokens, or a base with tiers that begin above a length of the input.
#include <algorithm>

#include "base/civil_time.h"
#include "pricing/json_fields.h"
#include "pricing/reference_sheet.h"

namespace feilun::pricing {
namespace {

using simdjson::dom::element;

/// In the order of kClassFields; empty where the list has no such class.
constexpr std::string_view kKeys[] = {"input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok", ""};

Result<std::string_view> text_of(element object, const char* name) {
  std::string_view text;
  if (object[name].get(text)) return fail(ErrorCode::kInvalidArgument, "'{}' is missing, or no string", name);
  return text;
}

Result<> read_tiers(element price, const std::string& path, size_t index, std::string_view provider,
                    ReferenceSheet& sheet) {
  JsonFields fields = TRY(JsonFields::of(price, path));
  sheet.set(ServiceTier::kDefault, index, 0, TRY(fields.take_decimal("base")));
  const auto tiers = fields.take("tiers");
  if (!tiers) return fail_at(path, "has no tiers");
  for (const element item : TRY(read_array(*tiers, path))) {
    JsonFields tier = TRY(JsonFields::of(item, path + ".tiers"));
    const TokenCount start = TRY(tier.take_count("start"));
    sheet.set(ServiceTier::kDefault, index, first_above(start, provider), TRY(tier.take_decimal("price")));
    TRY(tier.finish());
  }
  return fields.finish();
}

Result<PriceSheet> read_prices(element prices, ReferencePrice& into) {
  simdjson::dom::object object;
  if (prices.get(object)) return fail(ErrorCode::kInvalidArgument, "the prices are no object");
  ReferenceSheet sheet;
  for (const auto& [name, price] : object) {
    const size_t index = static_cast<size_t>(std::ranges::find(kKeys, name) - std::begin(kKeys));
    std::string_view written;
    const bool plain = !price.get(written);
    if (index == std::size(kKeys)) {
      if (plain) into.other.emplace_back(name, written);
    } else if (plain) {
      sheet.set(ServiceTier::kDefault, index, 0, TRY(read_decimal(price, std::string(name))));
    } else if (!price.is_null()) {
      TRY(read_tiers(price, std::string(name), index, into.provider, sheet));
    }
  }
  return sheet.to_sheet();
}

/// "16:30:00Z", as a moment of the first day there is.
Result<std::chrono::microseconds> time_of_day(element constraint, const char* name) {
  const std::string_view text = TRY(text_of(constraint, name));
  const WallTime moment = TRY(parse_iso8601(fmt::format("1970-01-01T{}", text)));
  return moment.time_since_epoch();
}

Result<> read_constraint(element constraint, ReferencePrice& into) {
  if (!constraint["start_date"].error()) {
    const std::string_view text = TRY(text_of(constraint, "start_date"));
    into.effective_from = WallTime(std::chrono::sys_days(TRY(parse_day(text))));
    return {};
  }
  into.hours = DailyHours();
  into.hours->from = TRY(time_of_day(constraint, "start_time"));
  into.hours->until = TRY(time_of_day(constraint, "end_time"));
  return {};
}

Result<PriceSheet> read_conditional(element conditional, ReferencePrice& into) {
  element constraint, prices;
  if (!conditional["constraint"].get(constraint) && !constraint.is_null()) {
    TRY(read_constraint(constraint, into));
  }
  if (conditional["prices"].get(prices)) return fail(ErrorCode::kInvalidArgument, "an entry has no prices");
  return read_prices(prices, into);
}

Result<> read_model(std::string_view provider, element model, std::vector<ReferencePrice>& all) {
  const std::string name(TRY(text_of(model, "id")));
  const auto add = [&](element prices, auto read) {
    all.push_back(
        {.provider = std::string(provider), .model = name, .sheet = PriceSheet(), .other = {}, .hours = {}});
    all.back().sheet = read(prices, all.back());
  };
  simdjson::dom::array conditionals;
  element prices;
  if (model["prices"].get(prices)) return fail(ErrorCode::kInvalidArgument, "{} has no prices", name);
  if (prices.get(conditionals)) {
    add(prices, read_prices);
  } else {
    for (const element conditional : conditionals) add(conditional, read_conditional);
  }
  return {};
}

}  // namespace

Result<std::vector<ReferencePrice>> read_genai_prices(element root) {
  std::vector<ReferencePrice> prices;
  for (const element provider : TRY(read_array(root, ""))) {
    const std::string_view name = TRY(text_of(provider, "id"));
    simdjson::dom::array models;
    if (provider["models"].get(models)) return fail(ErrorCode::kInvalidArgument, "{} has no models", name);
    for (const element model : models) TRY(read_model(name, model, prices));
  }
  return prices;
}

}  // namespace feilun::pricing
