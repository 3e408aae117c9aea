#pragma once

#include <chrono>
#include <string>

#include "base/clock.h"
#include "ledger/alerts.h"
#include "net/http_post.h"

namespace feilun::gateway {

/// How webhooks may be called.
struct WebhookCall {
  bool private_addresses = false;  ///< of this machine and of private networks too
  std::chrono::milliseconds timeout{10'000};
};

/// The body as it is sent to the webhook, signed with its secret at `now`.
net::HttpPost webhook_message(const ledger::Webhook& webhook, std::string body, WallTime now,
                              const WebhookCall& how);
/// Whether a receiver that answers so has taken the message: 2xx.
bool took_message(int status);

/// A message that says nothing, for whoever sets a webhook up: {"id":"test_…","type":"webhook.test",…}.
std::string webhook_test_body(WallTime now);

}  // namespace feilun::gateway
