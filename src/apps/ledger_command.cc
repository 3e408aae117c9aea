#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"

namespace feilun::apps {
namespace {

Result<> balance(const LedgerAccess& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const ledger::Balance balance = TRY(ledger->balance(options.project));
  const ledger::UsageTotals totals = TRY(ledger->usage(options.project));
  fmt::print("{:<11}{} {}\n", "available", balance.available().to_string(), balance.currency);
  fmt::print("{:<11}{} {}\n", "held", balance.pending.to_string(), balance.currency);
  fmt::print("{:<11}{} {}\n", "posted", balance.posted.to_string(), balance.currency);
  fmt::print("{:<11}{} {} for {} requests, {} input and {} output tokens\n", "charged",
             totals.charged.to_string(), balance.currency, totals.requests, totals.usage.input(),
             totals.usage.total_output());
  return {};
}

Result<> verify(const LedgerAccess& options) {
  const ledger::VerifyReport report = TRY(ledger::verify(options.data));
  for (const std::string& problem : report.problems) fmt::print("{}\n", problem);
  if (!report.ok()) {
    return fail(ErrorCode::kCorrupt, "the ledger in {} is broken: {} problems", options.data.string(),
                report.problems.size());
  }
  fmt::print("{} entries, {} requests, {} open holds: every sum, balance and hash is right\n", report.entries,
             report.requests, report.open_holds);
  return {};
}

}  // namespace

void add_ledger_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "ledger", "The double-entry ledger");
  auto options = std::make_shared<LedgerAccess>();

  CLI::App* balance_command = group->add_subcommand("balance", "What a project has, holds and has spent");
  add_data_option(balance_command, *options);
  add_project_option(balance_command, *options);
  on_chosen(balance_command, chosen, options, balance);

  CLI::App* verify_command = group->add_subcommand(
      "verify", "Check chain, anchor, sums and balances; exit 0 only when all is right");
  add_data_option(verify_command, *options);
  on_chosen(verify_command, chosen, options, verify);
}

}  // namespace feilun::apps
