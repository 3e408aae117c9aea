#include "apps/command_line.h"

#include <cstdio>

#include "apps/command.h"

namespace feilun::apps {
namespace {

constexpr const char* kAbout =
    "feilun serves language models over the OpenAI API, meters every token, and keeps a ledger that "
    "balances.\n"
    "Start with:  feilun serve";

int exit_status(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument ? 2 : 1;
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
  add_project_commands(app, chosen);
  add_key_commands(app, chosen);
  add_wallet_commands(app, chosen);
  add_price_commands(app, chosen);
  add_ledger_commands(app, chosen);
  CLI11_PARSE(app, argc, argv);

  if (const Result<> done = chosen(); !done) {
    std::fprintf(stderr, "feilun: %s\n", done.error().message.c_str());
    return exit_status(done.error());
  }
  return 0;
}

}  // namespace feilun::apps
