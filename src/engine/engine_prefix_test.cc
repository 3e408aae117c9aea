#include <gtest/gtest.h>

#include <filesystem>

#include "engine/backend.h"
#include "engine/engine.h"
#include "engine/generation_log.h"
#include "engine/same_bits.h"

/// On trained weights: a request gets the same bits whether its prompt is computed or found, whoever runs
/// beside it, and however often it is stopped.
namespace feilun::engine {
namespace {

model::ModelFile open_nano() {
  auto file =
      model::open_model(std::filesystem::path(FEILUN_SOURCE_DIR) / "models/feilun-nano/feilun-nano.gguf");
  EXPECT_TRUE(file) << file.error().message;
  return std::move(file).value();
}

std::unique_ptr<Engine> start(const EngineOptions& options) {
  auto engine = Engine::start(open_nano(), options);
  EXPECT_TRUE(engine) << engine.error().message;
  return std::move(engine).value();
}

/// Three tenants, conversations that begin alike, sampled in several ways.
std::vector<Generation> conversations(const Engine& engine) {
  const std::string opening =
      "You are a patient teacher. Explain everything in plain words, with one example for each idea, and end "
      "with a question. What is feilun? feilun is a flywheel: a wheel that keeps turning. ";
  const char* const questions[] = {"Why does it keep turning?", "Who pays for it?", "What is a token?",
                                   "How much does an answer cost?"};
  std::vector<Generation> requests;
  for (int i = 0; i < 12; ++i) {
    Generation request{.id = std::to_string(i),
                       .prompt = engine.encode_text(opening + questions[i % 4] + opening.substr(0, 9u * i)),
                       .max_tokens = 14,
                       .allowed_tokens = 14,
                       .tenant = "tenant " + std::to_string(i % 3),
                       .tier = static_cast<Tier>(i % 4)};
    request.sampling = {.temperature = i % 2 == 0 ? 0.0f : 0.8f,
                        .seed = 5 + static_cast<uint64_t>(i),
                        .ignore_eos = true,
                        .top_logprobs = 2};
    requests.push_back(std::move(request));
  }
  return requests;
}

class PrefixInvariance : public ::testing::TestWithParam<bool> {
 protected:
  EngineOptions options() const { return {.context = 512, .kv_bf16 = GetParam(), .threads = 2}; }

  /// Each on an engine that has computed nothing for anybody.
  std::map<std::string, GenerationLog> alone() {
    EngineOptions cacheless = options();
    cacheless.prefix_cache = CachePolicy::kOff;
    const auto engine = start(cacheless);
    std::map<std::string, GenerationLog> logs;
    for (const Generation& request : conversations(*engine)) logs[request.id] = generate(*engine, request);
    EXPECT_EQ(engine->stats().cached_tokens, 0);
    return logs;
  }

  static void expect_same(Engine& engine, const std::map<std::string, GenerationLog>& expected,
                          const std::string& what) {
    GenerationLogs logs;
    for (const Generation& request : conversations(engine)) {
      const Result<> taken = engine.submit(request, logs.sink(request.id));
      ASSERT_TRUE(taken) << taken.error().message;
    }
    logs.wait_for_all();
    for (const auto& [id, log] : expected) {
      expect_bits(logs.of(id), log, what + ", request " + id);
      const EngineUsage usage = logs.of(id).usage;
      EXPECT_EQ(usage.prompt_computed + usage.prompt_cached, log.usage.prompt_computed)
          << what << ", request " << id;
    }
  }
};

TEST_P(PrefixInvariance, OneAfterTheOtherMissedThenHit) {
  const auto expected = alone();
  const auto engine = start(options());
  for (int round = 0; round < 2; ++round) {
    for (const Generation& request : conversations(*engine)) {
      const GenerationLog log = generate(*engine, request);
      expect_bits(log, expected.at(request.id), "round " + std::to_string(round));
      if (round == 1) {
        EXPECT_GE(log.usage.prompt_cached, log.usage.prompt_computed);
      }
    }
  }
  EXPECT_GT(engine->stats().cached_tokens, engine->stats().prompt_tokens);
}

TEST_P(PrefixInvariance, TogetherInChunksOfAnySize) {
  const auto expected = alone();
  for (const int chunk : {1, 7, 40, 256}) {
    EngineOptions chunked = options();
    chunked.prefill_chunk = chunk;
    chunked.share_prefixes = chunk == 40;
    const auto engine = start(chunked);
    for (const char* round : {"missed", "hit"}) {
      expect_same(*engine, expected, std::string(round) + " in chunks of " + std::to_string(chunk));
    }
    EXPECT_GT(engine->stats().cached_tokens, 0);
  }
}

TEST_P(PrefixInvariance, StoppedAndBegunAgain) {
  const auto expected = alone();
  uint64_t preemptions = 0;
  for (const CachePolicy policy : {CachePolicy::kOff, CachePolicy::kLru, CachePolicy::kGittins}) {
    EngineOptions tight = options();
    tight.prefix_cache = policy;
    tight.context = 0;
    tight.prefill_stretch = 1e9;  // so that the plans do not depend on how long steps take
    tight.kv_memory_bytes = 26 * kv_block_bytes(open_nano().shape, GetParam());
    const auto engine = start(tight);
    for (int round = 0; round < 3; ++round) expect_same(*engine, expected, "tight");
    const EngineStats stats = engine->stats();
    preemptions += stats.preemptions;
    EXPECT_EQ(stats.kv_blocks_used, 0);
    EXPECT_EQ(stats.cached_tokens > 0, policy != CachePolicy::kOff);
  }
  EXPECT_GT(preemptions, 0u);
}

TEST_P(PrefixInvariance, ChargesForMemoryWhoHoldsIt) {
  const auto engine = start(options());
  GenerationLogs logs;
  for (const Generation& request : conversations(*engine)) {
    ASSERT_TRUE(engine->submit(request, logs.sink(request.id)));
  }
  logs.wait_for_all();
  double sum = 0;
  for (const auto& [id, log] : logs.all()) {
    EXPECT_GT(log.usage.kv_byte_seconds, 0) << id;
    sum += log.usage.kv_byte_seconds;
  }
  EXPECT_NEAR(engine->stats().kv_byte_seconds, sum, sum * 1e-9);
}

INSTANTIATE_TEST_SUITE_P(Cache, PrefixInvariance, ::testing::Values(false, true),
                         [](const auto& kv) { return kv.param ? "bf16" : "f32"; });

}  // namespace
}  // namespace feilun::engine
