#include "ledger/lease.h"

#include <fstream>

#include "base/ids.h"
#include "base/log.h"

namespace feilun::ledger {
namespace {

/// The part of a lease that is left for what is under way: a step of an engine, a reply.
constexpr int kStopEarlier = 16;

}  // namespace

Lease::Lease(std::filesystem::path file, std::chrono::milliseconds lasts, const Clock& clock)
    : file_(std::move(file)), lasts_(lasts), clock_(clock) {}

Result<bool> Lease::keep(Store& store) {
  const MonoTime now = clock_.mono();
  if (!name_.empty() && now < renewed_ + renewal_interval()) return false;
  asked_ = now;
  if (name_.empty()) return take(store);
  if (TRY(store.renew_lease(name_, lasts_))) return true;
  spdlog::error("{} ran out while this gateway stood still: what it had held was ended by another", name_);
  return take(store);
}

Result<bool> Lease::take(Store& store) {
  std::string before;
  std::ifstream(file_) >> before;
  if (name_.empty() && !before.empty()) TRY(store.end_lease(before));
  name_ = new_id("lease");
  // Written before it is committed: a lease that never came to be is ended without harm.
  std::ofstream file(file_, std::ios::trunc);
  file << name_ << std::flush;
  if (!file) return fail(ErrorCode::kIo, "cannot write {}", file_.string());
  TRY(store.take_lease(name_, lasts_));
  return true;
}

bool Lease::may_end_others() const {
  return !lost_touch() && in_touch_since_ <= asked_ - lasts_;
}

void Lease::committed() {
  if (lost_touch() || in_touch_since_ == MonoTime::max()) in_touch_since_ = asked_;
  renewed_ = asked_;
  ends_ = asked_ + lasts_ - lasts_ / kStopEarlier;
}

}  // namespace feilun::ledger
