#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "ledger/ledger_fixture.h"

namespace feilun::ledger {

/// Several gateways on one PostgreSQL, whose one wallet pays for exactly kPaid requests of kEach.
class SharedLedger : public ::testing::Test {
 protected:
  static constexpr TokenCount kInput = 100;
  static constexpr TokenCount kOutput = 10;
  static constexpr int kPaid = 500;
  static inline const Money kEach = Money::pico(kInput * 300'000 + kOutput * 600'000);

  void SetUp() override {
    SKIP_WITHOUT_POSTGRES();
    schema_ = TestPostgres::server().new_schema();
    const auto ledger = open("set-up", false);
    ASSERT_TRUE(ledger->set_price(test_price()));
    ASSERT_TRUE(ledger->credit("default", kEach * kPaid, "CNY", "", ""));
  }

  /// `name`: of the gateway's own directory.
  LedgerOptions options(const std::string& name, bool serving = true) {
    LedgerOptions options{.directory = directory_.path() / name, .serving = serving};
    options.url = TestPostgres::server().url();
    options.postgres.schema = schema_;
    options.postgres.idle_limit = std::chrono::milliseconds(500);
    options.lease = lease_;
    return options;
  }
  std::unique_ptr<Ledger> open(const std::string& name, bool serving = true) {
    auto opened = Ledger::open(options(name, serving));
    if (!opened) ADD_FAILURE() << opened.error().message;
    return opened ? *std::move(opened) : nullptr;
  }
  static HoldRequest request(std::string id, const std::string& project) {
    HoldRequest asked{.request_id = std::move(id), .project_id = project, .offering = "nano"};
    asked.input_tokens = kInput;
    asked.output_slice = kOutput;
    return asked;
  }
  static Result<Settlement> settle(Ledger& ledger, const std::string& id) {
    return ledger.settle_now(id, {.input_fresh = kInput, .output = kOutput}, Outcome::kCompleted);
  }
  /// Holds and settles; true when it was served.
  static bool serve(Ledger& ledger, const std::string& id, const std::string& project) {
    const auto hold = ledger.hold_now(request(id, project));
    if (!hold || hold->exhausted) return false;
    return settle(ledger, id).has_value();
  }

  TemporaryDirectory directory_;
  std::string schema_;
  std::chrono::milliseconds lease_ = std::chrono::seconds(90);
};

}  // namespace feilun::ledger
