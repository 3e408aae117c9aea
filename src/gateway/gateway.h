#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/clockwork.h"
#include "gateway/deployment.h"
#include "gateway/meter.h"
#include "ledger/ledger.h"
#include "net/listen_address.h"

namespace feilun::gateway {

struct GatewayOptions {
  net::ListenAddress listen;
  int io_threads = 1;
  MeterOptions meter;
  std::string page;         ///< what `/` serves: a whole HTML page
  std::string cors_origin;  ///< empty: pages of other origins may not call
  size_t body_bytes_max = 8 * 1024 * 1024;
  size_t reply_room = size_t{512} << 20;  ///< bytes of large replies on their way, see reply_room.h
  std::chrono::milliseconds stop_grace{10'000};
  /// Whose X-Forwarded-For says where a request comes from.
  std::vector<ledger::Network> trusted_proxies = {};
  std::optional<ClockworkOptions> clockwork;  ///< none: webhooks are not called, and nothing is done in time
  const Clock* clock = nullptr;               ///< nullptr: the system's
};

/// The HTTP side of feilun: socket → key → hold → engine → reply → settle.
///
///     auto gateway = TRY(Gateway::open(options, deployments, ledger));
///     gateway->start();                 // answers; /readyz says 503 until every deployment is ready
///     … deployment->become_ready(*engine) …
///     gateway->run_until_signal();      // SIGTERM or SIGINT
///
/// `deployments`, the engines behind them and `ledger` must outlive the gateway. All methods from any thread.
class Gateway {
 public:
  /// Binds the port. kUnavailable with one clear sentence when it is taken.
  static Result<std::unique_ptr<Gateway>> open(GatewayOptions options, const Deployments& deployments,
                                               ledger::Ledger& ledger);
  virtual ~Gateway() = default;  ///< stops and waits

  virtual uint16_t port() const = 0;
  virtual void start() = 0;
  /// Stops accepting; running requests end, or after the grace time are cut and settled. Returns at once.
  virtual void stop() = 0;
  /// Waits until a stop is complete: every request settled or released.
  virtual void wait() = 0;
  /// start(), then waits for SIGTERM or SIGINT and a complete stop. A second signal ends the grace time.
  virtual void run_until_signal() = 0;
};

}  // namespace feilun::gateway
