#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/generation_log.h"

namespace feilun::engine {

/// One request of a soak. The books' lock guards all but `asked`.
struct SoakRequest {
  enum class CancelIn { kNowhere, kPrefill, kDecode };

  Generation asked;
  CancelIn cancel_in = CancelIn::kNowhere;  ///< where its own sink cancels it
  MonoTime begun;
  TokenCount allowed = 0;  ///< the highest bound that it was given
  bool cancelled = false;  ///< somebody asked for it; so for `final`
  bool final = false;
  bool refused = false;
  GenerationLog log;
};

/// What became of the requests of a soak. They are counted and forgotten when they end, but for a sample, so
/// that a soak of any length takes the same memory. Whatever must never happen is noted as a fault.
/// Thread-safe; outlives the engine, whose thread the sinks run on.
class SoakBooks {
 public:
  struct Totals {
    int64_t accepted = 0, ended = 0, overloaded = 0, too_long = 0, twins = 0, faults = 0;
    int64_t events = 0;                 ///< a clock that stands still when everything is stuck
    std::array<int64_t, 5> finished{};  ///< by FinishReason
    int64_t cancelled_in_queue = 0, cancelled_in_prefill = 0, cancelled_in_decode = 0;
    EngineUsage usage;                                                      ///< of all that ended
    std::array<std::chrono::nanoseconds, scheduler::kTierCount> longest{};  ///< from asking to the end
    int64_t live() const { return accepted - ended; }
    int64_t of(FinishReason reason) const { return finished[static_cast<size_t>(reason)]; }
  };

  explicit SoakBooks(uint64_t seed) : random_(seed) {}

  /// Null when it was refused.
  std::shared_ptr<SoakRequest> submit(Engine& engine, Generation generation,
                                      SoakRequest::CancelIn cancel_in) {
    auto request = std::make_shared<SoakRequest>();
    request->asked = generation;
    request->cancel_in = cancel_in;
    request->begun = SystemClock().mono();
    request->allowed = generation.allowed_tokens;
    {
      const std::lock_guard lock(mutex_);
      ++totals_.accepted;
    }
    const Result<> taken = engine.submit(
        std::move(generation),
        [this, &engine, request](GenerationEvent event) { hear(engine, *request, std::move(event)); });
    if (taken) return request;
    refuse(engine, *request, taken.error());
    return nullptr;
  }

  void allow(Engine& engine, SoakRequest& request, TokenCount total, bool final) {
    {
      const std::lock_guard lock(mutex_);
      request.allowed = std::max(request.allowed, total);
      request.final |= final;
    }
    engine.allow(request.asked.id, total, final);
  }
  void cancel(Engine& engine, SoakRequest& request) {
    {
      const std::lock_guard lock(mutex_);
      request.cancelled = true;
    }
    engine.cancel(request.asked.id);
  }

  bool ended(const SoakRequest& request) const {
    const std::lock_guard lock(mutex_);
    return request.log.endings > 0;
  }
  Totals totals() const {
    const std::lock_guard lock(mutex_);
    return totals_;
  }
  /// Until the requests have heard so many more, or so long.
  void wait_for_events(int64_t count, std::chrono::nanoseconds most) {
    std::unique_lock lock(mutex_);
    const int64_t enough = totals_.events + count;
    changed_.wait_for(lock, most, [&] { return totals_.events >= enough; });
  }
  /// False when no request has heard anything for `patience` and some have not ended.
  bool wait_until_all_ended(std::chrono::nanoseconds patience) {
    std::unique_lock lock(mutex_);
    while (totals_.live() > 0) {
      const int64_t before = totals_.events;
      changed_.wait_for(lock, patience, [&] { return totals_.live() == 0 || totals_.events != before; });
      if (totals_.live() > 0 && totals_.events == before) return false;
    }
    return true;
  }
  /// Ended requests, each as likely as any other.
  std::vector<std::shared_ptr<const SoakRequest>> sample() const {
    const std::lock_guard lock(mutex_);
    return sample_;
  }
  std::vector<std::string> faults() const {
    const std::lock_guard lock(mutex_);
    return faults_;
  }

 private:
  static constexpr size_t kSample = 200;
  static constexpr size_t kFaults = 20;

  void fault(const SoakRequest& request, const std::string& what) {
    ++totals_.faults;
    if (faults_.size() < kFaults) faults_.push_back(fmt::format("request {}: {}", request.asked.id, what));
  }

