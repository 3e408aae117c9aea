#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::Key;
using ledger::NewKey;

struct KeyOptions : LedgerAccess {
  std::string name;
  std::string id;
  bool admin = false;
  std::string organisation;
  std::string role = "owner";
  std::string member;
  std::string account;
  std::string expires;
  std::vector<std::string> models;
  std::vector<std::string> endpoints;
  std::vector<std::string> networks;
  int64_t overlap_minutes = 0;
};

struct ChangeOptions : LedgerAccess {
  std::string id;
  std::optional<std::string> name;
  std::string expires;
  std::vector<std::string> models, endpoints, networks;  ///< empty: not given
  bool for_everything = false;

  bool narrows() const { return !models.empty() || !endpoints.empty() || !networks.empty(); }
};

constexpr std::string_view kNever = "never";

Result<ledger::KeyScope> scope_of(const KeyOptions& options) {
  return ledger::KeyScope{.models = options.models,
                          .endpoints = options.endpoints,
                          .networks = TRY(ledger::parse_networks(options.networks))};
}

/// The key is the member's: an administrator's has their role, and it ends with them.
Result<> give_to_member(ledger::State& state, const std::string& email_or_id, ledger::KeyRequest& request) {
  const bool admin = request.role == ledger::KeyRole::kAdmin;
  const std::string organisation = admin ? TRY(ledger::organisation_of(state, request.parent)).id
                                         : TRY(ledger::find_project(state, request.parent)).organisation;
  const auto member = TRY(ledger::find_member(state, organisation, email_or_id));
  request.owner = member.id;
  request.organisation_role = member.role;
  return {};
}

/// The key is the machine's, of its project; it ends with the account.
Result<> give_to_account(ledger::State& state, const std::string& id, ledger::KeyRequest& request) {
  const auto account = TRY(ledger::find_service_account(state, id));
  request.parent = account.project_id;
  request.owner = account.id;
  if (request.name.empty()) request.name = account.name;
  return {};
}

Result<> create(const KeyOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  ledger::KeyRequest request{.parent = options.project, .name = options.name};
  request.scope = TRY(scope_of(options));
  if (!options.expires.empty()) request.expires = TRY(parse_time(options.expires));
  if (options.admin) {
    request.role = ledger::KeyRole::kAdmin;
    request.organisation_role = TRY(ledger::parse_role(options.role));
    request.parent = options.organisation.empty() ? TRY(ledger->find_project(options.project)).organisation
                                                  : options.organisation;
  }
  const auto made = TRY(ledger->write<NewKey>([&](Books& books) -> Result<NewKey> {
    if (!options.member.empty()) TRY(give_to_member(books.state(), options.member, request));
    if (!options.account.empty()) TRY(give_to_account(books.state(), options.account, request));
    return books.create_key(request);
  }));
  fmt::print("{}\n", made.secret);
  return {};
}

std::string ending(const Key& key) {
  if (key.revoked) return " (revoked " + format_time(*key.revoked) + ")";
  if (key.expires) return " (until " + format_time(*key.expires) + ")";
  return "";
}

Result<> list(const KeyOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const ledger::Project project = TRY(ledger->find_project(options.project));
  const auto keys = TRY(ledger->read<std::vector<Key>>([&](ledger::State& state) -> Result<std::vector<Key>> {
    std::vector<Key> all = TRY(ledger::keys_under(state, project.id));
    for (Key& key : TRY(ledger::keys_under(state, project.organisation))) all.push_back(std::move(key));
    return all;
  }));
  fmt::print("{:<33} {:<23} {:<10} {:<25} {}\n", "ID", "KEY", "ROLE", "CREATED", "NAME");
  for (const Key& key : keys) {
    const bool admin = key.role == ledger::KeyRole::kAdmin;
    fmt::print("{:<33} {:<23} {:<10} {:<25} {}{}\n", key.id, key.hint,
               admin ? name_of(key.organisation_role) : "project", format_time(key.created), key.name,
               ending(key));
  }
  return {};
}

/// What is not given of it stays.
Result<std::optional<ledger::KeyScope>> changed_scope(const Key& key, const ChangeOptions& options) {
  if (options.for_everything) return ledger::KeyScope();
  if (!options.narrows()) return std::nullopt;
  ledger::KeyScope scope = key.scope ? *key.scope : ledger::KeyScope();
  if (!options.models.empty()) scope.models = options.models;
  if (!options.endpoints.empty()) scope.endpoints = options.endpoints;
  if (!options.networks.empty()) scope.networks = TRY(ledger::parse_networks(options.networks));
  return scope;
}

void print_scope(const Key& key) {
  if (!key.scope || key.scope->empty()) return fmt::print("it may be used for everything\n");
  std::vector<std::string> networks;
  for (const ledger::Network& network : key.scope->networks) networks.push_back(network.text());
  const auto print = [](const char* what, const std::vector<std::string>& allowed) {
    if (!allowed.empty()) fmt::print("{} {}\n", what, fmt::join(allowed, ", "));
  };
  print("models     ", key.scope->models);
  print("endpoints  ", key.scope->endpoints);
  print("addresses  ", networks);
}

