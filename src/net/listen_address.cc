#include "net/listen_address.h"

#include <boost/asio/ip/address.hpp>
#include <charconv>

namespace feilun::net {

std::string ListenAddress::to_string() const {
  return host.contains(':') ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not ADDRESS:PORT, such as 127.0.0.1:8080", text);
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  ListenAddress address;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a port: a number from 0 to 65535", port);
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (host.empty() || host == "localhost") host = "127.0.0.1";
  boost::system::error_code bad;
  boost::asio::ip::make_address(host, bad);
  if (bad) return fail(ErrorCode::kInvalidArgument, "'{}' is not an IPv4 or IPv6 address", host);
  address.host = host;
  return address;
}

}  // namespace feilun::net
