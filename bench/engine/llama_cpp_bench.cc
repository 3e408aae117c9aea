// Tokens per second of llama.cpp on one GGUF, driven through its C interface with nothing in between: one
// llama_decode a step for all sequences, the greedy token by a loop over the logits. The rows are row.h's.
//
//   llama_cpp_bench MODEL THREADS STEPS [ROW…]
//
// Its best setting here: flash attention, weights repacked for this machine (use_extra_bufts), a KV stream
// for each sequence (not unified), prompts of up to 512 tokens a pass. $LLAMA_BENCH may try others, as in
// "ubatch=256 unified=1 flash=0 kv=q8_0 repack=0".
#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "row.h"

using namespace feilun::bench;

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kSequencesMax = 64;
constexpr int kDecodeContext = 320;
constexpr int kBatch = 2048;

struct Settings {
  int threads = 2;
  int ubatch = 512;
  bool unified = false;
  bool flash = true;
  bool repack = true;
  ggml_type kv = GGML_TYPE_F16;
};

Settings settings_from_environment(int threads) {
  Settings settings{.threads = threads};
  const char* given = std::getenv("LLAMA_BENCH");
  const std::string text = given ? given : "";
  const auto value = [&text](const char* name, int fallback) {
    const size_t at = text.find(std::string(name) + "=");
    return at == text.npos ? fallback : std::atoi(text.c_str() + at + std::strlen(name) + 1);
  };
  settings.ubatch = value("ubatch", settings.ubatch);
  settings.unified = value("unified", settings.unified) != 0;
  settings.flash = value("flash", settings.flash) != 0;
  settings.repack = value("repack", settings.repack) != 0;
  if (text.find("kv=q8_0") != text.npos) settings.kv = GGML_TYPE_Q8_0;
  if (text.find("kv=bf16") != text.npos) settings.kv = GGML_TYPE_BF16;
  return settings;
}

/// A context with room for what a row needs, and the sequences in it.
class Contest {
 public:
  Contest(llama_model* model, const Settings& settings, const Row& row, int steps)
      : vocabulary_(llama_vocab_n_tokens(llama_model_get_vocab(model))),
        batch_(llama_batch_init(kBatch, 0, 1)) {
    const int sequences = row.sequences();
    const int each = std::max(kDecodeContext, row.prompt_tokens() + steps + 8);
    llama_context_params params = llama_context_default_params();
    params.n_ctx = sequences * ((each + 255) / 256 * 256);
    params.n_batch = kBatch;
    params.n_ubatch = settings.ubatch;
    params.n_seq_max = sequences;
    params.n_threads = params.n_threads_batch = settings.threads;
    params.flash_attn_type = settings.flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = params.type_v = settings.kv;
    params.kv_unified = settings.unified;
    params.no_perf = true;
    context_ = llama_init_from_model(model, params);
    if (context_ == nullptr) fail("no context");
  }
  ~Contest() {
    llama_batch_free(batch_);
    llama_free(context_);
  }
  Contest(const Contest&) = delete;
  Contest& operator=(const Contest&) = delete;

  void forget() { llama_memory_clear(llama_get_memory(context_), true); }

  /// Reads a prompt into a sequence; its first token.
  int32_t read(int sequence, const std::vector<int32_t>& prompt) {
    for (size_t start = 0; start < prompt.size(); start += kBatch) {
      batch_.n_tokens = 0;
      const size_t end = std::min(start + kBatch, prompt.size());
      for (size_t i = start; i < end; ++i) add(prompt[i], i, sequence, i + 1 == prompt.size());
      decode();
    }
    return greedy(batch_.n_tokens - 1);
  }

  /// One token more for each sequence.
  void step(std::vector<int32_t>& tokens, int position) {
    batch_.n_tokens = 0;
    for (size_t i = 0; i < tokens.size(); ++i) add(tokens[i], position, i, true);
    decode();
    for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = greedy(i);
  }

 private:
  [[noreturn]] static void fail(const char* why) {
    std::fprintf(stderr, "llama.cpp: %s\n", why);
    std::exit(1);
  }
  void add(int32_t token, int position, int sequence, bool wants_logits) {
    const int at = batch_.n_tokens++;
    batch_.token[at] = token;
    batch_.pos[at] = position;
    batch_.n_seq_id[at] = 1;
    batch_.seq_id[at][0] = sequence;
    batch_.logits[at] = wants_logits ? 1 : 0;
  }
  void decode() {
    if (llama_decode(context_, batch_) != 0) fail("llama_decode");
  }
  /// The maximum first and then its place: both loops are vector instructions.
  int32_t greedy(int row) {
    const float* logits = llama_get_logits_ith(context_, row);
    float best[16];
    std::fill(std::begin(best), std::end(best), -1e30f);
    for (int i = 0; i + 16 <= vocabulary_; i += 16) {
      for (int j = 0; j < 16; ++j) best[j] = logits[i + j] > best[j] ? logits[i + j] : best[j];
    }
    const float top = *std::max_element(std::begin(best), std::end(best));
    return static_cast<int32_t>(std::find(logits, logits + vocabulary_, top) - logits);
  }

  const int vocabulary_;
  llama_batch batch_;
  llama_context* context_ = nullptr;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double measure(llama_model* model, const Settings& settings, const Row& row, int turn, int steps) {
  Contest contest(model, settings, row, steps);
  contest.read(0, prompt(turn, 1000, 64));  // the context's memory is touched once
  contest.forget();
  const auto start = Clock::now();
  std::vector<int32_t> tokens;
  for (int i = 0; i < row.sequences(); ++i)
    tokens.push_back(contest.read(i, prompt(turn, i, row.prompt_tokens())));
  if (!row.decodes()) return row.prompt_tokens() / seconds_since(start);
  contest.step(tokens, row.prompt_tokens());  // the graph of this batch is built once
  const auto started = Clock::now();
  for (int i = 1; i <= steps; ++i) contest.step(tokens, row.prompt_tokens() + i);
  return row.sequences() * steps / seconds_since(started);
}

std::string about(const Settings& settings) {
  char text[1024];
  std::string features = llama_print_system_info();
  std::erase(features, '"');
  while (!features.empty() && features.back() == ' ') features.pop_back();
  std::snprintf(
      text, sizeof text,
      "llama.cpp %s, %d threads, flash attention %s, batch %d, ubatch %d, KV %s %s, repacking %s; %s",
      llama_version(), settings.threads, settings.flash ? "on" : "off", kBatch, settings.ubatch,
      ggml_type_name(settings.kv), settings.unified ? "unified" : "per sequence",
      settings.repack ? "on" : "off", features.c_str());
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: llama_cpp_bench MODEL THREADS STEPS [ROW...]\n");
    return 2;
  }
  const Settings settings = settings_from_environment(std::atoi(argv[2]));
  const int steps = std::atoi(argv[3]);
  llama_log_set(
      [](ggml_log_level level, const char* text, void*) {
        if (level == GGML_LOG_LEVEL_ERROR) std::fputs(text, stderr);
      },
      nullptr);
  llama_backend_init();
  llama_model_params params = llama_model_default_params();
  params.use_extra_bufts = settings.repack;
  llama_model* model = llama_model_load_from_file(argv[1], params);
  if (model == nullptr) return 1;
  measure(model, settings, {Row::Kind::kDecode, 2}, 0, 4);  // touches every page once
  const int status = answer_rows(argc, argv, 4, about(settings), [&](const Row& row, int turn) {
    return measure(model, settings, row, turn, steps);
  });
  llama_model_free(model);
  return status;
}
