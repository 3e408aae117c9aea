#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "ledger/ledger_fixture.h"

namespace feilun::ledger {

inline constexpr TokenCount kInput = 100;
inline const Money kStart = Money::pico(1'000'000'000'000);

inline Money price_of(TokenCount output) {
  return Money::pico(kInput * 300'000 + output * 600'000);
}

/// Gateways over a real PostgreSQL that may go away; what they leave is verified.
class SpoolerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_POSTGRES();
    schema_ = server().new_schema();
    const auto ledger = open("set-up", false);
    ASSERT_TRUE(ledger->set_price(test_price()));
    ASSERT_TRUE(ledger->credit("default", kStart, "CNY", "", ""));
    project_ = ledger->find_project("default")->id;
  }
  void TearDown() override {
    if (schema_.empty()) return;
    const auto report =
        audit::verify({.directory = directory_.path() / "gateway", .url = server().url(), .schema = schema_});
    ASSERT_TRUE(report) << report.error().message;
    for (const std::string& problem : report->findings()) ADD_FAILURE() << problem;
  }

  static TestPostgres& server() { return TestPostgres::server(); }
  /// `name`: of the gateway's own directory.
  LedgerOptions options(const std::string& name, bool serving = true) {
    LedgerOptions options{.directory = directory_.path() / name, .serving = serving};
    options.url = server().url();
    options.postgres.schema = schema_;
    options.lease = lease_;
    options.patience =
        std::chrono::milliseconds(1000);  // more than a busy machine makes a healthy database wait
    return options;
  }
  std::unique_ptr<Ledger> open(const std::string& name = "gateway", bool serving = true) {
    auto opened = Ledger::open(options(name, serving));
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  Result<Hold> hold(Ledger& ledger, const std::string& id) {
    return ledger.hold_now({.request_id = id,
                            .project_id = project_,
                            .offering = "nano",
                            .input_tokens = kInput,
                            .output_slice = 20});
  }
  static Result<TokenUsage> mark(Ledger& ledger, const std::string& id, TokenCount output) {
    return wait<TokenUsage>(
        [&](auto done) { ledger.mark(id, {.input_fresh = kInput, .output = output}, std::move(done)); });
  }
  static Result<Settlement> settle(Ledger& ledger, const std::string& id, TokenCount output) {
    return ledger.settle_now(id, {.input_fresh = kInput, .output = output}, Outcome::kCompleted);
  }
  static Result<Settlement> release(Ledger& ledger, const std::string& id) {
    return wait<Settlement>([&](auto done) { ledger.release(id, Outcome::kFailed, std::move(done)); });
  }
  static Money charged_late(const Ledger& ledger) {
    const auto charged = ledger.spool().charged_late;
    const auto place = charged.find({"nano", "CNY"});
    return place == charged.end() ? Money() : place->second;
  }
  static void wait_until_told(const Ledger& ledger) {
    while (ledger.spool().away || ledger.spool().records > 0 || ledger.spool().bytes > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  static void wait_until_away(const Ledger& ledger) {
    while (!ledger.spool().away) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  void expect_charged(Ledger& ledger, Money charged, int64_t requests) {
    EXPECT_EQ(ledger.balance("default")->posted, kStart - charged);
    EXPECT_TRUE(ledger.balance("default")->pending.is_zero());
    EXPECT_EQ(ledger.usage("default")->requests, requests);
  }

  TemporaryDirectory directory_;
  std::string schema_;
  std::string project_;
  std::chrono::milliseconds lease_ = std::chrono::minutes(5);
};

}  // namespace feilun::ledger
