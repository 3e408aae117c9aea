// A day that a large inference service has published (open-infra-index, 27 and 28 February 2025): 608
// thousand million input tokens, of which 342 were read from its cache, 168 thousand million output tokens,
// and what they would bring at its list prices, $562,027. It goes through the ledger request by request, and
// every place that tells of it must tell the same.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <random>

#include "base/temporary_directory.h"
#include "gateway/usage_report.h"
#include "ledger/books.h"
#include "ledger/focus_export.h"
#include "ledger/invoicing.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::State;

constexpr TokenCount kCached = 342'000'000'000;
constexpr TokenCount kFresh = 266'000'000'000;
constexpr TokenCount kOutput = 168'000'000'000;
constexpr int kRequests = 24 * 60;
const Money kPublished = Money::parse("562027").value();

class PublishedDayServed : public ::testing::Test {
 protected:
  PublishedDayServed() {
    ledger_ =
        ledger::Ledger::open({.directory = directory_.path(), .serving = true, .clock = &clock_}).value();
    payer_ = act<ledger::Organisation>([](Books& books) {
               return books.create_organisation(
                   {.name = "everyone", .currency = "USD", .time_zone = "Asia/Shanghai"});
             }).id;
    project_ =
        act<ledger::Project>([](Books& books) { return books.create_project("chat", "USD", "everyone"); }).id;
    EXPECT_TRUE(ledger_->credit("everyone", Money::parse("1000000").value(), "USD", "", ""));
    ledger::PriceVersion price;
    price.offering = "r1";
    price.currency = "USD";
    price.rows = pricing::flat_rows({.input_fresh = pricing::per_million("0.55").value(),
                                     .cache_read = pricing::per_million("0.14").value(),
                                     .cache_write = pricing::per_million("0.55").value(),
                                     .output = pricing::per_million("2.19").value(),
                                     .reasoning = pricing::per_million("2.19").value()});
    EXPECT_TRUE(ledger_->set_price(price));
  }
  template <typename T>
  T act(std::move_only_function<Result<T>(Books&)> what) {
    auto done = ledger_->write<T>(std::move(what));
    EXPECT_TRUE(done) << done.error().message;
    return std::move(done).value();
  }
  template <typename T>
  T read(std::move_only_function<Result<T>(State&)> look) {
    auto done = ledger_->read<T>(std::move(look));
    EXPECT_TRUE(done) << done.error().message;
    return std::move(done).value();
  }

  /// Some of what is left, all of it for the last.
  TokenCount take(TokenCount& left, int remaining) {
    const auto share =
        remaining == 1 ? left : left / remaining + static_cast<TokenCount>(random_() % 1'000'003);
    left -= share;
    return share;
  }
  void serve_the_day() {
    TokenCount cached = kCached, fresh = kFresh, output = kOutput;
    for (int remaining = kRequests; remaining > 0; remaining -= 60) {
      act<bool>([&](Books& books) -> Result<bool> {
        for (int i = remaining; i > remaining - 60; --i) {
          const pricing::TokenUsage usage{
              .input_fresh = take(fresh, i), .cache_read = take(cached, i), .output = take(output, i)};
          const std::string id = fmt::format("req_{}", i);
          ledger::HoldRequest asked{.request_id = id, .key_id = "", .project_id = project_, .offering = "r1"};
          asked.input_tokens = usage.input();
          asked.output_slice = usage.output;
          TRY(books.hold(asked));
          TRY(books.settle(id, usage, ledger::Outcome::kCompleted));
        }
        return true;
      });
      clock_.advance(std::chrono::hours(1));
    }
  }
  std::vector<json::object> results(const std::string& page) {
    std::vector<json::object> all;
    for (const json::value& bucket : json::parse(page).at("data").as_array()) {
      for (const json::value& result : bucket.at("results").as_array()) all.push_back(result.as_object());
    }
    return all;
  }
  Money exported(Month month) {
    auto begun = read<ledger::FocusExport>(
        [&](State& state) { return ledger::FocusExport::begin(state, month, "everyone"); });
    std::vector<ledger::FocusCharge> rows;
    while (read<bool>([&](State& state) { return begun.next(state, rows); })) {
    }
    Money sum;
    for (const ledger::FocusCharge& row : rows) sum += row.billed;
    return sum;
  }

  TemporaryDirectory directory_;
  ManualClock clock_{parse_iso8601("2025-02-27T04:00:00Z").value()};
  std::unique_ptr<ledger::Ledger> ledger_;
  std::string payer_, project_;
  std::mt19937_64 random_{27};
};

TEST_F(PublishedDayServed, IsOneNumberInUsageCostsLedgerInvoiceAndExport) {
  serve_the_day();
  UsageQuery query{.period = {parse_iso8601("2025-02-27T00:00:00Z").value(), clock_.wall()}};
  const UsageView view{.payers = {payer_},
                       .sees = [](const std::string&) { return true; },
                       .embeds = [](const std::string&) { return false; }};
  TokenCount input = 0, cached = 0, output = 0;
  for (const auto& result :
       results(read<std::string>([&](State& state) { return usage_report(state, view, query); }))) {
    input += result.at("input_tokens").as_int64();
    cached += result.at("input_cached_tokens").as_int64();
    output += result.at("output_tokens").as_int64();
  }
  EXPECT_EQ(input, kFresh + kCached);
  EXPECT_EQ(cached, kCached);
  EXPECT_EQ(output, kOutput);
  Money costs;
  for (const auto& result :
       results(read<std::string>([&](State& state) { return costs_report(state, view, query); }))) {
    costs += Money::parse(result.at("amount").at("exact").as_string()).value();
  }
  const Month month = parse_month("2025-02").value();
  clock_.advance(std::chrono::hours(24));
  const auto invoice =
      act<ledger::Invoice>([&](Books& books) { return books.issue_invoice("everyone", month); });
  const Money revenue = read<Money>([](State& state) { return ledger::account(state, "revenue", "USD"); });
  EXPECT_EQ(costs, revenue);
  EXPECT_EQ(invoice.exact, revenue);
  EXPECT_EQ(invoice.total, revenue);
  EXPECT_EQ(exported(month), revenue);
  EXPECT_LT(revenue - kPublished, Money::pico(kPublished.pico() / 1000));
  EXPECT_LT(kPublished - revenue, Money::pico(kPublished.pico() / 1000));
}

}  // namespace
}  // namespace feilun::gateway
