// The money road of an embedding request, step by step, against a ledger and an engine that do what they are
// told.
#include "gateway/embedding_meter.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/log.h"
#include "gateway/scripted_world.h"

namespace feilun::gateway {
namespace {

namespace asio = boost::asio;
using engine::EmbeddingResult;
using engine::FinishReason;
using ledger::Outcome;

class ScriptedEmbeddings final : public engine::EmbeddingEngine {
 public:
  Result<> submit(engine::EmbeddingJob job, engine::EmbeddingSink sink) override {
    if (refuses_) return fail(ErrorCode::kOverloaded, "the queue is full");
    if (throws_) throw std::bad_alloc();
    job_ = std::move(job);
    sink_ = std::move(sink);
    return {};
  }
  void cancel(std::string_view id) override { cancelled_.emplace_back(id); }
  std::vector<engine::TokenId> encode(std::string_view text) const override {
    return std::vector<engine::TokenId>(text.size(), 1);
  }
  const model::ModelFile& file() const override { return file_; }
  int width() const override { return 2; }
  int64_t context() const override { return 100; }
  engine::EngineStats stats() const override { return {}; }

  void finish(FinishReason finish, TokenCount computed, Error error = {}) {
    EmbeddingResult result{
        .finish = finish, .usage = {.prompt_computed = computed}, .error = std::move(error)};
    result.usage.attributed = std::chrono::milliseconds(2);
    if (finish == FinishReason::kStop) result.vectors = {1, 0};
    std::exchange(sink_, nullptr)(std::move(result));
  }

  bool refuses_ = false;
  bool throws_ = false;
  engine::EmbeddingJob job_;
  engine::EmbeddingSink sink_;
  std::vector<std::string> cancelled_;

 private:
  model::ModelFile file_;
};

class EmbeddingMeterTest : public ::testing::Test {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }
  void start() {
    asio::co_spawn(
        io_, [this]() -> asio::awaitable<void> { outcome_ = co_await meter_.run(); }, asio::detached);
    turn();
  }
  void turn() {
    io_.restart();
    io_.poll();
  }
  void finish(FinishReason reason, TokenCount computed, Error error = {}) {
    engine_.finish(reason, computed, std::move(error));
    turn();
  }
  const Ending& ending() const { return outcome_.value().ending; }

