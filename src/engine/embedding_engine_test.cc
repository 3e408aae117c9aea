#include "engine/embedding_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <future>
#include <latch>
#include <limits>
#include <mutex>
#include <semaphore>
#include <thread>

#include "model/encoder_test_texts.h"

namespace feilun::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Inputs = std::vector<std::vector<TokenId>>;

model::ModelFile tiny_bert() {
  return model::open_model(model::golden_path("models/tiny-bert")).value();
}

/// An encoder whose passes run when the test lets them. The vector of an input is (its first token, 1) and
/// zeros; token 13 breaks it, token 14 finds no memory, token 15 takes a thousand million chunks of which the
/// first has one token.
class GatedEncoder final : public model::Encoder {
 public:
  GatedEncoder(std::counting_semaphore<>& gate, std::atomic<int>& chunks, int width)
      : gate_(gate), chunks_(chunks), width_(width) {}
  int width() const override { return width_; }
  model::EncodedPass run(std::span<const std::span<const TokenId>> inputs,
                         const model::GoOn& go_on) override {
    gate_.acquire();
    vectors_.clear();
    int64_t tokens = 0;
    for (const auto& input : inputs) {
      if (input.front() == 14) throw std::bad_alloc();
      for (int i = 0; input.front() == 15 && i < 1'000'000'000; ++i) {
        if (!go_on()) return {.tokens = tokens + 1};
        ++chunks_;
      }
      tokens += static_cast<int64_t>(input.size());
      const auto first = static_cast<float>(input.front());
      vectors_.push_back(input.front() == 13 ? std::numeric_limits<float>::quiet_NaN() : first);
      vectors_.push_back(1);
      vectors_.resize(vectors_.size() + static_cast<size_t>(width_ - 2));
    }
    return {.vectors = vectors_, .tokens = tokens};
  }

 private:
  std::counting_semaphore<>& gate_;
  std::atomic<int>& chunks_;
  const int width_;
  std::vector<float> vectors_;
};

class EmbeddingEngineTest : public ::testing::Test {
 protected:
  void start(EngineOptions options, int width = 2) {
    options.on_step = [this](const StepTrace& trace) {
      const std::lock_guard lock(mutex_);
      std::string text;
      for (const auto& row : trace.rows) text += fmt::format("{}:{} ", row.id, row.prompt_tokens);
      passes_.push_back(text);
    };
    engine_ = make_embedding_engine(tiny_bert(), std::make_unique<GatedEncoder>(gate_, chunks_, width),
                                    std::move(options));
  }
  ~EmbeddingEngineTest() override { gate_.release(1000); }

  std::future<EmbeddingResult> submit(std::string id, Inputs inputs) {
    auto promise = std::make_shared<std::promise<EmbeddingResult>>();
    const auto taken = engine_->submit({std::move(id), std::move(inputs)}, [promise](EmbeddingResult result) {
      promise->set_value(std::move(result));
    });
    if (!taken) promise->set_value({.finish = FinishReason::kFailed, .error = taken.error()});
    return promise->get_future();
  }
  /// Why a job is not taken; kInternal, which nothing here is refused with, when it is.
  ErrorCode refusal(std::string id, Inputs inputs) {
    const auto taken = engine_->submit({std::move(id), std::move(inputs)}, [](EmbeddingResult) {});
    return taken ? ErrorCode::kInternal : taken.error().code;
  }
  /// A job in a pass of its own that holds the engine's thread until open() is called.
  std::future<EmbeddingResult> occupy() {
    auto held = submit("held", {{1}});
    while (engine_->stats().running == 0) std::this_thread::yield();
    return held;
  }
  void open(int passes = 1) { gate_.release(passes); }
  std::vector<std::string> passes() {
    const std::lock_guard lock(mutex_);
    return passes_;
  }

  void wait_for_chunks(int more) {
    for (const int until = chunks_ + more; chunks_ < until;) std::this_thread::yield();
  }

  std::counting_semaphore<> gate_{0};
  std::atomic<int> chunks_ = 0;
  std::mutex mutex_;
  std::vector<std::string> passes_;
  std::unique_ptr<EmbeddingEngine> engine_;
};

TEST_F(EmbeddingEngineTest, JobsThatWaitShareAPass) {
  start({});
  auto held = occupy();
  auto a = submit("a", {{5, 6}, {7}});
  auto b = submit("b", {{8, 9, 10}});
  open(2);
  EXPECT_THAT(a.get().vectors, ElementsAre(5, 1, 7, 1));
  EXPECT_THAT(b.get().vectors, ElementsAre(8, 1));
  EXPECT_THAT(passes(), ElementsAre("held:1 ", "a:3 b:3 "));
}

