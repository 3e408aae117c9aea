#include "gateway/meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/log.h"
#include "gateway/scripted_world.h"

namespace feilun::gateway {
namespace {

using engine::FinishReason;
using engine::GenerationEvent;
using ledger::Outcome;
using testing::ScriptedDeployment;
using testing::ScriptedLedger;

/// A Meter between a scripted engine and a scripted ledger, with a queue of posted work for its thread.
class MeterTest : public ::testing::Test, public MeterListener {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }
  void TearDown() override { spdlog::set_level(spdlog::level::info); }

  void on_event(int index, GenerationEvent event) override {
    EXPECT_FALSE(ending_) << "an event after the end";
    const bool reachable = !ledger_.away_ && !ledger_.fenced_ && !ledger_.settles_fail_;
    if (event.usage.output > 0 && reachable && ledger_.holds_until_ == MonoTime::max()) {
      EXPECT_TRUE(ledger_.marked_.input() > 0 || ledger_.settled_) << "a crash would give the prompt away";
    }
    const auto i = static_cast<size_t>(index);
    outputs_[i] = std::max(outputs_[i], event.usage.output);
    if (event.finish) finishes_[i] = *event.finish;
  }
  void on_end(Ending ending) override {
    EXPECT_FALSE(ending_) << "ended twice";
    ending_ = std::move(ending);
  }

  void start(int n, TokenCount max_tokens, bool paced = false, MeterOptions options = {}) {
    MeteredRequest request{.request_id = "req_1", .key_id = "key_1", .project_id = "proj_1", .offering = "m"};
    for (int i = 0; i < n; ++i) {
      request.generations.push_back(
          {.prompt = std::vector<engine::TokenId>(10, 1), .max_tokens = max_tokens});
      request.prompt_of.push_back(0);
    }
    request.paced = paced;
    start(std::move(request), options);
  }
  void start(MeteredRequest request, MeterOptions options = {}) {
    n_ = request.generations.size();
    options_ = options;
    outputs_.assign(n_, 0);
    finishes_.assign(n_, std::nullopt);
    meter_ = std::make_shared<Meter>(
        std::move(request), options, engine_, ledger_,
        [this](std::move_only_function<void()> work) { posted_.push_back(std::move(work)); }, *this);
    meter_->start();
    settle_down();
  }
  void settle_down() {
    while (!posted_.empty()) {
      auto work = std::move(posted_.front());
      posted_.pop_front();
      work();
      check_bounds();
    }
  }
  /// The rules that must hold at every moment, whatever the order of things.
  void check_bounds() {
    TokenCount allowed = 0;
    TokenCount produced = 0;
    for (size_t i = 0; i < engine_.submitted(); ++i) {
      const auto& live = engine_.live(i);
      allowed += live.finished ? live.usage.output : live.allowed;
      produced += live.usage.output;
    }
    EXPECT_LE(allowed, ledger_.hold_.output_tokens) << "more is allowed than held";
    EXPECT_LE(produced, ledger_.marked_.output + options_.mark_interval) << "a crash would cost more than N";
    EXPECT_LE(ledger_.terminal_, 1);
  }
  /// Steps every generation in turn until nothing moves.
  void run() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (size_t i = 0; i < engine_.submitted(); ++i) moved = step(i) || moved;
    }
  }
  bool step(size_t i) {
    const bool moved = engine_.step(i);
    settle_down();
    return moved;
  }
  void expect_charged(TokenCount input, TokenCount output, Outcome outcome) {
    ASSERT_TRUE(ending_);
    EXPECT_EQ(ledger_.terminal_, 1);
    ASSERT_TRUE(ledger_.settled_);
    EXPECT_EQ(ledger_.settled_->input(), input);
    EXPECT_EQ(ledger_.settled_->output, output);
    EXPECT_EQ(ending_->outcome, outcome);
  }
  void expect_released() {
    ASSERT_TRUE(ending_);
    EXPECT_EQ(ledger_.terminal_, 1);
    EXPECT_FALSE(ledger_.settled_);
  }

  size_t n_ = 0;
  MeterOptions options_;
  ScriptedDeployment engine_;
  ScriptedLedger ledger_;
  std::deque<std::move_only_function<void()>> posted_;
  std::vector<TokenCount> outputs_;
  std::vector<std::optional<FinishReason>> finishes_;
  std::optional<Ending> ending_;
  std::shared_ptr<Meter> meter_;
};

