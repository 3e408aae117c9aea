#include "scheduler/tenant_shares.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace feilun::scheduler {

TenantShares::Tenant& TenantShares::enter(TenantId id) {
  Tenant& tenant = tenants_[id];
  if (tenant.present == 0 && present_ > 0) tenant.counter = std::max(tenant.counter, least_present());
  ++tenant.present;
  ++present_;
  return tenant;
}

void TenantShares::leave(TenantId id) {
  Tenant& tenant = tenants_.at(id);
  CHECK(tenant.present > 0);
  --present_;
  if (--tenant.present > 0) return;
  if (present_ == 0) return tenants_.clear();
  // What would be lifted anyway need not be remembered.
  const double least = least_present();
  std::erase_if(tenants_, [least](const auto& entry) {
    return entry.second.present == 0 && entry.second.counter <= least;
  });
}

double TenantShares::least_present() const {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [id, tenant] : tenants_) {
    if (tenant.present > 0) least = std::min(least, tenant.counter);
  }
  return least;
}

}  // namespace feilun::scheduler
