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
  std::string credit_limit;
  ledger::OrganisationChange change;
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
  return ledger->read<void>([](ledger::State& state) -> Result<> {
    fmt::print("{:<31} {:<23} {:<8} {:<19} {:>24} {:>16}  {}\n", "ID", "NAME", "CURRENCY", "TIME ZONE",
               "AVAILABLE", "CREDIT LIMIT", "ARCHIVED");
    for (const Organisation& each : TRY(ledger::all_organisations(state))) {
      const auto balance = TRY(ledger::payer_balance(state, each.id, each.currency));
      fmt::print("{:<31} {:<23} {:<8} {:<19} {:>24} {:>16}  {}\n", each.id, each.name, each.currency,
                 each.time_zone, balance.available().to_string(), each.credit_limit.to_string(),
                 each.archived ? format_time(*each.archived) : "");
    }
    return {};
  });
}

Result<> change(const OrganisationOptions& options) {
  if (!options.change.name && !options.change.time_zone) {
    return fail(ErrorCode::kInvalidArgument, "nothing is to change: give --name or --time-zone");
  }
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto changed = TRY(ledger->write<Organisation>(
      [&](Books& books) { return books.change_organisation(options.organisation, options.change); }));
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

Result<> restore(const OrganisationOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto restored = TRY(ledger->write<Organisation>(
      [&](Books& books) { return books.restore_organisation(options.organisation); }));
  fmt::print("restored {}: its keys are good again within a second\n", restored.name);
  return {};
}

Result<> set_credit_limit(const OrganisationOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const Money limit = TRY(Money::parse(options.credit_limit));
  const auto changed = TRY(ledger->write<Organisation>(
      [&](Books& books) { return books.set_credit_limit(options.organisation, limit); }));
  fmt::print("{} may owe up to {} {}\n", changed.name, changed.credit_limit.to_string(), changed.currency);
  return {};
}

void add_archive_commands(CLI::App* group, const std::shared_ptr<OrganisationOptions>& options, Run& chosen) {
  CLI::App* archive_command =
      group->add_subcommand("archive", "Refuse an organisation's keys from now on; what it owes stays");
  add_data_option(archive_command, *options);
  archive_command->add_option("organisation", options->organisation, "Its name or id")->required();
  on_chosen(archive_command, chosen, options, archive);

  CLI::App* restore_command =
      group->add_subcommand("restore", "Undo an archiving: all keys that were not revoked are good again");
  add_data_option(restore_command, *options);
  restore_command->add_option("organisation", options->organisation, "Its name or id")->required();
  on_chosen(restore_command, chosen, options, restore);
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

  CLI::App* list_command = group->add_subcommand("list", "List organisations and what is in their wallets");
  add_data_option(list_command, *options);
  on_chosen(list_command, chosen, options, list);

  CLI::App* change_command = group->add_subcommand("change", "Give an organisation another name or zone");
  add_data_option(change_command, *options);
  change_command->add_option("organisation", options->organisation, "Its name or id")->required();
  change_command->add_option("--name", options->change.name, "The new name");
  change_command->add_option("--time-zone", options->change.time_zone, "The new time zone");
  on_chosen(change_command, chosen, options, change);

  CLI::App* credit_command = group->add_subcommand(
      "credit-limit", "How far below zero the wallet may fall: more than 0 is postpaid, 0 is prepaid");
  add_data_option(credit_command, *options);
  credit_command->add_option("organisation", options->organisation, "Its name or id")->required();
  credit_command->add_option("amount", options->credit_limit, "Such as 500, in its currency")->required();
  credit_command->footer(
      "Below what is owed already, nothing more can be spent until it is paid.\n"
      "  feilun organisation credit-limit acme 500");
  on_chosen(credit_command, chosen, options, set_credit_limit);

  add_archive_commands(group, options, chosen);
}

}  // namespace feilun::apps