TEST_F(MeterTest, ChargesExactlyWhatTheEngineCounted) {
  start(1, 100);
  run();
  expect_charged(10, 100, Outcome::kCompleted);
  EXPECT_FALSE(ending_->error);
  EXPECT_EQ(ledger_.log_.front(), "hold 10+100");
}

TEST_F(MeterTest, TellsTheEngineWhoAsksAndHowUrgentItIs) {
  const std::pair<ledger::ServiceTier, engine::Tier> kTiers[] = {
      {ledger::ServiceTier::kPriority, engine::Tier::kPriority},
      {ledger::ServiceTier::kDefault, engine::Tier::kDefault},
      {ledger::ServiceTier::kFlex, engine::Tier::kFlex},
      {ledger::ServiceTier::kBatch, engine::Tier::kBatch}};
  for (const auto& [asked, served] : kTiers) {
    engine_ = {};
    ledger_ = {};
    ending_.reset();
    MeteredRequest request{
        .request_id = "req_1", .key_id = "key_1", .project_id = "proj_7", .offering = "m", .tier = asked};
    request.generations.push_back({.prompt = {1, 2}, .max_tokens = 3});
    request.prompt_of.push_back(0);
    start(std::move(request));
    EXPECT_EQ(engine_.live(0).generation.tenant, "proj_7");
    EXPECT_EQ(engine_.live(0).generation.tier, served);
    run();
  }
}

