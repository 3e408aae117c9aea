#include "ledger/spend_limits.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>

#include "ledger/fields.h"
#include "ledger/json_fields.h"

namespace feilun::ledger {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

constexpr std::array<std::string_view, 3> kMeasureNames = {"requests", "tokens", "spend"};
constexpr int64_t kBuckets = 300;
constexpr int64_t kDay = 86'400;
constexpr int64_t kWindowMax = 400 * kDay;
constexpr seconds kMonthMax{32 * kDay};

struct WindowUnit {
  char letter;
  int64_t seconds;
};
/// The longest first.
constexpr std::array<WindowUnit, 4> kUnits = {{{'d', kDay}, {'h', 3600}, {'m', 60}, {'s', 1}}};

KeyWriter limits_key(std::string_view scope) {
  KeyWriter key('Q');
  key.text(scope);
  return key;
}
std::string window_key(std::string_view limit_id) {
  return KeyWriter('W').text(limit_id).take();
}

int64_t floor_seconds(WallTime time) {
  return std::chrono::floor<seconds>(time).time_since_epoch().count();
}

}  // namespace

std::string_view name_of(Measure measure) {
  return kMeasureNames.at(static_cast<size_t>(measure));
}

Result<Measure> parse_measure(std::string_view name) {
  const auto found = std::ranges::find(kMeasureNames, name);
  if (found == kMeasureNames.end()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is no measure: write requests, tokens or spend", name);
  }
  return static_cast<Measure>(found - kMeasureNames.begin());
}

Result<int64_t> parse_window(std::string_view text) {
  if (text == "month") return 0;
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end + 1 == text.data() + text.size() && count > 0 && count <= kWindowMax) {
    const auto unit = std::ranges::find(kUnits, *end, &WindowUnit::letter);
    if (unit != kUnits.end() && count * unit->seconds <= kWindowMax) return count * unit->seconds;
  }
  return fail(ErrorCode::kInvalidArgument,
              "'{}' is no window: write month, or a time of at most 400 days such as 90s, 5h or 7d", text);
}

std::string window_name(int64_t window_s) {
  if (window_s == 0) return "month";
  const auto whole = [&](const WindowUnit& unit) { return window_s % unit.seconds == 0; };
  const WindowUnit& unit = *std::ranges::find_if(kUnits, whole);
  return std::to_string(window_s / unit.seconds) + unit.letter;
}

Record record_of(const SpendLimit& limit) {
  json::object body = {{"measure", name_of(limit.measure)},
                       {"window", window_name(limit.window_s)},
                       {"bound", limit.bound.to_pico_string()},
                       {"hard", limit.hard},
                       {"alerts", json::array(limit.alerts.begin(), limit.alerts.end())}};
  if (limit.by_operator) body["operator"] = true;
  return {.type = "limit", .id = limit.id, .parent = limit.scope, .json = json::serialize(body)};
}

Result<SpendLimit> limit_from(const Record& record) {
  JsonFields body(record.json);
  SpendLimit limit{.id = record.id, .scope = record.parent};
  const auto measure = parse_measure(body.text("measure"));
  const auto window = parse_window(body.text("window"));
  limit.bound = body.money("bound");
  limit.hard = body.flag("hard");
  limit.by_operator = body.flag("operator");
  limit.alerts = body.numbers("alerts");
  if (!body.ok() || !measure || !window) {
    return fail(ErrorCode::kCorrupt, "the limit {} cannot be read", record.id);
  }
  limit.measure = *measure;
  limit.window_s = *window;
  return limit;
}

