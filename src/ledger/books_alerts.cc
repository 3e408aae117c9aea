#include <sodium.h>

#include <algorithm>
#include <array>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>

#include "base/ids.h"
#include "ledger/books.h"

// Webhooks, and the alerts that counting a request raises.

namespace feilun::ledger {
namespace {

constexpr int64_t kWebhooksMax = 16;
constexpr size_t kUrlBytesMax = 2048;

enum class Delivery : uint8_t { kFailed = 0, kDelivered = 1, kGivenUp = 2 };

std::string new_webhook_secret() {
  std::array<char, 32> bytes;
  randombytes_buf(bytes.data(), bytes.size());
  return "whsec_" + hex({bytes.data(), bytes.size()});
}

bool is_port(std::string_view text) {
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  return std::from_chars(text.data(), end, port).ptr == end && port > 0;
}

/// Of the web, and without what a URL may hold that everybody would see in lists and logs.
bool is_webhook_url(const std::string& text) {
  const auto url = boost::urls::parse_uri(text);
  return url && (url->scheme() == "https" || url->scheme() == "http") && !url->host_address().empty() &&
         (!url->has_port() || is_port(std::string_view(url->port()))) && !url->has_userinfo();
}

Result<> check_webhook(const Webhook& webhook) {
  if (webhook.url.size() > kUrlBytesMax || !is_webhook_url(webhook.url)) {
    return std::unexpected(
        Error{ErrorCode::kInvalidArgument,
              fmt::format("a webhook's url is https://… (or http://…) with a host, without a user or a "
                          "password in it, of at most {} bytes",
                          kUrlBytesMax),
              "url"});
  }
  for (const std::string& event : webhook.events) {
    if (event == kLimitAlertEvent) continue;
    return fail(ErrorCode::kInvalidArgument, "there is no event '{}': write {}", event, kLimitAlertEvent);
  }
  return {};
}

bool is_reached(const CountedLimit& counted, int64_t percent) {
  const Quantity used = counted.window.used();
  return !used.is_zero() && used * 100 >= counted.limit.bound * percent;
}

}  // namespace

Result<Webhook> Books::set_webhook(Webhook webhook) {
  TRY(check_webhook(webhook));
  std::optional<Record> before;
  if (webhook.id.empty()) {
    TRY(organisation_of(state_, webhook.organisation));
    if (std::ssize(TRY(webhooks_of(state_, webhook.organisation, kWebhooksMax))) == kWebhooksMax) {
      return fail(ErrorCode::kInvalidArgument, "an organisation has at most {} webhooks", kWebhooksMax);
    }
    webhook.id = new_id("whk");
    webhook.secret = new_webhook_secret();
  } else {
    before = TRY(find_record(state_, "webhook", webhook.id));
    if (!before) return fail(ErrorCode::kNotFound, "there is no webhook '{}'", webhook.id);
    const Webhook was = TRY(webhook_from(*before));
    webhook.organisation = was.organisation;
    webhook.secret = was.secret;
  }
  TRY(act(before ? "change" : "create", before, record_of(webhook)));
  return webhook;
}

Result<> Books::end_webhook(std::string_view webhook_id) {
  const auto before = TRY(find_record(state_, "webhook", webhook_id));
  if (!before) return fail(ErrorCode::kNotFound, "there is no webhook '{}'", webhook_id);
  const Webhook webhook = TRY(webhook_from(*before));
  const auto waiting = TRY(notifications_of(state_, webhook));
  for (const Notification& notification : waiting) {
    TRY(answer(notification, static_cast<uint8_t>(Delivery::kGivenUp)));
  }
  return act("end", before, std::nullopt);
}

Result<> Books::notified(const Notification& notification, bool delivered) {
  if (!TRY(is_waiting(state_, notification))) return {};  // another process was faster
  if (delivered) return answer(notification, static_cast<uint8_t>(Delivery::kDelivered));
  Notification again = notification;
  again.tries += 1;
  again.due = next_try(again.tries, now_);
  if (again.due == WallTime::max()) return answer(notification, static_cast<uint8_t>(Delivery::kGivenUp));
  TRY(answer(notification, static_cast<uint8_t>(Delivery::kFailed)));
  put_notification(state_, again);
  return {};
}

Result<> Books::answer(const Notification& notification, uint8_t delivery) {
  Payload payload(EntryKind::kNotified);
  payload.number(notification.alert.sequence).text(notification.webhook.id);
  payload.number(notification.tries + 1).byte(delivery);
  TRY(record(std::move(payload), {}));
  erase_notification(state_, notification);
  return {};
}

Result<std::vector<Notification>> Books::alerts_of(std::vector<CountedLimit>& limits,
                                                   const PayingTenant& tenant) {
  std::vector<Notification> raised;
  for (CountedLimit& counted : limits) {
    auto& [limit, window] = counted;
    for (const int64_t percent : limit.alerts) {
      if (window.alerted(percent) || !is_reached(counted, percent)) continue;
      window.alert(percent);
      LimitAlert alert{.time = now_, .limit_id = limit.id, .scope = limit.scope, .measure = limit.measure};
      alert.window_s = limit.window_s;
      alert.currency = tenant.project.currency;
      alert.percent = percent;
      alert.used = window.used();
      alert.bound = limit.bound;
      alert.until = window.period_end();
      raised.push_back({.due = now_, .alert = std::move(alert)});
    }
  }
  if (raised.empty()) return raised;
  // One for the journal, then one for each webhook.
  std::vector<Notification> all;
  const auto webhooks = TRY(webhooks_of(state_, tenant.organisation.id, kWebhooksMax));
  for (Notification& one : raised) {
    all.push_back(one);
    for (const Webhook& webhook : webhooks) {
      if (!webhook.wants(kLimitAlertEvent)) continue;
      one.webhook = webhook;
      all.push_back(one);
    }
  }
  return all;
}

Result<> Books::put_counts(const std::vector<CountedLimit>& limits, std::vector<Notification> alerts) {
  for (const auto& [limit, window] : limits) window.write(state_, limit.id);
  int64_t sequence = 0;
  for (Notification& notification : alerts) {
    LimitAlert& alert = notification.alert;
    if (notification.webhook.id.empty()) {
      Payload payload(EntryKind::kAlert);
      payload.text(alert.limit_id).text(alert.scope).byte(static_cast<uint8_t>(alert.measure));
      payload.number(alert.window_s).raw(alert.currency).number(alert.percent);
      payload.amount(alert.used).amount(alert.bound).time(alert.until);
      sequence = TRY(record(std::move(payload), {}));
    } else {
      alert.sequence = sequence;
      put_notification(state_, notification);
    }
  }
  return {};
}

}  // namespace feilun::ledger