TEST_F(EmbeddingEngineTest, AJobOfOneTextDoesNotWaitForAllOfAnothers) {
  start({.prefill_chunk = 4});
  auto held = occupy();
  auto many = submit("many", Inputs(6, {5, 5}));
  auto one = submit("one", {{6}});
  open(2);
  EXPECT_EQ(one.get().finish, FinishReason::kStop);
  EXPECT_THAT(passes(), ElementsAre("held:1 ", "many:2 one:1 "));
  open(100);
  EXPECT_EQ(many.get().usage.prompt_computed, 12);
}

TEST_F(EmbeddingEngineTest, APassHoldsTokensAndInputsWithinItsBounds) {
  start({.prefill_chunk = 4, .max_sequences = 3});
  auto held = occupy();
  auto a = submit("a", {{1, 1, 1, 1, 1, 1}, {1}, {1}, {1}, {1}});
  open(100);
  a.get();
  EXPECT_THAT(passes(), ElementsAre("held:1 ", "a:6 ", "a:3 ", "a:1 "));
}

TEST_F(EmbeddingEngineTest, CancelledInTheQueueCostsNothing) {
  start({});
  auto held = occupy();
  auto a = submit("a", {{5}});
  engine_->cancel("a");
  engine_->cancel("unknown");
  open(1);
  const EmbeddingResult result = a.get();
  EXPECT_EQ(result.finish, FinishReason::kCancelled);
  EXPECT_EQ(result.usage.prompt_computed, 0);
  EXPECT_TRUE(result.vectors.empty());
}

TEST_F(EmbeddingEngineTest, CancelledOnTheWayCostsWhatWasComputed) {
  start({.prefill_chunk = 2});
  auto a = submit("a", Inputs(10, {5, 5}));
  while (engine_->stats().running == 0) std::this_thread::yield();
  open(3);
  while (passes().size() < 3) std::this_thread::yield();
  engine_->cancel("a");
  open(1);  // the pass that was running, or about to
  const EmbeddingResult result = a.get();
  EXPECT_EQ(result.finish, FinishReason::kCancelled);
  EXPECT_GE(result.usage.prompt_computed, 6);
  EXPECT_LE(result.usage.prompt_computed, 8);
  EXPECT_EQ(engine_->stats().prompt_tokens, result.usage.prompt_computed);
}

TEST_F(EmbeddingEngineTest, APassThatNobodyWaitsForEndsOnItsWay) {
  start({});
  auto long_job = submit("long", {{15, 15, 15}});
  open(1);
  wait_for_chunks(1);
  engine_->cancel("long");
  const EmbeddingResult result = long_job.get();
  EXPECT_EQ(result.finish, FinishReason::kCancelled);
  EXPECT_EQ(result.usage.prompt_computed, 1) << "what went through the model is counted, and no more";
  EXPECT_EQ(engine_->stats().prompt_tokens, 1);
  open(1);
  EXPECT_EQ(submit("next", {{5}}).get().finish, FinishReason::kStop);
}

TEST_F(EmbeddingEngineTest, APassGoesOnForTheOneWhoWaits) {
  start({});
  auto held = occupy();
  auto a = submit("a", {{5, 5}});
  auto b = submit("b", {{15, 15, 15}});
  open(2);
  wait_for_chunks(1);
  engine_->cancel("a");
  wait_for_chunks(1000);
  engine_->cancel("b");
  EXPECT_EQ(a.get().usage.prompt_computed, 2);
  EXPECT_EQ(b.get().usage.prompt_computed, 1);
  EXPECT_THAT(passes(), ElementsAre("held:1 ", "a:2 b:1 "));
}

TEST_F(EmbeddingEngineTest, StoppingEndsTheRunningPass) {
  start({});
  auto long_job = submit("long", {{15}});
  open(1);
  wait_for_chunks(1);
  engine_.reset();
  EXPECT_EQ(long_job.get().finish, FinishReason::kCancelled);
}

TEST_F(EmbeddingEngineTest, TheQueueIsBoundedInJobsAndInTokens) {
  start({.max_waiting = 3});
  auto held = occupy();
  auto a = submit("a", {{1}});
  EXPECT_EQ(refusal("a", {{1}}), ErrorCode::kConflict);
  auto b = submit("b", {{1}});
  EXPECT_EQ(refusal("c", {{1}}), ErrorCode::kOverloaded);
  open(100);
  a.get();
  b.get();
  EXPECT_EQ(submit("a", {{1}}).get().finish, FinishReason::kStop);
}

