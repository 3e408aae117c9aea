// POST /feilun/v1/invites/accept
#include "gateway/admin_call.h"
#include "gateway/admin_json.h"
#include "gateway/endpoints.h"
#include "gateway/paid_call.h"
#include "ledger/tenant_records.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

Result<std::string> accept(Visit& visit) {
  const AdminBody body = TRY(AdminBody::read(visit.request(), {"token", "name", "password"}));
  const std::string token = TRY(body.required("token"));
  const std::string name = TRY(body.text("name")).value_or("");
  const auto password = TRY(body.text("password"));
  ledger::Ledger& ledger = visit.services.ledger;
  // Hashing a password takes long: not for a token that opens nothing, and not inside a transaction.
  TRY(ledger.read<void>([&](ledger::State& state) -> Result<> {
    TRY(ledger::open_invite(state, token, visit.services.clock.wall()));
    return {};
  }));
  const std::string hash = password ? TRY(ledger::hash_password(*password)) : "";
  const auto member = TRY(ledger.write<ledger::Member>(
      [&](ledger::Books& books) { return books.accept_invite(token, name, hash); }));
  return json::serialize(user_json(member));
}

}  // namespace

asio::awaitable<void> accept_invite(Visit& visit) {
  auto body = co_await run_work(visit, /*light=*/false, [&] { return accept(visit); });
  if (body) {
    co_await visit.reply_json(*std::move(body));
  } else {
    co_await visit.reply_error(body.error());
  }
}

}  // namespace feilun::gateway
