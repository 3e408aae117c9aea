// /v1/organization/projects/{project_id}/api_keys and /v1/organization/admin_api_keys
#include <algorithm>

#include "gateway/admin_json.h"
#include "gateway/admin_routes.h"
#include "ledger/tenant_records.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::Key;
using ledger::NewKey;
using ledger::State;

json::array texts(const std::vector<std::string>& values) {
  return json::array(values.begin(), values.end());
}

/// nullopt when the body names no scope.
Result<std::optional<ledger::KeyScope>> read_scope(const AdminBody& body) {
  const auto models = TRY(body.texts("models"));
  const auto endpoints = TRY(body.texts("endpoints"));
  const auto networks = TRY(body.texts("ip_ranges"));
  if (!models && !endpoints && !networks) return std::nullopt;
  ledger::KeyScope scope{.models = models.value_or(std::vector<std::string>()),
                         .endpoints = endpoints.value_or(std::vector<std::string>())};
  if (networks) scope.networks = TRY(ledger::parse_networks(*networks));
  return scope;
}

/// The key in the path, of the project in the path.
Result<Key> project_key(const AdminCall& call, State& state) {
  const std::string project = TRY(call.project(state)).id;
  const std::string& id = call.path_values.at(1);
  return only_own(ledger::find_key(state, id), "key", id,
                  [&](const Key& found) { return found.project_id == project && !found.revoked; });
}

/// The same, for whoever has a say in it.
Result<Key> managed_key(const AdminCall& call, State& state) {
  Key key = TRY(project_key(call, state));
  TRY(call.check_owner(state, key.project_id, key.owner));
  return key;
}

Result<Key> admin_key(const AdminCall& call, State& state) {
  const std::string& id = call.path_values.at(0);
  return only_own(ledger::find_key(state, id), "administrator's key", id, [&](const Key& found) {
    return found.role == ledger::KeyRole::kAdmin && found.organisation == call.organisation && !found.revoked;
  });
}

Result<std::string> project_key_reply(AdminCall& call, const Key& key, std::string_view secret = {}) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    json::object shown = project_key_json(key, TRY(owner_json(state, key, call.organisation)));
    if (!secret.empty()) shown["value"] = secret;
    return json::serialize(shown);
  });
}

}  // namespace

Result<json::object> admin_key_json(State& state, const Key& key) {
  json::object owner{{"type", "user"}, {"object", "organization.user"}};
  if (!key.owner.empty()) {
    const auto member = ledger::find_member(state, key.organisation, key.owner);
    owner["id"] = key.owner;
    if (member) {
      owner["name"] = member->name;
      owner["created_at"] = unix_seconds(member->added);
    }
  }
  owner["role"] = name_of(key.organisation_role);
  return json::object{{"id", key.id},
                      {"object", "organization.admin_api_key"},
                      {"name", key.name},
                      {"redacted_value", key.hint},
                      {"created_at", unix_seconds(key.created)},
                      {"expires_at", unix_seconds(key.expires)},
                      {"last_used_at", nullptr},
                      {"role", name_of(key.organisation_role)},
                      {"owner", std::move(owner)}};
}

json::object project_key_json(const Key& key, json::object owner) {
  static const ledger::KeyScope kNoScope;
  const ledger::KeyScope& scope = key.scope ? *key.scope : kNoScope;
  json::array networks;
  for (const ledger::Network& network : scope.networks) networks.emplace_back(network.text());
  return {{"id", key.id},
          {"object", "organization.project.api_key"},
          {"name", key.name},
          {"redacted_value", key.hint},
          {"created_at", unix_seconds(key.created)},
          {"expires_at", unix_seconds(key.expires)},
          {"last_used_at", nullptr},
          {"owner", std::move(owner)},
          {"owner_project_access", "active"},
          {"models", texts(scope.models)},
          {"endpoints", texts(scope.endpoints)},
          {"ip_ranges", std::move(networks)}};
}

Result<json::object> owner_json(State& state, const Key& key, std::string_view organisation) {
  if (key.owner.starts_with("svc_")) {
    const auto account = ledger::find_service_account(state, key.owner);
    if (!account) return json::object();
    return json::object{{"type", "service_account"}, {"service_account", service_account_json(*account)}};
  }
  if (key.owner.empty()) return json::object();
  const auto member = ledger::find_member(state, organisation, key.owner);
  if (!member) return json::object();
  json::object user = user_json(*member);
  user["created_at"] = unix_seconds(member->added);
  return json::object{{"type", "user"}, {"user", std::move(user)}};
}

Result<std::string> list_project_keys(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const std::string project = TRY(call.project(state)).id;
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      const Key key = TRY(ledger::key_from(record)).key;
      if (key.revoked) return std::nullopt;
      return project_key_json(key, TRY(owner_json(state, key, call.organisation)));
    };
    return list_records(state, "key", project, page, show);
  });
}

