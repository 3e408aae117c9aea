// GET /v1/models and /v1/models/{id}
#include <boost/json.hpp>

#include "gateway/endpoints.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

json::object model_json(const Deployment& deployment) {
  const auto created = std::chrono::floor<std::chrono::seconds>(deployment.created());
  json::object model{{"id", deployment.name()},
                     {"object", "model"},
                     {"created", created.time_since_epoch().count()},
                     {"owned_by", "feilun"},
                     {"kind", deployment.embeds() ? "embedding" : "generation"},
                     {"ready", deployment.ready()}};
  if (!deployment.ready()) return model;
  model["context_length"] = deployment.context();
  if (deployment.embeds()) model["dimensions"] = deployment.embeddings().width();
  return model;
}

bool sees_model(const Visit& visit, std::string_view name) {
  return !visit.key.scope || visit.key.scope->allows_model(name);
}

}  // namespace

asio::awaitable<void> list_models(Visit& visit) {
  json::array data;
  for (const auto& [name, deployment] : visit.services.deployments.all()) {
    if (sees_model(visit, name)) data.push_back(model_json(*deployment));
  }
  co_await visit.reply_json(json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}}));
}

asio::awaitable<void> show_model(Visit& visit) {
  const std::string_view path = visit.request().path();
  const auto name = net::percent_decoded(path.substr(std::string_view("/v1/models/").size()));
  const bool seen = name && sees_model(visit, *name);
  const Deployment* deployment = seen ? visit.services.deployments.find(*name) : nullptr;
  if (deployment != nullptr) {
    co_await visit.reply_json(json::serialize(model_json(*deployment)));
  } else {
    co_await visit.reply_error({ErrorCode::kNotFound, "there is no model of that name here", "model"});
  }
}

}  // namespace feilun::gateway
