#include "gateway/router.h"

#include "base/ids.h"
#include "gateway/admin_routes.h"
#include "gateway/endpoints.h"
#include "gateway/error_reply.h"
#include "gateway/idempotent_call.h"
#include "gateway/paid_call.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace {

/// Whose key a route asks for.
enum class Access {
  kAnyone,
  kReader,  ///< any valid key
  kPayer,   ///< a project's key: what it calls is charged to the project
};

struct Route {
  std::string_view method;
  std::string_view path;  ///< ending in "/*": one more segment or more
  Access access;
  asio::awaitable<void> (*answer)(Visit&);
};

constexpr Route kRoutes[] = {
    {"POST", "/v1/chat/completions", Access::kPayer, chat_completions},
    {"POST", "/v1/completions", Access::kPayer, completions},
    {"POST", "/v1/embeddings", Access::kPayer, embeddings},
    {"GET", "/v1/models", Access::kReader, list_models},
    {"GET", "/v1/models/*", Access::kReader, show_model},
    {"GET", "/feilun/v1/balance", Access::kReader, show_balance},
    {"POST", "/feilun/v1/invites/accept", Access::kAnyone, accept_invite},
    {"POST", "/feilun/v1/login", Access::kAnyone, login},
    {"GET", "/healthz", Access::kAnyone, show_health},
    {"GET", "/readyz", Access::kAnyone, show_readiness},
    {"GET", "/metrics", Access::kAnyone, show_metrics},
    {"GET", "/", Access::kAnyone, show_page},
};

bool matches(const Route& route, std::string_view path) {
  if (!route.path.ends_with("/*")) return path == route.path;
  const std::string_view stem = route.path.substr(0, route.path.size() - 1);
  return path.starts_with(stem) && path.size() > stem.size();
}

/// What a request asks for: one of kRoutes, or of the admin API's.
struct FoundRoute {
  const Route* route = nullptr;
  std::optional<FoundAdminRoute> admin;
};

/// The route of that path and method (HEAD is a GET); `allowed` gathers the methods the path knows.
std::optional<FoundRoute> find_route(std::string_view method, std::string_view path, std::string& allowed) {
  if (method == "HEAD") method = "GET";
  std::vector<std::string_view> known;
  for (const Route& route : kRoutes) {
    if (!matches(route, path)) continue;
    if (route.method == method) return FoundRoute{.route = &route};
    known.push_back(route.method);
  }
  if (auto admin = find_admin_route(method, path, known)) return FoundRoute{.admin = std::move(admin)};
  for (const std::string_view each : known) {
    allowed += allowed.empty() ? "" : ", ";
    allowed += each == "GET" ? "GET, HEAD" : each;
  }
  return std::nullopt;
}

net::Response unknown_route(const Visit& visit, std::string allowed) {
  const net::Request& request = visit.request();
  if (allowed.empty()) {
    return error_reply({ErrorCode::kNotFound, fmt::format("there is nothing at {} here", request.path())});
  }
  allowed += ", OPTIONS";
  net::Response response{.status = 204};
  if (request.method != "OPTIONS") {
    response = protocol_error_reply(405, fmt::format("{} answers {}", request.path(), allowed));
  } else if (!visit.services.cors_origin.empty()) {
    response.headers.add("access-control-allow-methods", allowed);
    response.headers.add("access-control-allow-headers",
                         "authorization, content-type, idempotency-key, x-request-id");
    response.headers.add("access-control-max-age", "600");
  }
  response.headers.add("allow", allowed);
  return response;
}

/// Of headers that decide something a second one is refused: whoever stands in between may have read that.
Result<> check_headers(const net::Headers& headers) {
  for (const char* name : {"authorization", "content-type", "idempotency-key", "openai-organization"}) {
    if (headers.count(name) > 1) return invalid(name, "the header '{}' stands there more than once", name);
  }
  return {};
}

Result<ledger::Key> check_access(const Services& services, const net::Request& request,
                                 const FoundRoute& found) {
  TRY(check_headers(request.headers));
  if (found.route != nullptr && found.route->access == Access::kAnyone) return ledger::Key{};
  ledger::Key key = TRY(authenticate(services, request));
  if (found.admin) {
    TRY(check_admin(*found.admin->route, key));
  } else if (found.route->access == Access::kPayer && key.role == ledger::KeyRole::kAdmin) {
    return fail(ErrorCode::kPermissionDenied,
                "an administrator's key cannot call models, as no project pays for it: use a project's key");
  }
  return key;
}

Result<AdminCall> admin_call(Visit& visit, FoundAdminRoute found) {
  ledger::Ledger& ledger = visit.services.ledger;
  return AdminCall{.ledger = ledger,
                   .deployments = visit.services.deployments,
                   .key = visit.key,
                   .request = visit.request(),
                   .now = visit.services.clock.wall(),
                   .organisation = TRY(organisation_of(visit.request(), visit.key, ledger)),
                   .path_values = std::move(found.path_values)};
}

/// It waits for the ledger, which the threads of connections must not.
asio::awaitable<void> answer_admin(Visit& visit, FoundAdminRoute found) {
  const AdminRoute& route = *found.route;
  const auto& worker = visit.services.admin_work;
  if (route.stream != nullptr) {
    std::optional<AdminCall> call;
    const auto made = co_await run_on(worker, [&]() -> Result<> {
      call.emplace(TRY(admin_call(visit, std::move(found))));
      return {};
    });
    if (made) co_return co_await route.stream(visit, *std::move(call));
    co_await visit.reply_error(made.error());
    co_return;
  }
  auto answer = co_await run_on(worker, [&]() -> Result<std::string> {
    AdminCall call = TRY(admin_call(visit, std::move(found)));
    return route.answer(call);
  });
  if (answer) {
    co_await visit.reply_json(*std::move(answer));
  } else {
    co_await visit.reply_error(answer.error());
  }
}

}  // namespace

bool wants_body(Services& services, const net::Request& head) {
  std::string allowed;
  const auto found = find_route(head.method, head.path(), allowed);
  return found && check_access(services, head, *found).has_value();
}

asio::awaitable<void> route(Services& services, net::Exchange& exchange) {
  Visit visit{services, exchange, new_id("req"), "unknown", services.clock.mono()};
  std::string allowed;
  auto found = find_route(exchange.request().method, exchange.request().path(), allowed);
  if (!found) {
    co_await visit.reply(unknown_route(visit, std::move(allowed)));
    co_return;
  }
  visit.route = found->admin ? found->admin->route->path : found->route->path;
  auto key = check_access(services, exchange.request(), *found);
  if (!key) {
    co_await visit.reply_error(key.error());
    co_return;
  }
  visit.key = *std::move(key);
  if (found->admin) {
    co_await answer_admin(visit, *std::move(found->admin));
  } else if (found->route->access == Access::kPayer) {
    co_await answer_once(visit, found->route->answer);
  } else {
    co_await found->route->answer(visit);
  }
}

}  // namespace feilun::gateway
