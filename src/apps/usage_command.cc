#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>
#include <tuple>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "base/civil_time.h"
#include "ledger/books.h"
#include "ledger/invoicing.h"
#include "ledger/rollups.h"
#include "ledger/tenant_records.h"

// A month of usage and what it cost, from the same sums as its invoice: the month is the payer's, and a
// request belongs to the one in which it was settled.

namespace feilun::apps {
namespace {

namespace json = boost::json;
using ledger::State;
using ledger::UsageRow;

struct UsageOptions : LedgerAccess {
  std::string month;
  std::string owner;
  std::string only;  ///< project
  bool json = false;
};

struct Line {
  std::string project;  ///< id
  std::string name;     ///< "acme/web"
  std::string offering;
  std::string tier;
  std::string currency;
  friend auto operator<=>(const Line&, const Line&) = default;
};

using Lines = std::map<Line, ledger::UsageSums>;

struct MonthOfUsage {
  Month month;
  Lines lines;
};

Result<Line> line_of(State& state, const UsageRow& row) {
  const ledger::Project project = TRY(ledger::find_project(state, row.key.project_id));
  return Line{.project = project.id,
              .name = ledger::name_within(TRY(ledger::organisation_of(state, project.organisation)).name,
                                          project.name),
              .offering = row.key.offering,
              .tier = std::string(pricing::name_of(row.key.tier)),
              .currency = TRY(ledger::find_price(state, row.key.price_id)).currency};
}

Result<std::vector<std::string>> payers(State& state, const std::string& owner) {
  if (owner.empty()) return ledger::payers_with_usage(state);
  return std::vector{TRY(ledger::find_buyer(state, owner)).id};
}

Result<MonthOfUsage> read_month(const UsageOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const Month month = options.month.empty() ? TimeZone::utc().month_of(SystemClock().wall())
                                            : TRY(parse_month(options.month));
  return ledger->read<MonthOfUsage>([&](State& state) -> Result<MonthOfUsage> {
    MonthOfUsage found{.month = month};
    std::string only;
    if (!options.only.empty()) only = TRY(ledger::find_project(state, options.only)).id;
    for (const std::string& payer : TRY(payers(state, options.owner))) {
      for (const UsageRow& row : TRY(ledger::monthly_usage(state, payer, month))) {
        if (only.empty() || row.key.project_id == only) found.lines[TRY(line_of(state, row))] += row.sums;
      }
    }
    return found;
  });
}

json::object described(const Line& line) {
  return {{"project_id", line.project},
          {"project", line.name},
          {"model", line.offering},
          {"service_tier", line.tier}};
}

void print_json(Month month, json::array data) {
  fmt::print("{}\n", json::serialize(json::object{{"month", to_string(month)}, {"data", std::move(data)}}));
}

json::object usage_json(const Line& line, const ledger::UsageSums& sums) {
  json::object shown = described(line);
  shown["num_model_requests"] = sums.requests;
  shown["input_tokens"] = sums.usage.input();
  shown["input_cached_tokens"] = sums.usage.cache_read;
  shown["output_tokens"] = sums.usage.total_output();
  return shown;
}

Result<> usage(const UsageOptions& options) {
  const MonthOfUsage found = TRY(read_month(options));
  if (options.json) {
    json::array data;
    for (const auto& [line, sums] : found.lines) data.push_back(usage_json(line, sums));
    print_json(found.month, std::move(data));
    return {};
  }
  fmt::print("{:<31} {:<23} {:<8} {:>10} {:>15} {:>15} {:>15}\n", "PROJECT", "MODEL", "TIER", "REQUESTS",
             "INPUT", "OF IT CACHED", "OUTPUT");
  for (const auto& [line, sums] : found.lines) {
    fmt::print("{:<31} {:<23} {:<8} {:>10} {:>15} {:>15} {:>15}\n", line.name, line.offering, line.tier,
               sums.requests, sums.usage.input(), sums.usage.cache_read, sums.usage.total_output());
  }
  return {};
}

Result<> costs(const UsageOptions& options) {
  const MonthOfUsage found = TRY(read_month(options));
  if (options.json) {
    json::array data;
    for (const auto& [line, sums] : found.lines) {
      json::object shown = described(line);
      shown["currency"] = line.currency;
      shown["amount"] = sums.charged.to_string();
      data.push_back(std::move(shown));
    }
    print_json(found.month, std::move(data));
    return {};
  }
  std::map<std::string, Money> totals;
  fmt::print("{:<31} {:<23} {:<8} {:>24} {}\n", "PROJECT", "MODEL", "TIER", "AMOUNT", "CURRENCY");
  const auto print_line = [](const Line& line, Money amount) {
    fmt::print("{:<31} {:<23} {:<8} {:>24} {}\n", line.name, line.offering, line.tier, amount.to_string(),
               line.currency);
  };
  for (const auto& [line, sums] : found.lines) {
    print_line(line, sums.charged);
    totals[line.currency] += sums.charged;
  }
  for (const auto& [currency, total] : totals) print_line({.name = "sum", .currency = currency}, total);
  return {};
}

void add_command(CLI::App& app, Run& chosen, const char* name, const char* help,
                 Result<> (*run)(const UsageOptions&)) {
  auto options = std::make_shared<UsageOptions>();
  CLI::App* command = app.add_subcommand(name, help);
  add_data_option(command, *options);
  command->add_option("--month", options->month, "Such as 2026-11; the current one (UTC) if not given");
  command->add_option("--owner", options->owner,
                      "Of this organisation, or project with a wallet of its own, alone: name or id");
  command->add_option("--project", options->only, "Of this project alone: its id, or ORGANISATION/NAME");
  command->add_flag("--json", options->json, "For programs; amounts are exact, as text");
  command->footer(
      "The sums are those of the month's invoice: a month is that of the payer's time zone.\n"
      "By the hour or the day, and by key: GET /v1/organization/usage/completions and …/costs.");
  on_chosen(command, chosen, options, run);
}

}  // namespace

void add_usage_commands(CLI::App& app, Run& chosen) {
  add_command(app, chosen, "usage", "A month's requests and tokens by project, model and service tier",
              usage);
  add_command(app, chosen, "costs",
              "What a month's requests were charged, by project, model and service tier", costs);
}

}  // namespace feilun::apps
