// Tokens per second of feilun's engine on one GGUF through its public interface: scheduler, greedy sampling
// and text are in the time. The rows are those of row.h.
//
//   engine_bench MODEL THREADS STEPS [ROW…]      STEPS: tokens a sequence in the rows stream and decode
//
// A decode row begins when every sequence has had its first token and ends when STEPS tokens a sequence have
// come since; then all are cancelled, so that the batch is full in the whole of the measured time.
#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include "compute/isa.h"
#include "engine/engine.h"
#include "row.h"

using namespace feilun;

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kContext = 4096;
constexpr int kPrefillChunk = 512;
constexpr int kSequencesMax = 64;

/// Follows some generations from submission to their end. Events come on the engine's thread.
class Progress {
 public:
  Progress(int sequences, int steps) : live_(sequences), unstarted_(sequences), wanted_(sequences * steps) {}

  void take(const engine::GenerationEvent& event) {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const int tokens = static_cast<int>(event.tokens.size());
    if (unstarted_ == 0 && wanted_ > 0 && (wanted_ -= tokens) <= 0) {
      extra_ = -wanted_;
      reached_ = now;
    }
    if (tokens > 0 && event.usage.output == tokens && --unstarted_ == 0) started_ = now;
    if (event.finish && --live_ == 0) ended_ = true;
    if (event.finish == engine::FinishReason::kFailed) error_ = event.error.message;
    changed_.notify_all();
  }

  /// When every sequence had its first token.
  Clock::time_point wait_for_start() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return unstarted_ == 0 || ended_; });
    return started_;
  }
  /// When the wanted tokens had come; with how many more than wanted.
  std::pair<Clock::time_point, int> wait_for_tokens() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return wanted_ <= 0 || ended_; });
    return {reached_, extra_};
  }
  void wait_for_end() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_; });
  }
  const std::string& error() const { return error_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int live_;
  int unstarted_;
  int wanted_;
  int extra_ = 0;
  bool ended_ = false;
  Clock::time_point started_;
  Clock::time_point reached_;
  std::string error_;
};

engine::Generation generation(const bench::Row& row, int turn, int sequence) {
  engine::Generation generation;
  generation.id = fmt::format("bench-{}-{}", turn, sequence);
  generation.prompt = bench::prompt(turn, sequence, row.prompt_tokens());
  generation.max_tokens = generation.allowed_tokens = row.decodes() ? kContext - row.prompt_tokens() : 1;
  generation.sampling.temperature = 0;
  generation.sampling.ignore_eos = true;
  return generation;
}

[[noreturn]] void stop(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(1);
}

double seconds_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

double measure(engine::Engine& engine, const bench::Row& row, int turn, int steps) {
  const int sequences = row.sequences();
  Progress progress(sequences, row.decodes() ? steps : 0);
  const auto submitted = Clock::now();
  std::vector<std::string> ids;
  for (int i = 0; i < sequences; ++i) {
    auto next = generation(row, turn, i);
    ids.push_back(next.id);
    const auto taken = engine.submit(
        std::move(next), [&progress](const engine::GenerationEvent& event) { progress.take(event); });
    if (!taken) stop(taken.error().message);
  }
  const auto started = progress.wait_for_start();
  double rate = row.prompt_tokens() / seconds_between(submitted, started);
  if (row.decodes()) {
    const auto [reached, extra] = progress.wait_for_tokens();
    rate = (sequences * steps + extra) / seconds_between(started, reached);
    for (const std::string& id : ids) engine.cancel(id);
  }
  progress.wait_for_end();
  if (!progress.error().empty()) stop(progress.error());
  return rate;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) stop("usage: engine_bench MODEL THREADS STEPS [ROW...]");
  const int steps = std::atoi(argv[3]);
  engine::EngineOptions options;
  options.threads = std::atoi(argv[2]);
  options.context = kContext;
  options.prefill_chunk = kPrefillChunk;
  options.max_sequences = kSequencesMax;
  options.kv_memory_bytes = 2LL << 30;
  const char* quant = std::getenv("FEILUN_QUANT");
  const bool bytes = quant != nullptr && std::string_view(quant) == "w8a8";
  if (bytes) options.quantise = engine::Quantise::kW8A8;
  const auto isa = compute::choose_isa();
  if (!isa) stop(isa.error().message);
  auto file = model::open_model(argv[1]);
  auto engine = file ? engine::Engine::start(std::move(*file), options) : std::unexpected(file.error());
  if (!engine) stop(engine.error().message);
  measure(**engine, {bench::Row::Kind::kDecode, 2}, 0, 4);  // touches every page once
  const std::string about =
      fmt::format("feilun, {} kernels, {} threads, chunks of {}, KV cache bf16{}", compute::isa_name(*isa),
                  options.threads, options.prefill_chunk, bytes ? ", --quant w8a8" : "");
  return bench::answer_rows(argc, argv, 4, about, [&](const bench::Row& row, int turn) {
    return measure(**engine, row, turn, steps);
  });
}
