#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"

namespace feilun::apps {
namespace {

struct KeyOptions : LedgerAccess {
  std::string name;
  std::string id;
  bool admin = false;
};

Result<> create(const KeyOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  const auto role = options.admin ? ledger::KeyRole::kAdmin : ledger::KeyRole::kProject;
  const ledger::NewKey made = TRY(ledger->create_key(options.project, options.name, role));
  fmt::print("{}\n", made.secret);
  return {};
}

Result<> list(const KeyOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const std::vector<ledger::Key> keys = TRY(ledger->keys(options.project));
  fmt::print("{:<34}{:<24}{:<9}{:<26}{}\n", "ID", "KEY", "ROLE", "CREATED", "NAME");
  for (const ledger::Key& key : keys) {
    fmt::print("{:<34}{:<24}{:<9}{:<26}{}{}\n", key.id, key.hint,
               key.role == ledger::KeyRole::kAdmin ? "admin" : "project", format_time(key.created), key.name,
               key.revoked ? " (revoked " + format_time(*key.revoked) + ")" : "");
  }
  return {};
}

Result<> revoke(const KeyOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  TRY(ledger->revoke_key(options.id));
  fmt::print("revoked {}\n", options.id);
  return {};
}

}  // namespace

void add_key_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "key", "API keys of a project");
  auto options = std::make_shared<KeyOptions>();

  CLI::App* create_command =
      group->add_subcommand("create", "Make a key and print it, alone; it is shown only once");
  add_data_option(create_command, *options);
  add_project_option(create_command, *options);
  create_command->add_option("--name", options->name, "What the key is for");
  create_command->add_flag("--admin", options->admin, "An administrator's key");
  on_chosen(create_command, chosen, options, create);

  CLI::App* list_command = group->add_subcommand("list", "List a project's keys");
  add_data_option(list_command, *options);
  add_project_option(list_command, *options);
  on_chosen(list_command, chosen, options, list);

  CLI::App* revoke_command = group->add_subcommand("revoke", "Revoke a key: it is refused within a second");
  add_data_option(revoke_command, *options);
  revoke_command->add_option("id", options->id, "The key's id, as `feilun key list` shows it")->required();
  on_chosen(revoke_command, chosen, options, revoke);
}

}  // namespace feilun::apps
