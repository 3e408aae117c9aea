#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::Organisation;

struct OrganisationOptions : LedgerAccess {
  std::string organisation;
  std::string name;
  std::string currency = "CNY";
  std::string time_zone;
};

Result<> create(const OrganisationOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  Organisation organisation{.name = options.name, .currency = options.currency};
  if (!options.time_zone.empty()) organisation.time_zone = options.time_zone;
  const auto made =
      TRY(ledger->write<Organisation>([&](Books& books) { return books.create_organisation(organisation); }));
  fmt::print("{}\n", made.id);
  return {};
}

Result<> list(const OrganisationOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto all = TRY(ledger->read<std::vector<Organisation>>(
      [](ledger::State& state) { return ledger::all_organisations(state); }));
  fmt::print("{:<32}{:<24}{:<9}{:<20}{}\n", "ID", "NAME", "CURRENCY", "TIME ZONE", "ARCHIVED");
  for (const Organisation& each : all) {
    fmt::print("{:<32}{:<24}{:<9}{:<20}{}\n", each.id, each.name, each.currency, each.time_zone,
               each.archived ? format_time(*each.archived) : "");
  }
  return {};
}

Result<> change(const OrganisationOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  ledger::OrganisationChange change;
  if (!options.name.empty()) change.name = options.name;
  if (!options.time_zone.empty()) change.time_zone = options.time_zone;
  const auto changed = TRY(ledger->write<Organisation>(
      [&](Books& books) { return books.change_organisation(options.organisation, change); }));
  fmt::print("{} is {}, in {}\n", changed.id, changed.name, changed.time_zone);
  return {};
}

Result<> archive(const OrganisationOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto archived = TRY(ledger->write<Organisation>(
      [&](Books& books) { return books.archive_organisation(options.organisation); }));
  fmt::print("archived {}: its keys are refused within a second\n", archived.name);
  return {};
}

}  // namespace

void add_organisation_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "organisation",
                              "Customers: each has one wallet for all its projects, members and "
                              "administrators' keys of its own");
  auto options = std::make_shared<OrganisationOptions>();

  CLI::App* create_command = group->add_subcommand("create", "Make an organisation and print its id");
  add_data_option(create_command, *options);
  create_command->add_option("name", options->name, "A short name, such as acme")->required();
  create_command->add_option("--currency", options->currency, "Of its wallet")->capture_default_str();
  create_command->add_option("--time-zone", options->time_zone,
                             "Where its months begin, such as Asia/Shanghai; UTC if not given");
  on_chosen(create_command, chosen, options, create);

  CLI::App* list_command = group->add_subcommand("list", "List organisations");
  add_data_option(list_command, *options);
  on_chosen(list_command, chosen, options, list);

  CLI::App* change_command = group->add_subcommand("change", "Give an organisation another name or zone");
  add_data_option(change_command, *options);
  change_command->add_option("organisation", options->organisation, "Its name or id")->required();
  change_command->add_option("--name", options->name, "The new name");
  change_command->add_option("--time-zone", options->time_zone, "The new time zone");
  on_chosen(change_command, chosen, options, change);

  CLI::App* archive_command =
      group->add_subcommand("archive", "Refuse an organisation's keys from now on; what it owes stays");
  add_data_option(archive_command, *options);
  archive_command->add_option("organisation", options->organisation, "Its name or id")->required();
  on_chosen(archive_command, chosen, options, archive);
}

}  // namespace feilun::apps
