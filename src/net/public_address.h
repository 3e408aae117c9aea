#pragma once

#include <boost/asio/ip/address.hpp>

namespace feilun::net {

/// Whether the address is one of the public Internet: not of this machine, of a private network, of a link,
/// of a cloud's metadata service, multicast, reserved, or an IPv6 form of such an IPv4 address. Whoever calls
/// what a stranger named asks this of the address that it is about to connect to, not of the name.
bool is_public(const boost::asio::ip::address& address);

}  // namespace feilun::net
