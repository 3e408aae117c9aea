#pragma once

#include <boost/asio/awaitable.hpp>

#include "gateway/visit.h"

namespace feilun::gateway {

/// Answers one request: finds its route, checks the key the route asks for, calls the endpoint.
boost::asio::awaitable<void> route(Services& services, net::Exchange& exchange);

}  // namespace feilun::gateway
