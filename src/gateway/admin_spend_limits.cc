// /v1/organization/spend_limit, …/projects/{project_id}/spend_limit and …/projects/{project_id}/rate_limits:
// what OpenAI's clients know of limits. They are some of those of /v1/organization/limits.
#include <algorithm>

#include "gateway/admin_routes.h"
#include "ledger/currency.h"
#include "ledger/limit_scope.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::LimitScope;
using ledger::Measure;
using ledger::SpendLimit;
using ledger::State;

constexpr int64_t kLimitsMax = 1'000;
constexpr int64_t kCoinsMax = 1'000'000'000'000'000'000;
constexpr int64_t kMinuteSeconds = 60;

/// Of an organisation, or of the project in the path.
struct Place {
  LimitScope scope;
  std::string object;  ///< "organization.spend_limit"
};

Result<Place> place_of(const AdminCall& call, State& state) {
  const bool of_project = !call.path_values.empty();
  const std::string id = of_project ? TRY(call.project(state)).id : call.organisation;
  return Place{TRY(ledger::find_limit_scope(state, id)),
               of_project ? "project.spend_limit" : "organization.spend_limit"};
}

/// The lowest of the limits that `is_meant` says.
template <typename IsMeant>
Result<std::optional<SpendLimit>> lowest_limit(State& state, std::string_view scope, IsMeant is_meant) {
  std::optional<SpendLimit> lowest;
  for (const ledger::Record& record : TRY(ledger::records_of(state, "limit", scope, kLimitsMax))) {
    const SpendLimit limit = TRY(ledger::limit_from(record));
    if (limit.hard && is_meant(limit) && (!lowest || limit.bound < lowest->bound)) lowest = limit;
  }
  return lowest;
}

/// A customer's own, or the one that the operator set for it: each side changes what is its own.
bool asks_for_operators(const AdminCall& call) {
  return call.by_operator() && call.organisation != "default";
}

Result<std::optional<SpendLimit>> spend_limit(const AdminCall& call, State& state, std::string_view scope) {
  return lowest_limit(state, scope, [&](const SpendLimit& limit) {
    return limit.measure == Measure::kSpend && limit.window_s == 0 &&
           limit.by_operator == asks_for_operators(call);
  });
}

Result<SpendLimit> known_spend_limit(const AdminCall& call, State& state, const Place& place) {
  const auto limit = TRY(spend_limit(call, state, place.scope.id));
  if (limit) return *limit;
  return fail(ErrorCode::kNotFound, "'{}' has no spend limit", place.scope.id);
}

Money coin_of(std::string_view currency) {
  return ledger::smallest_unit(ledger::minor_digits(currency).value_or(2));
}

Result<std::string> spend_limit_reply(AdminCall& call, State& state, const Place& place) {
  const SpendLimit limit = TRY(known_spend_limit(call, state, place));
  const bool enforcing = TRY(ledger::limit_use(state, limit, call.now)).left() <= Money();
  const int128 coins = limit.bound.pico() / coin_of(place.scope.currency).pico();
  return json::serialize(json::object{{"object", place.object},
                                      {"threshold_amount", static_cast<int64_t>(coins)},
                                      {"currency", place.scope.currency},
                                      {"interval", "month"},
                                      {"enforcement", {{"status", enforcing ? "enforcing" : "inactive"}}}});
}

/// The lowest bound of the project's hard limits by the minute; null where it has none.
Result<json::value> per_minute(State& state, std::string_view project, Measure measure) {
  const auto limit = TRY(lowest_limit(state, project, [&](const SpendLimit& each) {
    return each.measure == measure && each.window_s == kMinuteSeconds;
  }));
  return limit ? json::value(static_cast<int64_t>(limit->bound.pico())) : json::value(nullptr);
}

}  // namespace

Result<std::string> show_spend_limit(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    return spend_limit_reply(call, state, TRY(place_of(call, state)));
  });
}

Result<std::string> set_spend_limit(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"currency", "interval", "threshold_amount"}));
  const auto coins = TRY(body.fields().integer("threshold_amount", 0, kCoinsMax));
  if (!coins) {
    return invalid("threshold_amount", "'threshold_amount' is required: in the currency's smallest coin");
  }
  const std::string currency = TRY(parse_currency(TRY(body.required("currency"))));
  if (TRY(body.required("interval")) != "month") return invalid("interval", "'interval' is always month");
  return call.write<std::string>([&](Books& books) -> Result<std::string> {
    const Place place = TRY(place_of(call, books.state()));
    if (!place.scope.currency.empty() && currency != place.scope.currency) {
      return invalid("currency", "'{}' spends {}, not {}", place.scope.id, place.scope.currency, currency);
    }
    SpendLimit limit = TRY(spend_limit(call, books.state(), place.scope.id))
                           .value_or(SpendLimit{.scope = place.scope.id,
                                                .measure = Measure::kSpend,
                                                .by_operator = asks_for_operators(call)});
    limit.bound = coin_of(currency) * *coins;
    TRY(books.set_limit(limit));
    return spend_limit_reply(call, books.state(), place);
  });
}

Result<std::string> end_spend_limit(AdminCall& call) {
  return call.write<std::string>([&](Books& books) -> Result<std::string> {
    const Place place = TRY(place_of(call, books.state()));
    TRY(books.end_limit(TRY(known_spend_limit(call, books.state(), place)).id));
    return json::serialize(json::object{{"object", place.object + ".deleted"}, {"deleted", true}});
  });
}

Result<std::string> list_rate_limits(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const std::string project = TRY(call.project(state)).id;
    const json::value requests = TRY(per_minute(state, project, Measure::kRequests));
    const json::value tokens = TRY(per_minute(state, project, Measure::kTokens));
    json::array items;
    if (!requests.is_null() || !tokens.is_null()) {
      items.push_back(json::object{{"id", "rl_" + project},
                                   {"object", "project.rate_limit"},
                                   {"model", "*"},
                                   {"max_requests_per_1_minute", requests},
                                   {"max_tokens_per_1_minute", tokens}});
    }
    return list_reply(TRY(behind_cursor(std::move(items), page)), page);
  });
}

}  // namespace feilun::gateway
