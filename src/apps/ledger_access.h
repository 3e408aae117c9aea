#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "ledger/ledger.h"

namespace feilun::apps {

/// The flags that every command on a ledger has.
struct LedgerAccess {
  std::filesystem::path data = "./data";
  std::string url;  ///< of a PostgreSQL; empty: SQLite in `data`
  std::string project = "default";
};

/// Of those that read the journal.
struct JournalAccess : LedgerAccess {
  std::filesystem::path archive;
};

void add_data_option(CLI::App* command, LedgerAccess& access);
void add_archive_option(CLI::App* command, std::filesystem::path& archive);
void add_journal_options(CLI::App* command, JournalAccess& access);
void add_project_option(CLI::App* command, LedgerAccess& access);

enum class WhenAbsent { kCreate, kRefuse };
/// Opens the ledger beside a server that may be running on it. kRefuse: kNotFound when there is none yet.
Result<std::unique_ptr<ledger::Ledger>> open_ledger(const LedgerAccess& access, WhenAbsent when_absent);

/// Entries that break a rule of the books, a line each.
void print_breaches(std::FILE* to, const std::vector<std::string>& breaches);

/// "2026-11-23 01:29:37 UTC".
std::string format_time(WallTime time);
/// Reads "2026-12-01" or "2026-12-01T08:30:00Z" (UTC).
Result<WallTime> parse_time(const std::string& text);

}  // namespace feilun::apps
