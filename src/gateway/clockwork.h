#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "gateway/metrics.h"
#include "ledger/ledger.h"

// What a serving process does by itself, beside answering requests: it calls webhooks, and sees to what is
// due because time has passed (ledger/chores.h).

namespace feilun::gateway {

struct ClockworkOptions {
  bool invoices = false;          ///< issue the invoices of a month once it has ended
  int archive_after = 0;          ///< months; older segments of the journal are archived; 0: none
  bool private_webhooks = false;  ///< webhooks may lead to this machine and to private networks
  std::chrono::milliseconds look_every{1'000};
  std::chrono::milliseconds chores_every{60'000};
  std::chrono::milliseconds delivery_timeout{10'000};
};

/// One thread; webhooks are called at the same time, but of each one after the other, so that one that hangs
/// delays nobody else. A notification stays in the ledger's outbox until the receiver has said 2xx, or its
/// tries are used up: a crash between the answer and the journal makes it come twice, under the same id.
/// Where gateways share a ledger, the one with the oldest lease does all of this.
class Clockwork {
 public:
  /// All but the options outlive it.
  static std::unique_ptr<Clockwork> make(ClockworkOptions options, ledger::Ledger& ledger, Metrics& metrics,
                                         const Clock& clock);
  virtual ~Clockwork() = default;  ///< stops: a call that is under way is given up and made again later

  virtual void start() = 0;
};

}  // namespace feilun::gateway
