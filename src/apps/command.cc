#include "apps/command.h"

namespace feilun::apps {

CLI::App* add_group(CLI::App& app, const std::string& name, const std::string& help) {
  CLI::App* group = app.add_subcommand(name, help);
  group->require_subcommand(1);
  return group;
}

}  // namespace feilun::apps
