#include "gateway/login_guard.h"

#include <algorithm>

namespace feilun::gateway {
namespace {

/// Of accounts and of addresses. Beyond it those whose windows end first are forgotten.
constexpr size_t kWindowsMax = 10'000;

}  // namespace

LoginGuard::Window& LoginGuard::window_of(Windows& windows, std::string_view whose, MonoTime now) {
  const auto known = windows.find(whose);
  if (known != windows.end() && now < known->second.until) return known->second;
  if (known == windows.end() && windows.size() >= kWindowsMax) {
    std::erase_if(windows, [&](const auto& each) { return each.second.until <= now; });
    if (windows.size() >= kWindowsMax) {
      windows.erase(
          std::ranges::min_element(windows, {}, [](const auto& each) { return each.second.until; }));
    }
  }
  return windows.insert_or_assign(std::string(whose), Window{.until = now + kWindow}).first->second;
}

std::shared_ptr<void> LoginGuard::place() {
  if (++waiting_ <= kPlaces) return {this, [this](void*) { --waiting_; }};
  --waiting_;
  return nullptr;
}

Result<> LoginGuard::attempt(std::string_view account, std::string_view address, MonoTime now) {
  const std::scoped_lock lock(mutex_);
  const auto refuse = [&](const Window& window) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(window.until - now).count();
    Error error{ErrorCode::kRateLimited, "too many attempts to log in: try again later"};
    error.retry_after_s = static_cast<int>(wait);
    return std::unexpected(std::move(error));
  };
  // An address that is refused makes the guard remember, and so forget, no account.
  Window& from = window_of(addresses_, address, now);
  if (from.attempts >= kAddressAttempts) return refuse(from);
  Window& to = window_of(accounts_, account, now);
  if (to.attempts >= kAccountAttempts) return refuse(to);
  ++from.attempts;
  ++to.attempts;
  return {};
}

void LoginGuard::succeeded(std::string_view account) {
  const std::scoped_lock lock(mutex_);
  if (const auto known = accounts_.find(account); known != accounts_.end()) accounts_.erase(known);
}

}  // namespace feilun::gateway