Result<SpendLimit> find_limit(State& state, std::string_view id) {
  const auto record = TRY(find_record(state, "limit", id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no limit '{}'", id);
  return limit_from(*record);
}

Result<std::vector<SpendLimit>> limits_of(State& state, std::string_view scope) {
  std::vector<SpendLimit> limits;
  if (scope.empty()) return limits;
  const std::string* value = TRY(state.get(limits_key(scope).view()));
  if (value == nullptr) return limits;
  FieldReader fields(*value);
  while (fields.ok() && !fields.at_end()) {
    SpendLimit limit{.id = fields.text(), .scope = std::string(scope)};
    const uint8_t measure = fields.byte();
    limit.measure = static_cast<Measure>(measure);
    limit.window_s = fields.number();
    limit.bound = fields.amount();
    limit.hard = fields.byte() != 0;
    const int64_t alerts = fields.number();
    for (int64_t i = 0; i < alerts && fields.ok(); ++i) limit.alerts.push_back(fields.number());
    limit.since = fields.number();
    if (measure >= kMeasureNames.size())
      return fail(ErrorCode::kCorrupt, "the limits of {} cannot be read", scope);
    limits.push_back(std::move(limit));
  }
  if (!fields.ok()) return fail(ErrorCode::kCorrupt, "the limits of {} cannot be read", scope);
  return limits;
}

void put_limits(State& state, std::string_view scope, const std::vector<SpendLimit>& limits) {
  if (limits.empty()) return state.erase(limits_key(scope).view());
  FieldWriter value;
  for (const SpendLimit& limit : limits) {
    value.text(limit.id).byte(static_cast<uint8_t>(limit.measure)).number(limit.window_s);
    value.amount(limit.bound).byte(limit.hard ? 1 : 0).number(std::ssize(limit.alerts));
    for (const int64_t percent : limit.alerts) value.number(percent);
    value.number(limit.since);
  }
  state.put(limits_key(scope).view(), value.take());
}

Result<Quantity> parse_quantity(Measure measure, std::string_view text) {
  if (measure == Measure::kSpend) return Money::parse(text);
  TokenCount count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end == text.data() + text.size()) return Quantity::pico(count);
  return fail(ErrorCode::kInvalidArgument, "'{}' is no count of {}: write it like 1000", text,
              name_of(measure));
}

std::string quantity_digits(Measure measure, Quantity quantity) {
  return measure == Measure::kSpend ? quantity.to_string() : quantity.to_pico_string();
}

std::string quantity_text(Measure measure, Quantity quantity, std::string_view currency) {
  const std::string_view unit = measure == Measure::kSpend ? currency : name_of(measure);
  return fmt::format("{} {}", quantity_digits(measure, quantity), unit);
}

Result<LimitWindow> LimitWindow::read(State& state, const SpendLimit& limit, WallTime now,
                                      const Period& month) {
  LimitWindow window(limit, now, month);
  const std::string* value = TRY(state.get(window_key(limit.id)));
  if (value == nullptr) return window;
  FieldReader fields(*value);
  window.pending_ = fields.amount();
  const int64_t buckets = fields.number();
  for (int64_t i = 0; i < buckets && fields.ok(); ++i) {
    Bucket bucket{.start_s = fields.number()};
    bucket.used = fields.amount();
    window.buckets_.push_back(bucket);
  }
  const int64_t told = fields.number();
  for (int64_t i = 0; i < told && fields.ok(); ++i) {
    Told one{.percent = fields.number()};
    one.until = fields.time();
    window.told_.push_back(one);
  }
  if (!fields.ok() || !fields.at_end()) {
    return fail(ErrorCode::kCorrupt, "the window of the limit {} cannot be read", limit.id);
  }
  window.move_to(now, month);
  return window;
}

void LimitWindow::write(State& state, std::string_view limit_id) const {
  FieldWriter value;
  value.amount(pending_).number(std::ssize(buckets_));
  for (const Bucket& bucket : buckets_) value.number(bucket.start_s).amount(bucket.used);
  value.number(std::ssize(told_));
  for (const Told& told : told_) value.number(told.percent).time(told.until);
  state.put(window_key(limit_id), value.take());
}

void erase_limit_window(State& state, std::string_view limit_id) {
  state.erase(window_key(limit_id));
}

int64_t LimitWindow::bucket_s() const {
  return (window_s_ + kBuckets - 1) / kBuckets;
}

WallTime LimitWindow::leaves(const Bucket& bucket) const {
  if (window_s_ == 0) return month_.until;
  return WallTime(seconds(bucket.start_s + bucket_s() + window_s_));
}

void LimitWindow::move_to(WallTime now, const Period& month) {
  now_ = now;
  month_ = month;
  const int64_t month_from = floor_seconds(month_.from);
  // Where the clock was set back, what lies more than a period ahead is of a time that was wrong.
  const WallTime ahead = window_s_ == 0 ? month_.until : now_ + seconds(window_s_);
  std::erase_if(buckets_, [&](const Bucket& bucket) {
    const bool is_over = window_s_ == 0 ? bucket.start_s < month_from : leaves(bucket) <= now_;
    return is_over || WallTime(seconds(bucket.start_s)) > ahead;
  });
  const WallTime longest = ahead + (window_s_ == 0 ? kMonthMax : seconds(window_s_));
  std::erase_if(told_, [&](const Told& told) { return told.until <= now_ || told.until > longest; });
}

Quantity LimitWindow::used() const {
  Quantity sum;
  for (const Bucket& bucket : buckets_) sum += bucket.used;
  return sum;
}

void LimitWindow::use(Quantity quantity) {
  if (quantity.is_zero()) return;
  int64_t start = floor_seconds(window_s_ == 0 ? month_.from : now_);
  if (window_s_ != 0) start -= start % bucket_s();
  // A clock that stepped back counts into the newest bucket.
  if (buckets_.empty() || buckets_.back().start_s < start) buckets_.push_back({start, {}});
  buckets_.back().used += quantity;
}

std::optional<WallTime> LimitWindow::frees(Quantity quantity) const {
  if (quantity <= Quantity()) return now_;
  for (const Bucket& bucket : buckets_) {
    quantity -= bucket.used;
    if (quantity <= Quantity()) return leaves(bucket);
  }
  return std::nullopt;
}

WallTime LimitWindow::period_end() const {
  return window_s_ == 0 ? month_.until : now_ + seconds(window_s_);
}

bool LimitWindow::alerted(int64_t percent) const {
  return std::ranges::find(told_, percent, &Told::percent) != told_.end();
}

LimitUse use_of(SpendLimit limit, const LimitWindow& window) {
  LimitUse use{.limit = std::move(limit), .used = window.used(), .pending = window.pending()};
  if (use.used.is_zero()) return use;
  use.frees_at = window.frees(Quantity::pico(1));
  use.empty_at = window.frees(use.used);
  return use;
}

}  // namespace feilun::ledger
