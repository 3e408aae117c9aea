#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::Project;

struct ProjectOptions : LedgerAccess {
  std::string name;
  std::string new_name;
  std::string organisation = "default";
  std::string currency;
};

Result<> create(const ProjectOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  const auto made = TRY(ledger->write<Project>([&](Books& books) -> Result<Project> {
    std::string currency = options.currency;
    if (currency.empty()) {
      currency = TRY(ledger::organisation_of(books.state(), options.organisation)).currency;
    }
    return books.create_project(options.name, currency.empty() ? "CNY" : currency, options.organisation);
  }));
  fmt::print("{}\n", made.id);
  return {};
}

Result<> list(const ProjectOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  fmt::print("{:<33} {:<19} {:<31} {:>24} {}\n", "ID", "NAME", "ORGANISATION", "AVAILABLE", "CURRENCY");
  for (const Project& project : TRY(ledger->projects())) {
    const ledger::Balance balance = TRY(ledger->balance(project.id));
    fmt::print("{:<33} {:<19} {:<31} {:>24} {}{}\n", project.id, project.name, project.organisation,
               balance.available().to_string(), balance.currency, project.archived ? " (archived)" : "");
  }
  return {};
}

Result<> rename(const ProjectOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto renamed = TRY(ledger->write<Project>(
      [&](Books& books) { return books.rename_project(options.project, options.new_name); }));
  fmt::print("{} is {}\n", renamed.id, renamed.name);
  return {};
}

Result<> archive(const ProjectOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto archived =
      TRY(ledger->write<Project>([&](Books& books) { return books.archive_project(options.project); }));
  fmt::print("archived {}: its keys are refused within a second\n", archived.name);
  return {};
}

Result<> restore(const ProjectOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto restored =
      TRY(ledger->write<Project>([&](Books& books) { return books.restore_project(options.project); }));
  fmt::print("restored {}: its keys are good again within a second\n", restored.name);
  return {};
}

}  // namespace

void add_project_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "project", "Projects: what keys belong to and usage is counted by");
  auto options = std::make_shared<ProjectOptions>();

  CLI::App* create_command = group->add_subcommand("create", "Make a project and print its id");
  add_data_option(create_command, *options);
  create_command->add_option("name", options->name, "A short name")->required();
  create_command
      ->add_option("--organisation", options->organisation,
                   "Whose wallet pays; in 'default' the project has a wallet of its own")
      ->capture_default_str();
  create_command->add_option("--currency", options->currency,
                             "Of its wallet; the organisation's if not given, else CNY");
  on_chosen(create_command, chosen, options, create);

  CLI::App* list_command = group->add_subcommand("list", "List projects and what they may spend");
  add_data_option(list_command, *options);
  on_chosen(list_command, chosen, options, list);

  const std::string which = "Its id, or its name: ORGANISATION/NAME where it is a customer's";
  CLI::App* rename_command = group->add_subcommand("rename", "Give a project another name");
  add_data_option(rename_command, *options);
  rename_command->add_option("project", options->project, which)->required();
  rename_command->add_option("name", options->new_name, "The new name")->required();
  on_chosen(rename_command, chosen, options, rename);

  CLI::App* archive_command =
      group->add_subcommand("archive", "Refuse a project's keys from now on; its history stays");
  add_data_option(archive_command, *options);
  archive_command->add_option("project", options->project, which)->required();
  on_chosen(archive_command, chosen, options, archive);

  CLI::App* restore_command =
      group->add_subcommand("restore", "Undo an archiving: all keys that were not revoked are good again");
  add_data_option(restore_command, *options);
  restore_command->add_option("project", options->project, which)->required();
  on_chosen(restore_command, chosen, options, restore);
  add_project_member_commands(*group, chosen);
}

}  // namespace feilun::apps