Result<std::string> create_project_key(AdminCall& call) {
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"name", "expires_in_seconds", "models", "endpoints", "ip_ranges"}));
  ledger::KeyRequest request{.name = TRY(body.text("name")).value_or("")};
  request.expires = TRY(body.expiry(call.now));
  request.scope = TRY(read_scope(body)).value_or(ledger::KeyScope());
  request.owner = call.own_member();
  const NewKey made = TRY(call.write<NewKey>([&](Books& books) -> Result<NewKey> {
    request.parent = TRY(call.project(books.state())).id;
    TRY(call.check_owner(books.state(), request.parent, request.owner));
    return books.create_key(request);
  }));
  return project_key_reply(call, made.key, made.secret);
}

Result<std::string> show_project_key(AdminCall& call) {
  const Key key = TRY(call.read<Key>([&](State& state) { return project_key(call, state); }));
  return project_key_reply(call, key);
}

Result<std::string> change_project_key(AdminCall& call) {
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"name", "expires_in_seconds", "models", "endpoints", "ip_ranges"}));
  ledger::KeyChange change{.name = TRY(body.text("name"))};
  if (const auto expires = TRY(body.expiry(call.now))) change.expires = expires;
  change.scope = TRY(read_scope(body));
  const Key changed = TRY(call.write<Key>([&](Books& books) -> Result<Key> {
    return books.change_key(TRY(managed_key(call, books.state())).id, change);
  }));
  return project_key_reply(call, changed);
}

Result<std::string> rotate_project_key(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"overlap_seconds"}));
  const int64_t overlap = TRY(body.fields().integer("overlap_seconds", 0, kKeySecondsMax)).value_or(0);
  const NewKey made = TRY(call.write<NewKey>([&](Books& books) -> Result<NewKey> {
    const Key key = TRY(managed_key(call, books.state()));
    return books.rotate_key(key.id, call.now + std::chrono::seconds(overlap));
  }));
  return project_key_reply(call, made.key, made.secret);
}

Result<std::string> revoke_project_key(AdminCall& call) {
  TRY(call.write<void>(
      [&](Books& books) -> Result<> { return books.revoke_key(TRY(managed_key(call, books.state())).id); }));
  return deleted_reply(call.path_values.at(1), "organization.project.api_key.deleted");
}

Result<std::string> list_admin_keys(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  const bool newest_first = call.request.query("order").value_or("asc") == "desc";
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    std::vector<Key> keys = TRY(ledger::keys_under(state, call.organisation));
    if (!page.after.empty() && std::ranges::find(keys, page.after, &Key::id) == keys.end()) {
      return unknown_cursor(page);
    }
    std::erase_if(keys, [](const Key& key) { return key.revoked.has_value(); });
    if (newest_first) std::ranges::reverse(keys);
    json::array items;
    for (const Key& key : keys) {
      const bool before = newest_first ? key.id >= page.after : key.id <= page.after;
      if (!page.after.empty() && before) continue;
      items.push_back(TRY(admin_key_json(state, key)));
      if (std::ssize(items) > page.limit) break;
    }
    return list_reply(std::move(items), page);
  });
}

Result<std::string> create_admin_key(AdminCall& call) {
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"name", "role", "expires_in_seconds", "user_id"}));
  ledger::KeyRequest request{.parent = call.organisation,
                             .name = TRY(body.required("name")),
                             .role = ledger::KeyRole::kAdmin,
                             .organisation_role = call.key.organisation_role};
  if (const auto role = TRY(body.text("role"))) request.organisation_role = TRY(ledger::parse_role(*role));
  request.expires = TRY(body.expiry(call.now));
  if (const auto member = TRY(body.text("user_id"))) {
    const auto owner = TRY(call.read<ledger::Member>(
        [&](State& state) { return ledger::find_member(state, call.organisation, *member); }));
    request.owner = owner.id;
    request.organisation_role = owner.role;
  } else if (request.organisation_role == call.key.organisation_role) {
    // A key with another role than its maker's is nobody's: who owns a key has its role.
    request.owner = call.own_member();
  }
  TRY(call.check_grant(request.organisation_role));
  const NewKey made = TRY(call.write<NewKey>([&](Books& books) { return books.create_key(request); }));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    json::object shown = TRY(admin_key_json(state, made.key));
    shown["value"] = made.secret;
    return json::serialize(shown);
  });
}

Result<std::string> show_admin_key(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const Key key = TRY(admin_key(call, state));
    return json::serialize(TRY(admin_key_json(state, key)));
  });
}

Result<std::string> revoke_admin_key(AdminCall& call) {
  TRY(call.write<void>([&](Books& books) -> Result<> {
    const Key key = TRY(admin_key(call, books.state()));
    TRY(call.check_grant(key.organisation_role));
    return books.revoke_key(key.id);
  }));
  return deleted_reply(call.path_values.at(0), "organization.admin_api_key.deleted");
}

}  // namespace feilun::gateway
