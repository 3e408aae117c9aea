#include <cstdio>

#include "apps/command.h"

using namespace feilun;

namespace {

constexpr const char* kAbout =
    "feilun serves language models over the OpenAI API, meters every token, and keeps a ledger that balances.\n"
    "Start with:  feilun serve";

int exit_code(const Error& error) { return error.code == ErrorCode::kInvalidArgument ? 2 : 1; }

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{kAbout, "feilun"};
  app.set_version_flag("--version", FEILUN_VERSION);
  app.require_subcommand(1);
  apps::Run chosen;
  apps::add_serve_command(app, chosen);
  apps::add_chat_command(app, chosen);
  apps::add_model_commands(app, chosen);
  apps::add_project_commands(app, chosen);
  apps::add_key_commands(app, chosen);
  apps::add_wallet_commands(app, chosen);
  apps::add_price_commands(app, chosen);
  apps::add_ledger_commands(app, chosen);
  CLI11_PARSE(app, argc, argv);

  if (const Result<> done = chosen(); !done) {
    std::fprintf(stderr, "feilun: %s\n", done.error().message.c_str());
    return exit_code(done.error());
  }
  return 0;
}
