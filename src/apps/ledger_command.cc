#include <fmt/format.h>

#include <cstdio>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "base/read_file.h"
#include "ledger/audit.h"
#include "ledger/audit_reconcile.h"

namespace feilun::apps {
namespace {

using ledger::audit::ExportFormat;
using ledger::audit::ExportRange;

struct RebuildOptions : JournalAccess {
  bool dry_run = false;
};

struct RangeOptions : JournalAccess {
  std::string from;
  std::string until;
};

struct ExportOptions : RangeOptions {
  std::string format = "jsonl";
};

struct ReconcileOptions : RangeOptions {
  std::string file;
  std::string tolerance = "0";
  ledger::audit::OutsideColumns columns;
};

constexpr size_t kShownMax = 100;

ledger::audit::Place place_of(const JournalAccess& access) {
  return {.directory = access.data, .url = access.url, .archive = access.archive};
}

std::string name_of(const LedgerAccess& access) {
  return access.url.empty() ? access.data.string() : "PostgreSQL";
}

Result<ExportRange> range_of(const RangeOptions& options) {
  ExportRange range;
  if (!options.from.empty()) range.from = TRY(parse_time(options.from)).time_since_epoch().count();
  if (!options.until.empty()) range.until = TRY(parse_time(options.until)).time_since_epoch().count();
  return range;
}

Result<> balance(const LedgerAccess& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const ledger::Balance balance = TRY(ledger->balance(options.project));
  const ledger::UsageTotals totals = TRY(ledger->usage(options.project));
  fmt::print("{:<10} {} {}\n", "available", balance.available().to_string(), balance.currency);
  fmt::print("{:<10} {} {}\n", "held", balance.pending.to_string(), balance.currency);
  fmt::print("{:<10} {} {}\n", "posted", balance.posted.to_string(), balance.currency);
  fmt::print("{:<10} {} {} for {} requests, {} input and {} output tokens\n", "charged",
             totals.charged.to_string(), balance.currency, totals.requests, totals.usage.input(),
             totals.usage.total_output());
  return {};
}

Result<> verify(const JournalAccess& options) {
  const ledger::audit::VerifyReport report = TRY(ledger::audit::verify(place_of(options)));
  for (const std::string& problem : report.problems) fmt::print("{}\n", problem);
  print_breaches(stdout, report.breaches);
  if (!report.problems.empty()) {
    return fail(ErrorCode::kCorrupt, "the ledger in {} is broken: {} problems", name_of(options),
                report.problems.size());
  }
  if (!report.breaches.empty()) {
    return fail(
        ErrorCode::kConflict,
        "the ledger in {} is whole and its state is right, but entries break a rule of the books: {} times",
        name_of(options), report.breaches.size());
  }
  fmt::print("{} entries, {} requests, {} open holds: every sum, balance and hash is right\n", report.entries,
             report.requests, report.open_holds);
  return {};
}

void print_some(const std::vector<std::string>& lines, std::string_view before) {
  for (size_t i = 0; i < lines.size() && i < kShownMax; ++i) fmt::print("{}{}\n", before, lines[i]);
  if (lines.size() > kShownMax) fmt::print("{}… and {} more\n", before, lines.size() - kShownMax);
}

Result<> rebuild(const RebuildOptions& options) {
  const auto rebuilt = TRY(ledger::audit::rebuild(place_of(options), options.dry_run));
  print_breaches(stderr, rebuilt.breaches);
  print_some(rebuilt.differences, "");
  fmt::print("{} rows follow from {} entries; {} {} otherwise\n", rebuilt.rows, rebuilt.entries,
             rebuilt.differences.size(), options.dry_run ? "are" : "were");
  return {};
}

Result<> export_entries(const ExportOptions& options) {
  const ExportRange range = TRY(range_of(options));
  const auto format = options.format == "csv"           ? ExportFormat::kCsv
                      : options.format == "cloudevents" ? ExportFormat::kCloudEvents
                                                        : ExportFormat::kJsonLines;
  const auto exported =
      ledger::audit::export_journal(place_of(options), format, range, [](std::string_view text) -> Result<> {
        if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return {};
        return fail(ErrorCode::kIo, "cannot write to standard output");
      });
  if (!exported) return std::unexpected(exported.error());
  if (std::fflush(stdout) != 0) return fail(ErrorCode::kIo, "cannot write to standard output");
  return {};
}

Result<> reconcile(const ReconcileOptions& options) {
  const ExportRange range = TRY(range_of(options));
  const Money tolerance = TRY(Money::parse(options.tolerance));
  if (tolerance.is_negative()) return fail(ErrorCode::kInvalidArgument, "a tolerance is not below zero");
  const std::string text = TRY(read_file(options.file));
  const auto outside = TRY(ledger::audit::read_outside(text, options.columns));
  const auto result = TRY(ledger::audit::reconcile(place_of(options), outside, range, tolerance.pico()));
  print_some(result.missing_here, "missing here: ");
  print_some(result.missing_there, "missing there: ");
  print_some(result.different, "different: ");
  for (const auto& [currency, sums] : result.sums) {
    fmt::print("sum {}: {} here, {} there, {} more here\n",
               currency.empty() ? "without a currency" : currency, Money::pico(sums.here).to_string(),
               Money::pico(sums.there).to_string(),
               (Money::pico(sums.here) - Money::pico(sums.there)).to_string());
  }
  fmt::print("{} requests here, {} there, {} the same\n", result.here, result.there, result.equal);
  if (result.ok()) return {};
  return fail(ErrorCode::kConflict, "{} missing here, {} missing there, {} different",
              result.missing_here.size(), result.missing_there.size(), result.different.size());
}

void add_range_options(CLI::App* command, RangeOptions& options) {
  command->add_option("--from", options.from, "First moment: 2026-12-01 or 2026-12-01T08:30:00Z");
  command->add_option("--until", options.until, "First moment that is not included any more");
}

void add_reconcile_command(CLI::App* group, Run& chosen) {
  auto options = std::make_shared<ReconcileOptions>();
  CLI::App* command = group->add_subcommand(
      "reconcile",
      "Compare what requests used and were charged with an outside record: an upstream's bill, a gateway's "
      "log. Exit 0 when all agree, 1 when not.");
  add_journal_options(command, *options);
  add_range_options(command, *options);
  command->add_option("file", options->file, "CSV with a line of names, or JSON lines")->required();
  command
      ->add_option("--tolerance", options->tolerance,
                   "What a request's amounts may differ by, such as 0.0001")
      ->capture_default_str();
  auto& columns = options->columns;
  command->add_option("--request-column", columns.request, "Usually request_id, id or request");
  command->add_option("--input-column", columns.input,
                      "Usually input_tokens or prompt_tokens; in JSON usage.prompt_tokens leads inside");
  command->add_option("--output-column", columns.output, "Usually output_tokens or completion_tokens");
  command->add_option("--amount-column", columns.amount,
                      "Usually amount, cost, spend or charged; pico-units when it ends in _pico");
  command->add_option("--currency-column", columns.currency, "Usually currency");
  on_chosen<ReconcileOptions>(command, chosen, options, reconcile);
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
      "verify",
      "Check the chain, the anchor, every rule and every row of the state; exit 0 only when all is right. "
      "What only breaks a rule of the books, as older programs may have done, says so: rebuild, upgrade and "
      "migrate accept it");
  auto verify_options = std::make_shared<JournalAccess>();
  add_journal_options(verify_command, *verify_options);
  on_chosen<JournalAccess>(verify_command, chosen, verify_options, verify);

