#include <boost/json.hpp>

#include "pricing/class_fields.h"
#include "pricing/json_fields.h"
#include "pricing/price_sheet.h"

namespace feilun::pricing {
namespace {

namespace json = boost::json;
using simdjson::dom::element;

Result<ClassPrices> read_prices(JsonFields& fields) {
  ClassPrices prices;
  for (const auto& [name, price, unit] : kClassFields) {
    if (const auto found = fields.take(name)) {
      prices.*price = TRY(read_decimal(*found, fields.path_of(name)));
    }
  }
  return prices;
}

Result<LengthTier> read_length_tier(element element, const std::string& path) {
  JsonFields fields = TRY(JsonFields::of(element, path));
  LengthTier tier;
  tier.from = TRY(fields.take_count("from"));
  tier.prices = TRY(read_prices(fields));
  TRY(fields.finish());
  return tier;
}

Result<VolumeTier> read_volume_tier(element element, const std::string& path) {
  JsonFields fields = TRY(JsonFields::of(element, path));
  VolumeTier tier;
  tier.from = TRY(fields.take_count("from"));
  tier.factor = TRY(fields.take_decimal("factor"));
  TRY(fields.finish());
  return tier;
}

/// The list in the field `name`, each of its elements read by `read(element, path)`; empty where it is
/// absent.
template <typename Read>
auto read_list(JsonFields& fields, std::string_view name, Read read)
    -> Result<std::vector<typename decltype(read(element(), ""))::value_type>> {
  std::vector<typename decltype(read(element(), ""))::value_type> list;
  const auto found = fields.take(name);
  if (!found) return list;
  const std::string path = fields.path_of(name);
  for (const element item : TRY(read_array(*found, path))) {
    list.push_back(TRY(read(item, fmt::format("{}[{}]", path, list.size()))));
  }
  return list;
}

Result<PriceTable> read_table(JsonFields& fields) {
  PriceTable table{.prices = TRY(read_prices(fields))};
  table.length_tiers = TRY(read_list(fields, "length_tiers", read_length_tier));
  return table;
}

Result<TierPrice> read_tier(element element, const std::string& path, const PriceTable& base) {
  if (element.is_string()) return TRY(read_decimal(element, path));
  JsonFields fields = TRY(JsonFields::of(element, path));
  const PriceTable table = TRY(read_table(fields));
  if (!base.length_tiers.empty() && !fields.take("length_tiers")) {
    return fail_at(fields.path_of("length_tiers"),
                   "the sheet has length tiers: write those of this tier, or [] for none");
  }
  TRY(fields.finish());
  return table;
}

Result<std::map<ServiceTier, TierPrice>> read_tiers(element element, const PriceTable& base) {
  JsonFields fields = TRY(JsonFields::of(element, "tiers"));
  std::map<ServiceTier, TierPrice> tiers;
  for (const auto tier :
       {ServiceTier::kDefault, ServiceTier::kPriority, ServiceTier::kFlex, ServiceTier::kBatch}) {
    const auto found = fields.take(name_of(tier));
    if (found) tiers[tier] = TRY(read_tier(*found, fields.path_of(name_of(tier)), base));
  }
  TRY(fields.finish());
  return tiers;
}

Result<std::string> read_text(element element, const std::string& path) {
  std::string_view text;
  if (element.get(text)) return fail_at(path, "write a string here");
  return std::string(text);
}

Result<std::optional<Decimal>> read_if_any(JsonFields& fields, std::string_view name) {
  const auto found = fields.take(name);
  if (!found) return std::nullopt;
  return TRY(read_decimal(*found, fields.path_of(name)));
}

json::object prices_to_json(const ClassPrices& prices) {
  json::object object;
  for (const auto& [name, price, unit] : kClassFields) {
    if (prices.*price) object[name] = (prices.*price)->to_string();
  }
  return object;
}

json::object table_to_json(const PriceTable& table, bool says_so_when_flat) {
  json::object object = prices_to_json(table.prices);
  json::array lengths;
  for (const LengthTier& length : table.length_tiers) {
    json::object& tier = lengths.emplace_back(json::object{{"from", length.from}}).as_object();
    for (auto& [name, price] : prices_to_json(length.prices)) tier[name] = price;
  }
  if (!lengths.empty() || says_so_when_flat) object["length_tiers"] = std::move(lengths);
  return object;
}

json::value tier_to_json(const TierPrice& price) {
  if (const auto* factor = std::get_if<Decimal>(&price)) return json::string(factor->to_string());
  return table_to_json(std::get<PriceTable>(price), /*says_so_when_flat=*/true);
}

}  // namespace

Result<PriceSheet> sheet_from_json(std::string_view text) {
  const JsonDocument document = TRY(parse_json_with_written_numbers(text));
  JsonFields fields = TRY(JsonFields::of(document.root(), ""));
  PriceSheet sheet;
  sheet.currency = TRY(fields.take_text("currency"));
  sheet.also = TRY(read_list(fields, "also", read_text));
  sheet.base = TRY(read_table(fields));
  sheet.cache_read_factor = TRY(read_if_any(fields, "cache_read_factor"));
  sheet.cache_write_factor = TRY(read_if_any(fields, "cache_write_factor"));
  if (const auto tiers = fields.take("tiers")) sheet.tiers = TRY(read_tiers(*tiers, sheet.base));
  sheet.volume_tiers = TRY(read_list(fields, "volume_tiers", read_volume_tier));
  TRY(fields.finish());
  TRY(check_sheet(sheet));
  return sheet;
}

std::string to_json(const PriceSheet& sheet) {
  json::object object;
  object["currency"] = sheet.currency;
  if (!sheet.also.empty()) object["also"] = json::array(sheet.also.begin(), sheet.also.end());
  for (auto& [name, value] : table_to_json(sheet.base, /*says_so_when_flat=*/false)) object[name] = value;
  if (sheet.cache_read_factor) object["cache_read_factor"] = sheet.cache_read_factor->to_string();
  if (sheet.cache_write_factor) object["cache_write_factor"] = sheet.cache_write_factor->to_string();
  json::object tiers;
  for (const auto& [tier, price] : sheet.tiers) tiers[name_of(tier)] = tier_to_json(price);
  if (!tiers.empty()) object["tiers"] = std::move(tiers);
  json::array volumes;
  for (const VolumeTier& volume : sheet.volume_tiers) {
    volumes.push_back(json::object{{"from", volume.from}, {"factor", volume.factor.to_string()}});
  }
  if (!volumes.empty()) object["volume_tiers"] = std::move(volumes);
  return json::serialize(object);
}

}  // namespace feilun::pricing
