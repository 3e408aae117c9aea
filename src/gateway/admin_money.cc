// /v1/organization/wallets
#include "gateway/admin_routes.h"
#include "ledger/tenant_records.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::Project;
using ledger::State;

/// `credit_limit`: of the organisation; the projects of "default" are prepaid.
json::object wallet_json(std::string_view id, std::string_view name, const ledger::Balance& balance,
                         Money credit_limit = {}) {
  return {{"id", id},
          {"object", "organization.wallet"},
          {"name", name},
          {"currency", balance.currency},
          {"available", balance.available().to_string()},
          {"posted", balance.posted.to_string()},
          {"held", balance.pending.to_string()},
          {"credit_limit", credit_limit.to_string()}};
}

}  // namespace

Result<std::string> list_wallets(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    if (call.organisation != "default") {
      const auto owner = TRY(ledger::find_organisation(state, call.organisation));
      if (!page.after.empty() && page.after != owner.id) return unknown_cursor(page);
      if (!page.after.empty()) return list_reply({}, page);
      const auto balance = TRY(ledger::payer_balance(state, owner.id, owner.currency));
      return list_reply({wallet_json(owner.id, owner.name, balance, owner.credit_limit)}, page);
    }
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      const Project project = TRY(ledger::project_from(record));
      if (!TRY(sees_project(state, call.key, project.id))) return std::nullopt;
      const auto balance = TRY(ledger::payer_balance(state, project.payer, project.currency));
      return wallet_json(project.id, project.name, balance);
    };
    return list_records(state, "project", call.organisation, page, show);
  });
}

Result<std::string> credit_wallet(AdminCall& call) {
  TRY(call.check_operator("credits wallets"));
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"amount", "currency", "reason", "idempotency_key"}));
  const Money amount = TRY(Money::parse(TRY(body.required("amount"))));
  const std::string currency = TRY(parse_currency(TRY(body.required("currency"))));
  const std::string reason = TRY(body.text("reason")).value_or("top-up");
  const std::string once = TRY(body.idempotency_key());
  const auto balance = TRY(call.write<ledger::Balance>([&](Books& books) -> Result<ledger::Balance> {
    return books.credit(TRY(call.wallet(books.state())), amount, currency, reason, once);
  }));
  const std::string& wallet = call.path_values.at(0);
  const auto payer =
      TRY(call.read<ledger::Payer>([&](State& state) { return ledger::find_payer(state, wallet); }));
  return json::serialize(wallet_json(wallet, payer.name, balance, payer.credit_limit));
}

}  // namespace feilun::gateway
