#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "gateway/meter.h"
#include "ledger/books.h"

namespace feilun::gateway::testing {

/// A deployment that does what a test says: it remembers what it was asked and speaks when told to.
class ScriptedDeployment : public Deployment {
 public:
  struct Live {
    engine::Generation generation;
    engine::EventSink sink;
    TokenCount allowed = 0;
    bool final = false;
    bool cancelled = false;
    bool finished = false;
    engine::EngineUsage usage;
  };

  std::string_view name() const override { return "scripted"; }
  bool ready() const override { return true; }
  WallTime created() const override { return {}; }
  Result<> submit(engine::Generation generation, engine::EventSink sink) override {
    if (refuse_submissions_after_-- == 0) return fail(ErrorCode::kOverloaded, "the queue is full");
    const std::string id = generation.id;
    const TokenCount allowed = generation.allowed_tokens;
    order_.push_back(id);
    live_[id] = Live{std::move(generation), std::move(sink), allowed};
    return {};
  }
  void allow(std::string_view id, TokenCount total, bool final) override {
    Live& live = live_.at(std::string(id));
    live.allowed = std::max(live.allowed, total);
    live.final = live.final || final;
  }
  void cancel(std::string_view id) override { live_.at(std::string(id)).cancelled = true; }
  Result<std::vector<engine::TokenId>> encode_chat(const engine::ChatInput&) const override {
    return std::vector<engine::TokenId>{1, 2, 3};
  }
  std::vector<engine::TokenId> encode_text(std::string_view text) const override {
    return std::vector<engine::TokenId>(text.size(), 1);
  }
  std::string_view token_bytes(engine::TokenId) const override { return "x"; }
  TokenCount context() const override { return 100'000; }
  int vocabulary() const override { return 512; }
  bool has_chat_template() const override { return true; }
  model::SamplingDefaults sampling_defaults() const override { return {}; }
  std::string fingerprint() const override { return "fp_0"; }
  engine::EngineStats stats() const override { return {}; }
  size_t sequences_at_most() const override { return 100; }

  Live& live(size_t index) { return live_.at(order_.at(index)); }
  size_t submitted() const { return order_.size(); }

  /// One step for generation `index`: its whole prompt if that is still open, and one token if it may. False
  /// when it is waiting for its allowance.
  bool step(size_t index) {
    Live& it = live(index);
    if (it.finished) return false;
    if (it.cancelled) return finish(index, engine::FinishReason::kCancelled), true;
    if (it.usage.output >= it.allowed && it.final)
      return finish(index, engine::FinishReason::kAllowance), true;
    if (it.usage.output >= it.allowed) return false;
    it.usage.prompt_computed = static_cast<TokenCount>(it.generation.prompt.size());
    ++it.usage.output;
    engine::GenerationEvent event{.text = "x", .tokens = {{.id = 1}}, .usage = it.usage};
    if (it.usage.output == it.generation.max_tokens) event.finish = engine::FinishReason::kLength;
    send(index, std::move(event));
    return true;
  }
  void prefill(size_t index, TokenCount tokens) {
    live(index).usage.prompt_computed += tokens;
    send(index, {.usage = live(index).usage});
  }
  void finish(size_t index, engine::FinishReason reason, Error error = {}) {
    send(index, {.usage = live(index).usage, .finish = reason, .error = std::move(error)});
  }

  int refuse_submissions_after_ = -1;

 private:
  void send(size_t index, engine::GenerationEvent event) {
    Live& it = live(index);
    if (event.finish) it.finished = true;
    auto sink = it.sink;
    if (event.finish) it.sink = nullptr;
    sink(std::move(event));
  }
  std::map<std::string, Live> live_;
  std::vector<std::string> order_;
};

/// A ledger of one wallet that counts output tokens instead of money. Answers come at once, or when the test
/// calls answer_next().
class ScriptedLedger : public ledger::Ledger {
 public:
  using Hold = ledger::Hold;
  using Settlement = ledger::Settlement;
  using TokenUsage = ledger::TokenUsage;

