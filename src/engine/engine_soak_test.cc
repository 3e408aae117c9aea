#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "engine/engine_factory.h"
#include "engine/fake_model.h"
#include "engine/generation_log.h"

namespace feilun::engine {
namespace {

/// One client: submits short random requests, raises some allowances, cancels some, from a thread of its own.
class Client {
 public:
  Client(Engine& engine, GenerationLogs& logs, uint64_t seed)
      : engine_(engine), logs_(logs), random_(seed), seed_(seed) {}

  void run(int requests) {
    for (int i = 0; i < requests; ++i) {
      const std::string id = std::to_string(seed_) + "-" + std::to_string(i);
      if (submit(id)) live_.push_back(id);
      if (live_.size() > 12) raise_to_the_end(take());
      if (roll(6) == 0 && !live_.empty()) engine_.cancel(live_[roll(live_.size())]);
      if (roll(4) == 0 && !live_.empty())
        engine_.allow(live_[roll(live_.size())], static_cast<TokenCount>(roll(20)), false);
    }
    while (!live_.empty()) raise_to_the_end(take());
  }

 private:
  size_t roll(size_t sides) { return std::uniform_int_distribution<size_t>(0, sides - 1)(random_); }

  bool submit(const std::string& id) {
    Generation generation{.id = id,
                          .max_tokens = 1 + static_cast<TokenCount>(roll(40)),
                          .allowed_tokens = static_cast<TokenCount>(roll(3) == 0 ? roll(10) : 1'000),
                          .choice = static_cast<int>(roll(3))};
    for (size_t count = 1 + roll(60); count > 0; --count)
      generation.prompt.push_back(static_cast<TokenId>(2 + roll(46)));
    generation.sampling.seed = roll(1'000);
    generation.sampling.top_logprobs = static_cast<int>(roll(3)) - 1;
    if (roll(3) == 0) generation.stop = {"wheel the", "bb"};
    for (;;) {
      const Result<> accepted = engine_.submit(generation, logs_.sink(id));
      if (accepted) return true;
      logs_.refused();
      EXPECT_EQ(accepted.error().code, ErrorCode::kOverloaded);
      if (!live_.empty()) raise_to_the_end(take());
      std::this_thread::yield();
    }
  }

  std::string take() {
    std::string id = live_.front();
    live_.erase(live_.begin());
    return id;
  }
  /// Some get all they need, for others the money ends.
  void raise_to_the_end(const std::string& id) {
    const bool final = roll(4) == 0;
    engine_.allow(id, final ? static_cast<TokenCount>(roll(15)) : 1'000, final);
  }

  Engine& engine_;
  GenerationLogs& logs_;
  std::mt19937_64 random_;
  uint64_t seed_;
  std::vector<std::string> live_;
};

TEST(EngineSoak, FinishesEveryRequestOnceAndLosesNothing) {
  GenerationLogs logs;
  // 24 blocks for up to 16 sequences of up to 7 blocks: preemption all the time.
  const auto engine =
      make_engine(fake_model_file(), std::make_unique<FakeBackend>(24),
                  {.context = 128, .prefill_chunk = 24, .max_sequences = 16, .max_waiting = 64});
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    threads.emplace_back([&engine, &logs, seed] { Client(*engine, logs, seed).run(500); });
  }
  for (std::thread& thread : threads) thread.join();
  logs.wait_for_all();

  EngineUsage sum;
  std::map<FinishReason, int> reasons;
  const auto all = logs.all();
  ASSERT_EQ(all.size(), 2'000u);
  for (const auto& [id, log] : all) {
    ASSERT_EQ(log.endings, 1) << id;
    ASSERT_EQ(log.after_end, 0) << id;
    ASSERT_EQ(log.usage.output, static_cast<TokenCount>(log.tokens.size())) << id;
    ++reasons[log.finish];
    sum.output += log.usage.output;
    sum.prompt_computed += log.usage.prompt_computed;
    sum.attributed += log.usage.attributed;
  }
  for (const FinishReason reason :
       {FinishReason::kStop, FinishReason::kLength, FinishReason::kAllowance, FinishReason::kCancelled}) {
    EXPECT_GT(reasons[reason], 20) << static_cast<int>(reason);
  }
  EXPECT_EQ(reasons[FinishReason::kFailed], 0);

  const EngineStats stats = engine->stats();
  EXPECT_EQ(stats.sampled_tokens, sum.output);
  EXPECT_EQ(stats.output_tokens, sum.output);
  EXPECT_EQ(stats.prompt_tokens, sum.prompt_computed);
  EXPECT_EQ(stats.busy, sum.attributed + stats.wasted) << "every nanosecond belongs to somebody";
  EXPECT_EQ(stats.kv_blocks_used, 0);
  EXPECT_EQ(stats.running, 0);
  EXPECT_EQ(stats.waiting, 0);
  EXPECT_GT(stats.preemptions, 10u);
  EXPECT_GT(stats.recomputed_tokens, 0);
}

}  // namespace
}  // namespace feilun::engine
