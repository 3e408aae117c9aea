#include "ledger/rows.h"

#include "ledger/fields.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kDrawsMax = 1000;
constexpr size_t kHoldBytes = 288;   ///< enough for most
constexpr size_t kTotalsBytes = 48;  ///< likewise

KeyWriter key_of(char table, std::string_view id) {
  KeyWriter key(table);
  key.text(id);
  return key;
}
KeyWriter hold_key(std::string_view request_id) {
  return key_of(kOpenHolds, request_id);
}
KeyWriter ended_key(std::string_view request_id) {
  return key_of('E', request_id);
}
KeyWriter account_key(std::string_view name, std::string_view currency) {
  KeyWriter key('A');
  key.text(name).raw(currency);
  return key;
}
KeyWriter price_key(std::string_view offering, std::string_view currency, std::string_view organisation) {
  KeyWriter key('P');
  key.text(offering).text(currency).text(organisation);
  return key;
}
KeyWriter credit_key(std::string_view idempotency_key) {
  return key_of('K', idempotency_key);
}
KeyWriter usage_key(std::string_view project_id) {
  return key_of('U', project_id);
}

std::unexpected<Error> unreadable(std::string_view what, std::string_view which) {
  return fail(ErrorCode::kCorrupt, "the row of the {} {} cannot be read", what, which);
}

Result<OpenHold> read_open_hold(std::string_view request_id, std::string_view value) {
  FieldReader fields(value);
  OpenHold hold{.request_id = std::string(request_id)};
  hold.key_id = fields.text();
  hold.project_id = fields.text();
  hold.payer_id = fields.text();
  hold.offering = fields.text();
  hold.currency = fields.raw(3);
  hold.tier = static_cast<ServiceTier>(fields.byte() & 3);
  hold.price_id = fields.number();
  hold.input_tokens = fields.number();
  hold.output_tokens = fields.number();
  hold.covered_tokens = fields.number();
  const int64_t draws = fields.number();
  for (int64_t i = 0; i < draws && draws <= kDrawsMax && fields.ok(); ++i) {
    Draw draw{.account = fields.text()};
    draw.currency = fields.raw(3);
    draw.amount = fields.amount();
    hold.draws.push_back(std::move(draw));
  }
  hold.mark = fields.usage();
  hold.opened = fields.number();
  hold.lease = fields.text();
  if (!fields.ok() || !fields.at_end() || draws > kDrawsMax) return unreadable("hold", request_id);
  return hold;
}

Result<UsageTotals> read_usage_totals(std::string_view project_id, const std::string* value) {
  UsageTotals totals;
  if (value == nullptr) return totals;
  FieldReader fields(*value);
  totals.requests = fields.number();
  totals.usage = fields.usage();
  totals.charged = fields.amount();
  if (!fields.ok() || !fields.at_end()) return unreadable("usage of", project_id);
  return totals;
}

}  // namespace

Money OpenHold::held() const {
  Money sum;
  for (const Draw& draw : draws) {
    if (draw.currency == currency) sum += draw.amount;
  }
  return sum;
}

Result<std::optional<OpenHold>> open_hold(State& state, std::string_view request_id) {
  const std::string* value = TRY(state.get(hold_key(request_id).view()));
  if (value == nullptr) return std::nullopt;
  return TRY(read_open_hold(request_id, *value));
}

Result<std::vector<OpenHold>> open_holds(State& state, int64_t limit) {
  std::vector<OpenHold> holds;
  for (const StateRow& row : TRY(state.scan(std::string(1, kOpenHolds), limit))) {
    holds.push_back(TRY(read_open_hold(std::string_view(row.key).substr(1, row.key.size() - 2), row.value)));
  }
  return holds;
}

void put_open_hold(State& state, const OpenHold& hold) {
  FieldWriter value;
  value.reserve(kHoldBytes);
  value.text(hold.key_id).text(hold.project_id).text(hold.payer_id).text(hold.offering).raw(hold.currency);
  value.byte(static_cast<uint8_t>(hold.tier)).number(hold.price_id).number(hold.input_tokens);
  value.number(hold.output_tokens).number(hold.covered_tokens).number(std::ssize(hold.draws));
  for (const Draw& draw : hold.draws) value.text(draw.account).raw(draw.currency).amount(draw.amount);
  value.usage(hold.mark).number(hold.opened).text(hold.lease);
  state.put(hold_key(hold.request_id).view(), value.take());
}

