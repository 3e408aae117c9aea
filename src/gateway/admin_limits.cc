// /v1/organization/limits
#include <algorithm>
#include <limits>

#include "gateway/admin_routes.h"
#include "ledger/limit_scope.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::LimitScope;
using ledger::Measure;
using ledger::SpendLimit;
using ledger::State;

/// Money is a string, a count a number.
json::value quantity_json(Measure measure, ledger::Quantity quantity) {
  if (measure == Measure::kSpend) return json::string(quantity.to_string());
  return static_cast<int64_t>(quantity.pico());
}

Result<json::object> limit_json(State& state, const SpendLimit& limit, const LimitScope& scope,
                                WallTime now) {
  const ledger::LimitUse use = TRY(ledger::limit_use(state, limit, now));
  const auto shown = [&](ledger::Quantity quantity) { return quantity_json(limit.measure, quantity); };
  json::object object = {{"id", limit.id},
                         {"object", "organization.limit"},
                         {"scope", {{"type", scope.type}, {"id", scope.id}, {"name", scope.name}}},
                         {"measure", name_of(limit.measure)},
                         {"window", ledger::window_name(limit.window_s)},
                         {"bound", shown(limit.bound)},
                         {"used", shown(use.used)},
                         {"held", shown(use.pending)},
                         {"left", shown(std::max(use.left(), ledger::Quantity()))},
                         {"hard", limit.hard},
                         {"alerts", json::array(limit.alerts.begin(), limit.alerts.end())},
                         {"frees_at", unix_seconds(use.frees_at)},
                         {"empty_at", unix_seconds(use.empty_at)},
                         {"set_by_operator", limit.by_operator}};
  const bool money = limit.measure == Measure::kSpend;
  object["currency"] = money ? json::value(scope.currency) : json::value(nullptr);
  return object;
}

/// The scope, if this key may see it. kNotFound, which does not tell whether it exists.
Result<LimitScope> seen_scope(const AdminCall& call, State& state, std::string_view id) {
  const auto is_own = [&](const LimitScope& found) -> Result<bool> {
    return found.organisation == call.organisation &&
           (found.project.empty() || TRY(sees_project(state, call.key, found.project)));
  };
  auto seen =
      only_own(ledger::find_limit_scope(state, id), "key, project or organisation with the id", id, is_own);
  if (!seen && seen.error().code == ErrorCode::kNotFound) seen.error().param = "scope";
  return seen;
}

struct ScopedLimit {
  SpendLimit limit;
  LimitScope scope;
};

Result<ScopedLimit> seen_limit(const AdminCall& call, State& state, std::string_view id) {
  const SpendLimit limit = TRY(ledger::find_limit(state, id));
  return ScopedLimit{limit, TRY(seen_scope(call, state, limit.scope))};
}

Result<ScopedLimit> limit_in_path(const AdminCall& call, State& state) {
  const std::string& id = call.path_values.at(0);
  return only_own(seen_limit(call, state, id), "limit", id, [](const ScopedLimit&) { return true; });
}

/// The same, to be changed or ended.
Result<ScopedLimit> own_limit(const AdminCall& call, State& state) {
  ScopedLimit found = TRY(limit_in_path(call, state));
  if (found.limit.by_operator && !call.by_operator()) {
    return fail(ErrorCode::kPermissionDenied,
                "the limit {} was set by the server's operator, who alone can change it", found.limit.id);
  }
  return found;
}

Result<std::optional<ledger::Quantity>> read_bound(const AdminBody& body, Measure measure) {
  const auto found = body.fields().find("bound");
  if (!found) return std::nullopt;
  std::string_view text;
  if (found->get(text) != simdjson::SUCCESS) {
    if (measure == Measure::kSpend) return body.fields().wrong_type("bound", "a string");
    const auto count = TRY(body.fields().integer("bound", 0, std::numeric_limits<int64_t>::max()));
    return ledger::Quantity::pico(count.value());
  }
  auto bound = ledger::parse_quantity(measure, text);
  if (!bound) bound.error().param = "bound";
  return TRY(bound);
}

/// What can change of a limit.
Result<> read_terms(const AdminBody& body, SpendLimit& limit) {
  limit.bound = TRY(read_bound(body, limit.measure)).value_or(limit.bound);
  limit.hard = TRY(body.fields().boolean("hard")).value_or(limit.hard);
  limit.alerts = TRY(body.numbers("alerts")).value_or(limit.alerts);
  return {};
}

Result<std::string> limit_reply(AdminCall& call, const SpendLimit& limit) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const LimitScope scope = TRY(ledger::find_limit_scope(state, limit.scope));
    return json::serialize(TRY(limit_json(state, limit, scope, call.now)));
  });
}

}  // namespace

Result<std::string> list_limits(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  const auto scopes = query_values(call.request, "scope");
  return call.read<std::string>([&](State& state) {
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      if (!scopes.empty() && std::ranges::find(scopes, record.parent) == scopes.end()) return std::nullopt;
      const auto scope = seen_scope(call, state, record.parent);
      if (!scope && scope.error().code == ErrorCode::kNotFound) return std::nullopt;
      return TRY(limit_json(state, TRY(ledger::limit_from(record)), TRY(scope), call.now));
    };
    return list_records(state, "limit", std::nullopt, page, show);
  });
}

Result<std::string> create_limit(AdminCall& call) {
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"scope", "measure", "window", "bound", "hard", "alerts"}));
  SpendLimit limit{.scope = TRY(body.text("scope")).value_or(call.organisation)};
  limit.measure = TRY(ledger::parse_measure(TRY(body.required("measure"))));
  limit.window_s = TRY(ledger::parse_window(TRY(body.required("window"))));
  limit.by_operator = call.by_operator() && call.organisation != "default";
  if (!body.fields().find("bound")) TRY(body.required("bound"));
  TRY(read_terms(body, limit));
  const auto made = TRY(call.write<SpendLimit>([&](Books& books) -> Result<SpendLimit> {
    TRY(seen_scope(call, books.state(), limit.scope));
    return books.set_limit(limit);
  }));
  return limit_reply(call, made);
}

Result<std::string> show_limit(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const ScopedLimit found = TRY(limit_in_path(call, state));
    return json::serialize(TRY(limit_json(state, found.limit, found.scope, call.now)));
  });
}

Result<std::string> change_limit(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"bound", "hard", "alerts"}));
  const auto changed = TRY(call.write<SpendLimit>([&](Books& books) -> Result<SpendLimit> {
    SpendLimit limit = TRY(own_limit(call, books.state())).limit;
    TRY(read_terms(body, limit));
    return books.set_limit(limit);
  }));
  return limit_reply(call, changed);
}

Result<std::string> end_limit(AdminCall& call) {
  TRY(call.write<void>([&](Books& books) -> Result<> {
    return books.end_limit(TRY(own_limit(call, books.state())).limit.id);
  }));
  return deleted_reply(call.path_values.at(0), "organization.limit.deleted");
}

}  // namespace feilun::gateway
