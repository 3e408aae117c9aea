#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "ledger/verify_paper.h"
#include "ledger/verify_replay.h"

// What follows an invoice: payments, also such that go back, and credit notes.

namespace feilun::ledger::audit {
namespace {

/// Whose payments brought no new money.
constexpr std::string_view kFromWallet = "Wallet";

std::string currency_of(const Entry& entry) {
  return entry.postings.empty() ? "" : entry.postings[0].currency;
}

}  // namespace

void Replay::check_given_once(const Owed& owed) {
  const auto& refunds = given_back_[{owed.payer, owed.month}];
  int128 twice = 0, elsewhere = 0;
  for (const auto& [of, usage] : owed.usage) {
    const auto place = refunds.find(of);
    const GivenBack back = place == refunds.end() ? GivenBack() : place->second;
    add(elsewhere, back.elsewhere);
    if (usage.noted != 0) add(twice, std::max<int128>(0, usage.noted + back.all - usage.charged));
  }
  if (twice > owed.returned) breach("refunds and credit notes give back more of a line than was charged");
  if (elsewhere != 0 && elsewhere > owed.exact_left) {
    breach("refunds and credit notes give back more than the wallet paid");
  }
}

void Replay::add_free_money(const std::string& payer, int128 more) {
  int128& free = free_money_[payer];
  add(free, more);
  if (free < 0) breach("invoices take more than the payer has put in");
  put(KeyBytes('G').text(payer).take(), ValueBytes().amount(free).take());
}

void Replay::put_owed(const std::string& number) {
  const Owed& owed = owed_.at(number);
  put(KeyBytes('a').text(owed.payer).text(number).take(), ValueBytes()
                                                              .raw(owed.currency)
                                                              .number(owed.due_day)
                                                              .amount(owed.total)
                                                              .amount(owed.paid)
                                                              .amount(owed.credited)
                                                              .take());
}

int128 Replay::paid_by_it_alone(const Owed& owed, const Came& payment) {
  int128 others = owed.kept;
  for (const auto& [reference, came] : owed.came) {
    if (&came != &payment) add(others, std::min(came.amount, came.applied));
  }
  return std::max<int128>(owed.paid - others, 0);
}

void Replay::payment(const Entry& entry) {
  const std::string& number = entry.text("invoice");
  const std::string& payer = entry.text("payer");
  const std::string& record = entry.text("record");
  const auto place = owed_.find(number);
  if (place == owed_.end() || place->second.payer != payer) return problem("a payment of no invoice");
  if (entry.text("id") != number + " " + text_of(record, "reference")) {
    problem("a payment's id is not its invoice and reference");
  }
  make_record("payment", entry.text("id"), number, "", record);
  log_made(entry, "payment", entry.text("id"), payer, "", record);
  Owed& owed = place->second;
  const int128 open = owed.total - owed.paid - owed.credited;
  const int128 applied = entry.amount("applied");
  const int128 put_in = entry.postings.empty() ? 0 : -entry.postings[0].amount;
  expect_postings(
      entry, {{"funding", currency_of(entry), -put_in}, {"wallet:" + payer, currency_of(entry), put_in}});
  if (put_in != 0 && currency_of(entry) != owed.currency) problem("a payment in another currency");
  const bool from_wallet = put_in == 0;
  int128 right = std::min(put_in, open);
  if (from_wallet) right = std::min({applied, open, free_money_[payer]});
  const std::string returns = text_of(record, "returns");
  Came& came = owed.came[returns.empty() ? text_of(record, "reference") : returns];
  if (put_in < 0) right = -std::min({-put_in, came.applied, paid_by_it_alone(owed, came)});
  if ((put_in >= 0 && applied <= 0) || applied != right) {
    breach("a payment pays another sum than it can");
  }
  if (returns.empty() == (put_in < 0)) breach("a payment that goes back, and no other, names what it was");
  add(came.amount, put_in);
  add(owed.received, put_in);
  add(came.applied, applied);
  if (from_wallet) add(owed.kept, applied);
  if (came.amount < 0) breach("more goes back than came by the payment");
  if (owed.received < 0) breach("more goes back than was paid");
  const bool same = text_of(record, "payer") == payer && text_of(record, "currency") == owed.currency &&
                    text_of(record, "amount") == fmt::format("{}", from_wallet ? applied : put_in) &&
                    text_of(record, "applied") == fmt::format("{}", applied);
  if (!same) problem("a payment's record says otherwise");
  if ((text_of(record, "method") == kFromWallet) != from_wallet) {
    breach("a payment's method tells otherwise where its money came from");
  }
  add(owed.paid, applied);
  put_owed(number);
  add_free_money(payer, put_in - applied);
}

bool Replay::take_back(Owed& owed, const Paper& note, std::string_view record) {
  const auto body = JsonDocument::parse(record);
  simdjson::dom::array lines;
  if (!body || body->root()["lines"].get(lines) || lines.size() != note.lines.size()) return false;
  int128 net = 0;
  for (const LineLeft& line : owed.lines) net += line.amount;
  std::vector<int128> taxes(owed.percents.size());
  size_t at = 0;
  for (const simdjson::dom::element each : lines) {
    const PaperLine& back = note.lines[at++];
    int64_t index = -1;
    if (each["line"].get(index) || index < 0 || index >= std::ssize(owed.lines)) return false;
    LineLeft& left = owed.lines[static_cast<size_t>(index)];
    const int128 amount = -back.amount;
    const bool within =
        left.amount < 0 ? left.amount <= amount && amount <= 0 : 0 <= amount && amount <= left.amount;
    if (!within || -back.exact != (amount == left.amount ? left.exact : amount)) return false;
    left.amount -= amount;
    left.exact += back.exact;
    owed.exact_left += back.exact;
    if (left.usage) owed.usage[*left.usage].noted -= back.exact;
    if (!left.usage && back.exact > 0) owed.returned += back.exact;
    int128 tax = 0;
    for (size_t i = 0; i < taxes.size(); ++i) {
      const int128 part =
          tax_on(net - amount, owed.percents[i], owed.coin) - tax_on(net, owed.percents[i], owed.coin);
      taxes[i] += part;
      tax += part;
    }
    if (back.tax != tax) return false;
    net -= amount;
  }
  for (size_t i = 0; i < taxes.size(); ++i) {
    if (i >= note.taxes.size() || note.taxes[i].amount != taxes[i]) return false;
  }
  return net >= 0 && note.net <= 0;
}

void Replay::credit_note(const Entry& entry) {
  const std::string& invoice = entry.text("invoice");
  const std::string& payer = entry.text("payer");
  const std::string& number = entry.text("number");
  const auto place = owed_.find(invoice);
  if (place == owed_.end() || place->second.payer != payer) return problem("a credit note of no invoice");
  Owed& owed = place->second;
  if (number != fmt::format("{}-C{}", invoice, ++owed.notes))
    problem("credit notes are not numbered in order");
  make_record("credit_note", number, invoice, entry.text("name"), entry.text("record"));
  const auto note = read_paper(text_of(entry.text("record"), "note"));
  if (!note) return problem("a credit note cannot be read: " + note.error());
  if (const std::string fault = fault_of_sums(*note); !fault.empty()) problem("a credit note: " + fault);
  log_made(
      entry, "credit_note", number, payer, entry.text("name"),
      fmt::format(R"({{"invoice":"{}","currency":"{}","total":"{}","reason":{}}})", invoice, note->currency,
                  note->total, in_json(text_of(text_of(entry.text("record"), "note"), "reason"))));
  if (note->number != number || note->corrects != invoice || note->currency != owed.currency) {
    problem("a credit note is another's");
  }
  if (!take_back(owed, *note, entry.text("record"))) {
    problem("a credit note does not take back what is left of the invoice's lines, and its tax");
  }
  check_given_once(owed);
  expect_postings(entry, {{"revenue", note->currency, note->exact},
                          {"rounding", note->currency, -note->residue},
                          {"tax", note->currency, note->total - note->net},
                          {"wallet:" + payer, note->currency, -note->total}});
  const int128 freed = std::max<int128>(0, -note->total - (owed.total - owed.paid - owed.credited));
  add(owed.credited, -note->total);
  add(owed.paid, -freed);
  put_owed(invoice);
  add_free_money(payer, freed);
}

}  // namespace feilun::ledger::audit
