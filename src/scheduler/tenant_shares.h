#pragma once

#include <chrono>
#include <cstdint>
#include <unordered_map>

namespace feilun::scheduler {

/// Who is to be treated like whom: a tenant's requests stand together against those of others.
using TenantId = uint64_t;

/// How much of the machine each tenant has had, for fairness: whoever has had least is served next (the
/// virtual token counter of Sheng et al., Fairness in Serving Large Language Models, 2024, fed with
/// attributed time instead of tokens).
///
/// A tenant that comes back from idling is lifted to the least counter among those present: being away earns
/// no claim. One that had more than its share keeps that. When nobody is left, all is forgotten: a machine
/// that nobody wants owes nothing.
class TenantShares {
 public:
  struct Tenant {
    double counter = 0;  ///< nanoseconds
    int present = 0;     ///< live sequences
    int running = 0;     ///< of these, the ones in the batch
  };

  /// A sequence of this tenant arrives. The reference stays valid until its last sequence leaves.
  Tenant& enter(TenantId id);
  void leave(TenantId id);
  void charge(Tenant& tenant, std::chrono::nanoseconds cost) {
    tenant.counter += static_cast<double>(cost.count());
  }

  size_t remembered() const { return tenants_.size(); }

 private:
  double least_present() const;

  std::unordered_map<TenantId, Tenant> tenants_;
  int present_ = 0;
};

}  // namespace feilun::scheduler
