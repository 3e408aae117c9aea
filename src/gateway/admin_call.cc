#include "gateway/admin_call.h"

#include <algorithm>
#include <charconv>

#include "ledger/tenant_records.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;

constexpr int64_t kPageMax = 100;
constexpr int64_t kProjectsMax = 10'000'000;

std::string decoded(std::string_view text) {
  std::string spaced(text);
  for (char& c : spaced) c = c == '+' ? ' ' : c;
  return net::percent_decoded(spaced).value_or("");
}

}  // namespace

bool has_power(const ledger::Key& key, ledger::Power power) {
  return may(key.organisation_role, power) || (power == ledger::Power::kEveryProject && key.owner.empty());
}

Result<bool> sees_project(ledger::State& state, const ledger::Key& key, std::string_view project_id) {
  if (has_power(key, ledger::Power::kEveryProject)) return true;
  return TRY(ledger::find_project_member(state, project_id, key.owner)).has_value();
}

Result<ledger::Project> AdminCall::project(ledger::State& state) const {
  const std::string& id = path_values.at(0);
  return only_own(
      ledger::find_project(state, id), "project", id, [&](const ledger::Project& found) -> Result<bool> {
        return found.id == id && found.organisation == organisation && TRY(sees_project(state, key, id));
      });
}

Result<std::vector<std::string>> AdminCall::payers(ledger::State& state) const {
  if (organisation != "default") return std::vector{organisation};
  std::vector<std::string> payers;
  for (const ledger::Record& project :
       TRY(ledger::records_of(state, "project", organisation, kProjectsMax))) {
    payers.push_back(project.id);
  }
  return payers;
}

std::unexpected<Error> not_here(std::string_view what, std::string_view id) {
  return fail(ErrorCode::kNotFound, "there is no {} '{}' here", what, id);
}

Result<> AdminCall::check_owner(ledger::State& state, std::string_view project_id,
                                std::string_view owner) const {
  if (has_power(key, ledger::Power::kEveryProject)) return {};
  const auto belongs = TRY(ledger::find_project_member(state, project_id, key.owner));
  if (belongs && (belongs->role == ledger::ProjectRole::kOwner || owner == key.owner)) return {};
  return fail(ErrorCode::kPermissionDenied,
              "a member of the project manages only what is their own: ask one of its owners");
}

Result<std::string> AdminCall::wallet(ledger::State& state) const {
  const std::string& id = path_values.at(0);
  if (TRY(has_wallet(state, id))) return id;
  return not_here("wallet", id);
}

Result<bool> AdminCall::has_wallet(ledger::State& state, std::string_view id) const {
  if (id == organisation) return id != "default";
  const auto record = TRY(ledger::find_record(state, "project", id));
  if (!record) return false;
  const auto project = TRY(ledger::project_from(*record));
  const bool pays = project.organisation == organisation && project.payer == id;
  return pays && TRY(sees_project(state, key, id));
}

Result<> AdminCall::check_operator(std::string_view what) const {
  if (by_operator()) return {};
  return fail(ErrorCode::kPermissionDenied, "only the server's operator {}", what);
}

Result<> AdminCall::check_grant(ledger::Role role) const {
  if (may_grant(key.organisation_role, role)) return {};
  return fail(ErrorCode::kPermissionDenied, "the role {} may not make, change or remove what has the role {}",
              name_of(key.organisation_role), name_of(role));
}

Result<AdminBody> AdminBody::read(const net::Request& request,
                                  std::initializer_list<std::string_view> known) {
  JsonDocument document = TRY(JsonDocument::parse(request.body.empty() ? "{}" : request.body));
  RequestFields fields = TRY(RequestFields::of(document.root(), {}, "the request"));
  TRY(fields.only(known));
  return AdminBody(std::move(document), std::move(fields),
                   std::string(request.headers.find("idempotency-key")));
}

Result<std::string> AdminBody::idempotency_key() const {
  const auto refused = [&](std::string_view why) {
    return std::unexpected(fields_.error(ErrorCode::kInvalidArgument, "idempotency_key", std::string(why)));
  };
  const auto field = TRY(text("idempotency_key"));
  if (!field) return header_;
  if (field->empty()) return refused("'idempotency_key' is empty: leave it out, or give each act its own");
  if (header_.empty() || header_ == *field) return *field;
  return refused("'idempotency_key' and the header Idempotency-Key differ");
}

Result<std::string> AdminBody::required(std::string_view name) const {
  const auto text = TRY(fields_.string(name));
  if (text) return std::string(*text);
  return std::unexpected(
      fields_.error(ErrorCode::kInvalidArgument, name, fmt::format("'{}' is required", name)));
}

Result<std::optional<std::string>> AdminBody::text(std::string_view name) const {
  const auto text = TRY(fields_.string(name));
  if (!text) return std::nullopt;
  return std::string(*text);
}

template <typename T, typename Json>
Result<std::optional<std::vector<T>>> AdminBody::array_of(std::string_view name,
                                                          std::string_view expected) const {
  const auto found = fields_.find(name);
  if (!found) return std::nullopt;
  simdjson::dom::array array;
  if (found->get(array) != simdjson::SUCCESS) return fields_.wrong_type(name, expected);
  std::vector<T> values;
  for (const simdjson::dom::element element : array) {
    Json value;
    if (element.get(value) != simdjson::SUCCESS) {
      return invalid(fmt::format("{}[{}]", name, values.size()), "'{}' must be {}, but [{}] is {}", name,
                     expected, values.size(), type_name(element));
    }
    values.emplace_back(value);
  }
  return values;
}

