#include "ledger/alerts.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/civil_time.h"
#include "ledger/fields.h"
#include "ledger/json_fields.h"

namespace feilun::ledger {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr int64_t kOutboxMax = 1'000'000;

/// The pause before the second try, the third …: a day and a half in all.
constexpr std::array<std::chrono::seconds, 8> kPauses = {10s, 1min, 5min, 30min, 2h, 4h, 10h, 20h};

int64_t micros(WallTime time) {
  return time.time_since_epoch().count();
}

std::string outbox_key(const Notification& of) {
  return KeyWriter('O').number(micros(of.due)).number(of.alert.sequence).text(of.webhook.id).take();
}

/// The row without its webhook, whose id alone it has.
Result<Notification> read_row(const StateRow& row) {
  FieldReader key(std::string_view(row.key).substr(1));
  Notification one;
  one.due = key.time();
  one.alert.sequence = micros(key.time());
  one.webhook.id = key.rest().substr(0, key.rest().empty() ? 0 : key.rest().size() - 1);
  FieldReader fields(row.value);
  LimitAlert& alert = one.alert;
  one.tries = fields.number();
  alert.time = fields.time();
  alert.limit_id = fields.text();
  alert.scope = fields.text();
  alert.measure = static_cast<Measure>(std::min<uint8_t>(fields.byte(), 2));
  alert.window_s = fields.number();
  alert.currency = fields.raw(3);
  alert.percent = fields.number();
  alert.used = fields.amount();
  alert.bound = fields.amount();
  alert.until = fields.time();
  if (!fields.ok() || !fields.at_end()) {
    return fail(ErrorCode::kCorrupt, "the outbox's row of the alert {} cannot be read", alert.sequence);
  }
  return one;
}

json::value json_of(Measure measure, Quantity quantity) {
  if (measure == Measure::kSpend) return json::string(quantity.to_string());
  return static_cast<int64_t>(quantity.pico());
}

}  // namespace

bool Webhook::wants(std::string_view event) const {
  return events.empty() || std::ranges::find(events, event) != events.end();
}

Record record_of(const Webhook& webhook) {
  const json::object body = {{"url", webhook.url},
                             {"secret", webhook.secret},
                             {"events", json::array(webhook.events.begin(), webhook.events.end())}};
  return {.type = "webhook", .id = webhook.id, .parent = webhook.organisation, .json = json::serialize(body)};
}

Result<Webhook> webhook_from(const Record& record) {
  JsonFields body(record.json);
  Webhook webhook{.id = record.id, .organisation = record.parent};
  webhook.url = body.text("url");
  webhook.secret = body.text("secret");
  webhook.events = body.texts("events");
  if (!body.ok()) return fail(ErrorCode::kCorrupt, "the webhook {} cannot be read", record.id);
  return webhook;
}

Result<Webhook> find_webhook(State& state, std::string_view id) {
  const auto record = TRY(find_record(state, "webhook", id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no webhook '{}'", id);
  return webhook_from(*record);
}

Result<std::vector<Webhook>> webhooks_of(State& state, std::string_view organisation, int64_t limit,
                                         std::string_view after) {
  std::vector<Webhook> webhooks;
  for (const Record& record : TRY(records_of(state, "webhook", organisation, limit, after))) {
    webhooks.push_back(TRY(webhook_from(record)));
  }
  return webhooks;
}

Result<Outbox> read_outbox(State& state, WallTime now, const OutboxBounds& bounds) {
  const std::vector<StateRow> rows = TRY(state.scan("O", bounds.rows));
  Outbox outbox{.waiting = std::ssize(rows)};
  std::map<std::string, int64_t, std::less<>> taken;  // by webhook
  for (const StateRow& row : rows) {
    if (std::ssize(outbox.due) == bounds.due) break;
    Notification one = TRY(read_row(row));
    if (one.due > now) break;
    if (taken[one.webhook.id]++ >= bounds.of_each) continue;
    const auto record = TRY(find_record(state, "webhook", one.webhook.id));
    if (!record) return fail(ErrorCode::kCorrupt, "there is no webhook {} for an alert", one.webhook.id);
    one.webhook = TRY(webhook_from(*record));
    outbox.due.push_back(std::move(one));
  }
  return outbox;
}

Result<bool> is_waiting(State& state, const Notification& notification) {
  return TRY(state.get(outbox_key(notification))) != nullptr;
}

Result<std::vector<Notification>> notifications_of(State& state, const Webhook& webhook) {
  std::vector<Notification> all;
  for (const StateRow& row : TRY(state.scan("O", kOutboxMax))) {
    Notification one = TRY(read_row(row));
    if (one.webhook.id == webhook.id) all.push_back(std::move(one));
  }
  return all;
}

Result<std::map<std::string, Backlog, std::less<>>> backlogs(State& state) {
  std::map<std::string, Backlog, std::less<>> by_webhook;
  for (const StateRow& row : TRY(state.scan("O", kOutboxMax))) {
    const Notification one = TRY(read_row(row));
    Backlog& backlog = by_webhook[one.webhook.id];
    ++backlog.waiting;
    backlog.failed += one.tries > 0 ? 1 : 0;
    if (!backlog.next_try) backlog.next_try = one.due;
  }
  return by_webhook;
}

void put_notification(State& state, const Notification& notification) {
  const LimitAlert& alert = notification.alert;
  FieldWriter value;
  value.number(notification.tries).time(alert.time).text(alert.limit_id).text(alert.scope);
  value.byte(static_cast<uint8_t>(alert.measure)).number(alert.window_s).raw(alert.currency);
  value.number(alert.percent).amount(alert.used).amount(alert.bound).time(alert.until);
  state.put(outbox_key(notification), value.take());
}

void erase_notification(State& state, const Notification& notification) {
  state.erase(outbox_key(notification));
}

WallTime next_try(int64_t tries, WallTime now) {
  if (tries > std::ssize(kPauses)) return WallTime::max();
  return now + kPauses.at(static_cast<size_t>(tries - 1));
}

std::string body_of(const LimitAlert& alert) {
  json::object data = {{"limit", alert.limit_id},
                       {"scope", alert.scope},
                       {"measure", name_of(alert.measure)},
                       {"window", window_name(alert.window_s)},
                       {"percent", alert.percent},
                       {"used", json_of(alert.measure, alert.used)},
                       {"bound", json_of(alert.measure, alert.bound)}};
  if (alert.measure == Measure::kSpend) data["currency"] = alert.currency;
  data["until"] = to_iso8601(alert.until);
  return json::serialize(json::object{{"id", "alert_" + std::to_string(alert.sequence)},
                                      {"type", kLimitAlertEvent},
                                      {"created", to_iso8601(alert.time)},
                                      {"data", std::move(data)}});
}

std::string signature_of(std::string_view secret, std::string_view body, WallTime now) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  const std::string signed_text = fmt::format("{}.{}", seconds, body);
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  };
  crypto_auth_hmacsha256_state hmac;
  crypto_auth_hmacsha256_init(&hmac, bytes(secret), secret.size());
  crypto_auth_hmacsha256_update(&hmac, bytes(signed_text), signed_text.size());
  std::array<unsigned char, crypto_auth_hmacsha256_BYTES> mac;
  crypto_auth_hmacsha256_final(&hmac, mac.data());
  const std::string_view mac_bytes(reinterpret_cast<const char*>(mac.data()), mac.size());
  return fmt::format("t={},v1={}", seconds, hex(mac_bytes));
}

}  // namespace feilun::ledger
