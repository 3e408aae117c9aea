// POST /v1/organization/prices/preview
#include <algorithm>

#include "gateway/admin_routes.h"
#include "ledger/preview_month.h"
#include "pricing/exchange_rates.h"
#include "pricing/price_sheet.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
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

template <typename T>
Result<T> within(Result<T> read, std::string_view field) {
  if (!read) read.error().param = field;
  return read;
}

Result<std::vector<PriceVersion>> read_candidates(const AdminCall& call, const AdminBody& body) {
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
  std::vector<PriceVersion> candidates;
  for (pricing::CurrencyRows& rows : TRY(within(pricing::resolve(sheet, rates, call.now), "sheet"))) {
    PriceVersion version{.offering = offering, .currency = rows.currency};
    if (call.organisation != "default") version.organisation = call.organisation;
    version.rows = std::move(rows.rows);
    version.effective_from = call.now;
    candidates.push_back(std::move(version));
  }
  return candidates;
}

}  // namespace

Result<std::string> preview_price(AdminCall& call) {
  TRY(call.check_operator("previews prices"));
  const AdminBody body = TRY(AdminBody::read(call.request, {"sheet", "rates", "offering", "month"}));
  const auto month = TRY(body.month("month"));
  if (!month) {
    return invalid("month", "'month' is required: whose requests to price, such as 2026-10");
  }
  // With a customer named in the header, a contract for it, and its requests alone.
  const std::string payer = call.organisation == "default" ? "" : call.organisation;
  const auto preview =
      TRY(ledger::preview_month(call.ledger, TRY(read_candidates(call, body)), *month, payer));
  json::object shown = json::parse(pricing::to_json(preview)).as_object();
  shown["object"] = "organization.price.preview";
  shown["month"] = to_string(*month);
  return json::serialize(shown);
}

}  // namespace feilun::gateway
