#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"

namespace feilun::apps {

/// What a parsed command line asks for; main runs it and prints its Error.
using Run = std::function<Result<>()>;

/// Gives `command` the behaviour `run(options)`: when the line names it, `chosen` is set.
template <typename Options>
void on_chosen(CLI::App* command, Run& chosen, std::shared_ptr<Options> options,
               Result<> (*run)(const Options&)) {
  command->callback(
      [&chosen, options = std::move(options), run] { chosen = [options, run] { return run(*options); }; });
}

/// A command that only groups others ("feilun key …"): alone it prints its help.
CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& help);

void add_serve_command(CLI::App& app, Run& chosen);
void add_chat_command(CLI::App& app, Run& chosen);
void add_model_commands(CLI::App& app, Run& chosen);
void add_key_commands(CLI::App& app, Run& chosen);
void add_organisation_commands(CLI::App& app, Run& chosen);
void add_member_commands(CLI::App& app, Run& chosen);
void add_invite_commands(CLI::App& app, Run& chosen);
void add_service_account_commands(CLI::App& app, Run& chosen);
void add_audit_commands(CLI::App& app, Run& chosen);
void add_project_commands(CLI::App& app, Run& chosen);
void add_project_member_commands(CLI::App& project_group, Run& chosen);
void add_wallet_commands(CLI::App& app, Run& chosen);
void add_lot_commands(CLI::App& app, Run& chosen);
void add_limit_commands(CLI::App& app, Run& chosen);
void add_webhook_commands(CLI::App& app, Run& chosen);
void add_commitment_commands(CLI::App& app, Run& chosen);
void add_refund_commands(CLI::App& app, Run& chosen);
void add_invoice_commands(CLI::App& app, Run& chosen);
void add_invoice_payment_commands(CLI::App& invoice_group, Run& chosen);
void add_usage_commands(CLI::App& app, Run& chosen);
void add_focus_commands(CLI::App& app, Run& chosen);
void add_price_commands(CLI::App& app, Run& chosen);
void add_price_sheet_commands(CLI::App& price_group, Run& chosen);
void add_ledger_commands(CLI::App& app, Run& chosen);
void add_ledger_move_commands(CLI::App& ledger_group, Run& chosen);

}  // namespace feilun::apps
