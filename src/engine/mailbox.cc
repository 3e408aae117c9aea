#include "engine/mailbox.h"

#include <algorithm>
#include <utility>

namespace feilun::engine {
namespace {

using std::chrono::nanoseconds;

std::unexpected<Error> come_back(nanoseconds after, std::string message) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(after).count();
  return std::unexpected(Error{.code = ErrorCode::kOverloaded,
                               .message = std::move(message),
                               .retry_after_s = static_cast<int>(std::clamp<int64_t>(seconds, 1, 3600))});
}

double seconds(nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

Mailbox::Mailbox(int max_waiting) : max_waiting_(max_waiting) {}

Result<> Mailbox::submit(Generation generation, EventSink sink) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(ErrorCode::kUnavailable, "the engine is stopping");
    TRY(admit(generation));
    if (!live_.insert(generation.id).second) {
      return fail(ErrorCode::kConflict, "a generation named {} is running", generation.id);
    }
    ++submits_inside_;
    tokens_inside_[static_cast<size_t>(generation.tier)] += static_cast<TokenCount>(generation.prompt.size());
    commands_.emplace_back(SubmitCommand{std::move(generation), std::move(sink)});
  }
  arrived_.notify_one();
  return {};
}

Result<> Mailbox::admit(const Generation& generation) const {
  const auto tier = static_cast<size_t>(generation.tier);
  const int waiting = submits_inside_ + outlook_.fresh_waiting;
  if (waiting >= max_waiting_) {
    return come_back(outlook_.forecast.wait[tier],
                     fmt::format("{} requests are waiting already; try again later", waiting));
  }
  if (generation.first_token_within.count() == 0) return {};
  TokenCount tokens_ahead = 0;
  for (size_t i = 0; i <= tier; ++i) tokens_ahead += tokens_inside_[i];
  const nanoseconds expected = outlook_.forecast.first_token(
      generation.tier, static_cast<TokenCount>(generation.prompt.size()), tokens_ahead);
  if (expected <= generation.first_token_within) return {};
  return come_back(expected - generation.first_token_within,
                   fmt::format("the first token would come after {:.1f} s, later than the {:.1f} s asked for",
                               seconds(expected), seconds(generation.first_token_within)));
}

void Mailbox::post(Command command) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    commands_.push_back(std::move(command));
  }
  arrived_.notify_one();
}

void Mailbox::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  arrived_.notify_one();
}

EngineStats Mailbox::stats() const {
  const std::lock_guard lock(mutex_);
  EngineStats stats = stats_;
  stats.waiting += submits_inside_;
  if (outlook_.idle_since) stats.rest_until_now(*outlook_.idle_since);
  return stats;
}

std::vector<Command> Mailbox::collect(Wait wait) {
  std::unique_lock lock(mutex_);
  if (wait == Wait::kForCommands) arrived_.wait(lock, [this] { return closed_ || !commands_.empty(); });
  outlook_.fresh_waiting += std::exchange(submits_inside_, 0);
  tokens_inside_ = {};
  return std::exchange(commands_, {});
}

bool Mailbox::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

void Mailbox::publish(const EngineStats& stats, const Outlook& outlook, std::span<const std::string> ended) {
  const std::lock_guard lock(mutex_);
  stats_ = stats;
  outlook_ = outlook;
  for (const std::string& id : ended) live_.erase(id);
}

}  // namespace feilun::engine
