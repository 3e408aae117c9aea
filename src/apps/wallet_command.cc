#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"

namespace feilun::apps {
namespace {

struct CreditOptions : LedgerAccess {
  std::string amount;
  std::string currency = "CNY";
  std::string reason = "top-up";
  std::string idempotency_key;
};

Result<> credit(const CreditOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  const Money amount = TRY(Money::parse(options.amount));
  const std::string currency = TRY(parse_currency(options.currency));
  const ledger::Balance balance =
      TRY(ledger->credit(options.project, amount, currency, options.reason, options.idempotency_key));
  fmt::print("{} {} available to {}\n", balance.available().to_string(), balance.currency, options.project);
  return {};
}

}  // namespace

void add_wallet_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "wallet", "Prepaid money of a project");
  auto options = std::make_shared<CreditOptions>();
  CLI::App* command = group->add_subcommand("credit", "Put money into a project's wallet");
  add_data_option(command, *options);
  add_project_option(command, *options);
  command->add_option("--amount", options->amount, "Such as 1.50")->required();
  command->add_option("--currency", options->currency, "The wallet's currency")->capture_default_str();
  command->add_option("--reason", options->reason, "Kept in the journal")->capture_default_str();
  command->add_option("--idempotency-key", options->idempotency_key,
                      "The same key again credits nothing more");
  on_chosen(command, chosen, options, credit);
}

}  // namespace feilun::apps