  void hear(Engine& engine, SoakRequest& request, GenerationEvent event) {
    bool cancel = false;
    {
      const std::lock_guard lock(mutex_);
      ++totals_.events;
      GenerationLog& log = request.log;
      if (request.refused) return fault(request, "refused and served");
      if (log.endings > 0) return fault(request, "an event after its end");
      log.add(std::move(event));
      check(request);
      if (log.endings > 0) {
        end(request);
      } else {
        cancel = !request.cancelled && is_where_it_cancels(request);
        request.cancelled |= cancel;
      }
    }
    if (cancel) engine.cancel(request.asked.id);
    changed_.notify_all();
  }

  static bool is_where_it_cancels(const SoakRequest& request) {
    const bool answering = !request.log.tokens.empty();
    return (request.cancel_in == SoakRequest::CancelIn::kPrefill && !answering) ||
           (request.cancel_in == SoakRequest::CancelIn::kDecode && answering);
  }

  void check(const SoakRequest& request) {
    const GenerationLog& log = request.log;
    const auto prompt = static_cast<TokenCount>(request.asked.prompt.size());
    const TokenCount found = log.usage.prompt_computed + log.usage.prompt_cached;
    if (log.usage.output != static_cast<TokenCount>(log.tokens.size())) fault(request, "tokens not counted");
    if (log.usage.output > request.allowed) fault(request, "ran past its bound");
    if (found > prompt || (log.usage.output > 0 && found != prompt))
      fault(request, "a prompt counted wrongly");
    if (log.endings == 0) return;
    if (log.finish == FinishReason::kFailed) fault(request, "failed: " + log.error.message);
    if (log.finish == FinishReason::kCancelled && !request.cancelled) fault(request, "cancelled by nobody");
    if (log.finish == FinishReason::kAllowance && !request.final)
      fault(request, "money ended that did not end");
  }

  void end(SoakRequest& request) {
    const EngineUsage& usage = request.log.usage;
    ++totals_.ended;
    ++totals_.finished[static_cast<size_t>(request.log.finish)];
    if (request.log.finish == FinishReason::kCancelled) {
      const bool begun = usage.prompt_computed + usage.prompt_cached > 0;
      ++(usage.output > 0 ? totals_.cancelled_in_decode
         : begun          ? totals_.cancelled_in_prefill
                          : totals_.cancelled_in_queue);
    }
    totals_.usage.prompt_computed += usage.prompt_computed;
    totals_.usage.prompt_cached += usage.prompt_cached;
    totals_.usage.output += usage.output;
    totals_.usage.attributed += usage.attributed;
    totals_.usage.saved += usage.saved;
    totals_.usage.kv_byte_seconds += usage.kv_byte_seconds;
    auto& longest = totals_.longest[static_cast<size_t>(request.asked.tier)];
    longest = std::max(longest, std::chrono::nanoseconds(SystemClock().mono() - request.begun));
    keep_some(request);
  }

  /// Reservoir sampling.
  void keep_some(const SoakRequest& request) {
    if (request.log.tokens.empty()) return;
    ++answered_;
    const auto place = std::uniform_int_distribution<size_t>(0, answered_ - 1)(random_);
    if (sample_.size() < kSample) {
      sample_.push_back(std::make_shared<const SoakRequest>(request));
    } else if (place < kSample) {
      sample_[place] = std::make_shared<const SoakRequest>(request);
    }
  }

  void refuse(const Engine& engine, SoakRequest& request, const Error& error) {
    const std::lock_guard lock(mutex_);
    request.refused = true;
    --totals_.accepted;
    const bool fits = static_cast<int64_t>(request.asked.prompt.size()) < engine.context();
    if (error.code == ErrorCode::kContextLengthExceeded && !fits) {
      ++totals_.too_long;
    } else if (error.code == ErrorCode::kConflict && fits) {
      ++totals_.twins;
    } else if (error.code == ErrorCode::kOverloaded && fits && error.retry_after_s >= 1) {
      ++totals_.overloaded;
    } else {
      fault(request, "refused: " + error.message);
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::mt19937_64 random_;
  Totals totals_;
  std::vector<std::shared_ptr<const SoakRequest>> sample_;
  size_t answered_ = 0;
  std::vector<std::string> faults_;
};

}  // namespace feilun::engine
