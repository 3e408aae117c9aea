#include <algorithm>
#include <iterator>

#include "ledger/books.h"
#include "ledger/checked_text.h"
#include "ledger/closed_months.h"
#include "ledger/coverage.h"
#include "ledger/idempotency.h"
#include "ledger/invoice_items.h"
#include "ledger/limits.h"
#include "ledger/rollups.h"

// The road of one request. A hold moves money from where it lies (credits first, the wallet last) to the
// payer's hold account and remembers what it drew from where; settling spends what was drawn first and puts
// the rest back. What the sources have is therefore always what is free to spend, and "posted + pending never
// exceeds what may be spent" is one comparison inside one transaction.

namespace feilun::ledger {
namespace {

constexpr int64_t kOpenHoldsMax = 10'000'000;

Result<> check_request_id(std::string_view id) {
  return check_text("request's id", id, false);
}

Result<> check_tokens(TokenCount tokens) {
  if (tokens < 0 || tokens > kTokensMax) {
    return fail(ErrorCode::kInvalidArgument, "{} is not a possible count of tokens", tokens);
  }
  return {};
}

Result<> check_usage(const TokenUsage& usage) {
  for (const TokenCount tokens :
       {usage.input_fresh, usage.cache_read, usage.cache_write, usage.output, usage.reasoning}) {
    TRY(check_tokens(tokens));
  }
  return {};
}

Result<> check_cost(const RequestCost& cost) {
  const auto within = [](std::chrono::nanoseconds time) {
    return time.count() >= 0 && time.count() <= kCostNanosecondsMax;
  };
  if (!within(cost.attributed) || !within(cost.saved) || cost.kv_byte_seconds < 0 || cost.cost_model < 0) {
    return fail(ErrorCode::kInvalidArgument, "a request cannot take that of the machine");
  }
  if (cost.per_hour.is_negative() || cost.per_hour > kPerHourMax) {
    return fail(ErrorCode::kInvalidArgument, "{} an hour is not a possible price", cost.per_hour.to_string());
  }
  TRY(parse_currency(cost.currency));
  if (cost.cost.is_negative() || cost.cost > kCostMax) {
    return fail(ErrorCode::kInvalidArgument, "{} is not a possible cost", cost.cost.to_string());
  }
  const int128 off = cost.cost.pico() * kNanosecondsPerHour - cost.attributed.count() * cost.per_hour.pico();
  if (off <= -kNanosecondsPerHour || off >= kNanosecondsPerHour) {
    return fail(ErrorCode::kInvalidArgument, "{} is not what the time costs", cost.cost.to_string());
  }
  return {};
}

WorstUnits worst_units(const PriceVersion& price, ServiceTier tier, TokenCount input_tokens) {
  return {pricing::worst_input_unit(price, tier, input_tokens),
          pricing::worst_output_unit(price, tier, input_tokens)};
}

std::vector<Draw> draws_of(const Coverage& coverage, const Sources& from, const std::string& currency) {
  auto draws = draws_of(token_amount(coverage.covered), from.packages, kTokenUnit);
  std::ranges::move(draws_of(coverage.money, from.money, currency), std::back_inserter(draws));
  return draws;
}

}  // namespace

Result<OpenHold> Books::known_hold(std::string_view request_id) {
  TRY(check_request_id(request_id));
  auto hold = TRY(open_hold(state_, request_id));
  if (hold) return *std::move(hold);
  if (TRY(has_ended(state_, request_id))) {
    return fail(ErrorCode::kConflict, "the request {} has ended already", request_id);
  }
  return fail(ErrorCode::kNotFound, "there is no hold for the request {}", request_id);
}

Result<const PriceVersion*> Books::pinned(int64_t id) {
  auto place = prices_.find(id);
  if (place == prices_.end()) {
    auto found = find_price(state_, id);
    if (!found)
      return fail(ErrorCode::kCorrupt, "a hold names the price version {}: {}", id, found.error().message);
    place = prices_.emplace(id, *std::move(found)).first;
  }
  return &place->second;
}

Result<const PriceVersion*> Books::price_now(const HoldRequest& request, const Project& project) {
  for (const std::string_view organisation : {std::string_view(project.organisation), std::string_view()}) {
    for (const PriceInterval& in :
         TRY(price_intervals(state_, request.offering, project.currency, organisation))) {
      if (in.from <= now_ && now_ < in.until) return pinned(in.id);
    }
  }
  return fail(ErrorCode::kNotFound, "'{}' has no price in {}", request.offering, project.currency);
}

/// How the request is covered, or why it cannot be: the limits first, then the balance.
Result<Coverage> Books::cover(const HoldRequest& request, const WorstUnits& worst, const Sources& from,
                              const std::vector<CountedLimit>& limits, std::string_view currency) const {
  const TokenCount packages = tokens_in(sum_of(from.packages));
  const Money available = sum_of(from.money);
  const TokenCount input = request.input_tokens;
  const TokenCount least = std::min<TokenCount>(request.output_slice, 1);
  TRY(check_limits(limits, input + least, cover_hold(input, least, worst, packages, kAmountMax).money,
                   currency));
  const Allowance allowed = allowance_of(limits);
  const TokenCount slice = std::min(request.output_slice, allowed.tokens - input);
  const Coverage coverage = cover_hold(input, slice, worst, packages, std::min(available, allowed.money));
  if (coverage.payable) return coverage;
  return fail(
      ErrorCode::kInsufficientQuota,
      "the balance of {} {} does not pay for this request: credit the wallet, or ask for fewer tokens",
      available.to_string(), currency);
}

Result<Hold> Books::hold(const HoldRequest& request) {
  TRY(check_request_id(request.request_id));
  TRY(check_tokens(request.input_tokens));
  TRY(check_tokens(request.output_slice));
  TRY(check_text("key's id", request.key_id, true));
  const PayingTenant& tenant = *TRY(tenant_of(request.project_id));
  const Project& project = tenant.project;
  if (TRY(open_hold(state_, request.request_id)) || TRY(has_ended(state_, request.request_id))) {
    return fail(ErrorCode::kConflict, "the request {} was seen before", request.request_id);
  }
  TRY(check_claim(state_, request));
  const PriceVersion& price = *TRY(price_now(request, project));
  const WorstUnits worst = worst_units(price, request.tier, request.input_tokens);
  const Sources from = TRY(sources(tenant, request.offering));
  auto limits = TRY(limits_on(tenant, request.key_id));
  const Coverage coverage = TRY(cover(request, worst, from, limits, project.currency));
  OpenHold open{.request_id = request.request_id, .key_id = request.key_id, .project_id = project.id};
  open.payer_id = project.payer;
  open.offering = request.offering;
  open.currency = project.currency;
  open.tier = request.tier;
  open.price_id = price.id;
  open.input_tokens = request.input_tokens;
  open.output_tokens = coverage.output_tokens;
  open.covered_tokens = coverage.covered;
  open.draws = draws_of(coverage, from, project.currency);
  open.lease = lease_;
  const bool exhausted = open.output_tokens < request.output_slice;
  count_request(limits);
  count_held(limits, open.input_tokens + open.output_tokens, open.held());
  auto alerts = TRY(alerts_of(limits, tenant));
  Payload payload(EntryKind::kHold);
  payload.text(open.request_id).text(open.key_id).text(open.project_id).text(open.payer_id);
  payload.text(open.offering).byte(static_cast<uint8_t>(open.tier)).number(open.price_id);
  payload.number(open.input_tokens).number(open.output_tokens).number(open.covered_tokens);
  payload.byte(exhausted ? 1 : 0).text(open.lease);
  open.opened = TRY(record(std::move(payload), holding(open, open.draws)));
  put_open_hold(state_, open);
  if (request.claim) put_claim(state_, request, now_);
  TRY(put_counts(limits, std::move(alerts)));
  return Hold{open.request_id, price, open.held(), open.output_tokens, exhausted};
}

Result<> Books::check_means(const HoldRequest& request) {
  const PayingTenant& tenant = *TRY(tenant_of(request.project_id));
  const PriceVersion& price = *TRY(price_now(request, tenant.project));
  const Sources from = TRY(sources(tenant, request.offering));
  const auto limits = TRY(limits_on(tenant, request.key_id));
  const WorstUnits worst = worst_units(price, request.tier, request.input_tokens);
  TRY(cover(request, worst, from, limits, tenant.project.currency));
  return {};
}

Result<Hold> Books::top_up(const std::string& request_id, TokenCount more) {
  TRY(check_tokens(more));
  OpenHold open = TRY(known_hold(request_id));
  TRY(check_tokens(open.output_tokens + more));
  const PriceVersion& price = *TRY(pinned(open.price_id));
  const PayingTenant& tenant = *TRY(tenant_of(open.project_id));
  const Sources from = TRY(sources(tenant, open.offering, open.draws));
  auto limits = TRY(limits_on(tenant, open.key_id, open.opened));
  const Allowance allowed = allowance_of(limits);
  const Coverage coverage =
      cover_top_up(open, std::min(more, allowed.tokens), worst_units(price, open.tier, open.input_tokens),
                   tokens_in(sum_of(from.packages)), std::min(sum_of(from.money), allowed.money));
  const bool exhausted = coverage.output_tokens < more;
  if (coverage.output_tokens > 0) {
    const auto draws = draws_of(coverage, from, open.currency);
    add_draws(open.draws, draws);
    open.output_tokens += coverage.output_tokens;
    open.covered_tokens += coverage.covered;
    Payload payload(EntryKind::kTopUp);
    payload.text(request_id).number(coverage.output_tokens).byte(exhausted ? 1 : 0);
    TRY(record(std::move(payload), holding(open, draws)));
    put_open_hold(state_, open);
    count_held(limits, coverage.output_tokens, coverage.money);
    TRY(put_counts(limits, {}));
  }
  return Hold{request_id, price, open.held(), open.output_tokens, exhausted};
}

Result<TokenUsage> Books::mark(const std::string& request_id, const TokenUsage& usage) {
  TRY(check_usage(usage));
  OpenHold open = TRY(known_hold(request_id));
  const PriceVersion& price = *TRY(pinned(open.price_id));
  const auto& units = price.rows[pricing::row_of(price, open.tier, open.input_tokens, 0)].units;
  // A mark rises in tokens and in money; anything else is a late or repeated one and changes nothing.
  const bool rises = usage.input() >= open.mark.input() && usage.total_output() >= open.mark.total_output() &&
                     pricing::cost_of(units, usage) >= pricing::cost_of(units, open.mark);
  if (rises && usage != open.mark) {
    open.mark = usage;
    Payload payload(EntryKind::kMark);
    payload.text(request_id).usage(usage);
    TRY(record(std::move(payload), {}));
    put_open_hold(state_, open);
  }
  return open.mark;
}

Result<Settlement> Books::settle(const std::string& request_id, const TokenUsage& usage, Outcome outcome,
                                 const std::optional<RequestCost>& cost) {
  TRY(check_usage(usage));
  if (cost) TRY(check_cost(*cost));
  const OpenHold open = TRY(known_hold(request_id));
  const PriceVersion& price = *TRY(pinned(open.price_id));
  const PayingTenant& tenant = *TRY(tenant_of(open.project_id));
  const Month month = TRY(counting_month(state_, open.payer_id, tenant.month));
  const TokenCount before = TRY(volume(state_, open.payer_id, open.offering, month));
  const size_t row = pricing::row_of(price, open.tier, open.input_tokens, before);
  const TokenCount covered = covered_of(usage, open.covered_tokens);
  const TokenUsage paid = uncovered(usage, covered);
  const Money charged = std::min(pricing::cost_of(price.rows[row].units, paid), open.held());
  const auto draws = end_draws(open, charged, covered);
  auto postings = TRY(ending(open, draws));
  auto limits = TRY(limits_on(tenant, open.key_id, open.opened));
  count_ended(limits, open, usage.input() + usage.total_output(), charged);
  auto alerts = TRY(alerts_of(limits, tenant));
  Payload payload(EntryKind::kSettle);
  payload.text(request_id).byte(static_cast<uint8_t>(outcome)).number(static_cast<int64_t>(row));
  payload.usage(usage);
  const std::vector<Posting> spent = spent_of(draws);
  payload.postings(spent);
  const int64_t sequence = TRY(record(std::move(payload), std::move(postings)));
  erase_open_hold(state_, request_id);
  put_ended(state_, request_id, sequence);
  TRY(add_usage_totals(state_, open.project_id, {.requests = 1, .usage = usage, .charged = charged}));
  UsageSums sums{.requests = 1, .usage = usage, .covered = without(usage, paid), .charged = charged};
  TRY(add_usage(state_, open.payer_id, now_, month,
                {.project_id = open.project_id,
                 .key_id = open.key_id,
                 .offering = open.offering,
                 .tier = open.tier,
                 .price_id = open.price_id,
                 .price_row = static_cast<int64_t>(row)},
                sums));
  TRY(add_lots_spent(state_, open.payer_id, month, spent));
  if (cost) {
    Payload beside(EntryKind::kCost);
    beside.text(request_id).number(cost->attributed.count()).number(cost->saved.count());
    beside.number(cost->kv_byte_seconds).number(cost->cost_model);
    beside.raw(cost->currency).amount(cost->per_hour).amount(cost->cost);
    TRY(record(std::move(beside), {}));
  }
  TRY(put_counts(limits, std::move(alerts)));
  Settlement settled{request_id, charged, open.held() - charged, usage};
  settled.offering = open.offering;
  settled.currency = open.currency;
  return settled;
}

Result<Settlement> Books::release(const std::string& request_id, Outcome outcome) {
  const OpenHold open = TRY(known_hold(request_id));
  auto postings = TRY(ending(open, end_draws(open, Money(), 0)));
  const PayingTenant& tenant = *TRY(tenant_of(open.project_id));
  auto limits = TRY(limits_on(tenant, open.key_id, open.opened));
  count_ended(limits, open, 0, Money());
  Payload payload(EntryKind::kRelease);
  payload.text(request_id).byte(static_cast<uint8_t>(outcome));
  const int64_t sequence = TRY(record(std::move(payload), std::move(postings)));
  erase_open_hold(state_, request_id);
  put_ended(state_, request_id, sequence);
  TRY(put_counts(limits, {}));
  return Settlement{request_id, Money(), open.held(), {}};
}

Result<int64_t> Books::recover(const std::vector<std::string>& living, int64_t limit) {
  auto left_open = TRY(open_holds(state_, kOpenHoldsMax));
  std::erase_if(left_open,
                [&](const OpenHold& hold) { return std::ranges::find(living, hold.lease) != living.end(); });
  if (std::ssize(left_open) > limit) left_open.resize(static_cast<size_t>(limit));
  // Whatever a damaged database lacks must show before the first of them is written.
  for (const OpenHold& hold : left_open) TRY(pinned(hold.price_id));
  for (const OpenHold& hold : left_open) {
    if (hold.mark == TokenUsage{}) {
      TRY(release(hold.request_id, Outcome::kRecovered));
    } else {
      TRY(settle(hold.request_id, hold.mark, Outcome::kRecovered));
    }
  }
  return static_cast<int64_t>(left_open.size());
}

}  // namespace feilun::ledger
