#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine_factory.h"
#include "engine/fake_model.h"
#include "engine/generation_log.h"

namespace feilun::engine {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Engine> make(EngineOptions options = {}, int blocks = 256) {
  return make_engine(fake_model_file(), std::make_unique<FakeBackend>(blocks), std::move(options));
}

Generation generation(std::string id, size_t prompt_tokens, TokenCount max_tokens) {
  Generation result{.id = std::move(id), .max_tokens = max_tokens, .allowed_tokens = max_tokens};
  for (size_t i = 0; i < prompt_tokens; ++i) {
    const auto mixed = i * 7 + std::hash<std::string>()(result.id) % 1'000;
    result.prompt.push_back(static_cast<TokenId>(2 + mixed % 46));
  }
  result.sampling = {.temperature = 0, .ignore_eos = true};
  return result;
}

TEST(Engine, RunsToItsLength) {
  const auto engine = make();
  const GenerationLog log = generate(*engine, generation("a", 20, 30));
  EXPECT_EQ(log.finish, FinishReason::kLength);
  EXPECT_EQ(log.tokens.size(), 30u);
  EXPECT_EQ(log.usage.output, 30);
  EXPECT_EQ(log.usage.prompt_computed, 20);
  EXPECT_EQ(log.usage.prompt_cached, 0);
  EXPECT_EQ(log.endings, 1);
  const EngineStats stats = engine->stats();
  EXPECT_EQ(stats.sampled_tokens, 30);
  EXPECT_EQ(stats.output_tokens, 30);
  EXPECT_EQ(stats.prompt_tokens, 20);
  EXPECT_EQ(stats.steps, 30u);
  EXPECT_EQ(stats.kv_blocks_used, 0);
  EXPECT_EQ(stats.running + stats.waiting, 0);
  EXPECT_EQ(stats.busy, log.usage.attributed) << "alone, it bears all";
}

TEST(Engine, EndsAtTheEndTokenAndBillsIt) {
  const auto engine = make();
  Generation ends = generation("a", 4, 200);
  ends.sampling = {.logit_bias = {{FakeTokenizer::kEnd, 3}}, .seed = 4};
  const GenerationLog log = generate(*engine, ends);
  EXPECT_EQ(log.finish, FinishReason::kStop);
  EXPECT_EQ(log.tokens.back().id, FakeTokenizer::kEnd);
  EXPECT_EQ(log.usage.output, static_cast<TokenCount>(log.tokens.size()));
  EXPECT_THAT(log.text, ::testing::Not(HasSubstr("</s>")));
}

TEST(Engine, EndsAtTheContextWindow) {
  const auto engine = make({.context = 64});
  EXPECT_EQ(engine->context(), 64);
  const GenerationLog log = generate(*engine, generation("a", 60, 1'000'000));
  EXPECT_EQ(log.finish, FinishReason::kLength);
  EXPECT_EQ(log.tokens.size(), 4u);
}

TEST(Engine, RefusesWhatItCannotServe) {
  const auto engine = make({.context = 64});
  const auto code = [&](const Generation& wrong) {
    const auto result =
        engine->submit(wrong, [](const GenerationEvent&) { FAIL() << "no event may follow"; });
    EXPECT_FALSE(result);
    return result ? ErrorCode::kInternal : result.error().code;
  };
  EXPECT_EQ(code(generation("a", 0, 1)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(generation("a", 64, 1)), ErrorCode::kContextLengthExceeded);
  EXPECT_EQ(code(generation("a", 4, 0)), ErrorCode::kInvalidArgument);
  Generation foreign = generation("a", 4, 1);
  foreign.prompt[1] = FakeTokenizer::kVocabulary;
  EXPECT_EQ(code(foreign), ErrorCode::kInvalidArgument);
  Generation stopless = generation("a", 4, 1);
  stopless.stop = {""};
  EXPECT_EQ(code(stopless), ErrorCode::kInvalidArgument);
  Generation cold = generation("a", 4, 1);
  cold.sampling.temperature = -1;
  EXPECT_EQ(code(cold), ErrorCode::kInvalidArgument);
  const auto long_prompt = engine->submit(generation("a", 70, 1), [](const GenerationEvent&) {});
  EXPECT_THAT(long_prompt.error().message, HasSubstr("70"));
  EXPECT_THAT(long_prompt.error().message, HasSubstr("64"));
}

TEST(Engine, RefusesASecondGenerationOfTheSameNameAndALongQueue) {
  GenerationLogs logs;
  const auto engine = make({.max_waiting = 2});
  Generation parked = generation("a", 4, 8);
  parked.allowed_tokens = 0;
  ASSERT_TRUE(engine->submit(parked, logs.sink("a")));
  const auto twin = engine->submit(parked, [](const GenerationEvent&) {});
  ASSERT_FALSE(twin);
  EXPECT_EQ(twin.error().code, ErrorCode::kConflict);
  parked.id = "b";
  ASSERT_TRUE(engine->submit(parked, logs.sink("b")));
  parked.id = "c";
  const auto third = engine->submit(parked, [](const GenerationEvent&) {});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, ErrorCode::kOverloaded);
  for (const char* id : {"a", "b"}) engine->allow(id, 8, false);
  logs.wait_for_all();
  EXPECT_TRUE(engine->submit(parked, logs.sink("c"))) << "room again";
  EXPECT_EQ(engine->stats().waiting, 1);
}

TEST(Engine, FindsAStopStringAcrossTokensAndBillsWithheldText) {
  const auto engine = make();
  const GenerationLog whole = generate(*engine, generation("a", 5, 60));
  Generation stopped = generation("a", 5, 60);
  stopped.stop = {"el wheel wh"};  // from inside one " wheel" to inside the third
  ASSERT_THAT(whole.text, HasSubstr(stopped.stop[0]));
  const GenerationLog log = generate(*engine, stopped);
  EXPECT_EQ(log.finish, FinishReason::kStop);
  EXPECT_EQ(log.stop_string, stopped.stop[0]);
  EXPECT_EQ(log.text, whole.text.substr(0, whole.text.find(stopped.stop[0])));
  EXPECT_EQ(log.usage.output, static_cast<TokenCount>(log.tokens.size()));
  EXPECT_LT(log.tokens.size(), 60u);
}

TEST(Engine, FlushesHeldTextAtItsLength) {
  const auto engine = make();
  const GenerationLog whole = generate(*engine, generation("a", 5, 40));
  Generation holding = generation("a", 5, 40);
  holding.stop = {whole.text.substr(whole.text.size() - 6) + " and never this"};
  EXPECT_EQ(generate(*engine, holding).text, whole.text);
}

TEST(Engine, WaitsAtItsAllowanceUntilItIsRaised) {
  GenerationLogs logs;
  const auto engine = make();
  Generation paid = generation("a", 5, 40);
  paid.allowed_tokens = 3;
  ASSERT_TRUE(engine->submit(paid, logs.sink("a")));
  logs.wait_for_tokens("a", 3);
  EXPECT_EQ(generate(*engine, generation("other", 5, 40)).tokens.size(), 40u);
  EXPECT_EQ(logs.of("a").tokens.size(), 3u);
  engine->allow("a", 2, false);  // never lowers
  engine->allow("a", 5, false);
  logs.wait_for_tokens("a", 5);
  engine->allow("a", 1'000, false);
  logs.wait_for_all();
  const GenerationLog log = logs.of("a");
  EXPECT_EQ(log.finish, FinishReason::kLength);
  EXPECT_EQ(log.usage.output, 40);
  EXPECT_EQ(ids_of(log), ids_of(generate(*engine, generation("a", 5, 40)))) << "pausing changes nothing";
}

TEST(Engine, EndsWhereTheMoneyEnds) {
  GenerationLogs logs;
  const auto engine = make();
  Generation paid = generation("a", 5, 100);
  paid.allowed_tokens = 10;
  ASSERT_TRUE(engine->submit(paid, logs.sink("a")));
  engine->allow("a", 37, true);
  logs.wait_for_all();
  EXPECT_EQ(logs.of("a").finish, FinishReason::kAllowance);
  EXPECT_EQ(logs.of("a").usage.output, 37);

  paid.allowed_tokens = 2;
  ASSERT_TRUE(engine->submit(paid, logs.sink("b")));
  logs.wait_for_tokens("b", 2);
  engine->allow("a", 0, true);  // already at its bound
  logs.wait_for_all();
  EXPECT_EQ(logs.of("b").finish, FinishReason::kAllowance);
  EXPECT_EQ(logs.of("b").usage.output, 2);
}

TEST(Engine, CancelsInTheQueueInPrefillAndInDecode) {
  EngineOptions options{.prefill_chunk = 1};
  GenerationLogs logs;
  const auto engine = make(options);
  Generation queued = generation("queued", 5, 40);
  queued.allowed_tokens = 0;
  ASSERT_TRUE(engine->submit(queued, logs.sink("queued")));
  engine->cancel("queued");
  logs.wait_for_all();
  EXPECT_EQ(logs.of("queued").usage.prompt_computed, 0);

  // From within its own sink, so that the very next step must obey.
  const EventSink log_decode = logs.sink("decode");
  ASSERT_TRUE(engine->submit(generation("decode", 5, 240), [&](GenerationEvent event) {
    if (event.usage.output == 2) engine->cancel("decode");
    log_decode(std::move(event));
  }));
  logs.wait_for_all();
  EXPECT_EQ(logs.of("decode").usage.prompt_computed, 5);
  EXPECT_EQ(logs.of("decode").usage.output, 2);
  EXPECT_EQ(logs.of("decode").tokens.size(), 2u);

  const EventSink log_prefill = logs.sink("prefill");
  int events = 0;
  ASSERT_TRUE(engine->submit(generation("prefill", 200, 40), [&](GenerationEvent event) {
    if (++events == 3) engine->cancel("prefill");
    log_prefill(std::move(event));
  }));
  logs.wait_for_all();
  EXPECT_EQ(logs.of("prefill").usage.prompt_computed, 3);
  EXPECT_TRUE(logs.of("prefill").tokens.empty());
  for (const auto& [id, log] : logs.all()) {
    EXPECT_EQ(log.finish, FinishReason::kCancelled) << id;
    EXPECT_EQ(log.endings, 1) << id;
    EXPECT_EQ(log.after_end, 0) << id;
  }
  EXPECT_EQ(engine->stats().kv_blocks_used, 0);
  engine->cancel("nobody");
}

TEST(Engine, LetsASinkSubmitAllowAndCancel) {
  GenerationLogs logs;
  const auto engine = make();
  const EventSink second = logs.sink("second");
  const EventSink first = logs.sink("first");
  ASSERT_TRUE(engine->submit(generation("first", 5, 3), [&](GenerationEvent event) {
    if (event.finish) {
      Generation again = generation("first", 5, 4);  // the name is free when the last event comes
      again.allowed_tokens = 1;
      EXPECT_TRUE(engine->submit(again, second));
      engine->allow("first", 4, false);
      engine->cancel("nobody");
    }
    first(std::move(event));
  }));
  logs.wait_for_all();
  EXPECT_EQ(logs.of("second").usage.output, 4);
}

TEST(Engine, CancelsEverythingWhenItGoes) {
  GenerationLogs logs;
  auto engine = make({.max_sequences = 2});
  for (const char* id : {"a", "b", "c", "d"}) {
    Generation endless = generation(id, 5, 200);
    endless.allowed_tokens = *id == 'd' ? 0 : 50;
    ASSERT_TRUE(engine->submit(endless, logs.sink(id)));
  }
  logs.wait_for_tokens("a", 1);
  engine.reset();
  logs.wait_for_all();
  for (const auto& [id, log] : logs.all()) {
    EXPECT_EQ(log.endings, 1) << id;
    EXPECT_EQ(log.finish, FinishReason::kCancelled) << id;
  }
}

TEST(Engine, FailsAGenerationWhoseLogitsAreNoNumbers) {
  const auto engine = make_engine(fake_model_file(), std::make_unique<BrokenBackend>(), {});
  const GenerationLog log = generate(*engine, generation("a", 5, 5));
  EXPECT_EQ(log.finish, FinishReason::kFailed);
  EXPECT_FALSE(log.error.message.empty());
  EXPECT_EQ(log.usage.output, 0);
  EXPECT_EQ(engine->stats().sampled_tokens, 0);
}

/// Weights padded by rows that stand for no token, the best of all logits among them.
class PaddedBackend final : public Backend {
 public:
  int vocabulary_size() const override { return FakeTokenizer::kVocabulary + 16; }
  int block_count() const override { return 16; }
  std::span<const float> forward(std::span<const SequenceSlice> slices) override {
    logits_.clear();
    for (const SequenceSlice& slice : slices) {
      for (int i = 0; i < slice.logits * vocabulary_size(); ++i)
        logits_.push_back(static_cast<float>(i % vocabulary_size()));
    }
    return logits_;
  }

 private:
  std::vector<float> logits_;
};

TEST(Engine, ChoosesNoTokenThatTheTokenizerDoesNotKnow) {
  GenerationLogs logs;
  const auto engine = make_engine(fake_model_file(), std::make_unique<PaddedBackend>(), {});
  for (const char* id : {"a", "b"}) ASSERT_TRUE(engine->submit(generation(id, 5, 5), logs.sink(id)));
  logs.wait_for_all();
  for (const auto& [id, log] : logs.all()) {
    EXPECT_EQ(ids_of(log), std::vector<TokenId>(5, FakeTokenizer::kVocabulary - 1)) << id;
  }
  Generation padded = generation("a", 5, 5);
  padded.prompt.push_back(FakeTokenizer::kVocabulary);
  EXPECT_FALSE(engine->submit(padded, [](const GenerationEvent&) {}));
}

TEST(Engine, PutsTwoRequestsIntoOneForwardPass) {
  std::vector<StepTrace> traces;
  // The stretch: so that chunks are counted in tokens, however long the steps take.
  EngineOptions options{.prefill_chunk = 8, .prefill_stretch = 1e9};
  options.on_step = [&traces](const StepTrace& trace) { traces.push_back(trace); };
  GenerationLogs logs;
  auto engine = make(options);
  const EventSink decoding = logs.sink("decoding");
  const EventSink arriving = logs.sink("arriving");
  ASSERT_TRUE(engine->submit(generation("decoding", 4, 100), [&](GenerationEvent event) {
    if (event.usage.output == 1) ASSERT_TRUE(engine->submit(generation("arriving", 20, 3), arriving));
    decoding(std::move(event));
  }));
  logs.wait_for_all();
  engine.reset();

  int prefill_beside_decode = 0;
  int both_decode = 0;
  for (const StepTrace& trace : traces) {
    if (trace.rows.size() < 2) continue;
    ASSERT_EQ(trace.rows[0].id, "decoding");
    EXPECT_EQ(trace.rows[0].output_tokens, 1);
    (trace.rows[1].prompt_tokens > 0 ? prefill_beside_decode : both_decode) += 1;
  }
  EXPECT_EQ(prefill_beside_decode, 3) << "20 tokens in chunks of 8";
  EXPECT_EQ(both_decode, 2) << "the first of the three came with the last chunk";
}

TEST(Engine, PutsBosBeforeAPromptExactlyOnce) {
  class Template final : public model::ChatTemplate {
   public:
    explicit Template(bool prints_bos) : prints_bos_(prints_bos) {}
    Result<std::vector<model::PromptFragment>> render(const ChatInput&) const override {
      std::vector<model::PromptFragment> fragments = {{.text = "hi", .trusted = true}};
      if (prints_bos_) fragments.insert(fragments.begin(), {.text = "<s>", .trusted = true});
      return fragments;
    }

   private:
    bool prints_bos_;
  };
  for (const bool prints_bos : {false, true}) {
    model::ModelFile file = fake_model_file();
    file.chat_template = std::make_shared<Template>(prints_bos);
    const auto engine = make_engine(std::move(file), std::make_unique<FakeBackend>(16), {});
    const auto prompt = engine->encode_chat({.messages_json = "[]"});
    ASSERT_TRUE(prompt);
    EXPECT_EQ(prompt->size(), 3u);
    EXPECT_EQ(prompt->front(), FakeTokenizer::kBegin);
  }
  const auto engine = make();
  EXPECT_EQ(engine->encode_text(""), std::vector<TokenId>{FakeTokenizer::kBegin});
  const auto chat = engine->encode_chat({.messages_json = "[]"});
  ASSERT_FALSE(chat);
  EXPECT_EQ(chat.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(engine->token_bytes(FakeTokenizer::kEnd), "</s>");
  EXPECT_EQ(engine->token_bytes(-1), "");
  EXPECT_EQ(engine->token_bytes(FakeTokenizer::kVocabulary), "");
}

TEST(Engine, DropsTheDummySpaceOnlyWhereATextBegins) {
  // Token 24 is " the" (24 % 12 == 0).
  const auto engine = make();
  Generation forced = generation("a", 3, 2);
  forced.sampling.logit_bias = {{24, 100}};
  EXPECT_EQ(generate(*engine, forced).text, " the the") << "it goes on with a text";
  forced.prompt.push_back(FakeTokenizer::kBegin);
  EXPECT_EQ(generate(*engine, forced).text, "the the");
}

}  // namespace
}  // namespace feilun::engine
