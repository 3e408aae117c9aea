#pragma once

#include <atomic>

#include "base/clock.h"

namespace feilun::ledger {

/// A wall clock that is set by hand, on a machine whose other clock goes on by itself.
class WallClock final : public Clock {
 public:
  void set_by(std::chrono::microseconds by) { elapsed_us_ += by.count(); }
  WallTime wall() const override { return start_ + std::chrono::microseconds(elapsed_us_); }
  MonoTime mono() const override { return machine_.mono(); }

 private:
  SystemClock machine_;
  WallTime start_{std::chrono::seconds(1'700'000'000)};
  std::atomic<int64_t> elapsed_us_{0};
};

}  // namespace feilun::ledger
