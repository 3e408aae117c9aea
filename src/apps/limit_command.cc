#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/limit_scope.h"
#include "ledger/paying_tenant.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::LimitScope;
using ledger::SpendLimit;
using ledger::State;

constexpr int64_t kListMax = 1'000'000;

struct LimitOptions : LedgerAccess {
  std::string id;
  std::string key;
  std::string of_project;
  std::string organisation;
  std::string measure;
  std::string window = "month";
  std::string bound;
  std::vector<int64_t> alerts;
  bool no_alerts = false;
  bool soft = false;
  bool hard = false;
};

/// The id of what the flags name; empty when they name nothing.
Result<std::string> scope_of(State& state, const LimitOptions& options) {
  if (!options.key.empty()) return TRY(ledger::find_key(state, options.key)).id;
  if (!options.of_project.empty()) return TRY(ledger::find_project(state, options.of_project)).id;
  if (options.organisation.empty()) return std::string();
  return TRY(ledger::organisation_of(state, options.organisation)).id;
}

void print_head() {
  fmt::print("{:<31} {:<31} {:<9} {:>22} {:>21} {:>21} {:<8} {:<5} {:<13} {}\n", "ID", "OF", "WINDOW",
             "BOUND", "USED", "LEFT", "", "", "ALERTS", "FREE AGAIN");
}

std::string alerts_text(const SpendLimit& limit) {
  std::string text;
  for (const int64_t percent : limit.alerts) text += fmt::format("{}{}%", text.empty() ? "" : ",", percent);
  return text.empty() ? "-" : text;
}

Result<> print_limit(State& state, const SpendLimit& limit, WallTime now) {
  const LimitScope scope = TRY(ledger::find_limit_scope(state, limit.scope));
  const ledger::LimitUse use = TRY(ledger::limit_use(state, limit, now));
  const auto digits = [&](ledger::Quantity quantity) {
    return ledger::quantity_digits(limit.measure, quantity);
  };
  const bool spend = limit.measure == ledger::Measure::kSpend;
  fmt::print("{:<31} {:<31} {:<9} {:>22} {:>21} {:>21} {:<8} {:<5} {:<13} {}\n", limit.id,
             scope.name.empty() ? scope.id : fmt::format("{} {}", scope.type, scope.name),
             ledger::window_name(limit.window_s), digits(limit.bound), digits(use.used),
             digits(std::max(use.left(), ledger::Quantity())),
             spend ? scope.currency : name_of(limit.measure), limit.hard ? "hard" : "soft",
             alerts_text(limit), use.empty_at ? format_time(*use.empty_at) : "-");
  return {};
}

Result<> shown(ledger::Ledger& ledger, const SpendLimit& limit) {
  return ledger.read<void>([&](State& state) {
    print_head();
    return print_limit(state, limit, SystemClock().wall());
  });
}

Result<> read_terms(const LimitOptions& options, SpendLimit& limit) {
  if (!options.bound.empty()) limit.bound = TRY(ledger::parse_quantity(limit.measure, options.bound));
  if (options.soft) limit.hard = false;
  if (options.hard) limit.hard = true;
  if (!options.alerts.empty() || options.no_alerts) limit.alerts = options.alerts;
  return {};
}

Result<> set(const LimitOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  SpendLimit limit{.measure = TRY(ledger::parse_measure(options.measure))};
  limit.window_s = TRY(ledger::parse_window(options.window));
  TRY(read_terms(options, limit));
  const auto made = TRY(ledger->write<SpendLimit>([&](Books& books) -> Result<SpendLimit> {
    limit.scope = TRY(scope_of(books.state(), options));
    if (limit.scope.empty()) {
      return fail(ErrorCode::kInvalidArgument, "say what to limit: --key, --project or --organisation");
    }
    // A customer cannot lift what the server's operator has set.
    limit.by_operator = TRY(ledger::find_limit_scope(books.state(), limit.scope)).organisation != "default";
    return books.set_limit(limit);
  }));
  return shown(*ledger, made);
}