TEST_F(EmbeddingEngineTest, AFullLoadOfTokensIsTakenAloneAndNothingBesideIt) {
  start({});
  auto held = occupy();
  const Inputs load(EmbeddingEngine::kTokensMax / 128, std::vector<TokenId>(128, 1));
  EXPECT_EQ(refusal("load", load), ErrorCode::kOverloaded);
  open(1);
  held.get();
  auto alone = submit("load", load);
  EXPECT_EQ(refusal("more", {{1}}), ErrorCode::kOverloaded);
  engine_->cancel("load");
  open(1);
  EXPECT_EQ(alone.get().finish, FinishReason::kCancelled);
}

TEST_F(EmbeddingEngineTest, ResultsOfLiveJobsAreBoundedInBytes) {
  constexpr int kWidth = 1 << 20;  // 4 MiB a vector
  constexpr size_t kMost = EmbeddingEngine::kResultBytesMax / (size_t{4} * kWidth);
  start({}, kWidth);
  auto held = occupy();
  ASSERT_EQ(refusal("all", Inputs(kMost, {5})), ErrorCode::kOverloaded);
  auto rest = submit("rest", Inputs(kMost - 1, {5}));
  EXPECT_EQ(refusal("more", {{5}}), ErrorCode::kOverloaded);
  engine_->cancel("rest");
  open(1);
  EXPECT_EQ(rest.get().finish, FinishReason::kCancelled);
  auto more = submit("more", {{5}});
  open(1);
  EXPECT_EQ(more.get().finish, FinishReason::kStop);
}

TEST_F(EmbeddingEngineTest, WithoutMemoryAPassFailsAndTheNextOneRuns) {
  start({});
  open(2);
  const EmbeddingResult result = submit("large", {{14}}).get();
  EXPECT_EQ(result.finish, FinishReason::kFailed);
  EXPECT_EQ(result.error.code, ErrorCode::kOverloaded);
  EXPECT_EQ(result.usage.prompt_computed, 0);
  EXPECT_TRUE(result.vectors.empty());
  EXPECT_EQ(submit("next", {{5}}).get().finish, FinishReason::kStop);
}

