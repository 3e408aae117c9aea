#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace feilun::gateway {

/// Slows down whoever guesses passwords: so many attempts for an account, and so many from an address, in a
/// quarter of an hour. It counts before the password is looked at, so that attempts at the same time count
/// too. Each server counts for itself. Any thread.
class LoginGuard {
 public:
  static constexpr int kAccountAttempts = 10;
  static constexpr int kAddressAttempts = 50;
  static constexpr int kPlaces = 50;
  static constexpr std::chrono::minutes kWindow{15};

  /// A place among the few whose passwords wait to be looked at, until it goes; empty when all are taken.
  std::shared_ptr<void> place();
  /// Counts an attempt. kRateLimited, with when to come again, where there were too many; that one counts
  /// for neither.
  Result<> attempt(std::string_view account, std::string_view address, MonoTime now);
  /// The account's owner came in: what was tried for it before no longer counts.
  void succeeded(std::string_view account);

 private:
  struct Window {
    MonoTime until;
    int attempts = 0;
  };
  using Windows = std::map<std::string, Window, std::less<>>;
  static Window& window_of(Windows& windows, std::string_view whose, MonoTime now);

  std::atomic<int> waiting_ = 0;
  std::mutex mutex_;
  Windows accounts_, addresses_;
};

}  // namespace feilun::gateway
