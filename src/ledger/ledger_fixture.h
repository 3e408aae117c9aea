#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/clock.h"
#include "base/temporary_directory.h"
#include "ledger/audit.h"
#include "ledger/ledger.h"
#include "ledger/test_postgres.h"

namespace feilun::ledger {

inline Money yuan(const char* text) {
  return Money::parse(text).value();
}

/// Runs one of the asynchronous methods and waits: wait<Hold>([&](auto done) { ledger.top_up(id, 5, done);
/// }).
template <typename T, typename Call>
Result<T> wait(Call&& call) {
  std::promise<Result<T>> promise;
  auto result = promise.get_future();
  call(Done<T>(
      [promise = std::move(promise)](Result<T> done) mutable { promise.set_value(std::move(done)); }));
  return result.get();
}

/// 0.3 yuan per million input tokens, a tenth of it for cached ones, and 0.6 per million output tokens.
inline PriceVersion test_price(const char* offering = "nano") {
  PriceVersion version;
  version.offering = offering;
  version.currency = "CNY";
  version.rows = pricing::flat_rows({.input_fresh = Money::pico(300'000),
                                     .cache_read = Money::pico(30'000),
                                     .cache_write = Money::pico(300'000),
                                     .output = Money::pico(600'000),
                                     .reasoning = Money::pico(600'000)});
  return version;
}

/// The same tests run over both databases: FEILUN_TEST_LEDGER=postgres asks for the second. Where that is not
/// installed the program ends, and CTest counts its tests as skipped.
inline bool test_on_postgres() {
  const char* wanted = std::getenv("FEILUN_TEST_LEDGER");
  if (wanted == nullptr) return false;
  CHECK(std::string_view(wanted) == "postgres");
  if (TestPostgres::programs().empty()) std::_Exit(77);
  return true;
}

/// A ledger in a directory (and, in PostgreSQL, a schema) of its own, on a clock that stands still, with one
/// price.
class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    if (test_on_postgres()) schema_ = TestPostgres::server().new_schema();
    reopen();
  }

  LedgerOptions options(bool serving = true) {
    LedgerOptions options{.directory = directory_.path(), .serving = serving, .clock = &clock_};
    if (!schema_.empty()) options.url = TestPostgres::server().url();
    options.postgres.schema = schema_;
    return options;
  }
  void reopen(bool serving = true) {
    ledger_.reset();
    auto opened = Ledger::open(options(serving));
    ASSERT_TRUE(opened) << opened.error().message;
    ledger_ = *std::move(opened);
  }
  /// A ledger in PostgreSQL in the place of this one, whatever the tests run over.
  void move_to_postgres(bool serving = true) {
    ledger_.reset();
    std::filesystem::remove(directory_.path() / "ledger.anchor");
    schema_ = TestPostgres::server().new_schema();
    reopen(serving);
  }
  PriceVersion price(const char* offering = "nano") const { return test_price(offering); }
  void set_up_price() { ASSERT_TRUE(ledger_->set_price(price())); }
  void credit(const char* amount) {
    ASSERT_TRUE(ledger_->credit("default", yuan(amount), "CNY", "test", ""));
  }
  std::string project_id() { return ledger_->find_project("default").value().id; }
  HoldRequest request(std::string id, TokenCount input = 100, TokenCount slice = 256) {
    return {.request_id = std::move(id),
            .key_id = "key_test",
            .project_id = project_id(),
            .offering = "nano",
            .input_tokens = input,
            .output_slice = slice};
  }
  Balance balance() { return ledger_->balance("default").value(); }
  void expect_verified() {
    audit::Place place{.directory = directory_.path()};
    if (!schema_.empty()) place.url = TestPostgres::server().url();
    if (!schema_.empty()) place.schema = schema_;
    const auto report = audit::verify(place);
    ASSERT_TRUE(report) << report.error().message;
    for (const std::string& problem : report->findings()) ADD_FAILURE() << problem;
  }

  TemporaryDirectory directory_;
  std::string schema_;  ///< empty in SQLite
  ManualClock clock_;
  std::unique_ptr<Ledger> ledger_;
};

}  // namespace feilun::ledger
