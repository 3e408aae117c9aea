#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/record.h"
#include "ledger/spend_limits.h"
#include "ledger/state.h"

// Alerts, and who is told of them. An alert is a journal entry, made in the transaction of the charge that
// raised it, together with one row of the outbox for each webhook that listens. Whoever delivers takes the
// rows that are due, posts them, and journals what became of each: nothing is lost by a crash, and a delivery
// may come twice but never not at all, until its tries are used up.

namespace feilun::ledger {

inline constexpr std::string_view kLimitAlertEvent = "limit.alert";

struct Webhook {
  std::string id;            ///< "whk_…"
  std::string organisation;  ///< id
  std::string url;
  std::string secret;               ///< signs what is sent; shown to nobody but its owner
  std::vector<std::string> events;  ///< empty: all

  bool wants(std::string_view event) const;
};

Record record_of(const Webhook& webhook);
Result<Webhook> webhook_from(const Record& record);
/// kNotFound.
Result<Webhook> find_webhook(State& state, std::string_view id);
/// At most `limit`, by id, after the id `after`.
Result<std::vector<Webhook>> webhooks_of(State& state, std::string_view organisation, int64_t limit,
                                         std::string_view after = {});

/// A limit's use has reached a threshold.
struct LimitAlert {
  int64_t sequence = 0;  ///< of its journal entry
  WallTime time;
  std::string limit_id;
  std::string scope;  ///< id of the key, project or organisation
  Measure measure = Measure::kRequests;
  int64_t window_s = 0;
  std::string currency;
  int64_t percent = 0;
  Quantity used;
  Quantity bound;
  WallTime until;  ///< not told again before
};

/// One delivery that is due.
struct Notification {
  WallTime due;
  int64_t tries = 0;  ///< that failed before
  LimitAlert alert;
  Webhook webhook;
};

struct OutboxBounds {
  int64_t rows = 10'000;  ///< that are read
  int64_t due = 256;      ///< that are given
  int64_t of_each = 32;   ///< of one webhook, so that one for which much is due hides no other
};
struct Outbox {
  int64_t waiting = 0;            ///< rows, due or not
  std::vector<Notification> due;  ///< the longest due first
};
/// The outbox in one walk. What is taken of it must be answered with Books::notified().
Result<Outbox> read_outbox(State& state, WallTime now, const OutboxBounds& bounds = {});
/// Whether the notification is in the outbox still.
Result<bool> is_waiting(State& state, const Notification& notification);
/// The outbox's rows of one webhook, due or not, the first due first.
Result<std::vector<Notification>> notifications_of(State& state, const Webhook& webhook);
/// What waits for one webhook.
struct Backlog {
  int64_t waiting = 0;
  int64_t failed = 0;                ///< of these, tried before
  std::optional<WallTime> next_try;  ///< none: nothing waits
};
/// Of the webhooks for which something waits, by their ids, in one walk over the outbox.
Result<std::map<std::string, Backlog, std::less<>>> backlogs(State& state);
void put_notification(State& state, const Notification& notification);
void erase_notification(State& state, const Notification& notification);

/// When to try again what failed `tries` times, the last time at `now`; WallTime::max(): not any more.
WallTime next_try(int64_t tries, WallTime now);

/// What is posted to the webhook: JSON.
std::string body_of(const LimitAlert& alert);
inline constexpr std::string_view kSignatureHeader = "feilun-signature";
/// "t=1700000000,v1=…": `now` in seconds since 1970 and, in hexadecimal, HMAC-SHA256 over "t.body" with the
/// secret. Who receives it computes the same and refuses what is older than a few minutes.
std::string signature_of(std::string_view secret, std::string_view body, WallTime now);

}  // namespace feilun::ledger
