#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/focus_export.h"

namespace feilun::apps {
namespace {

struct FocusOptions : LedgerAccess {
  std::string month;
  std::string organisation;
  std::string out;
};

Result<> put(std::FILE* file, std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), file) == text.size()) return {};
  return fail(ErrorCode::kIo, "cannot write the export");
}

/// Asks for a piece at a time, so that a server's other readers wait for none of them long.
Result<int64_t> write_rows(ledger::Ledger& ledger, const FocusOptions& options, std::FILE* file) {
  using ledger::State;
  const Month month = TRY(parse_month(options.month));
  const auto provider = TRY(ledger.read<ledger::FocusProvider>(ledger::focus_provider));
  auto exported = TRY(ledger.read<ledger::FocusExport>(
      [&](State& state) { return ledger::FocusExport::begin(state, month, options.organisation); }));
  TRY(put(file, ledger::focus_csv_header()));
  int64_t count = 0;
  for (bool more = true; more;) {
    std::vector<ledger::FocusCharge> rows;
    more = TRY(ledger.read<bool>([&](State& state) { return exported.next(state, rows); }));
    std::string csv;
    for (const ledger::FocusCharge& row : rows) ledger::append_focus_row(csv, provider, row);
    TRY(put(file, csv));
    count += std::ssize(rows);
  }
  return count;
}

/// The file appears when it is whole.
Result<> export_month(const FocusOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  if (options.out.empty()) {
    TRY(write_rows(*ledger, options, stdout));
    return std::fflush(stdout) == 0 ? Result<>() : fail(ErrorCode::kIo, "cannot write to standard output");
  }
  const std::string unfinished = options.out + ".unfinished";
  std::FILE* file = std::fopen(unfinished.c_str(), "wb");
  if (file == nullptr) return fail(ErrorCode::kIo, "cannot write {}", unfinished);
  auto count = write_rows(*ledger, options, file);
  if (std::fclose(file) != 0 && count) count = fail(ErrorCode::kIo, "cannot write {}", unfinished);
  std::error_code failed;
  if (count) std::filesystem::rename(unfinished, options.out, failed);
  if (count && failed) return fail(ErrorCode::kIo, "cannot write {}: {}", options.out, failed.message());
  if (!count) {
    std::filesystem::remove(unfinished, failed);
    return std::unexpected(count.error());
  }
  fmt::print(stderr, "{} rows in {}\n", *count, options.out);
  return {};
}

}  // namespace

void add_focus_commands(CLI::App& app, Run& chosen) {
  CLI::App* group =
      add_group(app, "focus", "Charges in the form that cost tools of any cloud read: FOCUS 1.2");
  auto options = std::make_shared<FocusOptions>();
  CLI::App* command = group->add_subcommand(
      "export", "A month's charges as CSV, a row for each hour and kind; they sum to the invoices");
  add_data_option(command, *options);
  command->add_option("--month", options->month, "Such as 2026-10, in the time zone of each buyer")
      ->required();
  command->add_option(
      "--organisation", options->organisation,
      "Organisation, or project with a wallet of its own: name or id; everyone, if not given");
  command->add_option("--out", options->out, "File to write; standard output, if not given");
  on_chosen<FocusOptions>(command, chosen, options, export_month);
}

}  // namespace feilun::apps