TEST_F(EmbeddingEngineTest, WhatCannotBeComputedIsRefusedWithItsReason) {
  start({.context = 4});
  EXPECT_EQ(engine_->context(), 4);
  EXPECT_EQ(submit("a", {}).get().error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(submit("a", {{1}, {}}).get().error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(submit("a", {{200}}).get().error.code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(submit("a", {{-1}}).get().error.code, ErrorCode::kInvalidArgument);
  const Error error = submit("a", {{1, 1, 1, 1, 1}}).get().error;
  EXPECT_EQ(error.code, ErrorCode::kContextLengthExceeded);
  EXPECT_THAT(error.message, HasSubstr("5 tokens"));
  EXPECT_THAT(error.message, HasSubstr("holds 4"));
}

TEST_F(EmbeddingEngineTest, AVectorWithoutADirectionFailsItsJobAlone) {
  start({});
  auto held = occupy();
  auto broken = submit("broken", {{13}});
  auto good = submit("good", {{5}});
  open(2);
  const EmbeddingResult result = broken.get();
  EXPECT_EQ(result.finish, FinishReason::kFailed);
  EXPECT_EQ(result.error.code, ErrorCode::kInternal);
  EXPECT_TRUE(result.vectors.empty());
  EXPECT_EQ(good.get().finish, FinishReason::kStop);
}

TEST_F(EmbeddingEngineTest, TheSharesOfTimeSumToWhatWasMeasured) {
  start({.prefill_chunk = 7, .max_sequences = 5});
  open(1000);
  std::vector<std::future<EmbeddingResult>> jobs;
  for (int i = 0; i < 40; ++i) {
    Inputs inputs;
    for (int k = 0; k <= i % 5; ++k) inputs.emplace_back(static_cast<size_t>(1 + (i + k) % 4), 2);
    jobs.push_back(submit(fmt::format("job{}", i), std::move(inputs)));
  }
  std::chrono::nanoseconds attributed{0};
  TokenCount tokens = 0;
  for (auto& job : jobs) {
    const EmbeddingResult result = job.get();
    attributed += result.usage.attributed;
    tokens += result.usage.prompt_computed;
  }
  EXPECT_EQ(attributed, engine_->stats().busy);
  EXPECT_EQ(tokens, engine_->stats().prompt_tokens);
  EXPECT_EQ(engine_->stats().running + engine_->stats().waiting, 0);
}

TEST_F(EmbeddingEngineTest, WhatFailedIsWasteAndNobodysTime) {
  start({});
  open(2);
  for (const TokenId kind : {13, 14}) {
    const EmbeddingResult result = submit("fails", {{5}, {kind}}).get();
    EXPECT_EQ(result.finish, FinishReason::kFailed);
    EXPECT_EQ(result.usage.attributed.count(), 0);
    const EngineStats stats = engine_->stats();
    EXPECT_GT(stats.busy.count(), 0);
    EXPECT_EQ(stats.wasted, stats.busy);
  }
}

TEST_F(EmbeddingEngineTest, AllTimeSinceItsStartIsBusyOrIdle) {
  const MonoTime before = SystemClock().mono();
  start({});
  open(100);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(submit("a", {{5}}).get().finish, FinishReason::kStop);
  const EngineStats stats = engine_->stats();
  EXPECT_GT(stats.idle.count(), 0);
  EXPECT_EQ(stats.busy + stats.idle, stats.time);
  EXPECT_LE(stats.time, SystemClock().mono() - before);
  while (engine_->stats().time == stats.time) std::this_thread::yield();  // it goes on while nobody asks
}

TEST_F(EmbeddingEngineTest, StoppingCancelsWhatWaits) {
  start({});
  auto held = occupy();
  auto waiting = submit("waiting", {{5}});
  std::thread stop([this] { engine_.reset(); });
  open(100);
  EXPECT_EQ(held.get().finish, FinishReason::kStop);
  stop.join();
  const FinishReason finish = waiting.get().finish;
  EXPECT_TRUE(finish == FinishReason::kCancelled || finish == FinishReason::kStop);
}

TEST(EmbeddingEngine, VectorsAreTheSameUnderAnyLoad) {
  const auto alone = EmbeddingEngine::start(tiny_bert(), {.threads = 1}).value();
  const auto loaded = EmbeddingEngine::start(tiny_bert(), {.threads = 2, .prefill_chunk = 64}).value();
  const std::vector<model::GoldenText> texts = model::golden_texts("tiny-bert");
  const auto ask = [&](EmbeddingEngine& engine, std::string id, Inputs inputs) {
    auto promise = std::make_shared<std::promise<EmbeddingResult>>();
    EXPECT_TRUE(engine.submit({std::move(id), std::move(inputs)},
                              [promise](EmbeddingResult result) { promise->set_value(std::move(result)); }));
    return promise->get_future();
  };
  std::vector<std::future<EmbeddingResult>> together;
  for (size_t i = 0; i < 60; ++i) {
    together.push_back(ask(*loaded, fmt::format("job{}", i), {texts[i % 20].ids, texts[(i * 7) % 20].ids}));
  }
  for (size_t i = 0; i < 60; ++i) {
    const std::vector<float> vectors = together[i].get().vectors;
    const std::vector<float> expected = ask(*alone, "one", {texts[i % 20].ids}).get().vectors;
    EXPECT_TRUE(std::ranges::equal(expected, std::span(vectors).first(expected.size()))) << i;
  }
}

TEST(EmbeddingEngine, FramesATextAsItsModelWantsIt) {
  const auto engine = EmbeddingEngine::start(tiny_bert(), {.threads = 1}).value();
  for (const model::GoldenText& text : model::golden_texts("tiny-bert")) {
    EXPECT_EQ(engine->encode(text.text), text.ids);
  }
}

TEST(EmbeddingEngine, TakesNoModelThatGenerates) {
  model::ModelFile file = tiny_bert();
  file.pooling = model::Pooling::kNone;
  EXPECT_EQ(EmbeddingEngine::start(std::move(file), {}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(Engine::start(tiny_bert(), {}).error().code, ErrorCode::kUnsupported);
}

TEST(Shorten, KeepsTheFirstNumbersAndALengthOfOne) {
  const std::vector<float> vector = {0.6f, 0.0f, 0.8f};
  std::vector<float> out(2);
  shorten(vector, out);
  EXPECT_THAT(out, ElementsAre(1, 0));
}

}  // namespace
}  // namespace feilun::engine
