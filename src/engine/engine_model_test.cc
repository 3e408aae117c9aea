#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/json.h"
#include "base/temporary_directory.h"
#include "base/testdata.h"
#include "engine/backend.h"
#include "engine/engine.h"
#include "engine/generation_log.h"
#include "engine/same_bits.h"
#include "model/convert.h"

/// The whole engine on trained weights: known texts, and the promise that nobody's tokens depend on who else
/// is in the batch.
namespace feilun::engine {
namespace {

#define SKIP_WITHOUT_STORIES() SKIP_WITHOUT(testdata_path("models/stories260K/stories260K.bin"))

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// stories260K as a GGUF, converted anew.
model::ModelFile open_stories() {
  const TemporaryDirectory folder;  // gone on return: what is open stays mapped
  const auto path = folder / "stories.gguf";
  const auto from = testdata_path("models/stories260K");
  const auto converted = model::convert_llama2c(from / "stories260K.bin", from / "tok512.bin", path);
  EXPECT_TRUE(converted) << converted.error().message;
  auto file = model::open_model(path);
  EXPECT_TRUE(file) << file.error().message;
  return std::move(file).value();
}

EngineOptions exact() {
  return {.kv_bf16 = false, .threads = 1, .quantise = Quantise::kF32};
}

std::unique_ptr<Engine> start(model::ModelFile file, EngineOptions options) {
  auto engine = Engine::start(std::move(file), std::move(options));
  EXPECT_TRUE(engine) << engine.error().message;
  return std::move(engine).value();
}

Generation greedy(std::string id, std::vector<TokenId> prompt, TokenCount tokens) {
  return {.id = std::move(id),
          .prompt = std::move(prompt),
          .max_tokens = tokens,
          .allowed_tokens = tokens,
          .sampling = {.temperature = 0, .ignore_eos = true}};
}

TEST(EngineOnStories, TellsTheKnownStoryToTheByte) {
  SKIP_WITHOUT_STORIES();
  const auto engine = start(open_stories(), exact());
  std::string expected = read_file(testdata_path("models/stories260K/expected_greedy_200_steps.txt"));
  while (expected.ends_with('\n')) expected.pop_back();
  const GenerationLog log = generate(*engine, greedy("story", engine->encode_text(""), 200));
  EXPECT_EQ(log.tokens.size(), 200u);
  EXPECT_EQ(log.text, expected);
}

TEST(EngineOnStories, GoesOnWithATextWithoutLosingItsSpaces) {
  SKIP_WITHOUT_STORIES();
  const auto engine = start(open_stories(), exact());
  const std::string begin = "Once upon a time, there was a little girl named Lily.";
  const std::string expected = read_file(testdata_path("models/stories260K/expected_greedy_200_steps.txt"));
  ASSERT_TRUE(expected.starts_with(begin));
  const GenerationLog log = generate(*engine, greedy("story", engine->encode_text(begin), 40));
  EXPECT_EQ(begin + log.text, expected.substr(0, begin.size() + log.text.size()));
}

TEST(EngineOnTinyStories, GeneratesTransformersTokensInOneBatch) {
  const auto directory = testdata_path("models/tinystories-656K");
  SKIP_WITHOUT(directory);
  const auto golden = std::filesystem::path(FEILUN_SOURCE_DIR) / "tests/golden/tinystories_greedy.json";
  SKIP_WITHOUT(golden);
  auto file = model::open_model(directory);
  ASSERT_TRUE(file) << file.error().message;
  const auto engine = start(std::move(*file), exact());
  const JsonDocument document = JsonDocument::parse(read_file(golden)).value();
  GenerationLogs logs;
  std::map<std::string, std::vector<TokenId>> expected;
  for (const auto sample : document.root().get_array()) {
    const std::string id{std::string_view(sample["prompt"])};
    std::vector<TokenId> prompt;
    for (const int64_t token : sample["prompt_ids"].get_array())
      prompt.push_back(static_cast<TokenId>(token));
    for (const int64_t token : sample["output_ids"].get_array())
      expected[id].push_back(static_cast<TokenId>(token));
    EXPECT_EQ(engine->encode_text(id), prompt);
    ASSERT_TRUE(
        engine->submit(greedy(id, prompt, static_cast<TokenCount>(expected[id].size())), logs.sink(id)));
  }
  ASSERT_GE(expected.size(), 20u);
  logs.wait_for_all();
  for (const auto& [prompt, tokens] : expected) EXPECT_EQ(ids_of(logs.of(prompt)), tokens) << prompt;
}

std::vector<TokenId> ids_in(simdjson::dom::element list) {
  std::vector<TokenId> ids;
  for (const int64_t id : list.get_array()) ids.push_back(static_cast<TokenId>(id));
  return ids;
}

/// golden.json lists where the two best logits are so near that another order of additions may choose the
/// other one; from there on nothing is compared.
TEST(EngineOnTheBuiltInModel, SaysWhatItsTrainerSays) {
  const auto folder = std::filesystem::path(FEILUN_SOURCE_DIR) / "models/feilun-nano";
  auto file = model::open_model(folder / "feilun-nano.gguf");
  ASSERT_TRUE(file) << file.error().message;
  const auto engine = start(std::move(*file), exact());
  const JsonDocument document = JsonDocument::parse(read_file(folder / "golden.json")).value();
  size_t compared = 0;
  for (const auto chat : document.root().get_array()) {
    const std::string messages = simdjson::minify(chat["messages"].value());
    const auto prompt = engine->encode_chat({.messages_json = messages});
    ASSERT_TRUE(prompt) << prompt.error().message;
    EXPECT_EQ(*prompt, ids_in(chat["prompt_ids"])) << messages;
    std::vector<TokenId> expected = ids_in(chat["greedy_ids"]);
    if (const std::vector<TokenId> close = ids_in(chat["close"]); !close.empty()) {
      expected.resize(std::min(expected.size(), static_cast<size_t>(close.front())));
    }
    const auto count = static_cast<TokenCount>(expected.size());
    EXPECT_EQ(ids_of(generate(*engine, greedy(messages, *prompt, count))), expected) << messages;
    compared += expected.size();
  }
  EXPECT_GT(compared, 100u);
}

/// Seventeen requests of all kinds: greedy and seeded, short and longer than a chunk, with and without
/// logprobs, filters and penalties.
std::vector<Generation> mixed_requests(const Engine& engine, int count = 17) {
  std::vector<Generation> requests;
  for (int i = 0; i < count; ++i) {
    const std::string text = std::string("Tom and Sue went to the park. The dog saw a big red ball and ")
                                 .substr(0, 3 + 3 * (i % 17));
    Generation request{
        .id = std::to_string(i), .prompt = engine.encode_text(text), .max_tokens = 12 + 3 * (i % 5)};
    while (i % 6 == 5 && request.prompt.size() < 100) {
      request.prompt.insert(request.prompt.end(), request.prompt.begin() + 1, request.prompt.end());
    }
    request.allowed_tokens = request.max_tokens;
    request.choice = i % 3;
    request.sampling.seed = 77 + static_cast<uint64_t>(i);
    request.sampling.ignore_eos = true;
    request.sampling.top_logprobs = i % 4 == 3 ? -1 : i % 4 * 2;
    if (i % 3 == 0) request.sampling.temperature = 0;
    if (i % 3 == 1) request.sampling.top_p = 0.9f;
    if (i % 4 == 1) request.sampling.top_k = 40;
    if (i % 5 == 2) request.sampling.repetition_penalty = 1.3f;
    requests.push_back(std::move(request));
  }
  return requests;
}

class BatchInvariance : public ::testing::TestWithParam<Quantise> {
 protected:
  EngineOptions options() const { return {.threads = 2, .quantise = GetParam()}; }

