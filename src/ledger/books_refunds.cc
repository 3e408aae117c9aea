#include <algorithm>
#include <boost/json.hpp>
#include <ranges>
#include <span>

#include "ledger/audit_log.h"
#include "ledger/books.h"
#include "ledger/charged_request.h"
#include "ledger/checked_text.h"
#include "ledger/closed_months.h"
#include "ledger/fields.h"
#include "ledger/given_back.h"
#include "ledger/invoice_items.h"
#include "ledger/invoicing.h"
#include "ledger/journal_walk.h"
#include "ledger/limits.h"

namespace feilun::ledger {
namespace {

constexpr size_t kRefundsMax = 100;

std::string refunds_key(std::string_view request_id) {
  return KeyWriter('F').text(request_id).take();
}

void put_refunds(State& state, std::string_view request_id, const std::vector<Refund>& refunds) {
  FieldWriter value;
  for (const Refund& refund : refunds) {
    value.text(refund.idempotency_key).amount(refund.amount).number(refund.tokens).number(refund.sequence);
  }
  state.put(refunds_key(request_id), value.take());
}

/// What the settle says of a request; of one that was released, that nothing was spent.
Result<ChargedRequest> ended_request(State& state, std::string_view request_id) {
  const auto ended = TRY(ended_by(state, request_id));
  if (!ended) {
    const bool open = TRY(open_hold(state, request_id)).has_value();
    if (open) return fail(ErrorCode::kConflict, "the request {} has not ended yet", request_id);
    return fail(ErrorCode::kNotFound, "there is no request {}", request_id);
  }
  const JournalRow entry = TRY(state.entry(*ended));
  ChargedRequest request;
  if (FieldReader(entry.payload).byte() == static_cast<uint8_t>(EntryKind::kSettle)) {
    TRY(read_settle(entry, request));
  }
  return request;
}

bool is_tokens(const Posting& posting) {
  return posting.currency == kTokenUnit;
}

/// What is charged for and what has come back of it, in money and in tokens.
struct Charge {
  Money amount;
  Money tokens;

