#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "base/money.h"
#include "base/result.h"
#include "ledger/limits.h"
#include "ledger/record.h"
#include "ledger/rows.h"
#include "ledger/state.h"

// Limits of what a key, a project or an organisation may use in a window of time: a rolling one (the last
// five hours) or the calendar month of the organisation.
//
// A limit counts what open requests may yet use (their worst case, `pending`) and what ended ones did use,
// in at most 301 buckets of equal length, so that a window of any length is one small row. A bucket counts
// until all of it has left the window: a rolling limit is never laxer than its words, and stricter by at most
// one bucket, a 300th of the window. A bound that must hold ("hard") is compared with both sums before money
// is held; alerts look only at what was used.

namespace feilun::ledger {

enum class Measure : uint8_t { kRequests = 0, kTokens = 1, kSpend = 2 };

/// "requests", "tokens", "spend".
std::string_view name_of(Measure measure);
Result<Measure> parse_measure(std::string_view name);

/// Seconds of "90s", "5h", "7d", "30d"; 0 of "month". kInvalidArgument when it is none, or longer than 400
/// days.
Result<int64_t> parse_window(std::string_view text);
/// The reverse.
std::string window_name(int64_t window_s);

/// A count of requests or tokens, or money. Counts are whole pico-units, so that all have one type.
using Quantity = Money;

struct SpendLimit {
  std::string id;     ///< "lim_…"
  std::string scope;  ///< id of a key, a project or an organisation
  Measure measure = Measure::kRequests;
  int64_t window_s = 0;  ///< 0: the calendar month
  Quantity bound;
  bool hard = true;             ///< false: it only alerts
  std::vector<int64_t> alerts;  ///< percents of the bound, 1 to 100, ascending
  int64_t since = 0;            ///< the act that made it: it counts requests held after
  bool by_operator = false;     ///< the server's operator set it: its organisation may not change it
};

Record record_of(const SpendLimit& limit);
/// `since` is not in it.
Result<SpendLimit> limit_from(const Record& record);
/// kNotFound.
Result<SpendLimit> find_limit(State& state, std::string_view id);
/// The limits of one scope: one row, which most scopes do not have. Who set them is not in it.
Result<std::vector<SpendLimit>> limits_of(State& state, std::string_view scope);
void put_limits(State& state, std::string_view scope, const std::vector<SpendLimit>& limits);
/// Reads "12.50" of spend, "1000" of requests or tokens. kInvalidArgument.
Result<Quantity> parse_quantity(Measure measure, std::string_view text);
/// The reverse.
std::string quantity_digits(Measure measure, Quantity quantity);
/// A quantity as a person reads it: "1000 tokens", "12.50 CNY".
std::string quantity_text(Measure measure, Quantity quantity, std::string_view currency);

/// What a limit has counted.
class LimitWindow {
 public:
  LimitWindow(const SpendLimit& limit, WallTime now, const Period& month)
      : window_s_(limit.window_s), now_(now), month_(month) {}
  /// Reads the limit's row, and drops what has left the window by `now`. `month`: the organisation's, of now.
  static Result<LimitWindow> read(State& state, const SpendLimit& limit, WallTime now, const Period& month);
  void write(State& state, std::string_view limit_id) const;
  /// Drops what has left the window by then.
  void move_to(WallTime now, const Period& month);

  Quantity used() const;
  Quantity pending() const { return pending_; }
  void hold(Quantity quantity) { pending_ += quantity; }
  void end(Quantity held) { pending_ -= held; }
  void use(Quantity quantity);
  /// When at least `quantity` of what was used has left the window; none when it has not that much.
  std::optional<WallTime> frees(Quantity quantity) const;
  /// The end of the period of an alert now: of the month, or one window later.
  WallTime period_end() const;

  bool alerted(int64_t percent) const;
  void alert(int64_t percent) { told_.push_back({percent, period_end()}); }

 private:
  struct Bucket {
    int64_t start_s = 0;
    Quantity used;
  };
  struct Told {
    int64_t percent = 0;
    WallTime until;
  };

  int64_t bucket_s() const;
  WallTime leaves(const Bucket& bucket) const;

  int64_t window_s_ = 0;
  WallTime now_;
  Period month_;
  Quantity pending_;
  std::vector<Bucket> buckets_;  ///< oldest first, none empty
  std::vector<Told> told_;
};

/// A limit on a request, with its window.
struct CountedLimit {
  SpendLimit limit;
  LimitWindow window;

  /// What is left of a hard bound; below zero after it was lowered.
  Quantity left() const { return limit.bound - window.used() - window.pending(); }
};

/// What hard limits leave of a request's tokens and money.
struct Allowance {
  TokenCount tokens = std::numeric_limits<TokenCount>::max();
  Money money = kAmountMax;
};
Allowance allowance_of(const std::vector<CountedLimit>& limits);

void count_request(std::vector<CountedLimit>& limits);
void count_held(std::vector<CountedLimit>& limits, TokenCount tokens, Money money);
/// Whoever held so much has used `tokens` and was charged.
void count_ended(std::vector<CountedLimit>& limits, const OpenHold& hold, TokenCount tokens, Money charged);

/// A limit as people look at it.
struct LimitUse {
  SpendLimit limit;
  Quantity used;
  Quantity pending;                  ///< what open requests may use yet
  std::optional<WallTime> frees_at;  ///< when the first of what was used stops counting; none: nothing counts
  std::optional<WallTime> empty_at;  ///< when all of it has

  /// Below zero after the bound was lowered, or where it is not hard.
  Quantity left() const { return limit.bound - used - pending; }
};
LimitUse use_of(SpendLimit limit, const LimitWindow& window);
void erase_limit_window(State& state, std::string_view limit_id);

}  // namespace feilun::ledger
