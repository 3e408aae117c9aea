// GET /v1/organization/audit_logs
#include <charconv>

#include "gateway/admin_routes.h"
#include "ledger/audit_log.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Act;
using ledger::ActFilter;
using ledger::State;

constexpr std::string_view kIdPrefix = "audit_log-";

std::string id_of(const Act& act) {
  return fmt::format("{}{}", kIdPrefix, act.sequence);
}

Result<int64_t> whole_number(std::string_view text, std::string_view param) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0 && number <= kSecondsMax) {
    return number;
  }
  return invalid(param, "'{}' is no whole number", param);
}

/// effective_at[gte] and its like, in whole seconds.
Result<> read_times(const net::Request& request, ActFilter& filter) {
  struct Bound {
    const char* name;
    int plus;
    std::optional<WallTime> ActFilter::* bound;
  };
  const Bound bounds[] = {{"effective_at[gt]", 1, &ActFilter::from},
                          {"effective_at[gte]", 0, &ActFilter::from},
                          {"effective_at[lt]", 0, &ActFilter::until},
                          {"effective_at[lte]", 1, &ActFilter::until}};
  for (const Bound& bound : bounds) {
    const auto given = query_values(request, bound.name);
    if (given.empty()) continue;
    const int64_t second = TRY(whole_number(given.front(), bound.name));
    filter.*bound.bound = WallTime(std::chrono::seconds(second + bound.plus));
  }
  return {};
}

/// The entry of an id that the list gave; 0 of none.
Result<int64_t> read_cursor(State& state, std::string_view organisation, std::string_view id,
                            std::string_view param) {
  if (id.empty()) return 0;
  if (id.starts_with(kIdPrefix)) {
    const auto sequence = whole_number(id.substr(kIdPrefix.size()), param);
    if (sequence && TRY(ledger::has_act(state, organisation, *sequence))) return *sequence;
  }
  return invalid(param, "'{}' is no id of this audit log: write one of the list's", id);
}

Result<ActFilter> read_filter(State& state, const AdminCall& call, const Page& page) {
  const net::Request& request = call.request;
  ActFilter filter{.events = query_values(request, "event_types"),
                   .actors = query_values(request, "actor_ids"),
                   .ids = query_values(request, "resource_ids"),
                   .projects = query_values(request, "project_ids")};
  TRY(read_times(request, filter));
  // The list is newest first: what comes after an entry in it is what was done before.
  filter.before = TRY(read_cursor(state, call.organisation, page.after, "after"));
  const auto before = query_values(request, "before");
  if (!before.empty()) {
    filter.after = TRY(read_cursor(state, call.organisation, before.front(), "before"));
  }
  return filter;
}

Result<json::object> actor_json(State& state, std::string_view organisation, const Act& act) {
  const auto user_of = [&](std::string_view id) {
    json::object user{{"id", id}};
    if (const auto member = ledger::find_member(state, organisation, id)) user["email"] = member->email;
    return user;
  };
  if (!act.actor.starts_with("key_")) {
    return json::object{{"type", "session"}, {"session", {{"user", user_of(act.actor)}}}};
  }
  json::object key{{"id", act.actor}, {"type", "user"}};
  const auto known = ledger::find_key(state, act.actor);
  if (known && known->owner.starts_with("svc_")) {
    key["type"] = "service_account";
    key["service_account"] = {{"id", known->owner}};
  } else if (known && !known->owner.empty()) {
    key["user"] = user_of(known->owner);
  }
  return json::object{{"type", "api_key"}, {"api_key", std::move(key)}};
}

json::value body_json(const std::string& body) {
  return body.empty() ? json::value(nullptr) : json::parse(body);
}

Result<json::object> act_json(State& state, std::string_view organisation, const Act& act) {
  const std::string event = act.event();
  json::object shown{{"id", id_of(act)},
                     {"object", "organization.audit_log"},
                     {"type", event},
                     {"effective_at", unix_seconds(act.time)},
                     {"actor", TRY(actor_json(state, organisation, act))},
                     {"resource", {{"type", act.type}, {"id", act.id}, {"parent", act.parent}}},
                     {"before", body_json(act.before)},
                     {"after", body_json(act.after)}};
  const char* detail = act.before.empty() ? "data" : "changes_requested";
  shown[event] = {{"id", act.id}, {detail, body_json(act.after)}};
  if (act.parent.starts_with("proj_")) shown["project"] = {{"id", act.parent}};
  return shown;
}

}  // namespace

Result<std::string> list_audit_logs(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const ActFilter filter = TRY(read_filter(state, call, page));
    json::array items;
    for (const Act& act : TRY(ledger::acts_of(state, call.organisation, filter, page.limit + 1))) {
      items.push_back(TRY(act_json(state, call.organisation, act)));
    }
    // Of a page that ends before an entry, what is too much stands at its beginning.
    const bool more = filter.after > 0 && std::ssize(items) > page.limit;
    if (more) items.erase(items.begin());
    json::object list = list_json(std::move(items), page);
    if (more) list["has_more"] = true;
    return json::serialize(list);
  });
}

}  // namespace feilun::gateway
