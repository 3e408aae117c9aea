#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/audit_log.h"
#include "ledger/books.h"

namespace feilun::apps {
namespace {

using ledger::Act;
using ledger::State;

struct AuditOptions : LedgerAccess {
  std::string organisation = "default";
  ledger::ActFilter filter;
  std::string since;
  std::string until;
  int64_t limit = 50;
  bool bodies = false;
};

void print(const Act& act, bool bodies) {
  fmt::print("{:<9} {:<25} {:<35} {:<25} {}{}\n", act.sequence, format_time(act.time), act.actor, act.event(),
             act.id, act.name.empty() ? "" : fmt::format(" ({})", act.name));
  if (!bodies) return;
  if (!act.before.empty()) fmt::print("          before {}\n", act.before);
  if (!act.after.empty()) fmt::print("          after  {}\n", act.after);
}

Result<> list(const AuditOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  ledger::ActFilter filter = options.filter;
  if (!options.since.empty()) filter.from = TRY(parse_time(options.since));
  if (!options.until.empty()) filter.until = TRY(parse_time(options.until));
  const auto acts = TRY(ledger->read<std::vector<Act>>([&](State& state) -> Result<std::vector<Act>> {
    const std::string whose = TRY(ledger::organisation_of(state, options.organisation)).id;
    return ledger::acts_of(state, whose, filter, options.limit);
  }));
  fmt::print("{:<9} {:<25} {:<35} {:<25} {}\n", "ENTRY", "TIME", "WHO", "WHAT", "WHICH");
  for (const Act& act : acts) print(act, options.bodies);
  return {};
}

}  // namespace

void add_audit_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "audit", "Who administered what, from the hash-chained journal");
  auto options = std::make_shared<AuditOptions>();
  CLI::App* command = group->add_subcommand("list", "List administrative acts, newest first");
  add_data_option(command, *options);
  command->add_option("--organisation", options->organisation, "Its name or id")->capture_default_str();
  command->add_option("--event", options->filter.events,
                      "Only these, such as api_key.created; again for more");
  command->add_option("--actor", options->filter.actors, "Only what this key, member or local:USER did");
  command->add_option("--of", options->filter.ids, "Only acts on the thing with this id");
  command->add_option("--since", options->since, "Only from then on: 2026-12-01 or 2026-12-01T08:30:00Z");
  command->add_option("--until", options->until, "Only before then");
  command->add_option("--before-entry", options->filter.before,
                      "Only entries below this number: the next page");
  command->add_option("--limit", options->limit, "At most so many")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_flag("--bodies", options->bodies, "Show each thing before and after, without secrets");
  on_chosen(command, chosen, options, list);
}

}  // namespace feilun::apps