  void hold(ledger::HoldRequest request, ledger::Done<Hold> done) override {
    log_.push_back(fmt::format("hold {}+{}", request.input_tokens, request.output_slice));
    Result<Hold> result;
    if (away_) {
      result = away();
    } else if (tokens_left_ < 1) {
      result = fail(ErrorCode::kInsufficientQuota, "no money");
    } else {
      hold_.price.currency = "CNY";
      grant(request.output_slice);
      result = hold_;
    }
    answer(std::move(done), std::move(result));
  }
  void top_up(std::string, TokenCount more, ledger::Done<Hold> done) override {
    log_.push_back(fmt::format("top_up {}", more));
    if (away_) return answer<Hold>(std::move(done), away());
    grant(more);
    answer<Hold>(std::move(done), hold_);
  }
  void mark(std::string, TokenUsage usage, ledger::Done<TokenUsage> done) override {
    log_.push_back(fmt::format("mark {}+{}", usage.input(), usage.output));
    if (fenced_) return answer<TokenUsage>(std::move(done), fenced());
    if (away_) return answer<TokenUsage>(std::move(done), away());
    // Durable when it is answered, not when it is asked for.
    answer<TokenUsage>(
        [this, done = std::move(done), usage](Result<TokenUsage> result) mutable {
          marked_ = usage;
          done(std::move(result));
        },
        usage);
  }
  using Ledger::settle;
  void settle(std::string id, TokenUsage usage, ledger::Outcome outcome,
              std::optional<ledger::RequestCost> cost, ledger::Done<Settlement> done) override {
    cost_ = std::move(cost);
    log_.push_back(fmt::format("settle {}+{} {}", usage.input(), usage.output, static_cast<int>(outcome)));
    ++terminal_;
    if (fenced_) return answer<Settlement>(std::move(done), fenced());
    if (away_ || settles_fail_) return answer<Settlement>(std::move(done), away());
    settled_ = usage;
    Settlement settlement{.request_id = id, .charged = Money::pico(usage.output), .usage = usage};
    settlement.spooled = spooled_;
    answer<Settlement>(std::move(done), std::move(settlement));
  }
  void release(std::string id, ledger::Outcome outcome, ledger::Done<Settlement> done) override {
    log_.push_back(fmt::format("release {}", static_cast<int>(outcome)));
    ++terminal_;
    if (away_) return answer<Settlement>(std::move(done), away());
    answer<Settlement>(std::move(done), Settlement{.request_id = id});
  }

  Result<ledger::Project> create_project(std::string, std::string) override { return unused(); }
  Result<ledger::Project> find_project(std::string_view) override {
    return ledger::Project{.id = "proj_1", .name = "default", .currency = "CNY"};
  }
  Result<std::vector<ledger::Project>> projects() override { return unused(); }
  Result<ledger::NewKey> create_key(std::string_view, std::string, ledger::KeyRole) override {
    return unused();
  }
  Result<std::vector<ledger::Key>> keys(std::string_view) override { return unused(); }
  Result<> revoke_key(std::string_view) override { return unused(); }
  Result<ledger::Key> authenticate(std::string_view secret) override {
    if (secret == "sk-admin") return ledger::Key{.id = "key_0", .role = ledger::KeyRole::kAdmin};
    if (secret == "sk-test") return ledger::Key{.id = "key_1", .project_id = "proj_1"};
    return fail(ErrorCode::kUnauthorized, "wrong API key");
  }
  Result<ledger::Balance> credit(std::string_view, Money, std::string_view, std::string_view,
                                 std::string_view) override {
    return unused();
  }
  Result<ledger::Balance> balance(std::string_view) override {
    return ledger::Balance{.currency = "CNY", .posted = Money::pico(1'500'000'000'000)};
  }
  Result<ledger::UsageTotals> usage(std::string_view) override { return ledger::UsageTotals{.requests = 2}; }
  Result<ledger::PriceVersion> set_price(ledger::PriceVersion) override { return unused(); }
  Result<ledger::PriceVersion> price_at(std::string_view, std::string_view, WallTime) override {
    return unused();
  }
  Result<> flush() override { return {}; }
  Result<int64_t> archive(WallTime, int64_t) override { return unused(); }
  Result<> write_any(std::move_only_function<Result<>(ledger::Books&)>) override { return unused(); }
  Result<> read_any(std::move_only_function<Result<>(ledger::State&)>) override { return unused(); }
  bool healthy() const override { return healthy_; }
  MonoTime holds_until() const override { return holds_until_; }

  bool answer_next() {
    if (answers_.empty()) return false;
    auto next = std::move(answers_.front());
    answers_.pop_front();
    next();
    return true;
  }
  bool contains(std::string_view entry) const { return std::ranges::find(log_, entry) != log_.end(); }

  TokenCount tokens_left_ = 1'000'000;
  bool away_ = false;
  bool healthy_ = true;
  bool settles_fail_ = false;
  bool fenced_ = false;   ///< others have ended the request
  bool spooled_ = false;  ///< settles are
  MonoTime holds_until_ = MonoTime::max();
  bool slow_ = false;  ///< answers wait for answer_next()
  int terminal_ = 0;   ///< settles and releases
  TokenUsage marked_;  ///< the last durable mark
  std::optional<TokenUsage> settled_;
  std::optional<ledger::RequestCost> cost_;  ///< that came with the settle
  Hold hold_;
  std::vector<std::string> log_;

 private:
  static std::unexpected<Error> away() { return fail(ErrorCode::kUnavailable, "the ledger is away"); }
  static std::unexpected<Error> fenced() { return fail(ErrorCode::kConflict, "it has ended already"); }
  static std::unexpected<Error> unused() { return fail(ErrorCode::kUnsupported, "not part of the script"); }
  void grant(TokenCount tokens) {
    const TokenCount granted = std::min(tokens, tokens_left_);
    tokens_left_ -= granted;
    hold_.output_tokens += granted;
    hold_.exhausted = granted < tokens;
  }
  template <typename T>
  void answer(ledger::Done<T> done, Result<T> result) {
    auto call = [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); };
    if (slow_) {
      answers_.push_back(std::move(call));
    } else {
      call();
    }
  }
  std::deque<std::move_only_function<void()>> answers_;
};

}  // namespace feilun::gateway::testing
