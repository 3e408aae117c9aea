#include <fmt/format.h>

#include <cstdio>
#include <cstring>
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
  return fail(ErrorCode::kIo, "cannot write the export: {}", std::strerror(errno));
}

Result<int64_t> write_rows(ledger::Ledger& ledger, const FocusOptions& options, std::FILE* file) {
  const Month month = TRY(parse_month(options.month));
  auto exported = TRY(ledger::FocusCsv::begin(ledger, month, options.organisation));
  for (std::string csv = TRY(exported.next()); !csv.empty(); csv = TRY(exported.next())) TRY(put(file, csv));
  return exported.rows();
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
  if (file == nullptr) return fail(ErrorCode::kIo, "cannot write {}: {}", unfinished, std::strerror(errno));
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
