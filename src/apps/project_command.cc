#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"

namespace feilun::apps {
namespace {

struct ProjectOptions : LedgerAccess {
  std::string name;
  std::string currency = "CNY";
};

Result<> create(const ProjectOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  const std::string currency = TRY(parse_currency(options.currency));
  fmt::print("{}\n", TRY(ledger->create_project(options.name, currency)).id);
  return {};
}

Result<> list(const ProjectOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  fmt::print("{:<34}{:<20}{:>24} {}\n", "ID", "NAME", "AVAILABLE", "CURRENCY");
  for (const ledger::Project& project : TRY(ledger->projects())) {
    const ledger::Balance balance = TRY(ledger->balance(project.id));
    fmt::print("{:<34}{:<20}{:>24} {}\n", project.id, project.name, balance.available().to_string(),
               balance.currency);
  }
  return {};
}

}  // namespace

void add_project_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "project", "Projects: each has a wallet and keys of its own");
  auto options = std::make_shared<ProjectOptions>();

  CLI::App* create_command = group->add_subcommand("create", "Make a project and print its id");
  add_data_option(create_command, *options);
  create_command->add_option("name", options->name, "A short name")->required();
  create_command->add_option("--currency", options->currency, "Of its wallet")->capture_default_str();
  on_chosen(create_command, chosen, options, create);

  CLI::App* list_command = group->add_subcommand("list", "List projects and what they may spend");
  add_data_option(list_command, *options);
  on_chosen(list_command, chosen, options, list);
}

}  // namespace feilun::apps
