#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/json.h"
#include "ledger/verify_replay.h"

// Limits: what each has counted, the alerts that follow from it, and who is told of them.

namespace feilun::ledger::audit {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kDay = 86'400;
constexpr int64_t kBuckets = 300;
constexpr int64_t kRequests = 0, kSpend = 2;
constexpr std::array<std::string_view, 3> kMeasures = {"requests", "tokens", "spend"};
constexpr int64_t kFailed = 0, kGivenUp = 2;
/// Seconds until a delivery that failed once, twice … is tried again.
constexpr std::array<int64_t, 8> kPauses = {10, 60, 300, 1800, 7200, 14'400, 36'000, 72'000};

/// "90s", "5h", "7d" in seconds, 0 of "month"; below zero when it is none.
int64_t read_window(std::string_view text) {
  if (text == "month") return 0;
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  constexpr int64_t kLongest = 400 * kDay;
  if (error != std::errc() || end + 1 != text.data() + text.size() || count < 1 || count > kLongest)
    return -1;
  constexpr std::pair<char, int64_t> kUnits[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', kDay}};
  for (const auto& [letter, seconds] : kUnits) {
    if (*end == letter) return count * seconds <= kLongest ? count * seconds : -1;
  }
  return -1;
}

int64_t micros(WallTime time) {
  return time.time_since_epoch().count();
}
/// `seconds` after the time; the last time there is, of a journal that is wrong already.
int64_t later(int64_t time, int64_t seconds) {
  int64_t sum = 0;
  const bool beyond =
      __builtin_mul_overflow(seconds, kSecond, &sum) || __builtin_add_overflow(time, sum, &sum);
  return beyond ? INT64_MAX : sum;
}
bool is_reached(int128 used, int128 bound, int64_t percent) {
  int128 hundredfold = 0;
  int128 threshold = 0;
  if (__builtin_mul_overflow(used, int128{100}, &hundredfold)) return true;
  if (__builtin_mul_overflow(bound, int128{percent}, &threshold)) return false;
  return used != 0 && hundredfold >= threshold;
}
int64_t floor_seconds(int64_t time) {
  return time / kSecond - (time % kSecond < 0 ? 1 : 0);
}

}  // namespace

void Replay::limit(const std::string& id, const std::string& scope, const Record* before,
                   const Record* after) {
  auto& limits = limits_[scope];
  const auto place = std::ranges::find(limits, id, &Limit::id);
  if (after == nullptr) {
    if (place != limits.end()) limits.erase(place);
    erase(KeyBytes('W').text(id).take());
  } else {
    std::string_view measure, window, bound;
    simdjson::dom::array alerts;
    Limit made{.id = id, .scope = scope, .since = sequence_};
    const auto body = JsonDocument::parse(after->json);
    if (!body || body->root()["measure"].get(measure) || body->root()["window"].get(window) ||
        body->root()["bound"].get(bound) || body->root()["hard"].get(made.hard) ||
        body->root()["alerts"].get(alerts) || !read_pico(bound, made.bound) || made.bound < 0) {
      return problem("a limit's body cannot be read");
    }
    made.measure = std::ranges::find(kMeasures, measure) - kMeasures.begin();
    made.window = read_window(window);
    if (made.measure > kSpend || made.window < 0) return problem("a limit's body cannot be read");
    for (const simdjson::dom::element percent : alerts) {
      int64_t value = 0;
      if (percent.get(value) || value < 1 || value > 100) return problem("a limit's body cannot be read");
      made.alerts.push_back(value);
    }
    if (place == limits.end()) {
      if (before != nullptr) problem("the limit is of another scope than before");
      limits.push_back(std::move(made));
    } else {
      if (made.measure != place->measure || made.window != place->window) problem("a limit's terms change");
      place->bound = made.bound;
      place->hard = made.hard;
      place->alerts = made.alerts;
    }
  }
  put_limits(scope);
}

void Replay::put_limits(const std::string& scope) {
  const std::string key = KeyBytes('Q').text(scope).take();
  if (limits_[scope].empty()) return erase(key);
  ValueBytes value;
  for (const Limit& limit : limits_[scope]) {
    value.text(limit.id).byte(limit.measure).number(limit.window).amount(limit.bound).byte(limit.hard);
    value.number(std::ssize(limit.alerts));
    for (const int64_t percent : limit.alerts) value.number(percent);
    value.number(limit.since);
  }
  put(key, value.take());
}

Replay::Moment Replay::moment_of(const std::string& organisation) const {
  const auto owner = organisations_.find(organisation);
  const TimeZone zone = owner == organisations_.end() ? TimeZone::utc() : owner->second.zone;
  const WallTime now{std::chrono::microseconds(time_)};
  const Period month = zone.period_of(zone.month_of(now));
  return {.organisation = organisation, .month_from = micros(month.from), .month_until = micros(month.until)};
}

void Replay::move(Limit& limit, const Moment& moment) const {
  const int64_t length = (limit.window + kBuckets - 1) / kBuckets;
  const int64_t now = floor_seconds(time_);
  const int64_t start = limit.window == 0 ? floor_seconds(moment.month_from) : now - now % length;
  const int64_t ahead = limit.window == 0 ? moment.month_until : later(time_, limit.window);
  const int64_t longest = later(ahead, limit.window == 0 ? 32 * kDay : limit.window);
  std::erase_if(limit.used, [&](const auto& bucket) {
    const int64_t from = bucket.first;
    const bool is_over = limit.window == 0 ? from < start : from + length + limit.window <= now;
    return is_over || later(0, from) > ahead;
  });
  limit.newest = limit.used.empty() ? start : std::max(start, limit.used.rbegin()->first);
  std::erase_if(limit.told, [&](const auto& told) { return told.second <= time_ || told.second > longest; });
}

void Replay::count_limits(const Request& request, const Counts& held, const Counts& used, bool may_alert) {
  const auto owner = projects_.find(request.project);
  const std::string organisation = owner == projects_.end() ? "" : owner->second.organisation;
  std::optional<Moment> moment;
  for (const std::string& scope : {request.key, request.project, organisation}) {
    const auto limits = limits_.find(scope);
    if (limits == limits_.end()) continue;
    if (!moment) moment = moment_of(organisation);
    for (Limit& limit : limits->second) {
      if (limit.since > request.opened) continue;
      move(limit, *moment);
      const auto measure = static_cast<size_t>(limit.measure);
      add(limit.pending, held.at(measure));
      if (used.at(measure) != 0) add(limit.used[limit.newest], used.at(measure));
      int128 sum = 0;
      for (const auto& [from, part] : limit.used) add(sum, part);
      int128 all = sum;
      add(all, limit.pending);
      const bool grows = held.at(measure) > 0 || (measure == kRequests && used.at(measure) > 0);
      if (limit.hard && grows && all > limit.bound) breach("the limit " + shown(limit.id) + " is exceeded");
      if (may_alert) raise(limit, sum, *moment, request.currency);
      put_window(limit);
    }
  }
}

void Replay::raise(Limit& limit, int128 used, const Moment& moment, const std::string& currency) {
  for (const int64_t percent : limit.alerts) {
    const auto is_it = [&](const auto& told) { return told.first == percent; };
    if (std::ranges::any_of(limit.told, is_it) || !is_reached(used, limit.bound, percent)) continue;
    const int64_t until = limit.window == 0 ? moment.month_until : later(time_, limit.window);
    limit.told.emplace_back(percent, until);
    ValueBytes alert;
    alert.text(limit.id).text(limit.scope).byte(limit.measure).number(limit.window).raw(currency);
    alert.number(percent).amount(used).amount(limit.bound).time(until);
    due_alerts_.push_back({moment.organisation, alert.take()});
  }
}

void Replay::put_window(const Limit& limit) {
  ValueBytes value;
  value.amount(limit.pending).number(std::ssize(limit.used));
  for (const auto& [from, used] : limit.used) value.number(from).amount(used);
  value.number(std::ssize(limit.told));
  for (const auto& [percent, until] : limit.told) value.number(percent).time(until);
  put(KeyBytes('W').text(limit.id).take(), value.take());
}

void Replay::webhook(const std::string& id, const std::string& organisation, const Record* after) {
  auto& listening = webhooks_[organisation];
  listening.erase(id);
  if (after == nullptr) return;
  simdjson::dom::array events;
  const auto body = JsonDocument::parse(after->json);
  if (!body || body->root()["events"].get(events)) return problem("a webhook's body cannot be read");
  bool listens = events.size() == 0;
  for (const simdjson::dom::element event : events) {
    std::string_view name;
    listens |= event.get(name) == simdjson::SUCCESS && name == "limit.alert";
  }
  if (listens) listening.insert(id);
}

void Replay::alert(const Entry& entry) {
  expect_postings(entry, {});
  if (due_alerts_.empty()) return problem("an alert that nothing raised");
  const auto [organisation, expected] = due_alerts_.front();
  due_alerts_.pop_front();
  ValueBytes fields;
  fields.text(entry.text("limit")).text(entry.text("scope")).byte(entry.number("measure"));
  fields.number(entry.number("window_s")).raw(entry.text("currency")).number(entry.number("percent"));
  fields.amount(entry.amount("used")).amount(entry.amount("bound")).time(entry.number("until"));
  if (fields.take() != expected) problem("the alert is not what was counted");
  for (const std::string& webhook : webhooks_[organisation]) {
    Delivery delivery{.due = time_, .alert = ValueBytes().time(time_).raw(expected).take()};
    put_delivery({sequence_, webhook}, delivery);
    deliveries_[{sequence_, webhook}] = std::move(delivery);
  }
}

std::string Replay::delivery_key(const std::pair<int64_t, std::string>& whose, int64_t due) {
  return KeyBytes('O').number(due).number(whose.first).text(whose.second).take();
}

void Replay::put_delivery(const std::pair<int64_t, std::string>& whose, const Delivery& delivery) {
  put(delivery_key(whose, delivery.due), ValueBytes().number(delivery.failed).raw(delivery.alert).take());
}

void Replay::notified(const Entry& entry) {
  expect_postings(entry, {});
  const std::pair whose(entry.number("alert"), entry.text("webhook"));
  const auto place = deliveries_.find(whose);
  if (place == deliveries_.end()) return problem("news of a notification that did not wait");
  Delivery& delivery = place->second;
  erase(delivery_key(whose, delivery.due));
  delivery.failed += 1;
  if (entry.number("tries") != delivery.failed)
    problem("the tries of a notification are not counted in order");
  const bool tries_left = delivery.failed <= std::ssize(kPauses);
  if (entry.number("delivery") == kFailed && tries_left) {
    delivery.due = later(time_, kPauses.at(static_cast<size_t>(delivery.failed - 1)));
    return put_delivery(whose, delivery);
  }
  if (entry.number("delivery") == kFailed || entry.number("delivery") > kGivenUp) {
    problem("a notification is tried too often");
  }
  deliveries_.erase(place);
}

void Replay::expect_no_alert() {
  if (!due_alerts_.empty()) problem("an alert is missing before it");
  due_alerts_.clear();
}

}  // namespace feilun::ledger::audit