Result<std::optional<std::vector<std::string>>> AdminBody::texts(std::string_view name) const {
  return array_of<std::string, std::string_view>(name, "an array of strings");
}

Result<std::optional<std::vector<int64_t>>> AdminBody::numbers(std::string_view name) const {
  return array_of<int64_t, int64_t>(name, "an array of whole numbers");
}

Result<std::vector<RequestFields>> AdminBody::objects(std::string_view name,
                                                      std::initializer_list<std::string_view> known) const {
  using simdjson::dom::object;
  const auto found = TRY((array_of<object, object>(name, "an array of objects")));
  std::vector<RequestFields> objects;
  for (const object each : found.value_or(std::vector<object>())) {
    objects.emplace_back(each, fmt::format("{}[{}]", name, objects.size()));
    TRY(objects.back().only(known));
  }
  return objects;
}

Result<std::optional<Money>> AdminBody::money(std::string_view name) const {
  const auto text = TRY(fields_.string(name));
  if (!text) return std::nullopt;
  auto amount = Money::parse(*text);
  if (!amount) amount.error().param = fields_.path_of(name);
  return TRY(amount);
}

Result<std::optional<WallTime>> AdminBody::moment(std::string_view name) const {
  const auto seconds = TRY(fields_.integer(name, 0, kSecondsMax));
  if (!seconds) return std::nullopt;
  return WallTime(std::chrono::seconds(*seconds));
}

Result<std::optional<WallTime>> AdminBody::expiry(WallTime now) const {
  const auto seconds = TRY(fields_.integer("expires_in_seconds", 1, kKeySecondsMax));
  if (!seconds) return std::nullopt;
  return now + std::chrono::seconds(*seconds);
}

Result<std::optional<Month>> AdminBody::month(std::string_view name) const {
  const auto text = TRY(fields_.string(name));
  if (!text) return std::nullopt;
  auto month = parse_month(*text);
  if (!month) month.error().param = fields_.path_of(name);
  return TRY(month);
}

std::vector<std::string> query_values(const net::Request& request, std::string_view name) {
  std::vector<std::string> values;
  const size_t mark = request.target.find('?');
  if (mark == request.target.npos) return values;
  std::string_view rest = std::string_view(request.target).substr(mark + 1);
  const std::string listed = std::string(name) + "[]";
  while (!rest.empty()) {
    std::string_view value = net::next_part(rest, '&');
    const std::string key = decoded(net::next_part(value, '='));
    if (key != name && key != listed) continue;
    while (!value.empty()) values.push_back(decoded(net::next_part(value, ',')));
  }
  return values;
}

Result<Page> read_page(const net::Request& request) {
  Page page;
  if (const auto after = query_values(request, "after"); !after.empty()) page.after = after.front();
  const auto limit = query_values(request, "limit");
  if (limit.empty()) return page;
  const std::string& text = limit.front();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), page.limit);
  if (error != std::errc() || end != text.data() + text.size() || page.limit < 1 || page.limit > kPageMax) {
    return invalid("limit", "'limit' must be from 1 to {}", kPageMax);
  }
  return page;
}

std::unexpected<Error> unknown_cursor(const Page& page) {
  return invalid("after", "'after' is '{}', which is not in this list: begin again without it", page.after);
}

std::string_view deletable_id_prefix(std::string_view type) {
  constexpr std::pair<std::string_view, std::string_view> kPrefixes[] = {{"member", "user"},
                                                                         {"invite", "invite"},
                                                                         {"service_account", "svc"},
                                                                         {"limit", "lim"},
                                                                         {"webhook", "whk"}};
  for (const auto& [deletable, prefix] : kPrefixes) {
    if (deletable == type) return prefix;
  }
  return {};
}

std::string list_reply(json::array items, const Page& page) {
  return json::serialize(list_json(std::move(items), page));
}

json::object list_json(json::array items, const Page& page) {
  const bool more = std::ssize(items) > page.limit;
  if (more) items.resize(static_cast<size_t>(page.limit));
  const auto id_of = [](const json::value& item) { return item.as_object().at("id"); };
  json::object list{{"object", "list"},
                    {"first_id", items.empty() ? json::value(nullptr) : id_of(items.front())},
                    {"last_id", items.empty() ? json::value(nullptr) : id_of(items.back())},
                    {"has_more", more}};
  list["data"] = std::move(items);
  return list;
}

Result<json::array> behind_cursor(json::array all, const Page& page) {
  if (page.after.empty()) return all;
  const auto* at = std::ranges::find_if(
      all, [&](const json::value& item) { return item.as_object().at("id").as_string() == page.after; });
  if (at == all.end()) return unknown_cursor(page);
  all.erase(all.begin(), at + 1);
  return all;
}

json::value unix_seconds(const std::optional<WallTime>& time) {
  if (!time) return nullptr;
  return std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch().count();
}

std::string deleted_reply(std::string_view id, std::string_view object) {
  return json::serialize(json::object{{"id", id}, {"object", object}, {"deleted", true}});
}

}  // namespace feilun::gateway
