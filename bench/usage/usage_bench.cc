// How long the usage API takes for a month of a ledger with many requests, and the FOCUS export of it.
//
//   usage_bench DIRECTORY REQUESTS KEYS     fills the ledger, opens it again and asks
//   usage_bench DIRECTORY 0 0               asks the one that was filled before
//
// The requests are spread over a month, over that many keys in ten projects, and over three offerings and two
// tiers. Prints one line of JSON.
#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/check.h"
#include "gateway/usage_report.h"
#include "ledger/books.h"
#include "ledger/focus_export.h"

namespace feilun {
namespace {

using ledger::Books;
using ledger::Ledger;
using ledger::State;
using Steady = std::chrono::steady_clock;

constexpr int kProjects = 10;
constexpr int kAtOnce = 1000;
constexpr int kRounds = 11;
constexpr const char* kOfferings[] = {"nano", "mini", "large"};
constexpr const char* kMonth = "2026-10";

template <typename T>
T checked(Result<T> result) {
  if (!result) fmt::print(stderr, "{}\n", result.error().message);
  CHECK(result.has_value());
  return *std::move(result);
}

double milliseconds_since(Steady::time_point start) {
  return std::chrono::duration<double, std::milli>(Steady::now() - start).count();
}

/// The most memory that the process had at once since begin_peak().
double peak_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::atof(line.c_str() + 6) / 1024;
  }
  return 0;
}

void begin_peak() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << 5;
}

class Bench {
 public:
  Bench(const char* directory, int64_t requests, int keys)
      : directory_(directory), requests_(requests), keys_(keys), clock_(month().from) {}

  void run() {
    if (requests_ > 0) {
      open();
      fill();
      ledger_.reset();
    }
    open();
    payer_ = checked(ledger_->read<ledger::Organisation>([](State& state) {
               return ledger::find_organisation(state, "acme");
             })).id;
    const auto usage = times("", gateway::usage_report);
    const auto by_model = times("&group_by=project_id&group_by=model", gateway::usage_report);
    const auto costs = times("&group_by=line_item", gateway::costs_report);
    const int64_t sums = hour_rows();
    begin_peak();
    const double before = peak_mb();
    const auto start = Steady::now();
    const int64_t rows = exported();
    const double took_ms = milliseconds_since(start);
    const double took_mb = peak_mb() - before;
    fmt::print(
        R"({{"requests":{},"db_mb":{:.1f},"hour_rows":{},"first_ms":{:.1f},"usage_ms":{:.1f},"usage_by_model_ms":{:.1f},)"
        R"("costs_ms":{:.1f},"focus_rows":{},"focus_ms":{:.0f},"focus_more_mb":{:.0f}}})"
        "\n",
        requests_, double(std::filesystem::file_size(std::filesystem::path(directory_) / "ledger.db")) / 1e6,
        sums, usage.front(), median(usage), median(by_model), median(costs), rows, took_ms, took_mb);
  }

 private:
  static Period month() { return TimeZone::utc().period_of(parse_month(kMonth).value()); }
  static double median(std::vector<double> times) {
    std::ranges::sort(times);
    return times[times.size() / 2];
  }

  void open() {
    ledger_ = checked(Ledger::open({.directory = directory_, .serving = true, .clock = &clock_}));
  }

  void fill() {
    ledger::PriceVersion price;
    price.currency = "CNY";
    price.rows = pricing::flat_rows({.input_fresh = Money::pico(300'000),
                                     .cache_read = Money::pico(30'000),
                                     .cache_write = Money::pico(300'000),
                                     .output = Money::pico(600'000),
                                     .reasoning = Money::pico(600'000)});
    for (const char* offering : kOfferings) {
      price.offering = offering;
      checked(ledger_->set_price(price));
    }
    checked(ledger_->write<ledger::Organisation>(
        [](Books& books) { return books.create_organisation({.name = "acme", .currency = "CNY"}); }));
    checked(ledger_->credit("acme", Money::parse("1000000").value(), "CNY", "", ""));
    for (int i = 0; i < kProjects; ++i) {
      projects_.push_back(checked(ledger_->write<ledger::Project>([&](Books& books) {
                            return books.create_project(fmt::format("project-{}", i), "CNY", "acme");
                          })).id);
    }
    const auto step = (month().until - month().from) / (requests_ / kAtOnce + 1);
    for (int64_t done = 0; done < requests_; done += kAtOnce) {
      checked(ledger_->write<bool>([&](Books& books) -> Result<bool> {
        for (int64_t i = done; i < done + kAtOnce; ++i) TRY(serve(books, i));
        return true;
      }));
      clock_.advance(step);
    }
  }

  Result<> serve(Books& books, int64_t number) const {
    const int64_t key = number * 7919 % keys_;
    const std::string id = fmt::format("req_{:026}", number);
    ledger::HoldRequest asked{.request_id = id, .key_id = fmt::format("key_{:026}", key)};
    asked.project_id = projects_[static_cast<size_t>(key % kProjects)];
    asked.offering = kOfferings[number % 3];
    asked.tier = number % 5 == 0 ? ledger::ServiceTier::kBatch : ledger::ServiceTier::kDefault;
    asked.input_tokens = 900 + number % 100;
    TRY(books.hold(asked));
    TRY(books.settle(id, {.input_fresh = 500 + number % 100, .cache_read = 400, .output = 200},
                     ledger::Outcome::kCompleted));
    return {};
  }

  using Report = Result<std::string> (*)(State&, const gateway::UsageView&, const gateway::UsageQuery&);

  /// Of one query again and again; the first is of a ledger that was just opened.
  std::vector<double> times(const std::string& groups, Report report) {
    net::Request request;
    request.target = fmt::format("/?start_time={}&limit=31{}", seconds(month().from), groups);
    std::vector<double> times;
    for (int i = 0; i < kRounds; ++i) {
      const auto start = Steady::now();
      const auto query = checked(gateway::read_usage_query(request, month().until - std::chrono::seconds(2)));
      const gateway::UsageView view{.payers = {payer_}, .sees = [](const std::string&) { return true; }};
      const std::string page =
          checked(ledger_->read<std::string>([&](State& state) { return report(state, view, query); }));
      times.push_back(milliseconds_since(start));
      CHECK(page.size() > 31);
    }
    return times;
  }
  static int64_t seconds(WallTime time) {
    return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  }

  int64_t hour_rows() {
    return checked(ledger_->read<int64_t>([&](State& state) -> Result<int64_t> {
      return std::ssize(TRY(ledger::hourly_usage(state, payer_, month())));
    }));
  }

  int64_t exported() {
    auto exported = checked(ledger::FocusCsv::begin(*ledger_, parse_month(kMonth).value(), "acme"));
    while (!checked(exported.next()).empty()) {
    }
    return exported.rows();
  }

  std::string directory_;
  int64_t requests_;
  int keys_;
  ManualClock clock_;
  std::unique_ptr<Ledger> ledger_;
  std::string payer_;
  std::vector<std::string> projects_;
};

}  // namespace
}  // namespace feilun

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage_bench DIRECTORY REQUESTS KEYS\n");
    return 2;
  }
  feilun::Bench(argv[1], std::atoll(argv[2]), std::atoi(argv[3])).run();
}