  std::map<std::string, GenerationLog> alone(int count = 17) {
    const auto engine = start(open_stories(), options());
    std::map<std::string, GenerationLog> logs;
    for (const Generation& request : mixed_requests(*engine, count))
      logs[request.id] = generate(*engine, request);
    return logs;
  }

  /// The first `count` at once, so many of them in one pass at least; returns the engine's stats at the end.
  EngineStats expect_same_together(EngineOptions together, const std::map<std::string, GenerationLog>& alone,
                                   const std::string& what, int count = 17, int least_in_one_pass = 2) {
    int in_one_pass = 0;
    together.on_step = [&in_one_pass](const StepTrace& trace) {
      in_one_pass = std::max(in_one_pass, static_cast<int>(trace.rows.size()));
    };
    GenerationLogs logs;
    const auto engine = start(open_stories(), together);
    std::vector<Generation> requests = mixed_requests(*engine, count);
    // The first one's sink brings in the others, so that they are together from the second step on.
    const EventSink first = logs.sink(requests[0].id);
    std::vector<EventSink> sinks;
    for (size_t i = 1; i < requests.size(); ++i) sinks.push_back(logs.sink(requests[i].id));
    bool begun = false;
    const Result<> accepted = engine->submit(requests[0], [&](GenerationEvent event) {
      for (size_t i = 1; i < requests.size() && !begun; ++i) {
        EXPECT_TRUE(engine->submit(requests[i], sinks[i - 1]));
      }
      begun = true;
      first(std::move(event));
    });
    EXPECT_TRUE(accepted);
    logs.wait_for_all();
    for (const Generation& request : requests) {
      expect_bits(logs.of(request.id), alone.at(request.id), what + ", request " + request.id);
    }
    EXPECT_GE(in_one_pass, least_in_one_pass) << what;
    return engine->stats();
  }
};

TEST_P(BatchInvariance, AloneAmongSixteenOthersAndInAnyChunks) {
  SKIP_WITHOUT_STORIES();
  const auto logs = alone();
  for (const int chunk : {1, 3, 16, 64, 256}) {
    EngineOptions together = options();
    together.prefill_chunk = chunk;
    expect_same_together(together, logs, "chunks of " + std::to_string(chunk));
  }
}

TEST_P(BatchInvariance, InBatchesOfTwoToThirtyTwo) {
  SKIP_WITHOUT_STORIES();
  const auto logs = alone(32);
  EngineOptions together = options();
  together.prefill_chunk = 4'096;
  together.prefill_stretch = 1e9;
  for (const int batch : {2, 3, 4, 7, 8, 16, 24, 32}) {
    expect_same_together(together, logs, "a batch of " + std::to_string(batch), batch, batch);
  }
}

TEST_P(BatchInvariance, UnderPreemption) {
  SKIP_WITHOUT_STORIES();
  const auto logs = alone();
  EngineOptions tight = options();
  tight.kv_memory_bytes = 16 * kv_block_bytes(open_stories().shape, tight.kv_bf16);
  tight.prefill_chunk = 40;
  tight.prefill_stretch = 1e9;  // so that the plan is the same however long the steps take
  const EngineStats stats = expect_same_together(tight, logs, "with 16 blocks");
  EXPECT_EQ(stats.kv_blocks_total, 16);
  EXPECT_GT(stats.preemptions, 0u);
  EXPECT_GT(stats.recomputed_tokens, 0);
  TokenCount prompt_tokens = 0;
  for (const auto& [id, log] : logs) prompt_tokens += log.usage.prompt_computed;
  EXPECT_EQ(stats.prompt_tokens, prompt_tokens) << "what is computed again is not billed again";
}

/// Prompts that say a thing twice, answered greedily and by seeds, with and without guesses.
TEST_P(BatchInvariance, WithAndWithoutGuesses) {
  SKIP_WITHOUT_STORIES();
  EngineOptions careful = options();
  careful.speculate = false;
  const auto plain = start(open_stories(), careful);
  const auto guessing = start(open_stories(), options());
  for (int i = 0; i < 8; ++i) {
    const std::string once = "Tom had a red ball. He liked the red ball. One day the ";
    Generation request{.id = std::to_string(i), .prompt = plain->encode_text(once + once + once)};
    request.max_tokens = request.allowed_tokens = 60 - i;
    request.sampling.temperature = i % 2 == 0 ? 0.0f : 0.4f;
    request.sampling.seed = 5 + static_cast<uint64_t>(i);
    request.sampling.top_logprobs = 2;
    if (i >= 4) request.sampling.repetition_penalty = 1.1f;
    if (i >= 6) request.stop = {"red ball."};
    const GenerationLog expected = generate(*plain, request);
    const GenerationLog found = generate(*guessing, request);
    expect_bits(found, expected, "request " + request.id);
    EXPECT_EQ(found.finish, expected.finish);
    EXPECT_EQ(found.usage.output, expected.usage.output);
  }
  EXPECT_EQ(plain->stats().guessed_tokens, 0);
  EXPECT_GT(guessing->stats().guessed_right_tokens, 0);
  EXPECT_LT(guessing->stats().steps, plain->stats().steps);
  EXPECT_EQ(guessing->stats().sampled_tokens, guessing->stats().output_tokens);
}

INSTANTIATE_TEST_SUITE_P(Weights, BatchInvariance,
                         ::testing::Values(Quantise::kF32, Quantise::kQ8_0, Quantise::kW8A8, Quantise::kQ4_0),
                         [](const auto& weights) {
                           return weights.param == Quantise::kF32    ? "F32"
                                  : weights.param == Quantise::kQ8_0 ? "Q8_0"
                                  : weights.param == Quantise::kW8A8 ? "W8A8"
                                                                     : "Q4_0";
                         });

TEST(EngineStart, SaysWhatIsMissingBeforeItLoads) {
  SKIP_WITHOUT_STORIES();
  const auto window = Engine::start(open_stories(), {.context = 1 << 20});
  ASSERT_FALSE(window);
  EXPECT_NE(window.error().message.find("--ctx"), std::string::npos);
  const auto memory =
      Engine::start(open_stories(), {.kv_memory_bytes = int64_t{1} << 60, .max_sequences = 1 << 30});
  ASSERT_FALSE(memory);
  EXPECT_NE(memory.error().message.find("MiB are available"), std::string::npos) << memory.error().message;
  EXPECT_FALSE(Engine::start(open_stories(), {.prefill_chunk = 0}));
}

TEST(EngineStart, ObeysTheMemoryForTheCache) {
  SKIP_WITHOUT_STORIES();
  const int64_t block_bytes = kv_block_bytes(open_stories().shape, true);
  const auto engine = start(open_stories(), {.kv_memory_bytes = 10 * block_bytes + block_bytes / 2});
  EXPECT_EQ(engine->stats().kv_blocks_total, 10);
  EXPECT_EQ(engine->context(), 160) << "shrunk to what the blocks hold";
}

}  // namespace
}  // namespace feilun::engine
