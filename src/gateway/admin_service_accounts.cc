// /v1/organization/projects/{project_id}/service_accounts
#include "gateway/admin_json.h"
#include "gateway/admin_routes.h"
#include "ledger/tenant_records.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::NewKey;
using ledger::ServiceAccount;
using ledger::State;

Result<ServiceAccount> account_of(const AdminCall& call, State& state) {
  const std::string project = TRY(call.project(state)).id;
  const std::string& id = call.path_values.at(1);
  return only_own(ledger::find_service_account(state, id), "service account", id,
                  [&](const ServiceAccount& found) { return found.project_id == project; });
}

/// The same, to be changed: by an owner of the project.
Result<ServiceAccount> managed_account(const AdminCall& call, State& state) {
  ServiceAccount account = TRY(account_of(call, state));
  TRY(call.check_owner(state, account.project_id, account.id));
  return account;
}

json::object new_key_json(const NewKey& made) {
  return {{"id", made.key.id},
          {"object", "organization.project.service_account.api_key"},
          {"name", made.key.name},
          {"created_at", unix_seconds(made.key.created)},
          {"expires_at", unix_seconds(made.key.expires)},
          {"value", made.secret}};
}

struct MadeAccount {
  ServiceAccount account;
  std::optional<NewKey> key;
};

}  // namespace

json::object service_account_json(const ServiceAccount& account) {
  return {{"id", account.id},
          {"object", "organization.project.service_account"},
          {"name", account.name},
          {"role", name_of(account.role)},
          {"created_at", unix_seconds(account.created)}};
}

Result<std::string> list_service_accounts(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    const std::string project = TRY(call.project(state)).id;
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      return service_account_json(TRY(ledger::service_account_from(record)));
    };
    return list_records(state, "service_account", project, page, show);
  });
}

Result<std::string> create_service_account(AdminCall& call) {
  const AdminBody body =
      TRY(AdminBody::read(call.request, {"name", "create_service_account_only", "expires_in_seconds"}));
  const std::string name = TRY(body.required("name"));
  const bool alone = TRY(body.fields().boolean("create_service_account_only")).value_or(false);
  const auto expires = TRY(body.expiry(call.now));
  const MadeAccount made = TRY(call.write<MadeAccount>([&](Books& books) -> Result<MadeAccount> {
    const std::string project = TRY(call.project(books.state())).id;
    TRY(call.check_owner(books.state(), project, "a service account"));
    MadeAccount both{.account = TRY(books.create_service_account(project, name))};
    if (!alone) {
      both.key = TRY(
          books.create_key({.parent = project, .name = name, .owner = both.account.id, .expires = expires}));
    }
    return both;
  }));
  json::object shown = service_account_json(made.account);
  shown["api_key"] = made.key ? json::value(new_key_json(*made.key)) : json::value(nullptr);
  return json::serialize(shown);
}

Result<std::string> show_service_account(AdminCall& call) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    return json::serialize(service_account_json(TRY(account_of(call, state))));
  });
}

Result<std::string> change_service_account(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"name"}));
  const auto name = TRY(body.text("name"));
  const auto changed = TRY(call.write<ServiceAccount>([&](Books& books) -> Result<ServiceAccount> {
    return books.change_service_account(TRY(managed_account(call, books.state())).id, name);
  }));
  return json::serialize(service_account_json(changed));
}

Result<std::string> remove_service_account(AdminCall& call) {
  TRY(call.write<void>([&](Books& books) -> Result<> {
    return books.remove_service_account(TRY(managed_account(call, books.state())).id);
  }));
  return deleted_reply(call.path_values.at(1), "organization.project.service_account.deleted");
}

Result<std::string> create_service_account_key(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"name", "expires_in_seconds"}));
  const auto name = TRY(body.text("name"));
  const auto expires = TRY(body.expiry(call.now));
  const NewKey made = TRY(call.write<NewKey>([&](Books& books) -> Result<NewKey> {
    const ServiceAccount account = TRY(managed_account(call, books.state()));
    return books.create_key({.parent = account.project_id,
                             .name = name.value_or(account.name),
                             .owner = account.id,
                             .expires = expires});
  }));
  return json::serialize(new_key_json(made));
}

}  // namespace feilun::gateway