Result<> change(const LimitOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto changed = TRY(ledger->write<SpendLimit>([&](Books& books) -> Result<SpendLimit> {
    SpendLimit limit = TRY(ledger::find_limit(books.state(), options.id));
    TRY(read_terms(options, limit));
    return books.set_limit(limit);
  }));
  return shown(*ledger, changed);
}

Result<> list(const LimitOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  return ledger->read<void>([&](State& state) -> Result<> {
    const std::string scope = TRY(scope_of(state, options));
    print_head();
    for (const ledger::Record& record : TRY(ledger::all_records(state, "limit", kListMax))) {
      if (!scope.empty() && record.parent != scope) continue;
      TRY(print_limit(state, TRY(ledger::limit_from(record)), SystemClock().wall()));
    }
    return {};
  });
}

Result<> end(const LimitOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  TRY(ledger->write<void>([&](Books& books) { return books.end_limit(options.id); }));
  fmt::print("ended {}\n", options.id);
  return {};
}

void add_scope_options(CLI::App* command, LimitOptions& options) {
  auto* of = command->add_option_group("of", "What is limited: one of");
  of->add_option("--key", options.key, "A key, by its id as `feilun key list` shows it");
  of->add_option("--project", options.of_project,
                 "A project: its name or id, ORGANISATION/NAME where it is a customer's");
  of->add_option("--organisation", options.organisation, "An organisation with all its projects");
  of->require_option(0, 1);
}

void add_term_options(CLI::App* command, LimitOptions& options) {
  command
      ->add_option("--alert", options.alerts,
                   "Tell the organisation's webhooks at this percent of the bound; again for more")
      ->check(CLI::Range(1, 100));
  auto* soft = command->add_flag("--soft", options.soft, "Only alert; refuse nothing");
  soft->excludes(command->add_flag("--hard", options.hard, "Refuse what would go beyond the bound"));
}

void add_set_command(CLI::App* group, const std::shared_ptr<LimitOptions>& options, Run& chosen) {
  CLI::App* command = group->add_subcommand("set", "Make a limit; it counts from now on");
  add_data_option(command, *options);
  add_scope_options(command, *options);
  command->add_option("--measure", options->measure, "What is counted: requests, tokens or spend")
      ->required();
  command
      ->add_option(
          "--window", options->window,
          "In how long: month (the calendar's, where the organisation lives), or a rolling time such "
          "as 90s, 5h, 7d")
      ->capture_default_str();
  command->add_option("--bound", options->bound, "How much: a count, or money such as 500")->required();
  add_term_options(command, *options);
  command->footer(
      "Several limits may hold at once; a request needs room in each. What open requests may yet use counts "
      "too.\n"
      "  feilun limit set --organisation acme --measure spend --window month --bound 500 --alert 80 --alert "
      "100\n"
      "  feilun limit set --key KEY_ID --measure requests --window 5h --bound 200");
  on_chosen(command, chosen, options, set);
}

}  // namespace

void add_limit_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(
      app, "limit", "What a key, a project or an organisation may use in a window of time, and who is told");
  auto options = std::make_shared<LimitOptions>();
  add_set_command(group, options, chosen);

  CLI::App* change_command =
      group->add_subcommand("change", "Give a limit another bound, hardness or alerts");
  add_data_option(change_command, *options);
  change_command->add_option("id", options->id, "The limit's id, as `feilun limit list` shows it")
      ->required();
  change_command->add_option("--bound", options->bound, "The new bound");
  add_term_options(change_command, *options);
  change_command->add_flag("--no-alerts", options->no_alerts, "Tell nobody any more");
  on_chosen(change_command, chosen, options, change);

  CLI::App* list_command =
      group->add_subcommand("list", "Limits with what is used and left now, and when all is free again");
  add_data_option(list_command, *options);
  add_scope_options(list_command, *options);
  on_chosen(list_command, chosen, options, list);

  CLI::App* end_command = group->add_subcommand("end", "End a limit: nothing is held to it any more");
  add_data_option(end_command, *options);
  end_command->add_option("id", options->id, "The limit's id, as `feilun limit list` shows it")->required();
  on_chosen(end_command, chosen, options, end);
}

}  // namespace feilun::apps
