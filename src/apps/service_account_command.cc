#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/tenant_records.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::NewKey;
using ledger::ServiceAccount;
using ledger::State;

constexpr int64_t kListMax = 1'000'000;

struct AccountOptions : LedgerAccess {
  std::string name;
  std::string id;
};

/// Prints the account's first key: an account without one can do nothing.
Result<> create(const AccountOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  const auto made = TRY(ledger->write<NewKey>([&](Books& books) -> Result<NewKey> {
    const auto account = TRY(books.create_service_account(options.project, options.name));
    return books.create_key({.parent = account.project_id, .name = account.name, .owner = account.id});
  }));
  fmt::print("{}\n", made.secret);
  return {};
}

Result<> list(const AccountOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const std::string project = TRY(ledger->find_project(options.project)).id;
  return ledger->read<void>([&](State& state) -> Result<> {
    fmt::print("{:<33} {:<25} {}\n", "ID", "CREATED", "NAME");
    for (const auto& record : TRY(ledger::records_of(state, "service_account", project, kListMax))) {
      const ServiceAccount account = TRY(ledger::service_account_from(record));
      fmt::print("{:<33} {:<25} {}\n", account.id, format_time(account.created), account.name);
    }
    return {};
  });
}

Result<> rename(const AccountOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto renamed = TRY(ledger->write<ServiceAccount>(
      [&](Books& books) { return books.change_service_account(options.id, options.name); }));
  fmt::print("{} is {}\n", renamed.id, renamed.name);
  return {};
}

Result<> remove(const AccountOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  TRY(ledger->write<void>([&](Books& books) { return books.remove_service_account(options.id); }));
  fmt::print("removed {}, and revoked its keys\n", options.id);
  return {};
}

}  // namespace

void add_service_account_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "service-account", "Machines that act for a project with their own keys");
  auto options = std::make_shared<AccountOptions>();

  CLI::App* create_command =
      group->add_subcommand("create", "Make a service account and print its first key, once");
  create_command->footer("A second key: feilun key create --service-account ID");
  add_data_option(create_command, *options);
  add_project_option(create_command, *options);
  create_command->add_option("name", options->name, "What it is, such as ci")->required();
  on_chosen(create_command, chosen, options, create);

  CLI::App* list_command = group->add_subcommand("list", "List a project's service accounts");
  add_data_option(list_command, *options);
  add_project_option(list_command, *options);
  on_chosen(list_command, chosen, options, list);

  CLI::App* rename_command = group->add_subcommand("rename", "Give a service account another name");
  add_data_option(rename_command, *options);
  rename_command->add_option("id", options->id, "As `feilun service-account list` shows it")->required();
  rename_command->add_option("name", options->name, "The new name")->required();
  on_chosen(rename_command, chosen, options, rename);

  CLI::App* remove_command = group->add_subcommand("remove", "Remove a service account and revoke its keys");
  add_data_option(remove_command, *options);
  remove_command->add_option("id", options->id, "As `feilun service-account list` shows it")->required();
  on_chosen(remove_command, chosen, options, remove);
}

}  // namespace feilun::apps
