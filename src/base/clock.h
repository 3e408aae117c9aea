#pragma once

#include <atomic>
#include <chrono>

namespace feilun {

/// Wall time as the ledger and the price book keep it: microseconds since 1970, UTC.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;
/// Time for measuring and for deadlines; it never steps.
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;

/// Time is a parameter: what must be testable takes a Clock. Threads: all methods may be called from any.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual MonoTime mono() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  WallTime wall() const override {
    return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  }
  MonoTime mono() const override { return std::chrono::steady_clock::now(); }
};

/// A clock that moves only when told; both faces step together.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime(std::chrono::seconds(1'700'000'000))) : start_(start) {}
  void advance(std::chrono::nanoseconds by) { elapsed_ns_ += by.count(); }
  WallTime wall() const override {
    return start_ + std::chrono::duration_cast<std::chrono::microseconds>(elapsed());
  }
  MonoTime mono() const override { return MonoTime(elapsed()); }

 private:
  std::chrono::nanoseconds elapsed() const { return std::chrono::nanoseconds(elapsed_ns_.load()); }
  WallTime start_;
  std::atomic<int64_t> elapsed_ns_{0};
};

}  // namespace feilun
