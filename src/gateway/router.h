#pragma once

#include <boost/asio/awaitable.hpp>

#include "gateway/visit.h"

namespace feilun::gateway {

/// Answers one request: finds its route, checks the key the route asks for, calls the endpoint.
/// Whether the request will get as far as its body: its path, method and key are right.
bool wants_body(Services& services, const net::Request& head);

boost::asio::awaitable<void> route(Services& services, net::Exchange& exchange);

}  // namespace feilun::gateway
