#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine_factory.h"
#include "engine/fake_model.h"
#include "engine/generation_log.h"

/// What the engine says that requests cost, saved and would have to wait.
namespace feilun::engine {
namespace {

using std::chrono::nanoseconds;
using ::testing::HasSubstr;

std::unique_ptr<Engine> make(EngineOptions options = {}) {
  return make_engine(fake_model_file(), std::make_unique<FakeBackend>(256), std::move(options));
}

Generation generation(std::string id, std::string tenant, size_t prompt_tokens = 100) {
  Generation result{.id = std::move(id), .max_tokens = 8, .allowed_tokens = 8, .tenant = std::move(tenant)};
  for (size_t i = 0; i < prompt_tokens; ++i) result.prompt.push_back(static_cast<TokenId>(2 + i * 7 % 46));
  result.sampling = {.temperature = 0, .ignore_eos = true};
  return result;
}

TEST(EngineCost, TellsWhatWasFoundInTheCache) {
  const auto engine = make();
  const GenerationLog miss = generate(*engine, generation("a", "t"));
  const GenerationLog hit = generate(*engine, generation("b", "t"));
  EXPECT_EQ(miss.usage.prompt_cached, 0);
  EXPECT_EQ(miss.usage.saved.count(), 0);
  EXPECT_EQ(hit.usage.prompt_cached, 96);
  EXPECT_EQ(hit.usage.prompt_computed, 4);
  EXPECT_GT(hit.usage.saved.count(), 0);
  EXPECT_EQ(ids_of(hit), ids_of(miss));
  const EngineStats stats = engine->stats();
  EXPECT_EQ(stats.cached_tokens, 96);
  EXPECT_EQ(stats.prompt_tokens, 104);
  EXPECT_EQ(stats.saved, hit.usage.saved);
  EXPECT_EQ(stats.kv_blocks_used, 0);
  EXPECT_GE(stats.kv_blocks_cached, 6);
}

TEST(EngineCost, ContinuesAConversationBehindItsAnswer) {
  const auto engine = make();
  const GenerationLog first = generate(*engine, generation("a", "t", 60));
  Generation next = generation("b", "t", 60);
  for (const TokenId id : ids_of(first)) next.prompt.push_back(id);
  for (TokenId id = 10; id < 20; ++id) next.prompt.push_back(id);
  EXPECT_EQ(generate(*engine, next).usage.prompt_cached, 64) << "four tokens of the answer among them";
}

TEST(EngineCost, ShowsATenantOnlyHisOwnPrefixes) {
  for (const bool share : {false, true}) {
    const auto engine = make({.share_prefixes = share});
    generate(*engine, generation("a", "one"));
    EXPECT_EQ(generate(*engine, generation("b", "two")).usage.prompt_cached, share ? 96 : 0);
  }
  const auto engine = make({.prefix_cache = CachePolicy::kOff});
  for (const char* id : {"a", "b"}) EXPECT_EQ(generate(*engine, generation(id, "t")).usage.prompt_cached, 0);
}

TEST(EngineCost, AttributesNothingToWhatFailed) {
  const auto engine = make_engine(fake_model_file(), std::make_unique<BrokenBackend>(), {});
  const GenerationLog log = generate(*engine, generation("a", "t"));
  EXPECT_EQ(log.finish, FinishReason::kFailed);
  EXPECT_EQ(log.usage.attributed.count(), 0);
  EXPECT_GT(engine->stats().busy.count(), 0);
  EXPECT_EQ(engine->stats().wasted, engine->stats().busy);
}

TEST(EngineCost, AccountsForAllTimeSinceItsStart) {
  const MonoTime before = SystemClock().mono();
  const auto engine = make();
  const MonoTime started = SystemClock().mono();
  generate(*engine, generation("a", "t"));
  const MonoTime asked = SystemClock().mono();
  EngineStats stats = engine->stats();
  // The engine may still be on its way to rest.
  while (stats.busy + stats.idle < asked - started &&
         SystemClock().mono() < asked + std::chrono::seconds(10)) {
    stats = engine->stats();
  }
  EXPECT_LE(stats.busy + stats.idle, SystemClock().mono() - before);
  EXPECT_GE(stats.busy + stats.idle, asked - started);
}

TEST(EngineCost, SaysBehindWhichModelOfStepTimesAShareStands) {
  const auto engine = make();
  const GenerationLog log = generate(*engine, generation("a", "t"));
  const EngineStats stats = engine->stats();
  EXPECT_EQ(stats.step_model.steps, stats.steps);
  EXPECT_GT(stats.step_model.version, 0u);
  EXPECT_GT(log.usage.cost_model, 0u);
  EXPECT_LE(log.usage.cost_model, stats.step_model.version);
}

TEST(EngineAdmission, RefusesWhatWouldComeTooLateAndSaysWhenToComeBack) {
  const auto engine = make();
  Generation hasty = generation("a", "t");
  hasty.first_token_within = nanoseconds(1);
  EXPECT_EQ(generate(*engine, hasty).finish, FinishReason::kLength) << "nothing is known yet";
  const Result<> refused = engine->submit(hasty, [](const GenerationEvent&) { FAIL(); });
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(refused.error().retry_after_s, 1);
  EXPECT_THAT(refused.error().message, HasSubstr("first token"));
  hasty.first_token_within = std::chrono::hours(1);
  EXPECT_EQ(generate(*engine, hasty).finish, FinishReason::kLength);
}

TEST(EngineAdmission, OnlyTheInteractiveTiersImplyADeadline) {
  const auto engine = make({.first_token_within = nanoseconds(1)});
  generate(*engine, generation("a", "t"));
  for (const Tier tier : {Tier::kPriority, Tier::kDefault, Tier::kFlex, Tier::kBatch}) {
    Generation request = generation("b", "t");
    request.tier = tier;
    const bool taken = generate(*engine, request).finish == FinishReason::kLength;
    EXPECT_EQ(taken, tier >= Tier::kFlex) << static_cast<int>(tier);
  }
}

}  // namespace
}  // namespace feilun::engine
