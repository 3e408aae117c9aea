#include "gateway/webhook_call.h"

#include <boost/json.hpp>

#include "base/civil_time.h"
#include "base/ids.h"

namespace feilun::gateway {

net::HttpPost webhook_message(const ledger::Webhook& webhook, std::string body, WallTime now,
                              const WebhookCall& how) {
  net::HttpPost message{.url = webhook.url,
                        .body = std::move(body),
                        .private_addresses = how.private_addresses,
                        .timeout = how.timeout};
  message.headers.add("content-type", "application/json");
  message.headers.add(ledger::kSignatureHeader, ledger::signature_of(webhook.secret, message.body, now));
  return message;
}

bool took_message(int status) {
  return status >= 200 && status < 300;
}

std::string webhook_test_body(WallTime now) {
  return boost::json::serialize(boost::json::object{{"id", new_id("test")},
                                                    {"type", "webhook.test"},
                                                    {"created", to_iso8601(now)},
                                                    {"data", boost::json::object()}});
}

}  // namespace feilun::gateway
