#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "ledger/books.h"
#include "ledger/checked_amount.h"
#include "ledger/checked_text.h"
#include "ledger/currency.h"
#include "ledger/given_back.h"
#include "ledger/invoicing.h"
#include "ledger/limits.h"

// What follows an invoice: payments and credit notes.

namespace feilun::ledger {
namespace {

/// The method of payments that brought no new money.
constexpr std::string_view kFromWallet = "Wallet";

struct Owed {
  Receivable invoice;
  Money coin;
};

Result<Owed> find_owed(State& state, std::string_view number) {
  const auto record = TRY(find_record(state, "invoice", number));
  if (!record) return fail(ErrorCode::kNotFound, "there is no invoice '{}'", number);
  Owed owed{TRY(find_receivable(state, record->parent, number)), Money()};
  owed.coin = smallest_unit(TRY(minor_digits(owed.invoice.currency)));
  return owed;
}

bool same_payment(const PaymentRequest& asked, const PaymentDone& done) {
  return (!asked.amount || *asked.amount == done.amount) &&
         (asked.currency.empty() || asked.currency == done.currency) &&
         (asked.returns.empty() || asked.returns == done.returns) &&
         asked.from_wallet == (done.method == kFromWallet);
}

Money whole_coins(Money amount, Money coin) {
  return Money::pico(amount.pico() - amount.pico() % coin.pico());
}

/// A payment of new money, less what went back of it.
struct PaymentLeft {
  std::string reference;
  Money amount;
  Money applied;
  /// What of it pays the invoice, as long as no credit note frees it.
  Money pays() const { return std::min(amount, applied); }
};

/// A payment that goes back, and what the invoice keeps: what others pay of it.
struct GoingBack {
  PaymentLeft left;
  Money kept;
};

/// The payment that goes back: the one named, or else the only one of which something is left. All that goes
/// back, also what earlier programs did not name, is within all that came.
Result<GoingBack> payment_to_return(State& state, const PaymentRequest& asked) {
  std::map<std::string, PaymentLeft> came;
  Money received;
  Money kept = TRY(issued_invoice(state, asked.invoice)).paid;
  for (const PaymentDone& each : TRY(payments_of(state, asked.invoice))) {
    if (each.method == kFromWallet) {
      kept += each.applied;
      continue;
    }
    received += each.amount;
    const std::string& reference = each.returns.empty() ? each.reference : each.returns;
    PaymentLeft& left = came.try_emplace(reference, reference).first->second;
    left.amount += each.amount;
    left.applied += each.applied;
  }
  for (const auto& [reference, left] : came) kept += left.pays();
  if (asked.amount && -*asked.amount > received) {
    return fail(ErrorCode::kInvalidArgument, "{} cannot go back: {} came for {} and has not gone back",
                (-*asked.amount).to_string(), received.to_string(), asked.invoice);
  }
  std::erase_if(came, [&](const auto& each) {
    const bool named = asked.returns.empty() || each.first == asked.returns;
    return !named || each.second.amount <= Money();
  });
  if (came.size() == 1) {
    PaymentLeft& left = came.begin()->second;
    kept -= left.pays();
    return GoingBack{std::move(left), kept};
  }
  if (came.empty()) {
    const std::string what =
        asked.returns.empty() ? "nothing that came" : "no payment '" + asked.returns + "'";
    return fail(ErrorCode::kInvalidArgument, "{} for {} is left to go back", what, asked.invoice);
  }
  return fail(ErrorCode::kInvalidArgument, "{} payments came for {}: say which of them goes back",
              came.size(), asked.invoice);
}

/// What of a payment that goes back (the amount is below zero) the invoice loses: first what this payment
/// paid of it and no credit note freed; the rest must be free in the wallet.
Result<Money> applied_back(const Owed& owed, Money amount, const GoingBack& back, Money free) {
  const PaymentLeft& left = back.left;
  const Money pays = std::min(left.applied, std::max(owed.invoice.paid - back.kept, Money()));
  const Money applied = std::max(amount, -pays);
  if (-amount <= left.amount && applied - amount <= free) return applied;
  return fail(ErrorCode::kInvalidArgument,
              "{} cannot go back: {} are left of the payment '{}', of which {} pay {}, and {} are free in "
              "the wallet",
              (-amount).to_string(), left.amount.to_string(), left.reference, pays.to_string(),
              owed.invoice.number, free.to_string());
}

/// How much is paid, within what is possible.
Result<Money> amount_paid(const PaymentRequest& asked, const Owed& owed, Money free) {
  const Money open = owed.invoice.open();
  const Money most = asked.from_wallet ? std::min(open, whole_coins(free, owed.coin)) : kOneAmountMax;
  const Money amount = asked.amount.value_or(std::min(open, most));
  if (!asked.from_wallet) TRY(check_amount("payment", amount, -kOneAmountMax));
  if (amount.is_zero() || (asked.from_wallet && amount < Money()) || amount > most) {
    return fail(ErrorCode::kInvalidArgument, "{} cannot be paid: {} is open on {}, {} is free in the wallet",
                amount.to_string(), open.to_string(), asked.invoice, free.to_string());
  }
  if (amount != whole_coins(amount, owed.coin)) {
    return fail(ErrorCode::kInvalidArgument, "{} is not a sum of coins of {}", amount.to_string(),
                owed.invoice.currency);
  }
  return amount;
}

/// The note that is asked for, behind those up to an entry; it has no number yet.
Result<CreditNote> note_behind(State& state, const Invoice& invoice, const CreditRequest& asked,
                               int64_t until, WallTime now) {
  CreditNoteFacts facts{.reason = asked.reason, .lines = asked.lines, .issued = now};
  facts.earlier = TRY(taken_back(state, asked.invoice, until));
  return make_credit_note(invoice, std::move(facts));
}

/// kConflict when refunds gave back already what the note takes back.
Result<> check_given_once(State& state, const Invoice& invoice, const CreditNote& made) {
  const std::string& number = invoice.facts.number;
  const Month month = TRY(month_of_invoice(state, number));
  auto taken = TRY(taken_back(state, number));
  taken.insert(taken.end(), made.taken.begin(), made.taken.end());
  const auto left = TRY(ChargesLeft::of(state, invoice, month, taken));
  return left.check();
}

}  // namespace

Result<PaymentDone> Books::pay_invoice(const PaymentRequest& request) {
  TRY(check_text("method", request.method, false));
  TRY(check_text("reference", request.reference, false));
  TRY(check_text("number and reference", request.invoice + " " + request.reference, false));
  if (request.method == kFromWallet && !request.from_wallet) {
    return fail(ErrorCode::kInvalidArgument, "new money does not come by the method '{}'", kFromWallet);
  }
  const Owed owed = TRY(find_owed(state_, request.invoice));
  if (auto done = TRY(find_payment(state_, request.invoice, request.reference))) {
    if (same_payment(request, *done)) return *std::move(done);
    return fail(ErrorCode::kConflict, "the reference '{}' was used for another payment of {} {}",
                request.reference, done->amount.to_string(), done->currency);
  }
  const std::string& payer = owed.invoice.organisation_id;
  const std::string& currency = owed.invoice.currency;
  if (!request.currency.empty() && request.currency != currency) {
    return fail(ErrorCode::kInvalidArgument, "the invoice is in {}, not {}", currency, request.currency);
  }
  const bool back = request.amount && *request.amount < Money() && !request.from_wallet;
  if (!back && !request.returns.empty()) {
    return fail(ErrorCode::kInvalidArgument, "a payment that goes back has an amount below zero");
  }
  if (!back && owed.invoice.open() <= Money()) {
    return fail(ErrorCode::kConflict, "nothing is open on {}: credit the wallet instead", request.invoice);
  }
  const Money free = TRY(free_money(state_, payer));
  PaymentDone done{.reference = request.reference,
                   .method = request.from_wallet ? std::string(kFromWallet) : request.method};
  done.received = request.received.value_or(now_);
  done.currency = currency;
  done.amount = TRY(amount_paid(request, owed, free));
  done.applied = std::min(done.amount, owed.invoice.open());
  if (back) {
    const GoingBack going = TRY(payment_to_return(state_, request));
    done.applied = TRY(applied_back(owed, done.amount, going, free));
    done.returns = going.left.reference;
  }
  done.invoice = owed.invoice;
  done.invoice.paid += done.applied;
  const Money put_in = request.from_wallet ? Money() : done.amount;
  const Money funding = TRY(account(state_, "funding", currency));
  TRY(check_funding(funding, put_in));
  Record record = record_of(done);
  Payload payload(EntryKind::kPayment);
  payload.text(actor_).text(record.id).text(record.parent).text(payer).amount(done.applied);
  std::string after = record.json;
  TRY(record_made(std::move(payload), {{"funding", currency, -put_in}, {wallet_of(payer), currency, put_in}},
                  std::move(record), payer, std::move(after)));
  put_receivable(state_, done.invoice);
  TRY(add_free_money(state_, payer, put_in - done.applied));
  return done;
}

Result<Invoice> Books::credit_invoice(const CreditRequest& request) {
  TRY(check_text("reason", request.reason, false));
  TRY(check_text("idempotency key", request.idempotency_key, true));
  Owed owed = TRY(find_owed(state_, request.invoice));
  const std::string name =
      request.idempotency_key.empty() ? "" : request.invoice + " " + request.idempotency_key;
  TRY(check_text("number and idempotency key", name, true));
  const Invoice invoice = TRY(issued_invoice(state_, request.invoice));
  if (const auto there = TRY(find_record_named(state_, "credit_note", name))) {
    CreditNote done = TRY(credit_note_from(*there));
    const auto same = note_behind(state_, invoice, request, there->sequence - 1, now_);
    if (same && same->taken == done.taken) return std::move(done.note);
    return fail(ErrorCode::kConflict, "the idempotency key '{}' was used for another credit note, {}",
                request.idempotency_key, there->id);
  }
  CreditNote made = TRY(note_behind(state_, invoice, request, kSequenceMax, now_));
  TRY(check_given_once(state_, invoice, made));
  const auto notes = TRY(records_of(state_, "credit_note", request.invoice, kNotesMax));
  made.note.facts.number = fmt::format("{}-C{}", request.invoice, notes.size() + 1);
  const Invoice& note = made.note;
  const std::string& payer = owed.invoice.organisation_id;
  const std::string& currency = owed.invoice.currency;
  const Money earned = TRY(account(state_, "revenue", currency));
  if ((earned + note.exact).is_negative()) {
    return fail(ErrorCode::kConflict,
                "only {} of all that was charged is left: was a request of this invoice refunded by itself?",
                earned.to_string());
  }
  const boost::json::object after = {{"invoice", request.invoice},
                                     {"currency", currency},
                                     {"total", note.total.to_pico_string()},
                                     {"reason", request.reason}};
  Record record = record_of(made, name);
  Payload payload(EntryKind::kCreditNote);
  payload.text(actor_).text(record.id).text(record.parent).text(payer).text(record.name);
  TRY(record_made(std::move(payload),
                  {{"revenue", currency, note.exact},
                   {"rounding", currency, -note.residue},
                   {"tax", currency, note.total - note.net},
                   {wallet_of(payer), currency, -note.total}},
                  std::move(record), payer, boost::json::serialize(after)));
  // What was paid already and is now too much becomes free again.
  const Money freed = std::max(-note.total - owed.invoice.open(), Money());
  owed.invoice.credited -= note.total;
  owed.invoice.paid -= freed;
  put_receivable(state_, owed.invoice);
  TRY(add_free_money(state_, payer, freed));
  return note;
}

}  // namespace feilun::ledger
