#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "base/result.h"
#include "net/http_message.h"

namespace feilun::net {

/// A message to a server that somebody else chose.
struct HttpPost {
  std::string url;  ///< https://host[:port][/path][?query], or http://
  Headers headers;
  std::string body;
  /// False: only addresses of the public Internet are connected to, whatever the name says.
  bool private_addresses = false;
  std::chrono::milliseconds timeout{10'000};  ///< from the connection's beginning to the reply's head
};

/// Sends it on a connection of its own and gives the status of the reply, whose body nobody reads. Redirects
/// are not followed. Of https the certificate and its name are verified against the system's authorities
/// (OpenSSL's SSL_CERT_FILE and SSL_CERT_DIR name others). kInvalidArgument for a URL that is none,
/// kPermissionDenied where it has no public address and others do not count, kUnavailable when there is no
/// reply in time.
boost::asio::awaitable<Result<int>> post(HttpPost message);
/// The same for a thread that may wait.
Result<int> post_now(HttpPost message);

}  // namespace feilun::net
