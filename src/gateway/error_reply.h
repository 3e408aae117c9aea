#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http_message.h"

namespace feilun::gateway {

/// How a kind of failure looks to an OpenAI client.
struct ErrorLook {
  int status = 500;
  const char* type = "server_error";
  const char* code = nullptr;          ///< null in the reply when there is none
  int retry_after_s = -1;              ///< -1: no retry-after header
  const char* should_retry = nullptr;  ///< "true", "false"; nullptr: leave it to the client's own rule
};

/// The one table from ErrorCode to HTTP.
ErrorLook error_look(const Error& error);

/// {"error":{"message","type","param","code"}}, as replies and stream events carry it.
std::string error_body(const Error& error);

/// The whole reply; x-request-id is added by the caller, as to every reply. `final`: whatever the kind of
/// failure says, waiting will not help, or the request may have been charged and a client that repeats it
/// pays twice.
net::Response error_reply(const Error& error, bool final = false);

/// An idempotency key that was used for another request.
net::Response reused_key_reply();
/// An idempotency key whose request was charged, and whose reply is not kept (any more).
net::Response used_key_reply(const std::string& request_id);

/// The reply to what is not a readable HTTP request or passes a limit of the server.
net::Response protocol_error_reply(int status, std::string_view message);

}  // namespace feilun::gateway
