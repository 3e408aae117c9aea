#include "engine/embedding_engine.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <thread>
#include <utility>

#include "engine/attribution.h"
#include "engine/available_memory.h"
#include "engine/embedding_queue.h"
#include "engine/engine_options.h"
#include "engine/memory_fit.h"
#include "engine/step_cost_fit.h"
#include "engine/time_account.h"

namespace feilun::engine {
namespace {

using Jobs = std::vector<std::unique_ptr<LiveJob>>;

/// An input in a pass.
struct Place {
  LiveJob* job;
  size_t input;
  std::span<const TokenId> tokens() const { return job->job.inputs[input]; }
};

int64_t window_of(const model::ModelFile& file, const EngineOptions& options) {
  return options.context > 0 ? std::min<int64_t>(options.context, file.shape.context) : file.shape.context;
}

class BatchedEmbeddings final : public EmbeddingEngine {
 public:
  BatchedEmbeddings(model::ModelFile file, std::unique_ptr<model::Encoder> encoder, EngineOptions options)
      : file_(std::move(file)),
        options_(std::move(options)),
        encoder_(std::move(encoder)),
        context_(window_of(file_, options_)),
        queue_({.jobs = options_.max_waiting, .tokens = kTokensMax, .result_bytes = kResultBytesMax},
               int64_t{encoder_->width()} * static_cast<int64_t>(sizeof(float))),
        time_(SystemClock().mono()),
        thread_([this] { run(); }) {}

  ~BatchedEmbeddings() override {
    queue_.close();
    thread_.join();
  }

  Result<> submit(EmbeddingJob job, EmbeddingSink sink) override {
    TRY(check(job));
    return queue_.submit(std::move(job), std::move(sink));
  }
  void cancel(std::string_view id) override { queue_.cancel(id); }
  std::vector<TokenId> encode(std::string_view text) const override {
    return file_.tokenizer->framed(
        file_.tokenizer->encode(text, static_cast<size_t>(counted_at_most(context_))));
  }
  const model::ModelFile& file() const override { return file_; }
  int width() const override { return encoder_->width(); }
  int64_t context() const override { return context_; }
  EngineStats stats() const override { return queue_.stats(); }

 private:
  Result<> check(const EmbeddingJob& job) const;
  void run();
  std::vector<Place> plan();
  void pass(const std::vector<Place>& places);
  void store(const std::vector<Place>& places, std::span<const float> vectors);
  void attribute(const std::vector<Place>& places, const model::EncodedPass& made,
                 std::chrono::nanoseconds measured);
  Jobs take_ended();
  void deliver(Jobs ended);

