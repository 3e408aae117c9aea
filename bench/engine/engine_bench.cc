// Tokens per second of feilun's engine on one GGUF: prefill of one prompt, then decode of 1…N sequences side
// by side, through the public Engine (scheduler, sampling and text included). Prints a JSON object a line.
//
//   engine_bench MODEL.gguf THREADS PREFILL_TOKENS DECODE_TOKENS SEQUENCES…
#include <fmt/format.h>

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"

using namespace feilun;

namespace {

using Seconds = std::chrono::duration<double>;

/// Waits until a number of generations have ended; remembers when the last first token came.
class Finish {
 public:
  explicit Finish(int count) : running_(count), waiting_for_first_(count) {}
  void take(const engine::GenerationEvent& event) {
    const std::lock_guard lock(mutex_);
    if (event.usage.output == 1 && !event.tokens.empty() && --waiting_for_first_ == 0) {
      all_started_ = std::chrono::steady_clock::now();
    }
    if (event.finish && --running_ == 0) done_.notify_all();
  }
  std::chrono::steady_clock::time_point wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
    return all_started_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  int running_;
  int waiting_for_first_;
  std::chrono::steady_clock::time_point all_started_;
};

engine::Generation generation(int index, int prompt_tokens, int output_tokens) {
  engine::Generation generation;
  generation.id = fmt::format("bench-{}", index);
  for (int i = 0; i < prompt_tokens; ++i) generation.prompt.push_back(1000 + (i * 7 + index * 31) % 5000);
  generation.max_tokens = generation.allowed_tokens = output_tokens;
  generation.sampling.temperature = 0;
  generation.sampling.ignore_eos = true;
  return generation;
}

struct Times {
  double prefill_seconds = 0;
  double decode_seconds = 0;
};

Times run(engine::Engine& engine, int sequences, int prompt_tokens, int output_tokens) {
  Finish finish(sequences);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < sequences; ++i) {
    auto submitted = engine.submit(generation(i, prompt_tokens, output_tokens),
                                   [&finish](const engine::GenerationEvent& event) { finish.take(event); });
    if (!submitted) {
      fmt::print(stderr, "{}\n", submitted.error().message);
      std::exit(1);
    }
  }
  const auto first = finish.wait();
  const auto end = std::chrono::steady_clock::now();
  return {Seconds(first - start).count(), Seconds(end - first).count()};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    fmt::print(stderr, "usage: engine_bench MODEL.gguf THREADS PREFILL_TOKENS DECODE_TOKENS SEQUENCES...\n");
    return 2;
  }
  const int threads = std::atoi(argv[2]), prefill = std::atoi(argv[3]), decode = std::atoi(argv[4]);
  engine::EngineOptions options;
  options.threads = threads;
  options.context = prefill + 256;
  options.prefill_chunk = 512;
  options.kv_memory_bytes = 4LL << 30;
  auto file = model::open_model(argv[1]);
  auto engine = file ? engine::Engine::start(std::move(*file), options) : std::unexpected(file.error());
  if (!engine) {
    fmt::print(stderr, "{}\n", engine.error().message);
    return 1;
  }
  run(**engine, 1, 64, 4);  // touches every page once
  fmt::print("{{\"figure\":\"prefill {}\",\"tokens_per_second\":{:.2f}}}\n", prefill,
             prefill / run(**engine, 1, prefill, 1).prefill_seconds);
  for (int i = 5; i < argc; ++i) {
    const int sequences = std::atoi(argv[i]);
    const Times times = run(**engine, sequences, 64, decode);
    fmt::print("{{\"figure\":\"decode {}\",\"tokens_per_second\":{:.2f}}}\n", sequences,
               sequences * (decode - 1) / times.decode_seconds);
  }
  return 0;
}