  auto rebuild_options = std::make_shared<RebuildOptions>();
  CLI::App* rebuild_command = group->add_subcommand(
      "rebuild",
      "Make the state (balances, holds, records) what the journal gives; the server is stopped. Refused "
      "where the journal cannot be followed; entries that only break a rule of the books are warned of");
  add_journal_options(rebuild_command, *rebuild_options);
  rebuild_command->add_flag("--dry-run", rebuild_options->dry_run,
                            "Only say what differs; works beside a server");
  on_chosen<RebuildOptions>(rebuild_command, chosen, rebuild_options, rebuild);

  auto export_options = std::make_shared<ExportOptions>();
  CLI::App* export_command =
      group->add_subcommand("export", "Write the journal's entries to standard output, for other programs");
  add_journal_options(export_command, *export_options);
  add_range_options(export_command, *export_options);
  export_command
      ->add_option("--format", export_options->format,
                   "jsonl: an entry a line; cloudevents: an event a line; csv: a posting a line")
      ->check(CLI::IsMember({"jsonl", "cloudevents", "csv"}))
      ->capture_default_str();
  on_chosen<ExportOptions>(export_command, chosen, export_options, export_entries);

  add_reconcile_command(group, chosen);
  add_ledger_move_commands(*group, chosen);
}

}  // namespace feilun::apps