Result<> change(const ChangeOptions& options) {
  if (!options.name && options.expires.empty() && !options.narrows() && !options.for_everything) {
    return fail(ErrorCode::kInvalidArgument, "say what to change: see feilun key change --help");
  }
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  ledger::KeyChange change{.name = options.name};
  if (options.expires == kNever) change.expires.emplace(std::nullopt);
  if (!options.expires.empty() && options.expires != kNever)
    change.expires = TRY(parse_time(options.expires));
  const Key changed = TRY(ledger->write<Key>([&](Books& books) -> Result<Key> {
    change.scope = TRY(changed_scope(TRY(ledger::find_key(books.state(), options.id)), options));
    return books.change_key(options.id, change);
  }));
  fmt::print("{}  {}  {}{}\n", changed.id, changed.hint, changed.name, ending(changed));
  print_scope(changed);
  return {};
}

Result<> rotate(const KeyOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const WallTime until = SystemClock().wall() + std::chrono::minutes(options.overlap_minutes);
  const auto made =
      TRY(ledger->write<NewKey>([&](Books& books) { return books.rotate_key(options.id, until); }));
  fmt::print("{}\n", made.secret);
  return {};
}

Result<> revoke(const KeyOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  TRY(ledger->revoke_key(options.id));
  fmt::print("revoked {}\n", options.id);
  return {};
}

void add_create_command(CLI::App* group, const std::shared_ptr<KeyOptions>& options, Run& chosen) {
  CLI::App* command =
      group->add_subcommand("create", "Make a key and print it, alone; it is shown only once");
  add_data_option(command, *options);
  add_project_option(command, *options);
  command->add_option("--name", options->name, "What the key is for");
  command->add_option("--expires", options->expires,
                      "Refused from then on: 2026-12-01 or 2026-12-01T08:30:00Z");
  command->add_option("--model", options->models,
                      "Allow this model only; again for more; big-* for a family");
  command->add_option("--endpoint", options->endpoints, "Allow this path only, such as /v1/embeddings");
  command->add_option("--ip", options->networks,
                      "Allow clients of this range only, such as 192.0.2.0/24 or 2001:db8::/32");
  command->add_flag("--admin", options->admin, "An administrator's key: for the admin API, not for models");
  command->add_option("--organisation", options->organisation,
                      "Of an administrator's key; the project's if not given");
  command
      ->add_option("--role", options->role,
                   "Of an administrator's key: owner, admin, developer, billing or auditor")
      ->capture_default_str();
  CLI::Option* member =
      command->add_option("--member", options->member,
                          "Whose it is, by address or id: an administrator's key has the member's role");
  command
      ->add_option(
          "--service-account", options->account,
          "Whose it is, by id as `feilun service-account list` shows it; the project is the account's")
      ->excludes(member)
      ->excludes("--admin");
  on_chosen(command, chosen, options, create);
}

void add_change_command(CLI::App* group, Run& chosen) {
  auto options = std::make_shared<ChangeOptions>();
  CLI::App* command = group->add_subcommand(
      "change", "Give a key another name, end or scope; what is not given stays, and so does its secret");
  add_data_option(command, *options);
  command->add_option("id", options->id, "The key's id, as `feilun key list` shows it")->required();
  command->add_option("--name", options->name, "What the key is for");
  command->add_option("--expires", options->expires,
                      "Refused from then on: 2026-12-01 or 2026-12-01T08:30:00Z; never");
  const std::string in_place = "; again for more, in the place of those that it has";
  command->add_option("--model", options->models, "Allow these models only" + in_place);
  command->add_option("--endpoint", options->endpoints, "Allow these paths only" + in_place);
  command->add_option("--ip", options->networks, "Allow clients of these ranges only" + in_place);
  command->add_flag("--for-everything", options->for_everything, "Allow all models, paths and addresses")
      ->excludes("--model")
      ->excludes("--endpoint")
      ->excludes("--ip");
  command->footer("  feilun key change key_01J… --model feilun-nano --expires 2027-01-01");
  on_chosen(command, chosen, options, change);
}

}  // namespace

void add_key_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "key", "API keys of a project, and administrators' keys");
  auto options = std::make_shared<KeyOptions>();
  add_create_command(group, options, chosen);

  CLI::App* list_command =
      group->add_subcommand("list", "List a project's keys and its organisation's administrators'");
  add_data_option(list_command, *options);
  add_project_option(list_command, *options);
  on_chosen(list_command, chosen, options, list);

  add_change_command(group, chosen);

  CLI::App* rotate_command =
      group->add_subcommand("rotate", "Print a new secret for the same key; the old one may overlap");
  add_data_option(rotate_command, *options);
  rotate_command->add_option("id", options->id, "The key's id, as `feilun key list` shows it")->required();
  rotate_command
      ->add_option("--overlap", options->overlap_minutes, "Minutes for which the old secret is good still")
      ->check(CLI::Range(0, 10 * 366 * 24 * 60))
      ->capture_default_str();
  on_chosen(rotate_command, chosen, options, rotate);

  CLI::App* revoke_command = group->add_subcommand("revoke", "Revoke a key: it is refused within a second");
  add_data_option(revoke_command, *options);
  revoke_command->add_option("id", options->id, "The key's id, as `feilun key list` shows it")->required();
  on_chosen(revoke_command, chosen, options, revoke);
}

}  // namespace feilun::apps