  const model::ModelFile file_;
  const EngineOptions options_;
  const std::unique_ptr<model::Encoder> encoder_;
  const int64_t context_;
  EmbeddingQueue queue_;
  EngineStats stats_;
  StepCostFit step_cost_;
  TimeAccount time_;
  std::deque<std::unique_ptr<LiveJob>> jobs_;  ///< the next input is taken from the first
  std::thread thread_;
};

Result<> BatchedEmbeddings::check(const EmbeddingJob& job) const {
  if (job.inputs.empty()) return fail(ErrorCode::kInvalidArgument, "there is no input");
  for (const auto& input : job.inputs) {
    if (input.empty()) return fail(ErrorCode::kInvalidArgument, "an input has no tokens");
    if (static_cast<int64_t>(input.size()) > context_) {
      return fail(ErrorCode::kContextLengthExceeded,
                  "an input has {} tokens, but the model's window holds {}", input.size(), context_);
    }
    const auto outside = [this](TokenId id) { return id < 0 || id >= file_.shape.vocabulary; };
    if (std::ranges::any_of(input, outside)) {
      return fail(ErrorCode::kInvalidArgument, "an input holds tokens outside of the vocabulary of {}",
                  file_.shape.vocabulary);
    }
  }
  return {};
}

void BatchedEmbeddings::run() {
  Jobs cancelled;
  for (;;) {
    if (jobs_.empty()) {
      time_.rest();
      deliver({});
    }
    if (!queue_.refresh(jobs_, cancelled)) break;
    time_.work(SystemClock().mono());
    deliver(std::exchange(cancelled, {}));
    const std::vector<Place> places = plan();
    if (places.empty()) continue;
    pass(places);
    deliver(take_ended());
  }
  deliver(std::move(cancelled));
}

/// One input of each job in turn, as far as the tokens of a pass go. Who had its turn goes to the back, so
/// that the next pass begins with who is due.
std::vector<Place> BatchedEmbeddings::plan() {
  std::vector<Place> places;
  int64_t tokens = 0;
  size_t passed_over = 0;  // jobs with nothing left to take
  while (passed_over < jobs_.size() && places.size() < static_cast<size_t>(options_.max_sequences)) {
    LiveJob& job = *jobs_.front();
    if (!job.taken_whole()) {
      const auto size = static_cast<int64_t>(job.job.inputs[job.next].size());
      if (!places.empty() && tokens + size > options_.prefill_chunk) break;
      tokens += size;
      places.push_back({&job, job.next++});
      passed_over = 0;
    } else {
      ++passed_over;
    }
    jobs_.push_back(std::move(jobs_.front()));
    jobs_.pop_front();
  }
  return places;
}

/// Ends early when all jobs of the pass are cancelled. Without memory for it they fail, and the engine goes
/// on.
void BatchedEmbeddings::pass(const std::vector<Place>& places) {
  try {
    std::vector<std::span<const TokenId>> inputs;
    std::vector<LiveJob*> jobs;
    for (const Place& place : places) {
      inputs.push_back(place.tokens());
      jobs.push_back(place.job);
    }
    const model::EncodedPass made = encoder_->run(inputs, [&] { return queue_.wants_any(jobs); });
    if (made.vectors.empty()) {
      for (LiveJob* job : jobs) job->result.finish = FinishReason::kCancelled;
    } else {
      store(places, made.vectors);
    }
    attribute(places, made, time_.step(SystemClock().mono()));
  } catch (const std::bad_alloc&) {
    const std::chrono::nanoseconds measured = time_.step(SystemClock().mono());
    stats_.busy += measured;
    stats_.wasted += measured;
    for (const Place& place : places) {
      EmbeddingResult& result = place.job->result;
      result.finish = FinishReason::kFailed;
      result.error = {ErrorCode::kOverloaded, "the machine's memory is full; try again later"};
    }
  }
}

void BatchedEmbeddings::store(const std::vector<Place>& places, std::span<const float> vectors) {
  const auto width = static_cast<size_t>(encoder_->width());
  for (const Place& place : places) {
    const std::span<const float> vector = vectors.first(width);
    vectors = vectors.subspan(width);
    EmbeddingResult& result = place.job->result;
    result.vectors.resize(place.job->job.inputs.size() * width);
    std::ranges::copy(vector, result.vectors.begin() + static_cast<ptrdiff_t>(place.input * width));
    const auto zero = [](float x) { return x == 0; };
    const bool has_direction = std::ranges::all_of(vector, [](float x) { return std::isfinite(x); }) &&
                               !std::ranges::all_of(vector, zero);
    if (has_direction || result.finish == FinishReason::kFailed) continue;
    result.finish = FinishReason::kFailed;
    result.error = {ErrorCode::kInternal,
                    "the model gave a vector without a direction: its weights are broken"};
  }
}

void BatchedEmbeddings::attribute(const std::vector<Place>& places, const model::EncodedPass& made,
                                  std::chrono::nanoseconds measured) {
  std::vector<LiveJob*> jobs;
  std::vector<StepLoad> loads;
  std::vector<int> tokens;
  scheduler::StepWork all;
  int64_t left = made.tokens;
  for (const Place& place : places) {
    const auto known = std::ranges::find(jobs, place.job) - jobs.begin();
    if (known == static_cast<ptrdiff_t>(jobs.size())) {
      jobs.push_back(place.job);
      loads.emplace_back();
      tokens.emplace_back();
    }
    const auto count = static_cast<int>(std::min<int64_t>(left, std::ssize(place.tokens())));
    left -= count;
    const auto work = scheduler::StepWork::chunk(0, count, true);
    loads[static_cast<size_t>(known)].useful += work;
    tokens[static_cast<size_t>(known)] += count;
    all += work;
  }
  const StepShares shares = share_step(measured, loads, step_cost_.cost());
  StepTrace trace{.step = ++stats_.steps, .duration = measured};
  for (size_t i = 0; i < jobs.size(); ++i) {
    jobs[i]->result.usage.prompt_computed += tokens[i];
    jobs[i]->result.usage.attributed += shares.useful[i];
    jobs[i]->result.usage.cost_model = step_cost_.cost().version;
    stats_.prompt_tokens += tokens[i];
    trace.rows.push_back({.id = jobs[i]->job.id, .prompt_tokens = tokens[i]});
  }
  if (!made.vectors.empty()) step_cost_.observe(all, measured);
  stats_.busy += measured;
  if (options_.on_step) options_.on_step(trace);
}

/// Jobs of which no input is left, or whose vectors nobody will get. Nobody pays for what failed.
Jobs BatchedEmbeddings::take_ended() {
  Jobs ended;
  for (auto& job : jobs_) {
    EmbeddingResult& result = job->result;
    if (result.finish == FinishReason::kFailed) stats_.wasted += std::exchange(result.usage.attributed, {});
    if (job->taken_whole() || result.finish != FinishReason::kStop) ended.push_back(std::move(job));
  }
  std::erase(jobs_, nullptr);
  return ended;
}

/// A job that was cancelled while its last input was computed has been delivered whole before.
void BatchedEmbeddings::deliver(Jobs ended) {
  stats_.running = static_cast<int>(jobs_.size());
  stats_.idle = time_.idle();
  stats_.time = time_.told();
  queue_.forget(ended, stats_, time_.idle_since());
  for (const auto& job : ended) {
    if (!job->taken_whole() && job->result.finish == FinishReason::kStop) {
      job->result.finish = FinishReason::kCancelled;
    }
    if (job->result.finish != FinishReason::kStop) job->result.vectors.clear();
    job->sink(std::move(job->result));
  }
}

}  // namespace

void shorten(std::span<const float> vector, std::span<float> out) {
  std::ranges::copy(vector.first(out.size()), out.begin());
  model::scale_to_unit_length(out);
}

Result<std::unique_ptr<EmbeddingEngine>> EmbeddingEngine::start(model::ModelFile file,
                                                                EngineOptions options) {
  TRY(check_options(options));
  if (!file.embeds()) {
    return fail(ErrorCode::kUnsupported, "{} generates text and gives no vectors", file.name);
  }
  model::EncoderOptions encoder{.conversion = conversion_of(options.quantise),
                                .kv_bf16 = options.kv_bf16,
                                .threads = thread_count(options),
                                .pass_tokens = options.prefill_chunk,
                                .pass_inputs = options.max_sequences};
  // Keys and values of one input at a time: a window that was not asked for shrinks to what fits.
  const KvPlan kv = TRY(plan_kv({.context = options.context > 0 ? window_of(file, options) : 0,
                                 .memory_bytes = options.kv_memory_bytes,
                                 .model_context = file.shape.context,
                                 .block_bytes = model::encoder_block_bytes(file, encoder),
                                 .max_sequences = 1}));
  encoder.window = options.context = kv.context;
  const int64_t pass_bytes = model::encoder_pass_bytes(file, encoder);
  TRY(check_fit(model::encoder_bytes(file, encoder) - pass_bytes, pass_bytes, available_memory()));
  auto loaded = TRY(model::load_encoder(file, encoder));
  return make_embedding_engine(std::move(file), std::move(loaded), std::move(options));
}

std::unique_ptr<EmbeddingEngine> make_embedding_engine(model::ModelFile file,
                                                       std::unique_ptr<model::Encoder> encoder,
                                                       EngineOptions options) {
  return std::make_unique<BatchedEmbeddings>(std::move(file), std::move(encoder), std::move(options));
}

}  // namespace feilun::engine
