#include "gateway/price_sheet_body.h"

#include <algorithm>

#include "pricing/exchange_rates.h"
#include "pricing/price_sheet.h"

namespace feilun::gateway {
namespace {

using pricing::PriceVersion;

/// Whether a number in it was read as floating point, which prices never are.
bool has_floating_point(simdjson::dom::element element) {
  simdjson::dom::array array;
  simdjson::dom::object object;
  if (element.get(array) == simdjson::SUCCESS) return std::ranges::any_of(array, has_floating_point);
  if (element.get(object) == simdjson::SUCCESS) {
    return std::ranges::any_of(object, [](const auto& field) { return has_floating_point(field.value); });
  }
  return element.type() == simdjson::dom::element_type::DOUBLE;  // is_double() is true of whole ones, too
}

/// The field's JSON as text; nullopt when it is absent.
Result<std::optional<std::string>> raw_json(const AdminBody& body, std::string_view name) {
  const auto found = body.fields().find(name);
  if (!found) return std::nullopt;
  if (!has_floating_point(*found)) return simdjson::minify(*found);
  return std::unexpected(
      body.fields().error(ErrorCode::kInvalidArgument, name,
                          fmt::format("'{}' has a number with a point: write amounts as strings", name)));
}

/// What the field lacks, such as a rate, is wrong in the request, and not absent here.
template <typename T>
Result<T> within(Result<T> read, std::string_view field) {
  if (!read) read.error().param = field;
  if (!read && read.error().code == ErrorCode::kNotFound) read.error().code = ErrorCode::kInvalidArgument;
  return read;
}

}  // namespace

Result<std::vector<PriceVersion>> read_price_sheet(const AdminCall& call, const AdminBody& body,
                                                   WallTime from) {
  const auto text = TRY(raw_json(body, "sheet"));
  if (!text) {
    return invalid("sheet", "'sheet' is required: a price sheet as docs/prices.md describes");
  }
  const auto sheet = TRY(within(pricing::sheet_from_json(*text), "sheet"));
  pricing::ExchangeRates rates;
  if (const auto dated = TRY(raw_json(body, "rates"))) {
    rates = TRY(within(pricing::rates_from_json(*dated), "rates"));
  }
  const std::string offering = TRY(body.required("offering"));
  auto versions = TRY(within(pricing::resolve(sheet, rates, from), "sheet"));
  for (PriceVersion& version : versions) {
    version.offering = offering;
    if (call.organisation != "default") version.organisation = call.organisation;
    version.effective_from = from;
  }
  return versions;
}

}  // namespace feilun::gateway
