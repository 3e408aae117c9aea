// GET /feilun/v1/balance
#include <boost/json.hpp>

#include "gateway/admin_call.h"
#include "gateway/endpoints.h"
#include "gateway/paid_call.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

/// The organisation that runs the server and sees every project.
constexpr std::string_view kOperator = "default";

Result<std::string> balance_json(Visit& visit) {
  const auto named = visit.request().query("project");
  const bool admin = visit.key.role == ledger::KeyRole::kAdmin;
  const std::string wanted = admin ? named.value_or("default") : visit.key.project_id;
  const ledger::Project found = TRY(visit.services.ledger.find_project(wanted));
  // Another project is not looked up: the answer must not tell whether it exists.
  if (!admin && named && *named != found.id && *named != found.name) {
    return fail(ErrorCode::kPermissionDenied, "this key may see its own project only");
  }
  const std::string& whose = visit.key.organisation;
  const bool foreign = admin && whose != kOperator && whose != found.organisation;
  const bool limited = admin && !has_power(visit.key, ledger::Power::kEveryProject);
  const bool hidden = limited && !TRY(visit.services.ledger.read<bool>([&](ledger::State& state) {
                        return sees_project(state, visit.key, found.id);
                      }));
  if (foreign || hidden) {
    return fail(ErrorCode::kNotFound, "there is no project '{}'", wanted);
  }
  const ledger::Balance balance = TRY(visit.services.ledger.balance(found.id));
  const ledger::UsageTotals totals = TRY(visit.services.ledger.usage(found.id));
  return json::serialize(json::object{{"object", "balance"},
                                      {"project", found.name},
                                      {"currency", balance.currency},
                                      {"available", balance.available().to_string()},
                                      {"posted", balance.posted.to_string()},
                                      {"held", balance.pending.to_string()},
                                      {"usage", json::object{{"requests", totals.requests},
                                                             {"input_tokens", totals.usage.input()},
                                                             {"cached_tokens", totals.usage.cache_read},
                                                             {"output_tokens", totals.usage.total_output()},
                                                             {"charged", totals.charged.to_string()}}}});
}

}  // namespace

asio::awaitable<void> show_balance(Visit& visit) {
  auto body = co_await run_on(visit.services.ledger_work, [&] { return balance_json(visit); });
  if (body) {
    co_await visit.reply_json(*std::move(body));
  } else {
    co_await visit.reply_error(body.error());
  }
}

}  // namespace feilun::gateway
