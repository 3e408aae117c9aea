#pragma once

#include <boost/asio/awaitable.hpp>

#include "gateway/visit.h"

namespace feilun::gateway {

/// Calls `answer`, but with an Idempotency-Key at most once for each key of an API key's holder, for ever:
/// the same request again gets the reply that was kept for it, or is told why it does not get one. A request
/// without the header goes straight through.
boost::asio::awaitable<void> answer_once(Visit& visit, boost::asio::awaitable<void> (*answer)(Visit&));

}  // namespace feilun::gateway
