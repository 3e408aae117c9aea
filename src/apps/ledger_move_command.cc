#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "base/civil_time.h"
#include "ledger/archive.h"
#include "ledger/move_to_postgres.h"
#include "ledger/postgres_store.h"
#include "ledger/sqlite_store.h"
#include "ledger/upgrade.h"

namespace feilun::apps {
namespace {

namespace fs = std::filesystem;

struct ArchiveOptions : LedgerAccess {
  std::string before;
  fs::path to;
};

struct MigrateOptions {
  fs::path from = "./data";
  std::string to;
  fs::path archive;
};

struct UpgradeOptions : JournalAccess {
  bool dry_run = false;
};

/// The first moment of "2026-01", or of the day or at the time that parse_time() reads. UTC.
Result<WallTime> parse_month_or_time(const std::string& text) {
  if (const auto month = parse_month(text)) return TimeZone::utc().period_of(*month).from;
  return parse_time(text);
}

Result<std::unique_ptr<ledger::Store>> open_store(const LedgerAccess& access) {
  if (!access.url.empty()) return ledger::open_postgres_store(access.url);
  std::error_code ignored;
  if (fs::exists(access.data / "ledger.db", ignored)) {
    return ledger::open_sqlite_store(access.data / "ledger.db");
  }
  return fail(ErrorCode::kNotFound, "there is no ledger in {}; name the server's data directory with --data",
              access.data.string());
}

Result<> archive(const ArchiveOptions& options) {
  const WallTime before = TRY(parse_month_or_time(options.before));
  const fs::path directory = options.to.empty() ? options.data / "archive" : options.to;
  const auto store = TRY(open_store(options));
  const auto archived = TRY(ledger::archive_segments(*store, directory, before));
  fmt::print("{} segments with {} entries ({} bytes) are in {} now\n", archived.segments, archived.entries,
             archived.bytes, directory.string());
  return {};
}

Result<> migrate(const MigrateOptions& options) {
  const auto moved = TRY(ledger::move_to_postgres(options.from, options.to, {}, options.archive));
  print_breaches(stderr, moved.breaches);
  fmt::print("moved and verified: {} entries, {} segments, {} rows of the state\n", moved.entries,
             moved.segments, moved.rows);
  fmt::print("{} is ledger.db.moved now; serve with --data {} and --ledger\n",
             (options.from / "ledger.db").string(), options.from.string());
  return {};
}

Result<> upgrade(const UpgradeOptions& options) {
  const auto done = TRY(ledger::upgrade(options.data, options.url, options.dry_run, {}, options.archive));
  print_breaches(stderr, done.breaches);
  for (const ledger::SchemaStep& step : done.steps) {
    fmt::print("-- {}: {}\n", step.number, step.what);
    for (const std::string& statement : step.statements) fmt::print("{};\n", statement);
  }
  if (done.steps.empty()) fmt::print("the tables are of this program's format already\n");
  if (!done.steps.empty() && options.dry_run) fmt::print("nothing was changed: this was a dry run\n");
  return {};
}

}  // namespace

void add_ledger_move_commands(CLI::App& ledger_group, Run& chosen) {
  auto archive_options = std::make_shared<ArchiveOptions>();
  CLI::App* archive_command = ledger_group.add_subcommand(
      "archive", "Move sealed segments of the journal to files; works beside a server");
  add_data_option(archive_command, *archive_options);
  archive_command
      ->add_option("--before", archive_options->before,
                   "Those whose entries are all older: 2026-01, 2026-01-15 or 2026-01-15T08:30:00Z, UTC")
      ->required();
  archive_command
      ->add_option("--to", archive_options->to,
                   "A directory; where the server looks if none: archive in the data directory")
      ->envname("FEILUN_ARCHIVE");
  on_chosen<ArchiveOptions>(archive_command, chosen, archive_options, archive);

  auto migrate_options = std::make_shared<MigrateOptions>();
  CLI::App* migrate_command = ledger_group.add_subcommand(
      "migrate",
      "Move a ledger from SQLite to an empty PostgreSQL and verify it there; the server is stopped");
  migrate_command->add_option("--from", migrate_options->from, "The server's data directory")
      ->capture_default_str();
  migrate_command->add_option("--to", migrate_options->to, "postgres://…")->required();
  add_archive_option(migrate_command, migrate_options->archive);
  on_chosen<MigrateOptions>(migrate_command, chosen, migrate_options, migrate);

  auto upgrade_options = std::make_shared<UpgradeOptions>();
  CLI::App* upgrade_command = ledger_group.add_subcommand(
      "upgrade",
      "Bring an older ledger's tables and state to this program's format, in one transaction; the server, or "
      "all gateways, stopped");
  add_journal_options(upgrade_command, *upgrade_options);
  upgrade_command->add_flag("--dry-run", upgrade_options->dry_run, "Only print the statements");
  on_chosen<UpgradeOptions>(upgrade_command, chosen, upgrade_options, upgrade);
}

}  // namespace feilun::apps
