#include <algorithm>
#include <boost/json.hpp>

#include "ledger/audit_log.h"
#include "ledger/books.h"
#include "ledger/checked_amount.h"
#include "ledger/checked_text.h"
#include "ledger/currency.h"

// What is put into wallets, and what offerings cost.

namespace feilun::ledger {
namespace {

Result<> check_price(const PriceVersion& price) {
  TRY(check_offering(price.offering));
  TRY(minor_digits(TRY(parse_currency(price.currency))));
  TRY(check_text("organisation", price.organisation, true));
  return pricing::check_rows(price);
}

const std::string kLastPrice = KeyWriter('S').text("price").take();

Result<int64_t> last_price(State& state) {
  const std::string* value = TRY(state.get(kLastPrice));
  return value == nullptr ? 0 : FieldReader(*value).number();
}

}  // namespace

Result<Balance> Books::credit(std::string_view owner, Money amount, std::string_view currency,
                              std::string_view reason, std::string_view idempotency_key) {
  TRY(check_text("reason", reason, true));
  TRY(check_text("idempotency key", idempotency_key, true));
  const Payer payer = TRY(find_payer(state_, owner));
  TRY(check_amount("credit", amount, kLeastAmount));
  if (currency != payer.currency) {
    return fail(ErrorCode::kInvalidArgument, "the wallet of '{}' is in {}, not {}", payer.name,
                payer.currency, currency);
  }
  const auto before = idempotency_key.empty() ? std::nullopt : TRY(ledger::credit(state_, idempotency_key));
  if (before && (before->payer_id != payer.id || before->amount != amount || before->currency != currency)) {
    return fail(ErrorCode::kConflict, "the idempotency key '{}' was used for another credit",
                idempotency_key);
  }
  if (before) return payer_balance(state_, payer.id, payer.currency);
  const Money funding = TRY(account(state_, "funding", payer.currency));
  TRY(check_funding(funding, amount));
  Payload payload(EntryKind::kCredit);
  payload.text(payer.id).text(actor_).text(reason).text(idempotency_key);
  const boost::json::object after = {
      {"currency", payer.currency}, {"amount", amount.to_pico_string()}, {"reason", reason}};
  const int64_t sequence =
      TRY(record_act(std::move(payload),
                     {{"funding", payer.currency, -amount}, {wallet_of(payer.id), payer.currency, amount}},
                     {.verb = "create",
                      .type = "credit",
                      .id = std::to_string(state_.head().sequence + 1),
                      .parent = payer.id,
                      .name = std::string(idempotency_key),
                      .after = boost::json::serialize(after)}));
  TRY(add_free_money(state_, payer.id, amount));
  if (!idempotency_key.empty()) {
    put_credit(state_, {std::string(idempotency_key), payer.id, payer.currency, amount, sequence});
  }
  return payer_balance(state_, payer.id, payer.currency);
}

Result<PriceVersion> find_price(State& state, int64_t id) {
  const auto record = TRY(find_record(state, "price", std::to_string(id)));
  if (!record) return fail(ErrorCode::kNotFound, "there is no price version {}", id);
  auto price = pricing::price_from_json(record->json);
  if (!price) return fail(ErrorCode::kCorrupt, "the price version {} cannot be read", id);
  price->id = id;
  return *std::move(price);
}

Result<PriceVersion> find_price_at(State& state, std::string_view offering, std::string_view currency,
                                   std::string_view organisation, WallTime at) {
  for (const PriceInterval& in : TRY(price_intervals(state, offering, currency, organisation))) {
    if (at < in.from || at >= in.until) continue;
    PriceVersion price = TRY(find_price(state, in.id));
    price.effective_until = in.until;
    return price;
  }
  return fail(ErrorCode::kNotFound, "'{}' has no price in {}", offering, currency);
}

Result<PriceVersion> Books::set_price(PriceVersion price) {
  price.effective_from = std::max(price.effective_from, now_);
  if (price.effective_until <= price.effective_from) {
    return fail(ErrorCode::kInvalidArgument, "the price would end before it begins");
  }
  TRY(check_price(price));
  auto intervals = TRY(price_intervals(state_, price.offering, price.currency, price.organisation));
  // It ends the version in force at its beginning, and ends where the next one that is scheduled begins.
  std::erase_if(intervals, [&](const PriceInterval& in) {
    return in.from == in.until || in.from == price.effective_from;
  });
  auto next = std::ranges::find_if(intervals,
                                   [&](const PriceInterval& in) { return in.from > price.effective_from; });
  if (next != intervals.end()) price.effective_until = std::min(price.effective_until, next->from);
  if (next != intervals.begin()) {
    auto& before = *std::prev(next);
    before.until = std::min(before.until, price.effective_from);
  }
  price.id = TRY(last_price(state_)) + 1;
  intervals.insert(next, {price.effective_from, price.effective_until, price.id});
  Record made{.type = "price", .id = std::to_string(price.id), .parent = price.offering};
  made.json = pricing::to_json(price);
  TRY(act("publish", std::nullopt, std::move(made)));
  state_.put(kLastPrice, FieldWriter().number(price.id).take());
  put_price_intervals(state_, price, intervals);
  return price;
}

}  // namespace feilun::ledger
