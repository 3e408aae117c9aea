#pragma once

#include <string>
#include <vector>

#include "ledger/key_scopes.h"
#include "net/http_message.h"

namespace feilun::gateway {

/// Who asks: the connection's other end or, where that is one of the trusted proxies, the last address in
/// X-Forwarded-For that is not: what stands before it the client may have written itself. A text that is no
/// address is given as it is, and is in no range.
std::string client_address(const net::Request& request, const std::vector<ledger::Network>& trusted);

}  // namespace feilun::gateway
