#include <algorithm>

#include "ledger/books.h"
#include "ledger/limits.h"

// The road of one request. A hold moves money from the wallet to the project's hold account; settling moves
// what was used from there to revenue and the rest back. The wallet's balance is therefore always what is
// free to spend, and "posted + pending never exceeds the balance" is one comparison inside one transaction.

namespace feilun::ledger {
namespace {

Result<> check_request_id(std::string_view id) {
  if (id.empty() || id.size() > kTextBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "a request id has 1 to {} bytes", kTextBytesMax);
  }
  return {};
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

bool is_empty(const TokenUsage& usage) {
  return usage == TokenUsage{};
}

}  // namespace

Result<OpenHold> Books::known_hold(std::string_view request_id) {
  auto hold = TRY(store_.open_hold(request_id));
  if (hold) return *std::move(hold);
  if (TRY(store_.has_ended(request_id))) {
    return fail(ErrorCode::kConflict, "the request {} has ended already", request_id);
  }
  return fail(ErrorCode::kNotFound, "there is no hold for the request {}", request_id);
}

Result<PriceVersion> Books::pinned_price(const OpenHold& hold) {
  auto price = TRY(store_.price(hold.price_id));
  if (!price) return fail(ErrorCode::kCorrupt, "the hold {} has no price", hold.request_id);
  return *std::move(price);
}

Result<Hold> Books::hold(const HoldRequest& request) {
  TRY(check_request_id(request.request_id));
  TRY(check_tokens(request.input_tokens));
  TRY(check_tokens(request.output_slice));
  if (request.key_id.size() > kTextBytesMax)
    return fail(ErrorCode::kInvalidArgument, "the key's id is too long");
  const Project project = TRY(known_project(request.project_id));
  if (TRY(store_.open_hold(request.request_id)) || TRY(store_.has_ended(request.request_id))) {
    return fail(ErrorCode::kConflict, "the request {} was seen before", request.request_id);
  }
  const auto price = TRY(store_.price_at(request.offering, project.currency, now_));
  if (!price) {
    return fail(ErrorCode::kNotFound, "'{}' has no price in {}", request.offering, project.currency);
  }
  const Money available = TRY(balance_of(wallet_of(project.id), project.currency));
  const Money input = pricing::worst_input_cost(*price, request.input_tokens);
  const Money unit = pricing::worst_output_unit(*price);
  const TokenCount slice = request.output_slice;
  const TokenCount tokens = input > available ? 0 : affordable_tokens(available - input, unit, slice);
  if (input > available || (tokens == 0 && slice > 0)) {
    return fail(ErrorCode::kInsufficientQuota, "the balance of {} {} does not pay for this request",
                available.to_string(), project.currency);
  }
  OpenHold open{.request_id = request.request_id, .key_id = request.key_id, .project_id = project.id};
  open.tier = request.tier;
  open.price_id = price->id;
  open.input_tokens = request.input_tokens;
  open.output_tokens = tokens;
  open.held = input + unit * tokens;
  PayloadWriter payload(EntryKind::kHold);
  payload.text(open.request_id).text(open.key_id).text(open.project_id).text(price->offering);
  payload.byte(static_cast<uint8_t>(open.tier)).number(open.price_id);
  payload.number(open.input_tokens).number(open.output_tokens).byte(tokens < slice ? 1 : 0);
  open.opened = TRY(record(std::move(payload), {{wallet_of(project.id), project.currency, -open.held},
                                                {held_of(project.id), project.currency, open.held}}));
  TRY(store_.insert_open_hold(open));
  return Hold{open.request_id, *price, open.held, tokens, tokens < slice};
}

Result<Hold> Books::top_up(const std::string& request_id, TokenCount more) {
  TRY(check_tokens(more));
  OpenHold open = TRY(known_hold(request_id));
  TRY(check_tokens(open.output_tokens + more));
  const PriceVersion price = TRY(pinned_price(open));
  const Money available = TRY(balance_of(wallet_of(open.project_id), price.currency));
  const Money unit = pricing::worst_output_unit(price);
  const TokenCount added = affordable_tokens(available, unit, more);
  if (added > 0) {
    const Money amount = unit * added;
    open.output_tokens += added;
    open.held += amount;
    PayloadWriter payload(EntryKind::kTopUp);
    payload.text(request_id).number(added).byte(added < more ? 1 : 0);
    TRY(record(std::move(payload), {{wallet_of(open.project_id), price.currency, -amount},
                                    {held_of(open.project_id), price.currency, amount}}));
    TRY(store_.update_open_hold(open));
  }
  return Hold{request_id, price, open.held, open.output_tokens, added < more};
}

Result<TokenUsage> Books::mark(const std::string& request_id, const TokenUsage& usage) {
  TRY(check_usage(usage));
  OpenHold open = TRY(known_hold(request_id));
  const PriceVersion price = TRY(pinned_price(open));
  // A mark rises in tokens and in money; anything else is a late or repeated one and changes nothing.
  const bool rises = usage.input() >= open.mark.input() && usage.total_output() >= open.mark.total_output() &&
                     pricing::cost_of(price, usage) >= pricing::cost_of(price, open.mark);
  if (rises && usage != open.mark) {
    open.mark = usage;
    TRY(record(std::move(PayloadWriter(EntryKind::kMark).text(request_id).usage(usage)), {}));
    TRY(store_.update_open_hold(open));
  }
  return open.mark;
}

Result<Settlement> Books::settle(const std::string& request_id, const TokenUsage& usage, Outcome outcome,
                                 const std::optional<RequestCost>& cost) {
  TRY(check_usage(usage));
  if (cost) TRY(check_cost(*cost));
  const OpenHold open = TRY(known_hold(request_id));
  const PriceVersion price = TRY(pinned_price(open));
  const Money charged = std::min(pricing::cost_of(price, usage), open.held);
  const Money released = open.held - charged;
  PayloadWriter payload(EntryKind::kSettle);
  payload.text(request_id).text(open.key_id).text(open.project_id);
  payload.byte(static_cast<uint8_t>(open.tier)).byte(static_cast<uint8_t>(outcome)).number(open.price_id);
  payload.usage(usage);
  const std::vector<Posting> postings = {{held_of(open.project_id), price.currency, -open.held},
                                         {"revenue", price.currency, charged},
                                         {wallet_of(open.project_id), price.currency, released}};
  const int64_t sequence = TRY(record(std::move(payload), postings));
  TRY(store_.delete_open_hold(request_id));
  TRY(store_.insert_ended(request_id, sequence));
  TRY(count_usage(open.project_id, usage, charged));
  if (cost) {
    PayloadWriter beside(EntryKind::kCost);
    beside.text(request_id).number(cost->attributed.count()).number(cost->saved.count());
    beside.number(cost->kv_byte_seconds).number(cost->cost_model);
    beside.raw(cost->currency).amount(cost->per_hour).amount(cost->cost);
    TRY(record(std::move(beside), {}));
  }
  return Settlement{request_id, charged, released, usage};
}

Result<Settlement> Books::release(const std::string& request_id, Outcome outcome) {
  const OpenHold open = TRY(known_hold(request_id));
  const PriceVersion price = TRY(pinned_price(open));
  PayloadWriter payload(EntryKind::kRelease);
  payload.text(request_id).byte(static_cast<uint8_t>(outcome));
  const int64_t sequence =
      TRY(record(std::move(payload), {{held_of(open.project_id), price.currency, -open.held},
                                      {wallet_of(open.project_id), price.currency, open.held}}));
  TRY(store_.delete_open_hold(request_id));
  TRY(store_.insert_ended(request_id, sequence));
  return Settlement{request_id, Money(), open.held, {}};
}

Result<int64_t> Books::recover(int64_t limit) {
  const auto left_open = TRY(store_.open_holds(limit));
  // Whatever a damaged database lacks must show before the first of them is written.
  for (const OpenHold& hold : left_open) TRY(pinned_price(hold));
  for (const OpenHold& hold : left_open) {
    if (is_empty(hold.mark)) {
      TRY(release(hold.request_id, Outcome::kRecovered));
    } else {
      TRY(settle(hold.request_id, hold.mark, Outcome::kRecovered));
    }
  }
  return static_cast<int64_t>(left_open.size());
}

}  // namespace feilun::ledger
