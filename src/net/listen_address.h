#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace feilun::net {

/// Where a server listens. Port 0 lets the system choose one.
struct ListenAddress {
  std::string host = "127.0.0.1";  ///< an IPv4 or IPv6 address, without brackets
  uint16_t port = 8080;

  /// "127.0.0.1:8080", "[::1]:8080".
  std::string to_string() const;
};

/// Reads "127.0.0.1:8080", "[::1]:8080", "localhost:8080" (IPv4) or ":8080" (loopback). kInvalidArgument.
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace feilun::net
