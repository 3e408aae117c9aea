#pragma once

#include <chrono>
#include <string>

namespace feilun::ledger {

/// How long whom is waited for. A gateway that stops in the middle of a transaction holds the write lock for
/// at most `idle_limit`, or `transaction_limit` where the server cannot see that it stands still.
struct PostgresOptions {
  std::string schema = "feilun";  ///< where the ledger's tables are
  std::chrono::milliseconds lock_wait = std::chrono::seconds(10);
  std::chrono::seconds connect_timeout{5};  ///< at least 2; the URL's connect_timeout goes before it
  std::chrono::milliseconds idle_limit = std::chrono::seconds(5);
  std::chrono::milliseconds transaction_limit = std::chrono::seconds(20);
  /// How long an answer may take beyond the server's own limits.
  std::chrono::milliseconds slack = std::chrono::seconds(5);
  /// How long a reader, whom only the network can hold up, hears nothing at all before it gives up.
  std::chrono::milliseconds read_wait = std::chrono::seconds(4);
};

}  // namespace feilun::ledger
