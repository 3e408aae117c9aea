#include "apps/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "apps/command.h"

namespace feilun::apps {
namespace {

constexpr const char* kAbout =
    "feilun serves language models over the OpenAI API, meters every token, and keeps a ledger that "
    "balances.\n"
    "Start with:  feilun serve";

constexpr int kWrongArgument = 2;

int exit_status(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument ? kWrongArgument : 1;
}

/// Text from files and other people may hold anything: what could steer a terminal is shown, not sent.
std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown.push_back(c);
    }
  }
  return shown;
}

/// CLI11 says only that a command is missing when the word is unknown.
void name_unknown_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  const std::string_view word = argv[1];
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() == word) return;
  }
  fmt::print(stderr, "feilun: there is no command '{}'\n", printable(word));
}

/// An option that a script gives an empty variable would mean: as if it were not given. Nor may what
/// follows a value, or "[]", be taken for a value of a list: an option is given again for more.
void refuse_empty_values(CLI::App& command) {
  for (CLI::Option* option :
       command.get_options([](const CLI::Option* each) { return each->get_items_expected_max() > 0; })) {
    option->allow_extra_args(false);
    option->check([](const std::string& value) -> std::string {
      return value.empty() ? "is empty: leave it out, or say what you mean" : "";
    });
  }
  for (CLI::App* each : command.get_subcommands({})) refuse_empty_values(*each);
}

/// The arguments, the last one first, as CLI11 wants them. What follows "--name=" it would take for the
/// value.
std::vector<std::string> reversed_arguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    const bool is_cut = argument.starts_with("--") && argument.find('=') == argument.size() - 1;
    if (is_cut) argument.pop_back();
    arguments.push_back(std::move(argument));
    if (is_cut) arguments.emplace_back();
  }
  std::ranges::reverse(arguments);
  return arguments;
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app{kAbout, "feilun"};
  app.set_version_flag("--version", FEILUN_VERSION);
  app.require_subcommand(1);
  Run chosen;
  add_serve_command(app, chosen);
  add_chat_command(app, chosen);
  add_model_commands(app, chosen);
  add_organisation_commands(app, chosen);
  add_project_commands(app, chosen);
  add_member_commands(app, chosen);
  add_invite_commands(app, chosen);
  add_service_account_commands(app, chosen);
  add_key_commands(app, chosen);
  add_audit_commands(app, chosen);
  add_wallet_commands(app, chosen);
  add_lot_commands(app, chosen);
  add_limit_commands(app, chosen);
  add_webhook_commands(app, chosen);
  add_commitment_commands(app, chosen);
  add_refund_commands(app, chosen);
  add_invoice_commands(app, chosen);
  add_usage_commands(app, chosen);
  add_focus_commands(app, chosen);
  add_price_commands(app, chosen);
  add_ledger_commands(app, chosen);
  refuse_empty_values(app);
  try {
    app.parse(reversed_arguments(argc, argv));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) name_unknown_command(app, argc, argv);
    return app.exit(error) == 0 ? 0 : kWrongArgument;
  }

  if (const Result<> done = chosen(); !done) {
    fmt::print(stderr, "feilun: {}\n", printable(done.error().message));
    return exit_status(done.error());
  }
  return 0;
}

}  // namespace feilun::apps
