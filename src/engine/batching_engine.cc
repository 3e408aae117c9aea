#include "engine/batching_engine.h"

#include <algorithm>
#include <utility>

#include "engine/engine_factory.h"
#include "engine/prompt.h"
#include "engine/sampler.h"

namespace feilun::engine {
namespace {

int64_t context_of(const model::ModelFile& file, const Backend& backend, const EngineOptions& options) {
  const int64_t wanted = options.context > 0 ? options.context : file.shape.context;
  return std::min(wanted, int64_t{backend.block_count()} * Backend::kBlockTokens);
}

}  // namespace

std::unique_ptr<Engine> make_engine(model::ModelFile file, std::unique_ptr<Backend> backend,
                                    EngineOptions options) {
  return std::make_unique<BatchingEngine>(std::move(file), std::move(backend), std::move(options));
}

BatchingEngine::BatchingEngine(model::ModelFile file, std::unique_ptr<Backend> backend, EngineOptions options)
    : file_(std::move(file)),
      options_(std::move(options)),
      backend_(std::move(backend)),
      context_(context_of(file_, *backend_, options_)),
      mailbox_(options_.max_waiting),
      loop_(file_, *backend_, options_, mailbox_),
      thread_([this] { run(); }) {}

BatchingEngine::~BatchingEngine() {
  mailbox_.close();
  thread_.join();
}

void BatchingEngine::run() {
  using enum Mailbox::Wait;
  bool idle = true;
  while (!mailbox_.closed()) {
    loop_.apply(mailbox_.collect(idle ? kForCommands : kNo));
    idle = !loop_.step();
  }
  loop_.apply(mailbox_.collect(kNo));
  loop_.cancel_all();
}

Result<> BatchingEngine::submit(Generation generation, EventSink sink) {
  TRY(check(generation));
  const auto prompt_tokens = static_cast<TokenCount>(generation.prompt.size());
  generation.max_tokens = std::min(generation.max_tokens, context_ - prompt_tokens);
  if (generation.first_token_within.count() == 0 && generation.tier <= Tier::kDefault) {
    generation.first_token_within = options_.first_token_within;
  }
  return mailbox_.submit(std::move(generation), std::move(sink));
}

Result<> BatchingEngine::check(const Generation& generation) const {
  const int vocabulary = vocabulary_of(file_, *backend_);
  if (generation.prompt.empty()) return fail(ErrorCode::kInvalidArgument, "the prompt has no tokens");
  const auto prompt_tokens = static_cast<TokenCount>(generation.prompt.size());
  if (prompt_tokens >= context_) {
    return fail(
        ErrorCode::kContextLengthExceeded,
        "the prompt has {} tokens, but the model's context of {} tokens must hold it and at least one more",
        prompt_tokens, context_);
  }
  const auto outside = [vocabulary](TokenId id) { return id < 0 || id >= vocabulary; };
  if (std::ranges::any_of(generation.prompt, outside)) {
    return fail(ErrorCode::kInvalidArgument, "the prompt holds tokens outside of the vocabulary of {}",
                vocabulary);
  }
  if (generation.max_tokens < 1) return fail(ErrorCode::kInvalidArgument, "max_tokens must be at least 1");
  if (std::ranges::any_of(generation.stop, &std::string::empty)) {
    return fail(ErrorCode::kInvalidArgument, "a stop string must not be empty");
  }
  return check_sampling(generation.sampling, vocabulary);
}

void BatchingEngine::allow(std::string_view id, TokenCount total, bool final) {
  mailbox_.post(AllowCommand{.id = std::string(id), .total = total, .final = final});
}

void BatchingEngine::cancel(std::string_view id) {
  mailbox_.post(CancelCommand{.id = std::string(id)});
}

Result<std::vector<TokenId>> BatchingEngine::encode_chat(const ChatInput& input) const {
  return engine::encode_chat(file_, input, static_cast<size_t>(counted_at_most(context_)));
}

std::vector<TokenId> BatchingEngine::encode_text(std::string_view text) const {
  return engine::encode_text(file_, text, static_cast<size_t>(counted_at_most(context_)));
}

std::string_view BatchingEngine::token_bytes(TokenId id) const {
  return id >= 0 && id < file_.tokenizer->vocabulary_size() ? file_.tokenizer->text(id) : std::string_view();
}

}  // namespace feilun::engine