  asio::io_context io_;
  testing::ScriptedLedger ledger_;
  ScriptedEmbeddings engine_;
  std::shared_ptr<pricing::MachineCost> machine_ = std::make_shared<pricing::MachineCost>(
      pricing::MachinePrice{.per_hour = Money::parse("3.60").value(), .currency = "CNY"});
  EmbeddingMeter meter_{
      {.request_id = "req", .offering = "m", .inputs = {{1, 2}, {3}}}, engine_, ledger_, machine_};
  std::optional<EmbeddingOutcome> outcome_;
};

TEST_F(EmbeddingMeterTest, HoldsAllInputComputesAndSettlesOnce) {
  start();
  EXPECT_EQ(ledger_.log_, std::vector<std::string>{"hold 3+0"});
  EXPECT_EQ(engine_.job_.inputs.size(), 2u);
  EXPECT_FALSE(outcome_);
  finish(FinishReason::kStop, 3);
  EXPECT_EQ(ledger_.log_.back(), "settle 3+0 0");
  EXPECT_EQ(ledger_.terminal_, 1);
  EXPECT_FALSE(ending().error);
  EXPECT_EQ(ending().usage.input_fresh, 3);
  EXPECT_EQ(ending().currency, "CNY");
  EXPECT_EQ(outcome_->vectors.size(), 2u);
}

TEST_F(EmbeddingMeterTest, JournalsTheCostBesideTheCharge) {
  start();
  finish(FinishReason::kStop, 3);
  ASSERT_TRUE(ledger_.cost_);
  EXPECT_EQ(ledger_.cost_->attributed, std::chrono::milliseconds(2));
  EXPECT_EQ(ledger_.cost_->cost, Money::parse("0.000002").value());
  EXPECT_EQ(ledger_.cost_->currency, "CNY");
}

TEST_F(EmbeddingMeterTest, NothingIsComputedBeforeTheHold) {
  ledger_.slow_ = true;
  start();
  EXPECT_FALSE(engine_.sink_);
  ledger_.answer_next();
  turn();
  EXPECT_TRUE(engine_.sink_);
  finish(FinishReason::kStop, 3);
  EXPECT_FALSE(outcome_) << "the reply waits until the charge is durable";
  ledger_.answer_next();
  turn();
  EXPECT_TRUE(outcome_);
}

TEST_F(EmbeddingMeterTest, WithoutMoneyNothingHappens) {
  ledger_.tokens_left_ = 0;
  start();
  EXPECT_EQ(ending().error->code, ErrorCode::kInsufficientQuota);
  EXPECT_EQ(ledger_.terminal_, 0);
  EXPECT_FALSE(engine_.sink_);
}

TEST_F(EmbeddingMeterTest, AFullQueueGivesTheHoldBack) {
  engine_.refuses_ = true;
  start();
  EXPECT_EQ(ending().error->code, ErrorCode::kOverloaded);
  EXPECT_EQ(ledger_.log_.back(), "release 3");
  EXPECT_EQ(ledger_.terminal_, 1);
}

TEST_F(EmbeddingMeterTest, WhateverIsThrownGivesTheHoldBack) {
  engine_.throws_ = true;
  start();
  EXPECT_EQ(ending().error->code, ErrorCode::kInternal);
  EXPECT_EQ(ledger_.log_.back(), "release 3");
}

TEST_F(EmbeddingMeterTest, AClientThatLeavesPaysForWhatWasComputed) {
  start();
  meter_.abandon(Meter::Abandon::kClientGone);
  EXPECT_EQ(engine_.cancelled_, std::vector<std::string>{"req"});
  finish(FinishReason::kCancelled, 2);
  EXPECT_EQ(ledger_.log_.back(), "settle 2+0 1");
  EXPECT_EQ(ending().outcome, Outcome::kCancelled);
  EXPECT_EQ(ending().error->code, ErrorCode::kCancelled);
}

TEST_F(EmbeddingMeterTest, AClientThatLeavesBeforeTheFirstPassPaysNothing) {
  start();
  meter_.abandon(Meter::Abandon::kClientGone);
  finish(FinishReason::kCancelled, 0);
  EXPECT_EQ(ledger_.log_.back(), "release 1");
  EXPECT_EQ(ledger_.terminal_, 1);
}

TEST_F(EmbeddingMeterTest, AClientThatLeavesDuringTheHoldIsNeverComputed) {
  ledger_.slow_ = true;
  start();
  meter_.abandon(Meter::Abandon::kClientGone);
  ledger_.answer_next();
  turn();
  EXPECT_FALSE(engine_.sink_);
  ledger_.answer_next();
  turn();
  EXPECT_EQ(ledger_.log_.back(), "release 1");
  EXPECT_EQ(ending().error->code, ErrorCode::kCancelled);
}

TEST_F(EmbeddingMeterTest, WhoLeavesTooLateHasBoughtAll) {
  start();
  meter_.abandon(Meter::Abandon::kClientGone);
  finish(FinishReason::kStop, 3);
  EXPECT_EQ(ledger_.log_.back(), "settle 3+0 0");
  EXPECT_FALSE(ending().error);
}

TEST_F(EmbeddingMeterTest, AStoppingServerSaysSo) {
  start();
  meter_.abandon(Meter::Abandon::kServerStopping);
  meter_.abandon(Meter::Abandon::kClientGone);
  finish(FinishReason::kCancelled, 2);
  EXPECT_NE(ending().error->message.find("server is stopping"), std::string::npos);
}

TEST_F(EmbeddingMeterTest, AFailureIsToldAndChargesNothing) {
  start();
  finish(FinishReason::kFailed, 3, {ErrorCode::kInternal, "broken weights"});
  EXPECT_EQ(ledger_.log_.back(), "release 3");
  EXPECT_EQ(ledger_.terminal_, 1);
  EXPECT_EQ(ending().usage.input(), 0);
  EXPECT_EQ(ending().error->message, "broken weights");
}

TEST_F(EmbeddingMeterTest, AnUnconfirmedChargeIsNoSuccess) {
  ledger_.settles_fail_ = true;
  start();
  finish(FinishReason::kStop, 3);
  EXPECT_TRUE(ending().unsettled);
  EXPECT_EQ(ending().error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(ending().usage.input(), 0);
}

}  // namespace
}  // namespace feilun::gateway
