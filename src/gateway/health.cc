// What a supervisor and a scraper ask: /healthz, /readyz, /metrics. No key is needed.
#include <boost/json.hpp>

#include "gateway/endpoints.h"
#include "gateway/spool_metrics.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace json = boost::json;

asio::awaitable<void> show_health(Visit& visit) {
  co_await visit.reply_json(R"({"status":"alive"})");
}

asio::awaitable<void> show_readiness(Visit& visit) {
  json::object models;
  for (const auto& [name, deployment] : visit.services.deployments.all()) models[name] = deployment->ready();
  net::Response response;
  const bool ledger = visit.services.ledger.healthy() && !visit.services.ledger.spool().away;
  const bool ready = ledger && visit.services.deployments.all_ready();
  response.status = ready ? 200 : 503;
  response.headers.add("content-type", "application/json");
  if (!ready && visit.services.ledger.healthy()) response.headers.add("retry-after", "1");
  response.body =
      json::serialize(json::object{{"ready", ready}, {"ledger", ledger}, {"models", std::move(models)}});
  co_await visit.reply(std::move(response));
}

asio::awaitable<void> show_metrics(Visit& visit) {
  net::Response response;
  response.headers.add("content-type", "text/plain; version=0.0.4; charset=utf-8");
  const ledger::SpoolStats spool = visit.services.ledger.spool();
  response.body =
      visit.services.metrics.text(visit.services.deployments, visit.services.connections(), spool) +
      spool_metrics(spool);
  co_await visit.reply(std::move(response));
}

}  // namespace feilun::gateway
