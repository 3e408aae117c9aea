// POST /v1/organization/prices/preview
#include "gateway/admin_routes.h"
#include "gateway/price_sheet_body.h"
#include "ledger/preview_month.h"

namespace feilun::gateway {
namespace json = boost::json;

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
      TRY(ledger::preview_month(call.ledger, TRY(read_price_sheet(call, body, call.now)), *month, payer));
  json::object shown = json::parse(pricing::to_json(preview)).as_object();
  shown["object"] = "organization.price.preview";
  shown["month"] = to_string(*month);
  return json::serialize(shown);
}

}  // namespace feilun::gateway
