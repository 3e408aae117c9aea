#include "engine/session.h"

#include <algorithm>
#include <utility>

namespace feilun::engine {
namespace {

/// SentencePiece writes a space before a text's first word. It belongs to no text, so it is dropped where an
/// answer begins a text: after nothing but control tokens. An answer that goes on with a text keeps it.
bool begins_a_text(const Generation& generation, const model::Tokenizer& tokenizer) {
  return tokenizer.strips_leading_space() && tokenizer.is_control(generation.prompt.back());
}

}  // namespace

Session::Session(SequenceId sequence, Generation generation, EventSink sink, const model::ModelFile& file)
    : sequence_(sequence),
      generation_(std::move(generation)),
      sink_(std::move(sink)),
      file_(file),
      tokens_(generation_.prompt),
      history_(generation_),
      text_(begins_a_text(generation_, *file.tokenizer), generation_.stop) {}

SamplePoint Session::next_point() const {
  return {.choice = generation_.choice, .position = static_cast<int64_t>(tokens_.size())};
}

void Session::add_token(GeneratedToken token) {
  const TokenId id = token.id;
  tokens_.push_back(id);
  history_.add_output(id);
  ++usage_.output;
  event_.tokens.push_back(std::move(token));

  if (is_end(id) && !generation_.sampling.ignore_eos) return end(FinishReason::kStop);
  if (auto stop = text_.append(file_.tokenizer->bytes(id))) {
    event_.stop_string = std::move(*stop);
    event_.finish = FinishReason::kStop;
    return;
  }
  if (usage_.output >= generation_.max_tokens) return end(FinishReason::kLength);
  end_when_money_ended();
}

void Session::add_prompt(TokenCount computed, TokenCount cached, std::chrono::nanoseconds saved) {
  usage_.prompt_computed += computed;
  usage_.prompt_cached += cached;
  usage_.saved += saved;
}

void Session::add_attributed(std::chrono::nanoseconds share, uint64_t cost_model) {
  usage_.attributed += share;
  usage_.cost_model = cost_model;
}

void Session::allow(TokenCount total, bool final) {
  generation_.allowed_tokens = std::max(generation_.allowed_tokens, total);
  bound_is_final_ = final;
  end_when_money_ended();
}

void Session::end_when_money_ended() {
  if (bound_is_final_ && usage_.output >= generation_.allowed_tokens) end(FinishReason::kAllowance);
}

void Session::end(FinishReason reason, Error error) {
  if (ended()) return;
  text_.finish();
  event_.finish = reason;
  event_.error = std::move(error);
}

void Session::deliver() {
  event_.text = text_.take();
  event_.usage = usage_;
  sink_(std::exchange(event_, {}));
}

bool Session::is_end(TokenId id) const {
  return std::ranges::find(file_.end_tokens, id) != file_.end_tokens.end();
}

}  // namespace feilun::engine
