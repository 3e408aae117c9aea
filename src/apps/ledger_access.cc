#include "apps/ledger_access.h"

#include <fmt/chrono.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace feilun::apps {
namespace {

/// Whoever runs the command, for the audit log.
std::string local_actor() {
  const passwd* user = getpwuid(geteuid());
  return user == nullptr ? fmt::format("local:{}", geteuid()) : fmt::format("local:{}", user->pw_name);
}

}  // namespace

void add_data_option(CLI::App* command, LedgerAccess& access) {
  command->add_option("--data", access.data, "The server's data directory")
      ->envname("FEILUN_DATA")
      ->capture_default_str();
  command
      ->add_option(
          "--ledger", access.url,
          "The server's PostgreSQL, postgres://…, if its ledger is there and not in the data directory")
      ->envname("FEILUN_LEDGER");
}

void add_archive_option(CLI::App* command, std::filesystem::path& archive) {
  command
      ->add_option("--archive", archive,
                   "Where archived segments lie; archive in the data directory, if not given")
      ->envname("FEILUN_ARCHIVE");
}

void add_journal_options(CLI::App* command, JournalAccess& access) {
  add_data_option(command, access);
  add_archive_option(command, access.archive);
}

void add_project_option(CLI::App* command, LedgerAccess& access) {
  command->add_option("--project", access.project, "Name or id of the project")->capture_default_str();
}

Result<std::unique_ptr<ledger::Ledger>> open_ledger(const LedgerAccess& access, WhenAbsent when_absent) {
  ledger::LedgerOptions options{.directory = access.data, .url = access.url, .actor = local_actor()};
  if (const char* archive = std::getenv("FEILUN_ARCHIVE")) options.archive = archive;
  if (!access.url.empty()) return ledger::Ledger::open(std::move(options));
  std::error_code ignored;
  if (when_absent == WhenAbsent::kRefuse && !std::filesystem::exists(access.data / "ledger.db", ignored)) {
    return fail(ErrorCode::kNotFound,
                "there is no ledger in {}; name the server's data directory with --data",
                access.data.string());
  }
  const bool made_now = !std::filesystem::exists(access.data / "ledger.db", ignored);
  auto ledger = ledger::Ledger::open(std::move(options));
  if (ledger && made_now) fmt::print(stderr, "made a new ledger in {}\n", access.data.string());
  return ledger;
}

void print_breaches(std::FILE* to, const std::vector<std::string>& breaches) {
  for (const std::string& breach : breaches) fmt::print(to, "breaks a rule of the books: {}\n", breach);
}

std::string format_time(WallTime time) {
  const auto seconds = std::chrono::time_point_cast<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)));
}

Result<WallTime> parse_time(const std::string& text) {
  for (const char* form : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* end = strptime(text.c_str(), form, &parts);
    if (end == nullptr || *end != '\0') continue;
    // timegm would turn 30 February into 2 March.
    const std::chrono::year_month_day day(std::chrono::year(parts.tm_year + 1900),
                                          std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)),
                                          std::chrono::day(static_cast<unsigned>(parts.tm_mday)));
    if (!day.ok()) return fail(ErrorCode::kInvalidArgument, "'{}': there is no such day", text);
    return WallTime(std::chrono::seconds(timegm(&parts)));
  }
  return fail(ErrorCode::kInvalidArgument, "'{}' is not a time: write 2026-12-01 or 2026-12-01T08:30:00Z",
              text);
}

}  // namespace feilun::apps
