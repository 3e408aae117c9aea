// /v1/organization/refunds
#include "gateway/admin_routes.h"
#include "ledger/charged_request.h"
#include "ledger/journal_walk.h"
#include "ledger/limits.h"
#include "ledger/rows.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::Refund;
using ledger::State;

std::string id_of(const Refund& refund) {
  return fmt::format("refund-{}", refund.sequence);
}

json::object refund_json(std::string_view request_id, const Refund& refund) {
  return {{"id", id_of(refund)},
          {"object", "organization.refund"},
          {"request_id", request_id},
          {"amount", refund.amount.to_string()},
          {"tokens", refund.tokens},
          {"idempotency_key",
           refund.idempotency_key.empty() ? json::value(nullptr) : json::value(refund.idempotency_key)}};
}

/// What is left of a request that the caller may see: the operator, who names no customer, any; else those of
/// the organisation's projects that it sees. kNotFound.
Result<ledger::ChargeLeft> seen_charge(const AdminCall& call, State& state, std::string_view request_id) {
  const ledger::ChargeLeft left = TRY(ledger::charge_left(state, request_id));
  if (call.organisation == "default" && has_power(call.key, ledger::Power::kEveryProject)) return left;
  const auto ended = TRY(ledger::ended_by(state, request_id));
  const auto hold = TRY(ledger::hold_entry(state, request_id, ended.value_or(0)));
  const auto held = TRY(ledger::request_from_hold(hold));
  const auto project = TRY(ledger::find_project(state, held.project_id));
  if (project.organisation == call.organisation && TRY(sees_project(state, call.key, project.id)))
    return left;
  return fail(ErrorCode::kNotFound, "there is no request {}", request_id);
}

}  // namespace

Result<std::string> list_refunds(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  const auto request_id = call.request.query("request_id");
  if (!request_id) {
    return invalid("request_id", "'request_id' is required: the x-request-id of the reply");
  }
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const ledger::ChargeLeft left = TRY(seen_charge(call, state, *request_id));
    json::array items;
    for (const Refund& refund : TRY(ledger::refunds_of(state, *request_id))) {
      items.push_back(refund_json(*request_id, refund));
    }
    json::object list = list_json(TRY(behind_cursor(std::move(items), page)), page);
    list["charged"] = left.charged.to_string();
    list["left"] = (left.charged - left.refunded).to_string();
    list["tokens_left"] = left.tokens - left.tokens_refunded;
    return json::serialize(list);
  });
}

Result<std::string> create_refund(AdminCall& call) {
  TRY(call.check_operator("refunds requests"));
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"request_id", "amount", "tokens", "reason", "idempotency_key"}));
  ledger::RefundRequest request{.request_id = TRY(body.required("request_id"))};
  request.amount = TRY(body.money("amount"));
  request.tokens = TRY(body.fields().integer("tokens", 0, ledger::kTokensMax));
  request.reason = TRY(body.text("reason")).value_or("");
  request.idempotency_key = TRY(body.idempotency_key());
  const auto made = TRY(call.write<Refund>([&](Books& books) -> Result<Refund> {
    TRY(seen_charge(call, books.state(), request.request_id));
    return books.refund(request);
  }));
  return json::serialize(refund_json(request.request_id, made));
}

}  // namespace feilun::gateway
