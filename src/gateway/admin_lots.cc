// /v1/organization/wallets/{wallet_id}/lots and /v1/organization/credit_limit
#include "gateway/admin_json.h"
#include "gateway/admin_routes.h"
#include "ledger/limits.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::Lot;
using ledger::LotBalance;
using ledger::LotKind;
using ledger::State;

/// Money is a string; of a package, a count of tokens is a number.
json::value amount_json(const Lot& lot, Money amount) {
  if (lot.unit == ledger::kTokenUnit) return ledger::tokens_in(amount);
  return json::string(amount.to_string());
}

std::string_view status_of(const LotBalance& balance, WallTime now) {
  if (balance.lot.expires <= now) return "expired";
  return balance.left.is_zero() ? "spent" : "live";
}

json::object lot_json(const LotBalance& balance, WallTime now) {
  const Lot& lot = balance.lot;
  const bool package = lot.unit == ledger::kTokenUnit;
  const bool ends = lot.expires != WallTime::max();
  return {{"id", lot.id},
          {"object", "organization.wallet.lot"},
          {"wallet", lot.payer_id},
          {"kind", name_of(lot.kind)},
          {"status", status_of(balance, now)},
          {"unit", package ? "tokens" : lot.unit},
          {"amount", amount_json(lot, lot.amount)},
          {"left", amount_json(lot, balance.left)},
          {"paid", lot.paid.to_string()},
          {"models", json::array(lot.offerings.begin(), lot.offerings.end())},
          {"priority", lot.priority},
          {"expires_at", ends ? unix_seconds(lot.expires) : json::value(nullptr)}};
}

/// A package's tokens, or the money of another lot.
Result<> read_face(const AdminBody& body, Lot& lot) {
  const bool package = lot.kind == LotKind::kPackage;
  const auto tokens = TRY(body.fields().integer("tokens", 1, ledger::kTokensMax));
  const auto amount = TRY(body.money("amount"));
  if (package != tokens.has_value() || package == amount.has_value()) {
    const char* wanted = package ? "tokens" : "amount";
    return invalid(wanted, "a {} is granted with '{}' and no '{}'", name_of(lot.kind), wanted,
                   package ? "amount" : "tokens");
  }
  lot.amount = package ? ledger::token_amount(*tokens) : *amount;
  return {};
}

/// When it expires is a moment, not a time from now: who asks again with the same key must say the same.
Result<Lot> read_lot(const AdminBody& body) {
  Lot lot{.kind = TRY(ledger::parse_lot_kind(TRY(body.required("kind"))))};
  TRY(read_face(body, lot));
  lot.paid = TRY(body.money("paid")).value_or(Money());
  lot.offerings = TRY(body.texts("models")).value_or(std::vector<std::string>());
  lot.priority = TRY(body.fields().integer("priority", 0, 1000)).value_or(0);
  lot.expires = TRY(body.moment("expires_at")).value_or(lot.expires);
  lot.idempotency_key = TRY(body.idempotency_key());
  return lot;
}

}  // namespace

Result<std::string> list_lots(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    json::array items;
    const std::string wallet = TRY(call.wallet(state));
    if (!page.after.empty()) {
      const auto at = TRY(ledger::find_record(state, "lot", page.after));
      if (!at || at->parent != wallet) return unknown_cursor(page);
    }
    for (const LotBalance& balance : TRY(ledger::lots_of(state, wallet, page.limit + 1, page.after))) {
      items.push_back(lot_json(balance, call.now));
    }
    return list_reply(std::move(items), page);
  });
}

Result<std::string> grant_lot(AdminCall& call) {
  TRY(call.check_operator("grants credits, quotas, packages and plans"));
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"kind", "tokens", "amount", "paid", "models", "priority",
                                         "expires_at", "idempotency_key", "reason"}));
  Lot lot = TRY(read_lot(body));
  const std::string reason = TRY(body.text("reason")).value_or("");
  const auto granted = TRY(call.write<LotBalance>([&](Books& books) -> Result<LotBalance> {
    const std::string wallet = TRY(call.wallet(books.state()));
    const ledger::Payer payer = TRY(ledger::find_payer(books.state(), wallet));
    lot.unit = lot.kind == LotKind::kPackage ? std::string(ledger::kTokenUnit) : payer.currency;
    return books.grant(wallet, lot, reason);
  }));
  return json::serialize(lot_json(granted, call.now));
}

Result<std::string> set_credit_limit(AdminCall& call) {
  TRY(call.check_operator("gives credit"));
  const AdminBody body = TRY(AdminBody::read(call.request, {"amount"}));
  TRY(body.required("amount"));
  const Money limit = *TRY(body.money("amount"));
  if (call.organisation == "default") {
    return fail(ErrorCode::kUnsupported,
                "the projects of 'default' are prepaid: name a customer in the header openai-organization");
  }
  const auto changed = TRY(call.write<ledger::Organisation>(
      [&](Books& books) { return books.set_credit_limit(call.organisation, limit); }));
  return json::serialize(organisation_json(changed));
}

}  // namespace feilun::gateway