void erase_open_hold(State& state, std::string_view request_id) {
  state.erase(hold_key(request_id).view());
}

std::vector<std::string> request_keys(std::string_view request_id) {
  return {hold_key(request_id).take(), ended_key(request_id).take()};
}

Result<bool> has_ended(State& state, std::string_view request_id) {
  return TRY(state.get(ended_key(request_id).view())) != nullptr;
}

Result<std::optional<int64_t>> ended_by(State& state, std::string_view request_id) {
  const std::string* value = TRY(state.get(ended_key(request_id).view()));
  if (value == nullptr) return std::nullopt;
  FieldReader fields(*value);
  const int64_t sequence = fields.number();
  if (!fields.ok() || !fields.at_end()) return unreadable("end of", request_id);
  return sequence;
}

void put_ended(State& state, std::string_view request_id, int64_t sequence) {
  state.put_away(ended_key(request_id).view(), FieldWriter().number(sequence).bytes());
}

Result<Money> account(State& state, std::string_view name, std::string_view currency) {
  return balance_of(*TRY(account_row(state, name, currency)));
}

Result<State::Row*> account_row(State& state, std::string_view name, std::string_view currency) {
  return state.find(account_key(name, currency).view());
}

Result<Money> balance_of(const State::Row& account) {
  if (account.value() == nullptr) return Money();
  FieldReader fields(*account.value());
  const Money balance = fields.amount();
  if (!fields.ok() || !fields.at_end()) return unreadable("account", account.key().substr(1));
  return balance;
}

void put_balance(State& state, State::Row& account, Money balance) {
  state.put(account, std::string(view(amount_bytes(balance))));
}

Result<std::vector<PriceInterval>> price_intervals(State& state, std::string_view offering,
                                                   std::string_view currency, std::string_view organisation) {
  std::vector<PriceInterval> intervals;
  if (offering.find('\0') != offering.npos) return intervals;
  const std::string* value = TRY(state.get(price_key(offering, currency, organisation).view()));
  if (value == nullptr) return intervals;
  FieldReader fields(*value);
  while (fields.ok() && !fields.at_end()) {
    PriceInterval interval;
    interval.from = fields.time();
    interval.until = fields.time();
    interval.id = fields.number();
    intervals.push_back(interval);
  }
  if (!fields.ok()) return unreadable("prices of", offering);
  return intervals;
}

void put_price_intervals(State& state, const PriceVersion& of, const std::vector<PriceInterval>& intervals) {
  FieldWriter value;
  for (const PriceInterval& interval : intervals) {
    value.time(interval.from).time(interval.until).number(interval.id);
  }
  state.put(price_key(of.offering, of.currency, of.organisation).view(), value.take());
}

Result<std::optional<CreditRow>> credit(State& state, std::string_view idempotency_key) {
  const std::string* value = TRY(state.get(credit_key(idempotency_key).view()));
  if (value == nullptr) return std::nullopt;
  FieldReader fields(*value);
  CreditRow row{.idempotency_key = std::string(idempotency_key)};
  row.payer_id = fields.text();
  row.currency = fields.raw(3);
  row.amount = fields.amount();
  row.sequence = fields.number();
  if (!fields.ok() || !fields.at_end()) return unreadable("credit", idempotency_key);
  return row;
}

void put_credit(State& state, const CreditRow& row) {
  FieldWriter value;
  value.text(row.payer_id).raw(row.currency).amount(row.amount).number(row.sequence);
  state.put(credit_key(row.idempotency_key).view(), value.take());
}

Result<UsageTotals> usage_totals(State& state, std::string_view project_id) {
  return read_usage_totals(project_id, TRY(state.get(usage_key(project_id).view())));
}

Result<> add_usage_totals(State& state, std::string_view project_id, const UsageTotals& more) {
  State::Row& row = *TRY(state.find(usage_key(project_id).view()));
  UsageTotals totals = TRY(read_usage_totals(project_id, row.value()));
  totals.requests += more.requests;
  totals.usage += more.usage;
  totals.charged += more.charged;
  FieldWriter value;
  value.reserve(kTotalsBytes);
  value.number(totals.requests).usage(totals.usage).amount(totals.charged);
  state.put(row, value.take());
  return {};
}

}  // namespace feilun::ledger
