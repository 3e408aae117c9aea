#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/soak_books.h"

namespace feilun::engine {

/// One customer of a soak, on a thread of its own: asks all kinds of things that begin like earlier ones,
/// takes answers at its own pace, changes its mind at any moment. It does one thing after every few events of
/// the engine, so that the traffic is as rough on a fast machine as on a slow one.
class SoakClient {
 public:
  /// `stops_reading`: now and then leaves an answer unread for a while.
  SoakClient(Engine& engine, SoakBooks& books, uint64_t seed, bool stops_reading)
      : engine_(engine),
        books_(books),
        random_(seed),
        name_(std::to_string(seed)),
        stops_reading_(stops_reading) {
    for (const char* text :
         {"You are a patient teacher. Explain everything in plain words, with one example for each idea. ",
          "A wheel that keeps turning turns by itself. A wheel that keeps turning turns by itself. ",
          "One two three four, one two three four, one two three four. ", "Why does it turn? ", "Who pays? ",
          "飞轮 is a flywheel. "}) {
      texts_.push_back(engine.encode_text(text));
    }
  }

  /// Until `enough`; then lets all that it asked for run to their ends.
  void run(const std::function<bool()>& enough) {
    while (!enough()) {
      std::erase_if(live_, [this](const auto& request) { return forget_ended(request); });
      if (unread_ != nullptr && one_in(500)) read_on();
      if (live_.size() < most()) ask();
      if (!live_.empty()) change_something();
      books_.wait_for_events(4, std::chrono::milliseconds(5));
    }
    for (const auto& request : live_) books_.allow(engine_, *request, kEnough, false);
    live_.clear();
    if (unread_ != nullptr) read_on();
  }

 private:
  static constexpr size_t kLive = 8;
  static constexpr TokenCount kEnough = 1'000'000;

  /// Now and then it is calm, for all of them at once: guesses are made where few answers run.
  size_t most() const { return books_.totals().events % 16'000 > 15'000 ? 1 : kLive; }
  size_t roll(size_t sides) { return std::uniform_int_distribution<size_t>(0, sides - 1)(random_); }
  bool one_in(size_t sides) { return roll(sides) == 0; }

  /// An answer that came to its end may be gone on with.
  bool forget_ended(const std::shared_ptr<SoakRequest>& request) {
    if (!books_.ended(*request)) return false;
    if (request->log.finish == FinishReason::kStop || request->log.finish == FinishReason::kLength) {
      talk_ = request->asked.prompt;
      for (const GeneratedToken& token : request->log.tokens) talk_.push_back(token.id);
      talk_tenant_ = request->asked.tenant;
    }
    return true;
  }

  void ask() {
    Generation generation = question();
    const int choices = one_in(6) ? 3 : 1;
    const std::string id = name_ + "-" + std::to_string(asked_++);
    for (int choice = 0; choice < choices; ++choice) {
      generation.id = id + "/" + std::to_string(choice);
      generation.choice = choice;
      submit(generation, id);
    }
    if (one_in(50) && !live_.empty()) {  // a name that is taken, or was until just now
      generation.id = live_.front()->asked.id;
      submit(generation, id);
    }
  }

  void submit(const Generation& generation, const std::string& id) {
    constexpr SoakRequest::CancelIn kWhere[] = {SoakRequest::CancelIn::kPrefill,
                                                SoakRequest::CancelIn::kDecode};
    const auto where = one_in(6) ? kWhere[roll(2)] : SoakRequest::CancelIn::kNowhere;
    auto request = books_.submit(engine_, generation, where);
    if (request == nullptr) return;
    // What is said to this name may be meant for the one before, and then anything may happen to it.
    const bool doubtful = !generation.id.starts_with(id);
    if (doubtful) books_.allow(engine_, *request, kEnough, true);
    if (doubtful || one_in(12)) books_.cancel(engine_, *request);
    if (stops_reading_ && unread_ == nullptr && one_in(150)) {
      unread_ = std::move(request);
      return;
    }
    if (one_in(3)) books_.allow(engine_, *request, static_cast<TokenCount>(roll(20)), true);
    live_.push_back(std::move(request));
  }

  void read_on() {
    books_.allow(engine_, *unread_, kEnough, false);
    unread_ = nullptr;
  }

  void change_something() {
    SoakRequest& request = *live_[roll(live_.size())];
    if (one_in(150)) return books_.cancel(engine_, request);
    const auto more = static_cast<TokenCount>(roll(40));
    if (one_in(6)) return books_.allow(engine_, request, kEnough, false);
    books_.allow(engine_, request, more, one_in(8));
  }

  Generation question() {
    Generation generation{.max_tokens = 1 + static_cast<TokenCount>(one_in(4) ? roll(120) : roll(24)),
                          .allowed_tokens = one_in(2) ? static_cast<TokenCount>(roll(8)) : kEnough,
                          .sampling = sampling(),
                          .tenant = "tenant " + std::to_string(roll(3)),
                          .tier = static_cast<Tier>(roll(scheduler::kTierCount))};
    if (one_in(3) && !talk_.empty()) {
      generation.prompt = talk_;
      generation.tenant = talk_tenant_;
    } else {
      for (size_t parts = 1 + roll(3); parts > 0; --parts) append(generation.prompt, texts_[roll(3)]);
    }
    append(generation.prompt, texts_[3 + roll(texts_.size() - 3)]);
    for (size_t noise = one_in(3) ? roll(30) : 0; noise > 0; --noise) {
      generation.prompt.push_back(generation.prompt[roll(generation.prompt.size())]);
    }
    if (one_in(5)) generation.stop = {"turn", "wheel the"};
    if (one_in(10)) generation.first_token_within = std::chrono::milliseconds(1 + roll(100));
    return generation;
  }

  Sampling sampling() {
    Sampling sampling{.temperature = one_in(3) ? 0.0f : 0.2f + 0.1f * static_cast<float>(roll(12)),
                      .seed = roll(1'000),
                      .ignore_eos = one_in(2),
                      .top_logprobs = static_cast<int>(roll(4)) - 1};
    if (one_in(4)) sampling.top_k = 1 + static_cast<int>(roll(20));
    if (one_in(4)) sampling.top_p = 0.9f;
    if (one_in(6)) sampling.min_p = 0.05f;
    if (one_in(6)) sampling.repetition_penalty = 1.2f;
    if (one_in(6)) sampling.presence_penalty = 0.5f;
    if (one_in(8)) sampling.logit_bias = {{static_cast<TokenId>(roll(40)), 2.0f}};
    return sampling;
  }

  static void append(std::vector<TokenId>& tokens, const std::vector<TokenId>& more) {
    tokens.insert(tokens.end(), more.begin(), more.end());
  }

  Engine& engine_;
  SoakBooks& books_;
  std::mt19937_64 random_;
  const std::string name_;
  const bool stops_reading_;
  std::vector<std::vector<TokenId>> texts_;
  std::vector<std::shared_ptr<SoakRequest>> live_;
  std::shared_ptr<SoakRequest> unread_;  ///< an answer that it stopped reading
  std::vector<TokenId> talk_;            ///< a conversation so far
  std::string talk_tenant_;
  uint64_t asked_ = 0;
};

}  // namespace feilun::engine
