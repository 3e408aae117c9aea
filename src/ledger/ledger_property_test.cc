#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <random>

#include "ledger/ledger_fixture.h"
#include "ledger/shadow_ledger.h"

// Random operations against the real ledger and against a shadow of it. They are sent in batches without
// waiting, so that groups form as they do under load, and every answer is compared with the shadow's.

namespace feilun::ledger {
namespace {

constexpr int kBatches = 320;
constexpr int kBatch = 64;

std::string answer(const Error& error) {
  switch (error.code) {
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kNotFound:
      return "unknown";
    case ErrorCode::kInsufficientQuota:
      return "insufficient";
    default:
      return error.message;
  }
}

template <typename T>
std::string answer(const Result<T>& result) {
  return result ? ShadowLedger::line(*result) : answer(result.error());
}

class LedgerProperty : public LedgerTest, public ::testing::WithParamInterface<uint64_t> {
 protected:
  struct Asked {
    std::string what;
    std::string expected;
    std::string got = {};
  };

  int64_t below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }
  std::string some_request() {
    // Mostly near the newest, so that requests are met again while open; sometimes one long ended.
    const int64_t back = below(10) == 0 ? below(next_request_ + 1) : below(40);
    return "req_" + std::to_string(std::max<int64_t>(0, next_request_ - back));
  }
  TokenUsage some_usage() {
    return {.input_fresh = below(60),
            .cache_read = below(40),
            .cache_write = below(20),
            .output = below(80),
            .reasoning = below(20)};
  }
  void ask(std::vector<std::unique_ptr<Asked>>& batch, const std::shared_ptr<std::latch>& answered);
  void change_price();
  void credit_some();
  void compare_totals();

  template <typename T>
  Done<T> expect(std::vector<std::unique_ptr<Asked>>& batch, const std::shared_ptr<std::latch>& answered,
                 std::string what, std::string expected) {
    batch.push_back(std::make_unique<Asked>(std::move(what), std::move(expected)));
    return [asked = batch.back().get(), answered](Result<T> result) {
      asked->got = answer(result);
      answered->count_down();
    };
  }

  std::mt19937_64 random_{GetParam()};
  ShadowLedger shadow_;
  std::vector<std::string> projects_;
  int64_t next_request_ = 0;
};

void LedgerProperty::ask(std::vector<std::unique_ptr<Asked>>& batch,
                         const std::shared_ptr<std::latch>& answered) {
  const int64_t dice = below(100);
  const std::string id = some_request();
  if (dice < 40) {
    HoldRequest asked{.request_id = dice < 36 ? "req_" + std::to_string(++next_request_) : id};
    asked.project_id = projects_[static_cast<size_t>(below(static_cast<int64_t>(projects_.size())))];
    asked.offering = "nano";
    asked.input_tokens = below(100);
    asked.output_slice = 1 + below(64);
    ledger_->hold(asked, expect<Hold>(batch, answered, "hold " + asked.request_id, shadow_.hold(asked)));
  } else if (dice < 55) {
    const TokenCount more = below(64);
    ledger_->top_up(id, more, expect<Hold>(batch, answered, "top_up " + id, shadow_.top_up(id, more)));
  } else if (dice < 70) {
    const TokenUsage usage = some_usage();
    ledger_->mark(id, usage, expect<TokenUsage>(batch, answered, "mark " + id, shadow_.mark(id, usage)));
  } else if (dice < 92) {
    const TokenUsage usage = some_usage();
    ledger_->settle(id, usage, Outcome::kCompleted,
                    expect<Settlement>(batch, answered, "settle " + id, shadow_.settle(id, usage)));
  } else {
    ledger_->release(id, Outcome::kCancelled,
                     expect<Settlement>(batch, answered, "release " + id, shadow_.release(id)));
  }
}

void LedgerProperty::change_price() {
  clock_.advance(std::chrono::milliseconds(1));
  PriceVersion version = price();
  for (Money* unit : {&version.rows[0].units.input_fresh, &version.rows[0].units.cache_read, &version.rows[0].units.cache_write, &version.rows[0].units.output,
                      &version.rows[0].units.reasoning}) {
    *unit = Money::pico(below(1'000'000));
  }
  if (version.rows[0].units.output.is_zero() && version.rows[0].units.reasoning.is_zero()) version.rows[0].units.output = Money::pico(1);
  const auto set = ledger_->set_price(version);
  ASSERT_TRUE(set);
  shadow_.set_price(*set);
}

void LedgerProperty::credit_some() {
  const std::string& project = projects_[static_cast<size_t>(below(static_cast<int64_t>(projects_.size())))];
  const std::string key = below(3) == 0 ? "" : "key_" + std::to_string(below(50));
  const Money amount = Money::pico(1 + below(2) * 100'000'000 + below(2));
  EXPECT_EQ(answer(ledger_->credit(project, amount, "CNY", "", key)), shadow_.credit(project, amount, key));
}

void LedgerProperty::compare_totals() {
  for (const std::string& project : projects_) {
    EXPECT_EQ(answer(ledger_->balance(project)), shadow_.balance(project));
    const UsageTotals totals = ledger_->usage(project).value();
    EXPECT_EQ(ShadowLedger::line(totals.requests, totals.usage.total_output(), totals.charged),
              shadow_.usage(project));
  }
}

TEST_P(LedgerProperty, AnswersAsItsShadowThroughDuplicatesAndRestarts) {
  for (const char* name : {"default", "red", "blue"}) {
    if (name != std::string("default")) ASSERT_TRUE(ledger_->create_project(name, "CNY"));
    projects_.push_back(ledger_->find_project(name)->id);
    shadow_.add_project(projects_.back());
  }
  change_price();
  for (int i = 0; i < kBatches; ++i) {
    if (below(4) == 0) change_price();
    for (int64_t credits = below(6); credits > 0; --credits) credit_some();
    std::vector<std::unique_ptr<Asked>> batch;
    const auto answered = std::make_shared<std::latch>(kBatch);
    for (int k = 0; k < kBatch; ++k) ask(batch, answered);
    answered->wait();
    for (const auto& asked : batch)
      ASSERT_EQ(asked->got, asked->expected) << asked->what << " in batch " << i;
    if (below(20) == 0) {
      reopen(/*serving=*/true);
      shadow_.recover();
    }
    if (i % 50 == 0) {
      compare_totals();
      expect_verified();
      if (HasFailure()) return;
    }
  }
  compare_totals();
  expect_verified();
}

INSTANTIATE_TEST_SUITE_P(Seeds, LedgerProperty, ::testing::Values(1, 2));

}  // namespace
}  // namespace feilun::ledger
