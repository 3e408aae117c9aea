// /v1/organization/commitments
#include <algorithm>

#include "gateway/admin_routes.h"
#include "ledger/rollups.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::Commitment;
using ledger::State;

json::object true_up_json(const ledger::TrueUp& done) {
  return {{"month", to_string(done.month)},
          {"charged", done.charged.to_string()},
          {"shortfall", done.shortfall.to_string()}};
}

/// With what the current month has brought so far.
Result<json::object> commitment_json(State& state, const Commitment& commitment, WallTime now) {
  const auto owner = TRY(ledger::organisation_of(state, commitment.organisation));
  const Month month = TRY(TimeZone::find(owner.time_zone)).month_of(now);
  Money charged;
  if (commitment.covers(month)) charged = TRY(ledger::charged_in(state, owner.id, month));
  const Money missing = commitment.covers(month) ? std::max(commitment.amount - charged, Money()) : Money();
  json::array true_ups;
  for (const ledger::TrueUp& done : TRY(ledger::true_ups_of(state, commitment.id))) {
    true_ups.push_back(true_up_json(done));
  }
  return json::object{
      {"id", commitment.id},
      {"object", "organization.commitment"},
      {"currency", commitment.currency},
      {"amount", commitment.amount.to_string()},
      {"from", to_string(commitment.from)},
      {"until", commitment.until ? json::value(to_string(*commitment.until)) : json::value(nullptr)},
      {"month", to_string(month)},
      {"charged", charged.to_string()},
      {"missing", missing.to_string()},
      {"true_ups", std::move(true_ups)}};
}

Result<Commitment> commitment_in_path(const AdminCall& call, State& state) {
  const std::string& id = call.path_values.at(0);
  return only_own(ledger::find_commitment(state, id), "commitment", id,
                  [&](const Commitment& found) { return found.organisation == call.organisation; });
}

Result<std::string> commitment_reply(AdminCall& call, const Commitment& commitment) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    return json::serialize(TRY(commitment_json(state, commitment, call.now)));
  });
}

Error missing_month(const char* name, const char* what) {
  return {ErrorCode::kInvalidArgument, fmt::format("'{}' is required: {}, such as 2027-01", name, what),
          name};
}

}  // namespace

Result<std::string> list_commitments(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      return TRY(commitment_json(state, TRY(ledger::commitment_from(record)), call.now));
    };
    return list_records(state, "commitment", call.organisation, page, show);
  });
}

Result<std::string> create_commitment(AdminCall& call) {
  TRY(call.check_operator("enters commitments"));
  const AdminBody body = TRY(AdminBody::read(call.request, {"amount", "from", "until", "idempotency_key"}));
  if (call.organisation == "default") {
    return fail(ErrorCode::kInvalidArgument, "name a customer in the header openai-organization");
  }
  Commitment commitment{.organisation = call.organisation};
  TRY(body.required("amount"));
  commitment.amount = *TRY(body.money("amount"));
  const auto from = TRY(body.month("from"));
  if (!from) return std::unexpected(missing_month("from", "the first month"));
  commitment.from = *from;
  commitment.until = TRY(body.month("until"));
  commitment.idempotency_key = TRY(body.idempotency_key());
  const auto made = TRY(call.write<Commitment>([&](Books& books) -> Result<Commitment> {
    commitment.currency = TRY(ledger::find_organisation(books.state(), call.organisation)).currency;
    return books.commit(commitment);
  }));
  return commitment_reply(call, made);
}

Result<std::string> show_commitment(AdminCall& call) {
  const auto found =
      TRY(call.read<Commitment>([&](State& state) { return commitment_in_path(call, state); }));
  return commitment_reply(call, found);
}

Result<std::string> change_commitment(AdminCall& call) {
  TRY(call.check_operator("ends commitments"));
  const AdminBody body = TRY(AdminBody::read(call.request, {"until"}));
  const auto until = TRY(body.month("until"));
  if (!until) return std::unexpected(missing_month("until", "the first month without it"));
  const auto ended = TRY(call.write<Commitment>([&](Books& books) -> Result<Commitment> {
    return books.end_commitment(TRY(commitment_in_path(call, books.state())).id, *until);
  }));
  return commitment_reply(call, ended);
}

}  // namespace feilun::gateway
