#pragma once

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <variant>
#include <vector>

#include "engine/engine.h"
#include "scheduler/forecast.h"

namespace feilun::engine {

struct SubmitCommand {
  Generation generation;
  EventSink sink;
};
struct AllowCommand {
  std::string id;
  TokenCount total = 0;
  bool final = false;
};
struct CancelCommand {
  std::string id;
};
using Command = std::variant<SubmitCommand, AllowCommand, CancelCommand>;

/// What the engine's thread tells those who want to submit.
struct Outlook {
  int fresh_waiting = 0;  ///< sequences in the scheduler's queue that have not started
  scheduler::Forecast forecast;
  std::optional<MonoTime> idle_since;  ///< there has been nothing to do since then
};

/// Where all other threads meet the engine's: commands go in, stats come out. The lock is held for a few
/// moves at a time and never while a sink runs, so a sink may submit, allow and cancel.
class Mailbox {
 public:
  explicit Mailbox(int max_waiting);

  // From any thread.
  /// kOverloaded when the queue is full or the first token is predicted to come too late, with the seconds
  /// after which it is worth asking again; kConflict for an id that is live; kUnavailable after close().
  Result<> submit(Generation generation, EventSink sink);
  void post(Command command);
  void close();
  EngineStats stats() const;

  // From the engine's thread.
  enum class Wait { kNo, kForCommands };
  /// Takes all commands in their order. kForCommands sleeps until there is one or the box is closed.
  std::vector<Command> collect(Wait wait);
  bool closed() const;
  /// The ids in `ended` may be used again.
  void publish(const EngineStats& stats, const Outlook& outlook, std::span<const std::string> ended);

 private:
  Result<> admit(const Generation& generation) const;

  const int max_waiting_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Command> commands_;
  std::unordered_set<std::string> live_;
  int submits_inside_ = 0;                                         ///< submissions among commands_
  std::array<TokenCount, scheduler::kTierCount> tokens_inside_{};  ///< of their prompts, by tier
  Outlook outlook_;
  bool closed_ = false;
  EngineStats stats_;
};

}  // namespace feilun::engine