TEST_F(MeterTest, JournalsTheCostBesideTheChargeWhereTheMachineHasAPrice) {
  MeterOptions options;
  options.machine = std::make_shared<pricing::MachineCost>(
      pricing::MachinePrice{.per_hour = Money::parse("3.60").value(), .currency = "CNY"});
  start(2, 5, false, options);
  for (size_t i = 0; i < 2; ++i) {
    engine_.live(i).usage.attributed = std::chrono::microseconds(1'500);
    engine_.live(i).usage.saved = std::chrono::microseconds(20);
    engine_.live(i).usage.kv_byte_seconds = 0.75;
    engine_.live(i).usage.cost_model = 3 + i;
  }
  run();
  ASSERT_TRUE(ledger_.cost_);
  EXPECT_EQ(ledger_.cost_->attributed, std::chrono::milliseconds(3));
  EXPECT_EQ(ledger_.cost_->saved, std::chrono::microseconds(40));
  EXPECT_EQ(ledger_.cost_->kv_byte_seconds, 1);
  EXPECT_EQ(ledger_.cost_->cost_model, 4);
  EXPECT_EQ(ledger_.cost_->cost, Money::parse("0.000003").value());
  EXPECT_EQ(ledger_.cost_->currency, "CNY");
  expect_charged(10, 10, Outcome::kCompleted);
}

TEST_F(MeterTest, JournalsNoCostWhereTheMachineHasNoPrice) {
  start(1, 5);
  run();
  EXPECT_FALSE(ledger_.cost_);
}

TEST_F(MeterTest, HoldsOneSliceFirstAndTopsUpBeforeItIsUsedUp) {
  start(1, 1000);
  EXPECT_EQ(ledger_.log_.front(), "hold 10+256");
  while (!ledger_.contains("top_up 256")) ASSERT_TRUE(step(0));
  EXPECT_LE(engine_.live(0).usage.output, 128);
  run();
  expect_charged(10, 1000, Outcome::kCompleted);
  EXPECT_EQ(ledger_.hold_.output_tokens, 1000);
}

TEST_F(MeterTest, MarksAtTheEndOfPrefillAndEveryHalfInterval) {
  start(1, 40);
  step(0);
  EXPECT_TRUE(ledger_.contains("mark 10+1"));
  for (int i = 0; i < 16; ++i) step(0);
  EXPECT_TRUE(ledger_.contains("mark 10+17"));
}

TEST_F(MeterTest, WithoutADurableMarkTheEngineStopsAtN) {
  start(1, 100);
  ledger_.slow_ = true;
  run();
  EXPECT_EQ(engine_.live(0).usage.output, 32);
  EXPECT_FALSE(ending_);
  ledger_.slow_ = false;
  while (ledger_.answer_next()) settle_down();
  run();
  expect_charged(10, 100, Outcome::kCompleted);
}

TEST_F(MeterTest, TellsNothingBeforeThePromptIsDurable) {
  start(1, 100);
  ledger_.slow_ = true;
  while (step(0)) EXPECT_EQ(outputs_[0], 0);
  ASSERT_TRUE(ledger_.answer_next());
  settle_down();
  EXPECT_EQ(outputs_[0], 32);
}

TEST_F(MeterTest, TellsAnAnswerOfOneTokenOnceItsSettleIsDurable) {
  start(1, 1);
  ledger_.slow_ = true;
  run();
  EXPECT_FALSE(finishes_[0]);
  ASSERT_TRUE(ledger_.answer_next());
  settle_down();
  EXPECT_EQ(finishes_[0], FinishReason::kLength);
  EXPECT_FALSE(ledger_.contains("mark 10+1"));
  expect_charged(10, 1, Outcome::kCompleted);
}

TEST_F(MeterTest, GoesOnTellingWithoutMarksWhenTheLedgerIsAway) {
  start(1, 100);
  ledger_.away_ = true;
  step(0);
  EXPECT_EQ(outputs_[0], 1);
}

TEST_F(MeterTest, AStreamRunsAtMostItsWindowAheadOfTheClient) {
  start(1, 100, true);
  run();
  EXPECT_EQ(engine_.live(0).usage.output, 2);
  for (TokenCount taken = 1; taken <= 50; ++taken) {
    meter_->delivered(0, taken);
    settle_down();
    run();
    EXPECT_EQ(engine_.live(0).usage.output, taken + 2);
  }
}

TEST_F(MeterTest, StopsWhenTheMoneyEnds) {
  ledger_.tokens_left_ = 37;
  start(1, 200);
  run();
  expect_charged(10, 37, Outcome::kBalance);
  EXPECT_EQ(finishes_[0], FinishReason::kAllowance);
  EXPECT_FALSE(ending_->error);
}

TEST_F(MeterTest, AStreamStopsWhenTheMoneyEnds) {
  ledger_.tokens_left_ = 37;
  start(1, 200, true);
  for (TokenCount taken = 0; !ending_ && taken < 100; ++taken) {
    meter_->delivered(0, taken);
    settle_down();
    run();
  }
  expect_charged(10, 37, Outcome::kBalance);
}

TEST_F(MeterTest, StopsWhenATopUpFallsShort) {
  ledger_.tokens_left_ = 300;
  start(1, 1000);
  run();
  expect_charged(10, 300, Outcome::kBalance);
}

TEST_F(MeterTest, MoneyForExactlyTheRequestIsNotABalanceStop) {
  ledger_.tokens_left_ = 100;
  start(1, 100);
  run();
  expect_charged(10, 100, Outcome::kCompleted);
  EXPECT_EQ(finishes_[0], FinishReason::kLength);
}

TEST_F(MeterTest, ARefusedHoldEndsWithoutEngineOrSettlement) {
  ledger_.tokens_left_ = 0;
  start(1, 10);
  ASSERT_TRUE(ending_ && ending_->error);
  EXPECT_EQ(ending_->error->code, ErrorCode::kInsufficientQuota);
  EXPECT_EQ(engine_.submitted(), 0u);
  EXPECT_EQ(ledger_.terminal_, 0);
}

TEST_F(MeterTest, AClientThatLeavesBeforeTheHoldIsAnsweredPaysNothing) {
  ledger_.slow_ = true;
  start(1, 10);
  meter_->abandon(Meter::Abandon::kClientGone);
  EXPECT_FALSE(ending_);
  ledger_.slow_ = false;
  ledger_.answer_next();
  settle_down();
  EXPECT_EQ(engine_.submitted(), 0u);
  expect_released();
}

TEST_F(MeterTest, AClientThatLeavesWhileQueuedPaysNothing) {
  start(1, 10);
  meter_->abandon(Meter::Abandon::kClientGone);
  EXPECT_TRUE(engine_.live(0).cancelled);
  engine_.finish(0, FinishReason::kCancelled);
  settle_down();
  expect_released();
}

TEST_F(MeterTest, AClientThatLeavesDuringPrefillPaysForTheInputComputed) {
  start(1, 10);
  engine_.prefill(0, 4);
  settle_down();
  meter_->abandon(Meter::Abandon::kClientGone);
  engine_.finish(0, FinishReason::kCancelled);
  settle_down();
  expect_charged(4, 0, Outcome::kCancelled);
}

TEST_F(MeterTest, AClientThatLeavesAfterKTokensPaysForWhatWasMade) {
  for (int k = 1; k <= 40; ++k) {
    engine_ = ScriptedDeployment();
    ledger_.settled_.reset();
    ledger_.terminal_ = 0;
    ledger_.marked_ = {};
    ledger_.hold_ = {};
    ending_.reset();
    start(1, 100);
    for (int i = 0; i < k; ++i) step(0);
    meter_->abandon(Meter::Abandon::kClientGone);
    meter_->abandon(Meter::Abandon::kClientGone);
    settle_down();
    run();
    expect_charged(10, k, Outcome::kCancelled);
  }
}

TEST_F(MeterTest, LeavingAfterTheEndChangesNothing) {
  start(1, 5);
  run();
  meter_->abandon(Meter::Abandon::kClientGone);
  meter_->delivered(0, 5);
  settle_down();
  expect_charged(10, 5, Outcome::kCompleted);
}

TEST_F(MeterTest, AStoppingServerSettlesAndSaysSo) {
  start(1, 100);
  for (int i = 0; i < 7; ++i) step(0);
  meter_->abandon(Meter::Abandon::kServerStopping);
  run();
  expect_charged(10, 7, Outcome::kCancelled);
  ASSERT_TRUE(ending_->error);
  EXPECT_EQ(ending_->error->code, ErrorCode::kCancelled);
}

TEST_F(MeterTest, AFailedEngineIsSettledForWhatItProduced) {
  start(2, 100);
  for (int i = 0; i < 5; ++i) {
    step(0);
    step(1);
  }
  engine_.finish(0, FinishReason::kFailed, {ErrorCode::kInternal, "broken"});
  settle_down();
  EXPECT_TRUE(engine_.live(1).cancelled);
  run();
  expect_charged(10, 10, Outcome::kFailed);
  EXPECT_EQ(ending_->error->message, "broken");
}

TEST_F(MeterTest, ARefusedSubmissionReleasesTheHold) {
  engine_.refuse_submissions_after_ = 0;
  start(1, 100);
  expect_released();
  EXPECT_EQ(ending_->error->code, ErrorCode::kOverloaded);
}

TEST_F(MeterTest, ARefusedSecondChoiceCancelsTheFirst) {
  engine_.refuse_submissions_after_ = 1;
  start(3, 100);
  EXPECT_FALSE(ending_);
  run();
  expect_released();
  EXPECT_EQ(ending_->error->code, ErrorCode::kOverloaded);
}

TEST_F(MeterTest, WhenTheLedgerGoesAwayAStreamEndsWithinNAndWithAnError) {
  start(1, 1000);
  for (int i = 0; i < 20; ++i) step(0);
  ledger_.away_ = true;
  const TokenCount marked = ledger_.marked_.output;
  run();
  ASSERT_TRUE(ending_ && ending_->error);
  EXPECT_EQ(ending_->error->code, ErrorCode::kUnavailable);
  EXPECT_LE(engine_.live(0).usage.output, marked + 32);
  EXPECT_EQ(ledger_.terminal_, 1);
}

TEST_F(MeterTest, WhenTheHoldsLapseTheTextEndsAndWhatThereIsIsSettled) {
  ManualClock clock;
  ledger_.holds_until_ = clock.mono() + std::chrono::seconds(10);
  start(2, 1000, false, {.clock = &clock});
  for (int i = 0; i < 5; ++i) step(0);
  clock.advance(std::chrono::seconds(10));
  step(0);
  const TokenCount made = engine_.live(0).usage.output;
  run();
  EXPECT_EQ(engine_.live(0).usage.output, made);
  ASSERT_TRUE(ending_);
  EXPECT_FALSE(ending_->error);
  EXPECT_TRUE(ending_->lapsed);
  for (const auto& finish : finishes_) EXPECT_EQ(finish, FinishReason::kAllowance);
  EXPECT_EQ(ledger_.settled_->output, made);
  EXPECT_EQ(ending_->outcome, Outcome::kFailed);
}

TEST_F(MeterTest, ASequenceThatWaitsForMoneyIsCutWhenTheHoldsLapse) {
  ManualClock clock;
  ledger_.holds_until_ = clock.mono() + std::chrono::seconds(10);
  start(1, 1000, false, {.clock = &clock});
  ledger_.slow_ = true;
  run();
  EXPECT_FALSE(ending_);
  clock.advance(std::chrono::seconds(10));
  ledger_.away_ = true;
  while (ledger_.answer_next()) settle_down();
  run();
  while (ledger_.answer_next()) settle_down();
  ASSERT_TRUE(ending_);
  EXPECT_TRUE(ending_->lapsed);
  EXPECT_EQ(finishes_[0], FinishReason::kAllowance);
}

TEST_F(MeterTest, ARequestThatOthersHaveEndedStopsAndSaysSo) {
  start(1, 1000);
  for (int i = 0; i < 10; ++i) step(0);
  ledger_.fenced_ = true;
  run();
  ASSERT_TRUE(ending_ && ending_->error);
  EXPECT_EQ(ending_->error->code, ErrorCode::kCancelled);
  EXPECT_TRUE(ending_->unsettled);
  EXPECT_TRUE(ending_->may_be_charged());
  EXPECT_LE(engine_.live(0).usage.output, ledger_.marked_.output + 32);
}

TEST_F(MeterTest, ASpooledSettlementIsAnEndWhoseChargeIsNotKnownYet) {
  ledger_.spooled_ = true;
  start(1, 3);
  run();
  ASSERT_TRUE(ending_);
  EXPECT_FALSE(ending_->error);
  EXPECT_TRUE(ending_->spooled);
  EXPECT_TRUE(ending_->may_be_charged());
}

TEST_F(MeterTest, AFailedSettlementIsAnError) {
  start(1, 5);
  for (int i = 0; i < 4; ++i) step(0);
  ledger_.away_ = true;
  step(0);
  ASSERT_TRUE(ending_ && ending_->error);
  EXPECT_EQ(ending_->error->code, ErrorCode::kUnavailable);
  EXPECT_EQ(ending_->outcome, Outcome::kCompleted);
}

TEST_F(MeterTest, EndsOnlyWhenALateMarkHasCome) {
  start(1, 3);
  ledger_.slow_ = true;
  run();
  EXPECT_FALSE(ending_);
  int answers = 0;
  while (ledger_.answer_next()) {
    ++answers;
    settle_down();
  }
  EXPECT_EQ(answers, 2);
  expect_charged(10, 3, Outcome::kCompleted);
}

TEST_F(MeterTest, ChoicesShareOneHoldAndOnePrompt) {
  start(3, 50);
  EXPECT_EQ(ledger_.log_.front(), "hold 10+150");
  run();
  expect_charged(10, 150, Outcome::kCompleted);
}

TEST_F(MeterTest, ChoicesShareTheLastMoneyFairly) {
  ledger_.tokens_left_ = 37;
  start(2, 100);
  run();
  expect_charged(10, 37, Outcome::kBalance);
  EXPECT_EQ(outputs_[0], 19);
  EXPECT_EQ(outputs_[1], 18);
}

TEST_F(MeterTest, WhatAnEarlyFinisherLeavesGoesToTheOthers) {
  ledger_.tokens_left_ = 40;
  start(2, 100);
  for (int i = 0; i < 5; ++i) {
    step(0);
    step(1);
  }
  engine_.finish(0, FinishReason::kStop);
  settle_down();
  run();
  EXPECT_EQ(outputs_[0], 5);
  EXPECT_EQ(outputs_[1], 35);
  expect_charged(10, 40, Outcome::kBalance);
}

TEST_F(MeterTest, MoreChoicesThanTokensAreStartedAsFarAsTheMoneyGoes) {
  ledger_.tokens_left_ = 3;
  start(5, 10);
  run();
  EXPECT_EQ(engine_.submitted(), 3u);
  expect_charged(10, 3, Outcome::kBalance);
  EXPECT_EQ(finishes_[4], FinishReason::kAllowance);
}

TEST_F(MeterTest, PromptsOfABatchAreEachBilledOnce) {
  MeteredRequest request{.request_id = "req_1", .offering = "m"};
  for (int i = 0; i < 4; ++i) {
    request.generations.push_back(
        {.prompt = std::vector<engine::TokenId>(i < 2 ? 10 : 7, 1), .max_tokens = 20});
    request.prompt_of.push_back(i / 2);
  }
  start(std::move(request));
  EXPECT_EQ(ledger_.log_.front(), "hold 17+80");
  run();
  expect_charged(17, 80, Outcome::kCompleted);
}

TEST_F(MeterTest, ManyMoreSequencesThanNAllFinish) {
  start(100, 3);
  run();
  expect_charged(10, 300, Outcome::kCompleted);
}

/// Any order of engine steps, answers, deliveries and departures: one terminal event, nothing over a bound
/// (check_bounds runs after every piece of work), and the charge is the engine's count.
TEST_F(MeterTest, EveryRandomOrderEndsInExactlyOneTerminalEvent) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](uint32_t bound) { return static_cast<TokenCount>(random() % bound); };
    const auto chance = [&](uint32_t percent) { return random() % 100 < percent; };
    engine_ = ScriptedDeployment();
    ledger_ = ScriptedLedger();
    ledger_.slow_ = chance(80);
    ledger_.tokens_left_ = chance(50) ? 1'000'000 : below(300);
    if (chance(10)) engine_.refuse_submissions_after_ = static_cast<int>(random() % 3);
    ending_.reset();
    const uint32_t leave_at = chance(40) ? random() % 400 : 100'000;
    const uint32_t ledger_fails_at = chance(15) ? random() % 400 : 100'000;
    start(1 + static_cast<int>(below(4)), 1 + below(400), chance(50),
          {.mark_interval = 1 + below(40), .hold_slice = 1 + below(64), .stream_window = 1 + below(3)});
    for (uint32_t turn = 0; !ending_ && turn < 50'000; ++turn) {
      if (turn == leave_at)
        meter_->abandon(chance(50) ? Meter::Abandon::kClientGone : Meter::Abandon::kServerStopping);
      if (turn == ledger_fails_at) ledger_.away_ = true;
      if (chance(40)) ledger_.answer_next();
      if (engine_.submitted() > 0 && chance(70)) engine_.step(random() % engine_.submitted());
      if (chance(80)) settle_down();
      const size_t i = random() % n_;
      if (chance(50)) meter_->delivered(static_cast<int>(i), outputs_[i]);
    }
    ASSERT_TRUE(ending_);
    TokenCount produced = 0;
    for (size_t i = 0; i < engine_.submitted(); ++i) produced += engine_.live(i).usage.output;
    EXPECT_EQ(ledger_.terminal_, ledger_.hold_.output_tokens > 0 ? 1 : 0);
    if (ledger_.settled_) EXPECT_EQ(ledger_.settled_->output, produced);
  }
}

}  // namespace
}  // namespace feilun::gateway
