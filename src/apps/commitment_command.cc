#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/rollups.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::Commitment;
using ledger::State;

struct CommitmentOptions : LedgerAccess {
  std::string id;
  std::string organisation;
  std::string amount;
  std::string from;
  std::string until;
  std::string idempotency_key;
};

std::string months_of(const Commitment& commitment) {
  return fmt::format("from {}{}", to_string(commitment.from),
                     commitment.until ? ", without " + to_string(*commitment.until) : "");
}

Result<> set(const CommitmentOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  Commitment commitment{.organisation = options.organisation, .amount = TRY(Money::parse(options.amount))};
  commitment.from = TRY(parse_month(options.from));
  if (!options.until.empty()) commitment.until = TRY(parse_month(options.until));
  commitment.idempotency_key = options.idempotency_key;
  const auto made = TRY(ledger->write<Commitment>([&](Books& books) -> Result<Commitment> {
    commitment.currency = TRY(ledger::find_organisation(books.state(), options.organisation)).currency;
    return books.commit(commitment);
  }));
  fmt::print("{}: {} {} a month {}\n", made.id, made.amount.to_string(), made.currency, months_of(made));
  return {};
}

Result<> print_commitment(State& state, const Commitment& commitment) {
  const auto owner = TRY(ledger::find_organisation(state, commitment.organisation));
  fmt::print("{}  {}: {} {} a month {}\n", commitment.id, owner.name, commitment.amount.to_string(),
             commitment.currency, months_of(commitment));
  for (const ledger::TrueUp& done : TRY(ledger::true_ups_of(state, commitment.id))) {
    fmt::print("  {}  charged {}, true-up {}\n", to_string(done.month), done.charged.to_string(),
               done.shortfall.to_string());
  }
  const Month month = TRY(TimeZone::find(owner.time_zone)).month_of(SystemClock().wall());
  if (!commitment.covers(month)) return {};
  const Money charged = TRY(ledger::charged_in(state, owner.id, month));
  fmt::print("  {}  charged {} so far, {} to go\n", to_string(month), charged.to_string(),
             std::max(commitment.amount - charged, Money()).to_string());
  return {};
}

Result<> list(const CommitmentOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  return ledger->read<void>([&](State& state) -> Result<> {
    for (const ledger::Organisation& each : TRY(ledger::all_organisations(state))) {
      if (!options.organisation.empty() && each.id != options.organisation &&
          each.name != options.organisation) {
        continue;
      }
      for (const Commitment& commitment : TRY(ledger::commitments_of(state, each.id))) {
        TRY(print_commitment(state, commitment));
      }
    }
    return {};
  });
}

Result<> end(const CommitmentOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const Month until = TRY(parse_month(options.until));
  const auto ended =
      TRY(ledger->write<Commitment>([&](Books& books) { return books.end_commitment(options.id, until); }));
  fmt::print("{}: {} {} a month {}\n", ended.id, ended.amount.to_string(), ended.currency, months_of(ended));
  return {};
}

}  // namespace

void add_commitment_commands(CLI::App& app, Run& chosen) {
  CLI::App* group =
      add_group(app, "commitment",
                "Promises of organisations to be charged at least so much a month; what a month "
                "lacks is charged when it is over");
  auto options = std::make_shared<CommitmentOptions>();
  CLI::App* command = group->add_subcommand("set", "Enter a commitment");
  add_data_option(command, *options);
  command->add_option("organisation", options->organisation, "Its name or id")->required();
  command->add_option("--amount", options->amount, "A month, in the organisation's currency")->required();
  command->add_option("--from", options->from, "The first month, such as 2027-01")->required();
  command->add_option("--until", options->until, "The first month without it; open if not given");
  command->add_option("--idempotency-key", options->idempotency_key,
                      "The same key again enters nothing and prints the same");
  command->footer(
      "Months are those of the organisation's time zone. `feilun serve` charges the true-up after each.\n"
      "  feilun commitment set acme --amount 1000 --from 2027-01 --until 2028-01");
  on_chosen(command, chosen, options, set);

  options = std::make_shared<CommitmentOptions>();
  command = group->add_subcommand("list", "Commitments with their true-ups, and how this month stands");
  add_data_option(command, *options);
  command->add_option("--organisation", options->organisation, "Of this one alone: its name or id");
  on_chosen(command, chosen, options, list);

  options = std::make_shared<CommitmentOptions>();
  command = group->add_subcommand("end", "End a commitment, with this month at the earliest");
  add_data_option(command, *options);
  command->add_option("id", options->id, "Its id, as `feilun commitment list` shows it")->required();
  command->add_option("--until", options->until, "The first month without it")->required();
  on_chosen(command, chosen, options, end);
}

}  // namespace feilun::apps