  static Charge of(const std::vector<Posting>& spent) {
    Charge charge;
    for (const Posting& posting : spent) {
      (is_tokens(posting) ? charge.tokens : charge.amount) += posting.amount;
    }
    return charge;
  }
  static Charge of(std::span<const Refund> refunds) {
    Charge charge;
    for (const Refund& refund : refunds) {
      charge.amount += refund.amount;
      charge.tokens += token_amount(refund.tokens);
    }
    return charge;
  }
};

/// `part` of what was spent, from behind, after `before` of it came back already.
std::vector<Posting> unwound(const std::vector<Posting>& spent, Charge before, Charge part) {
  std::vector<Posting> back;
  for (const Posting& posting : spent | std::views::reverse) {
    Money& skip = is_tokens(posting) ? before.tokens : before.amount;
    Money& want = is_tokens(posting) ? part.tokens : part.amount;
    const Money skipped = std::min(skip, posting.amount);
    const Money taken = std::min(want, posting.amount - skipped);
    skip -= skipped;
    want -= taken;
    if (!taken.is_zero()) back.push_back({posting.account, posting.currency, taken});
  }
  return back;
}

bool is_of_wallet(const Posting& posting) {
  return posting.account.starts_with(kWalletAccounts);
}

Result<MonthCharge> charge_of(State& state, std::string_view request_id, const ChargedRequest& settled) {
  const auto held = TRY(request_from_hold(TRY(hold_entry(state, request_id, settled.sequence))));
  MonthCharge charge{.payer_id = held.payer_id};
  const Project project = TRY(find_project(state, held.project_id));
  charge.month = TRY(month_counted(state, project, settled.sequence, settled.settled));
  charge.key = {
      .project_id = held.project_id, .offering = held.offering, .tier = held.tier, .price_id = held.price_id};
  return charge;
}

/// kConflict in a month that is closed: for what a wallet paid, because a credit note gives that back, and
/// for what a credit note gave back.
Result<> check_not_noted(State& state, const MonthCharge& charge, const ChargedRequest& settled,
                         Money amount) {
  if (TRY(counting_month(state, charge.payer_id, charge.month)) == charge.month) return {};
  if (std::ranges::any_of(settled.spent, is_of_wallet)) {
    return fail(ErrorCode::kConflict,
                "{} is invoiced, or its commitment settled: give back with a credit note on its invoice",
                to_string(charge.month));
  }
  const auto record = TRY(find_record_named(state, "invoice", invoice_name(charge.payer_id, charge.month)));
  if (!record) return {};
  const Invoice invoice = TRY(issued_invoice(state, record->id));
  const auto noted = TRY(taken_back(state, record->id));
  auto left = TRY(ChargesLeft::of(state, invoice, charge.month, noted));
  left.refund(charge.key, amount);
  return left.check();
}

/// What comes back to a wallet is on the next invoice; a lot that gets something back pays with it again.
Result<> count_refund(State& state, const MonthCharge& charge, const std::vector<Posting>& back,
                      WallTime now) {
  GivenBack given;
  for (const Posting& part : back) {
    if (!is_tokens(part)) given.refunded += part.amount;
    if (!is_of_wallet(part)) continue;
    const Month today = TRY(find_buyer(state, charge.payer_id)).zone.month_of(now);
    const Month month = TRY(counting_month(state, charge.payer_id, today));
    TRY(add_invoice_item(state, charge.payer_id, month, ItemKind::kRefunded, "", part.amount));
    if (month != charge.month) given.elsewhere += part.amount;
  }
  return given.refunded.is_zero() ? Result<>() : add_given_back(state, charge, given);
}

/// Whether the request asks for what was done under its key: what is left, where it names nothing, is what
/// was left then.
bool asks_for(const RefundRequest& request, const Refund& done, const Charge& left_then) {
  const bool whole = !request.amount && !request.tokens;
  const Money amount = whole ? left_then.amount : request.amount.value_or(Money());
  const TokenCount tokens = whole ? tokens_in(left_then.tokens) : request.tokens.value_or(0);
  return amount == done.amount && tokens == done.tokens;
}

}  // namespace

Result<std::vector<Refund>> refunds_of(State& state, std::string_view request_id) {
  std::vector<Refund> refunds;
  const std::string* value = TRY(state.get(refunds_key(request_id)));
  if (value == nullptr) return refunds;
  FieldReader fields(*value);
  while (fields.ok() && !fields.at_end()) {
    Refund refund{.idempotency_key = fields.text()};
    refund.amount = fields.amount();
    refund.tokens = fields.number();
    refund.sequence = fields.number();
    refunds.push_back(std::move(refund));
  }
  if (!fields.ok()) return fail(ErrorCode::kCorrupt, "the refunds of {} cannot be read", request_id);
  return refunds;
}

Result<ChargeLeft> charge_left(State& state, std::string_view request_id) {
  TRY(check_text("request's id", request_id, false));
  const Charge charged = Charge::of(TRY(ended_request(state, request_id)).spent);
  const Charge back = Charge::of(TRY(refunds_of(state, request_id)));
  return ChargeLeft{charged.amount, back.amount, tokens_in(charged.tokens), tokens_in(back.tokens)};
}

Result<Refund> Books::refund(const RefundRequest& request) {
  TRY(check_text("request's id", request.request_id, false));
  TRY(check_text("reason", request.reason, true));
  TRY(check_text("idempotency key", request.idempotency_key, true));
  auto refunds = TRY(refunds_of(state_, request.request_id));
  const auto settled = TRY(ended_request(state_, request.request_id));
  const Charge charged = Charge::of(settled.spent);
  const auto done = request.idempotency_key.empty()
                        ? refunds.end()
                        : std::ranges::find(refunds, request.idempotency_key, &Refund::idempotency_key);
  const Charge before = Charge::of(std::span(refunds.begin(), done));
  const Charge left{charged.amount - before.amount, charged.tokens - before.tokens};
  if (done != refunds.end() && asks_for(request, *done, left)) return *done;
  if (done != refunds.end()) {
    return fail(ErrorCode::kConflict, "the idempotency key '{}' was used for another refund",
                request.idempotency_key);
  }
  const bool whole = !request.amount && !request.tokens;
  const TokenCount tokens = request.tokens.value_or(whole ? tokens_in(left.tokens) : 0);
  if (tokens < 0 || tokens > tokens_in(left.tokens)) {
    return fail(ErrorCode::kInvalidArgument, "{} tokens are left to be refunded", tokens_in(left.tokens));
  }
  const Money amount = request.amount.value_or(whole ? left.amount : Money());
  if (amount.is_negative() || amount > left.amount) {
    return fail(ErrorCode::kInvalidArgument, "{} is left to be refunded", left.amount.to_string());
  }
  if (amount.is_zero() && tokens == 0) {
    return fail(ErrorCode::kInvalidArgument, "there is nothing to refund of {}", request.request_id);
  }
  if (refunds.size() >= kRefundsMax) {
    return fail(ErrorCode::kInvalidArgument, "a request is refunded at most {} times", kRefundsMax);
  }
  const MonthCharge charge = TRY(charge_of(state_, request.request_id, settled));
  TRY(check_not_noted(state_, charge, settled, amount));
  std::vector<Posting> postings;
  const auto back_to = unwound(settled.spent, before, {amount, token_amount(tokens)});
  for (const Posting& back : back_to) {
    postings.push_back({"revenue", back.currency, -back.amount});
    postings.push_back({TRY(returned_to(back.account)), back.currency, back.amount});
  }
  Payload payload(EntryKind::kRefund);
  payload.text(request.request_id).text(actor_).text(request.reason).text(request.idempotency_key);
  const std::string& project = charge.key.project_id;
  const boost::json::object after = {{"currency", TRY(find_project(state_, project)).currency},
                                     {"amount", amount.to_pico_string()},
                                     {"tokens", tokens},
                                     {"reason", request.reason}};
  const int64_t sequence = TRY(record_act(std::move(payload), std::move(postings),
                                          {.verb = "create",
                                           .type = "refund",
                                           .id = request.request_id,
                                           .parent = project,
                                           .name = request.idempotency_key,
                                           .after = boost::json::serialize(after)}));
  refunds.push_back({request.idempotency_key, amount, tokens, sequence});
  put_refunds(state_, request.request_id, refunds);
  TRY(count_refund(state_, charge, back_to, now_));
  return refunds.back();
}

}  // namespace feilun::ledger
