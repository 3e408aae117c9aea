#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/backend.h"
#include "engine/engine_factory.h"
#include "engine/fake_model.h"
#include "engine/same_bits.h"
#include "engine/soak_client.h"

/// Random traffic on a machine that is far too small for it, for a moment here and for half an hour with
/// `./dev soak`. Now and then everybody is let go, and while the engine rests its books must be right: each
/// request ended once, all blocks free or only cached, every nanosecond somebody's. At the end a sample of
/// the requests is asked again, one by one on an engine with room for all and without cache or guesses: it
/// must answer the same bits.
namespace feilun::engine {
namespace {

using std::chrono::nanoseconds;

constexpr int kClients = 4;
constexpr nanoseconds kStuck = std::chrono::seconds(60);
constexpr nanoseconds kReport = std::chrono::seconds(10);

int64_t number_from(const char* variable, int64_t otherwise) {
  const char* value = std::getenv(variable);
  return value == nullptr ? otherwise : std::atoll(value);
}

int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

/// Sanitizers keep memory of their own for what has been freed.
constexpr bool kSanitized =
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    true;
#else
    false;
#endif

double seconds(nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

double mib(int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

EngineOptions tight() {
  return {.context = 256, .threads = 2, .prefill_chunk = 48, .max_sequences = 12, .max_waiting = 24};
}

EngineOptions roomy() {
  return {.context = 256,
          .threads = 2,
          .max_sequences = 1,
          .prefix_cache = CachePolicy::kOff,
          .speculate = false};
}

std::unique_ptr<Engine> start_nano(EngineOptions options, int blocks) {
  auto file =
      model::open_model(std::filesystem::path(FEILUN_SOURCE_DIR) / "models/feilun-nano/feilun-nano.gguf");
  EXPECT_TRUE(file) << file.error().message;
  options.kv_memory_bytes = blocks * kv_block_bytes(file->shape, options.kv_bf16);
  auto engine = Engine::start(std::move(*file), std::move(options));
  EXPECT_TRUE(engine) << engine.error().message;
  return std::move(engine).value();
}

std::unique_ptr<Engine> start_fake(EngineOptions options, int blocks) {
  return make_engine(fake_model_file(), std::make_unique<FakeBackend>(blocks), std::move(options));
}

class Soak {
 public:
  using Start = std::unique_ptr<Engine> (*)(EngineOptions options, int blocks);

  /// 40 blocks for up to 12 sequences of up to 16 blocks, so that room is short all the time.
  Soak(Start start, uint64_t seed, bool stops_reading)
      : start_(start), books_(seed), began_(SystemClock().mono()), engine_(start(tight(), 40)) {
    for (uint64_t client = 0; client < kClients; ++client) {
      clients_.emplace_back(*engine_, books_, seed * kClients + client, stops_reading);
    }
  }

  /// Traffic until `enough`, then until all of it has ended.
  void round(const std::function<bool()>& enough) {
    std::vector<std::thread> threads;
    for (SoakClient& client : clients_) threads.emplace_back([&] { client.run(enough); });
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(books_.wait_until_all_ended(kStuck)) << books_.totals().live() << " requests are stuck";
    check_books();
  }

  void print() {
    const SoakBooks::Totals totals = books_.totals();
    const EngineStats stats = engine_->stats();
    fmt::print(
        "{:6.0f} s  {} requests, {} live, {} refused, {} tokens, {} cached, {} preemptions, {} evictions, "
        "{:.2f} MiB resident\n",
        seconds(stats.time), totals.ended, totals.live(), totals.overloaded + totals.too_long + totals.twins,
        stats.prompt_tokens + stats.output_tokens, stats.cached_tokens, stats.preemptions, stats.evictions,
        mib(resident_bytes()));
    std::fflush(stdout);
  }

  void print_all() {
    const SoakBooks::Totals t = books_.totals();
    const EngineStats s = engine_->stats();
    fmt::print(
        "ended: {} stop, {} length, {} allowance, {} cancelled ({} in the queue, {} in the prompt, {} in the "
        "answer), {} failed\n"
        "refused: {} overloaded or too late, {} too long, {} of a taken name\n"
        "steps {}, prompt {}, output {}, recomputed {}, guessed {}, of these right {}\n"
        "busy {} ns = attributed {} + wasted {}; busy + idle {} = time {}\n"
        "the longest life by tier: {:.1f}, {:.1f}, {:.1f}, {:.1f} s\n",
        t.of(FinishReason::kStop), t.of(FinishReason::kLength), t.of(FinishReason::kAllowance),
        t.of(FinishReason::kCancelled), t.cancelled_in_queue, t.cancelled_in_prefill, t.cancelled_in_decode,
        t.of(FinishReason::kFailed), t.overloaded, t.too_long, t.twins, s.steps, s.prompt_tokens,
        s.output_tokens, s.recomputed_tokens, s.guessed_tokens, s.guessed_right_tokens, s.busy.count(),
        t.usage.attributed.count(), s.wasted.count(), s.idle.count(), s.time.count(), seconds(t.longest[0]),
        seconds(t.longest[1]), seconds(t.longest[2]), seconds(t.longest[3]));
  }

  /// The traffic was as rough as it should be; otherwise all this shows less than it says.
  void expect_rough_traffic() {
    const SoakBooks::Totals totals = books_.totals();
    const EngineStats stats = engine_->stats();
    for (const FinishReason reason :
         {FinishReason::kStop, FinishReason::kLength, FinishReason::kAllowance, FinishReason::kCancelled}) {
      EXPECT_GT(totals.of(reason), 0) << static_cast<int>(reason);
    }
    EXPECT_GT(totals.cancelled_in_queue, 0);
    EXPECT_GT(totals.cancelled_in_prefill, 0);
    EXPECT_GT(totals.cancelled_in_decode, 0);
    EXPECT_GT(totals.overloaded, 0);
    EXPECT_GT(stats.preemptions, 0u);
    EXPECT_GT(stats.recomputed_tokens, 0);
    EXPECT_GT(stats.evictions, 0u);
    EXPECT_GT(stats.cached_tokens, 0);
    EXPECT_GT(stats.idle.count(), 0);
  }

  /// Cancelled answers and those without money are beginnings of the whole ones.
  void expect_the_same_alone() {
    const auto engine = start_(roomy(), 64);
    for (const auto& request : books_.sample()) {
      const bool whole =
          request->log.finish == FinishReason::kStop || request->log.finish == FinishReason::kLength;
      Generation again = request->asked;
      again.first_token_within = {};
      if (!whole) again.max_tokens = static_cast<TokenCount>(request->log.tokens.size());
      again.allowed_tokens = again.max_tokens;
      GenerationLog alone = generate(*engine, again);
      if (whole) {
        EXPECT_EQ(request->log.finish, alone.finish) << again.id;
        EXPECT_EQ(request->log.stop_string, alone.stop_string) << again.id;
      } else {
        alone.text = request->log.text;  // some of it was held back when it ended
      }
      expect_bits(request->log, alone, again.id);
    }
    EXPECT_GT(books_.sample().size(), 50u);
  }

  const SoakBooks& books() const { return books_; }
  EngineStats stats() const { return engine_->stats(); }

 private:
  void check_books() {
    const SoakBooks::Totals totals = books_.totals();
    const EngineStats stats = engine_->stats();
    for (const std::string& fault : books_.faults()) ADD_FAILURE() << fault;
    EXPECT_EQ(totals.faults, 0);
    EXPECT_EQ(stats.running, 0);
    EXPECT_EQ(stats.waiting, 0);
    EXPECT_EQ(stats.kv_blocks_used, 0);
    EXPECT_EQ(stats.output_tokens, totals.usage.output);
    EXPECT_EQ(stats.sampled_tokens, totals.usage.output);
    EXPECT_EQ(stats.prompt_tokens, totals.usage.prompt_computed);
    EXPECT_EQ(stats.cached_tokens, totals.usage.prompt_cached);
    EXPECT_EQ(stats.saved, totals.usage.saved);
    EXPECT_EQ(stats.busy, totals.usage.attributed + stats.wasted) << "a nanosecond that is nobody's";
    EXPECT_EQ(stats.time, stats.busy + stats.idle);
    EXPECT_LE(stats.time, SystemClock().mono() - began_);
    EXPECT_NEAR(stats.kv_byte_seconds, totals.usage.kv_byte_seconds, 1e-6 * stats.kv_byte_seconds);
  }

  const Start start_;
  SoakBooks books_;
  const MonoTime began_;
  const std::unique_ptr<Engine> engine_;
  std::deque<SoakClient> clients_;
};

/// `requests` in each of two rounds.
void soak_for_a_moment(Soak::Start start, int64_t requests) {
  Soak soak(start, 7, false);
  for (int64_t ended = requests; ended <= 2 * requests; ended += requests) {
    soak.round([&] { return soak.books().totals().ended >= ended; });
    if (::testing::Test::HasFatalFailure()) return;
  }
  soak.print_all();
  soak.expect_rough_traffic();
  if (start == start_nano) EXPECT_GT(soak.stats().guessed_right_tokens, 0);
  soak.expect_the_same_alone();
}

TEST(EngineSoak, AMomentOnAFakeModelLosesNothing) {
  soak_for_a_moment(start_fake, 1'000);
}

TEST(EngineSoak, AMomentOnTrainedWeightsLosesNothing) {
  soak_for_a_moment(start_nano, 300);
}

/// Prints every ten seconds, until it goes.
class Reporter {
 public:
  explicit Reporter(Soak& soak)
      : thread_([this, &soak](const std::stop_token& stop) {
          std::unique_lock lock(mutex_);
          while (!due_.wait_for(lock, stop, kReport, [] { return false; }) && !stop.stop_requested())
            soak.print();
        }) {}

 private:
  std::mutex mutex_;
  std::condition_variable_any due_;
  std::jthread thread_;
};

/// Memory that nobody holds at rest, in the second half of the time: it must not grow. In a short soak it
/// may: what the cache learns, and what memory the allocator keeps, is not all there yet.
void expect_flat(std::vector<int64_t> at_rest) {
  const std::span half = std::span(at_rest).subspan(at_rest.size() / 2);
  const auto [least, most] = std::ranges::minmax(half);
  fmt::print("resident at rest in the second half: {:.2f} to {:.2f} MiB, {:.2f}% more\n", mib(least),
             mib(most), 100.0 * static_cast<double>(most - least) / static_cast<double>(least));
  EXPECT_LE(static_cast<double>(most), 1.02 * static_cast<double>(least));
}

void soak_for_long(Soak::Start start, int64_t seconds) {
  constexpr int kRounds = 12;
  constexpr int64_t kLongEnoughForMemory = 150;
  const auto seed = static_cast<uint64_t>(number_from("FEILUN_SOAK_SEED", 7));
  fmt::print("{} s from seed {}\n", seconds, seed);
  Soak soak(start, seed, true);
  const MonoTime begin = SystemClock().mono();
  std::vector<int64_t> at_rest;
  {
    const Reporter reporter(soak);
    for (int round = 1; round <= kRounds; ++round) {
      const MonoTime end = begin + std::chrono::seconds(seconds) * round / kRounds;
      soak.round([end] { return SystemClock().mono() >= end; });
      if (::testing::Test::HasFatalFailure()) return;
      at_rest.push_back(resident_bytes());
    }
  }
  soak.print();
  soak.print_all();
  soak.expect_rough_traffic();
  if (start == start_nano) EXPECT_GT(soak.stats().guessed_right_tokens, 0);
  if (seconds >= kLongEnoughForMemory && !kSanitized) expect_flat(at_rest);
  soak.expect_the_same_alone();
}

/// A tenth of the time on the fake model, where twenty times as much happens.
TEST(EngineSoak, ForAsLongAsWantedOnAFakeModel) {
  const int64_t wanted = number_from("FEILUN_SOAK_SECONDS", 0);
  if (wanted <= 0) GTEST_SKIP() << "./dev soak runs it";
  soak_for_long(start_fake, wanted / 10);
}

TEST(EngineSoak, ForAsLongAsWantedOnTrainedWeights) {
  const int64_t wanted = number_from("FEILUN_SOAK_SECONDS", 0);
  if (wanted <= 0) GTEST_SKIP() << "./dev soak runs it";
  soak_for_long(start_nano, wanted - wanted / 10);
}

}  // namespace
}  // namespace feilun::engine
