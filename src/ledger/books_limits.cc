#include <algorithm>

#include "base/ids.h"
#include "ledger/books.h"
#include "ledger/checked_amount.h"
#include "ledger/limits.h"

// Limits of keys, projects and organisations: how they are set, what they leave of a hold, and what they
// count of it.

namespace feilun::ledger {
namespace {

constexpr int64_t kLimitsMax = 16;
constexpr size_t kAlertsMax = 10;

Quantity count(TokenCount tokens) {
  return Quantity::pico(tokens);
}

Result<> check_limit(const SpendLimit& limit) {
  if (limit.measure == Measure::kSpend) {
    TRY(check_amount("bound of a limit", limit.bound));
  } else if (limit.bound.is_negative() || limit.bound > count(kTokensMax)) {
    return fail(ErrorCode::kInvalidArgument, "a limit's bound is from 0 to {} {}", kTokensMax,
                name_of(limit.measure));
  }
  TRY(parse_window(window_name(limit.window_s)));
  const auto possible = [](int64_t percent) { return percent >= 1 && percent <= 100; };
  if (limit.alerts.size() > kAlertsMax || !std::ranges::all_of(limit.alerts, possible) ||
      !std::ranges::is_sorted(limit.alerts, std::less_equal<>())) {
    return fail(ErrorCode::kInvalidArgument, "alerts are at most {} percents from 1 to 100, ascending",
                kAlertsMax);
  }
  return {};
}

/// A limit's scope is there, and what it spends is in one currency.
Result<> check_scope(State& state, const SpendLimit& limit) {
  if (limit.scope == "default") {
    if (limit.measure != Measure::kSpend) return {};
    return fail(ErrorCode::kInvalidArgument,
                "the projects of 'default' have wallets of their own: limit each");
  }
  for (const char* type : {"key", "project", "organisation"}) {
    if (TRY(find_record(state, type, limit.scope))) return {};
  }
  return fail(ErrorCode::kNotFound, "there is no key, project or organisation '{}'", limit.scope);
}

/// How many limits of the scope the operator set, or its organisation.
Result<int64_t> limits_set(State& state, std::string_view scope, bool by_operator) {
  int64_t set = 0;
  for (const Record& record : TRY(records_of(state, "limit", scope, 3 * kLimitsMax))) {
    if (TRY(limit_from(record)).by_operator == by_operator) ++set;
  }
  return set;
}

Quantity needed(const SpendLimit& limit, TokenCount tokens, Money money) {
  switch (limit.measure) {
    case Measure::kRequests:
      return count(1);
    case Measure::kTokens:
      return count(tokens);
    case Measure::kSpend:
      return money;
  }
  return {};
}

/// The limit does not let `need` more pass now.
Error refusal(const CountedLimit& counted, Quantity need, std::string_view currency, WallTime now) {
  const auto& [limit, window] = counted;
  const bool spend = limit.measure == Measure::kSpend;
  Error error{spend ? ErrorCode::kInsufficientQuota : ErrorCode::kRateLimited, {}};
  error.message = fmt::format("the limit {} of '{}' allows {} {}", limit.id, limit.scope,
                              quantity_text(limit.measure, limit.bound, currency),
                              limit.window_s == 0 ? "a month" : "in " + window_name(limit.window_s));
  if (need > limit.bound) {
    error.message += ", less than this request alone may take";
    return error;
  }
  const auto frees = window.frees(need - counted.left());
  // What open requests hold comes free when they end.
  const WallTime at = frees.value_or(now + std::chrono::seconds(1));
  if (frees) error.message += "; there is room again at " + to_iso8601(at);
  const auto wait = std::chrono::ceil<std::chrono::seconds>(at - now).count();
  error.retry_after_s = static_cast<int>(std::max<int64_t>(wait, 1));
  return error;
}

}  // namespace

Result<SpendLimit> Books::set_limit(SpendLimit limit) {
  std::optional<Record> before;
  if (!limit.id.empty()) {
    before = TRY(find_record(state_, "limit", limit.id));
    if (!before) return fail(ErrorCode::kNotFound, "there is no limit '{}'", limit.id);
    const SpendLimit was = TRY(limit_from(*before));
    if (limit.scope != was.scope || limit.measure != was.measure || limit.window_s != was.window_s) {
      return fail(ErrorCode::kInvalidArgument, "of a limit the bound, hardness and alerts can change");
    }
  }
  TRY(check_limit(limit));
  TRY(check_scope(state_, limit));
  auto limits = TRY(limits_of(state_, limit.scope));
  auto place = std::ranges::find(limits, limit.id, &SpendLimit::id);
  if (before && place == limits.end()) {
    return fail(ErrorCode::kCorrupt, "the limits of '{}' lack {}", limit.scope, limit.id);
  }
  if (!before) {
    // Counted apart, so that a customer cannot fill the operator's places.
    if (TRY(limits_set(state_, limit.scope, limit.by_operator)) >= kLimitsMax) {
      return fail(ErrorCode::kInvalidArgument, "'{}' has {} limits already: end one", limit.scope,
                  kLimitsMax);
    }
    limit.id = new_id("lim");
    limit.since = state_.head().sequence + 1;
    place = limits.insert(limits.end(), limit);
  } else {
    limit.since = place->since;
    *place = limit;
  }
  TRY(act(before ? "change" : "create", before, record_of(limit)));
  put_limits(state_, limit.scope, limits);
  return limit;
}

Result<> Books::end_limit(std::string_view limit_id) {
  const auto record = TRY(find_record(state_, "limit", limit_id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no limit '{}'", limit_id);
  auto limits = TRY(limits_of(state_, record->parent));
  std::erase_if(limits, [&](const SpendLimit& limit) { return limit.id == limit_id; });
  TRY(act("end", record, std::nullopt));
  put_limits(state_, record->parent, limits);
  erase_limit_window(state_, limit_id);
  return {};
}

Result<std::vector<CountedLimit>> Books::limits_on(const PayingTenant& tenant, std::string_view key_id,
                                                   int64_t opened) {
  std::vector<CountedLimit> counted;
  const std::string_view project = tenant.project.id;
  for (const std::string_view scope : {key_id, project, std::string_view(tenant.organisation.id)}) {
    for (SpendLimit& limit : TRY(limits_of(state_, scope))) {
      if (limit.since > opened) continue;
      LimitWindow window = TRY(LimitWindow::read(state_, limit, now_, tenant.period));
      counted.push_back({std::move(limit), std::move(window)});
    }
  }
  return counted;
}

Result<> Books::check_limits(const std::vector<CountedLimit>& limits, TokenCount tokens, Money money,
                             std::string_view currency) const {
  for (const CountedLimit& counted : limits) {
    const Quantity need = needed(counted.limit, tokens, money);
    if (counted.limit.hard && need > counted.left()) {
      return std::unexpected(refusal(counted, need, currency, now_));
    }
  }
  return {};
}

Allowance allowance_of(const std::vector<CountedLimit>& limits) {
  Allowance least;
  for (const CountedLimit& counted : limits) {
    if (!counted.limit.hard) continue;
    const Quantity left = std::max(counted.left(), Quantity());
    if (counted.limit.measure == Measure::kTokens) {
      least.tokens = std::min(least.tokens, static_cast<TokenCount>(left.pico()));
    } else if (counted.limit.measure == Measure::kSpend) {
      least.money = std::min(least.money, left);
    }
  }
  return least;
}

void count_held(std::vector<CountedLimit>& limits, TokenCount tokens, Money money) {
  for (auto& [limit, window] : limits) {
    if (limit.measure == Measure::kTokens) window.hold(count(tokens));
    if (limit.measure == Measure::kSpend) window.hold(money);
  }
}

void count_ended(std::vector<CountedLimit>& limits, const OpenHold& hold, TokenCount tokens, Money charged) {
  for (auto& [limit, window] : limits) {
    if (limit.measure == Measure::kTokens) {
      window.end(count(hold.input_tokens + hold.output_tokens));
      window.use(count(tokens));
    } else if (limit.measure == Measure::kSpend) {
      window.end(hold.held());
      window.use(charged);
    }
  }
}

void count_request(std::vector<CountedLimit>& limits) {
  for (auto& [limit, window] : limits) {
    if (limit.measure == Measure::kRequests) window.use(count(1));
  }
}

}  // namespace feilun::ledger
