#include "ledger/invoice.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "base/check.h"
#include "ledger/currency.h"

namespace feilun::ledger {
namespace {

/// The order in which a reader expects the classes; lines without tokens are last.
int place_of_class(std::string_view token_class) {
  static constexpr std::string_view kOrder[] = {"input", "cache_read", "cache_write", "output", "reasoning"};
  const auto place = std::ranges::find(kOrder, token_class);
  if (place != std::end(kOrder)) return static_cast<int>(place - std::begin(kOrder));
  return token_class.empty() ? 100 : 99;
}

/// What comes first decides the order, with the organisation's own lines behind its projects'; the rest makes
/// it the same for any order of the input.
auto order_of(const ChargeLine& line) {
  return std::tuple(line.project_id.empty(), std::string_view(line.project_name),
                    std::string_view(line.project_id), std::string_view(line.offering), line.tier,
                    place_of_class(line.token_class), std::string_view(line.token_class), line.price_id,
                    line.unit, line.quantity, line.covered, line.amount, std::string_view(line.description));
}

/// A rounded down to a multiple of the unit, also below zero.
Money floor_to(Money amount, Money unit) {
  const int128 rest = amount.pico() % unit.pico();
  return Money::pico(amount.pico() - rest - (rest < 0 ? unit.pico() : 0));
}

Money sum_of(std::span<const Money> amounts) {
  return std::accumulate(amounts.begin(), amounts.end(), Money());
}

Money net_of(const std::vector<InvoiceLine>& lines) {
  Money net;
  for (const InvoiceLine& line : lines) net += line.amount;
  return net;
}

/// Fills in what follows from lines and taxes.
void close_sums(Invoice& invoice) {
  invoice.exact = Money();
  for (const InvoiceLine& line : invoice.lines) invoice.exact += line.charge.amount;
  invoice.net = net_of(invoice.lines);
  invoice.residue = invoice.exact - invoice.net;
  invoice.total = invoice.net;
  for (const TaxLine& tax : invoice.taxes) invoice.total += tax.amount;
  invoice.paid = Money();
  for (const Payment& payment : invoice.facts.payments) invoice.paid += payment.amount;
  invoice.due = invoice.total - invoice.paid;
  invoice.due_on = plus_days(invoice.facts.zone.day_of(invoice.facts.issued), invoice.facts.due_days);
}

ChargeLine reversed(ChargeLine line) {
  line.quantity = -line.quantity;
  line.covered = -line.covered;
  line.amount = -line.amount;
  return line;
}

/// Marks the lines as taken back; kConflict when one already is.
Result<> take_lines(const std::vector<size_t>& lines, std::vector<bool>& taken) {
  for (size_t line : lines) {
    if (line >= taken.size()) {
      return fail(ErrorCode::kInvalidArgument, "the invoice has no line {}: it has {}", line, taken.size());
    }
    if (taken[line]) return fail(ErrorCode::kConflict, "line {} is already taken back", line);
    taken[line] = true;
  }
  return {};
}

Money net_left(const Invoice& invoice, const std::vector<bool>& taken) {
  Money net;
  for (size_t i = 0; i < taken.size(); ++i) {
    if (!taken[i]) net += invoice.lines[i].amount;
  }
  return net;
}

}  // namespace

std::vector<Money> round_lines(std::span<const Money> exact, Money unit) {
  std::vector<Money> rounded(exact.size());
  std::ranges::transform(exact, rounded.begin(), [&](Money amount) { return floor_to(amount, unit); });
  const Money missing = round_to(sum_of(exact), unit) - sum_of(rounded);
  const auto coins = static_cast<size_t>(missing.pico() / unit.pico());
  CHECK(coins <= exact.size());  // rounding down loses less than a coin a line
  std::vector<size_t> order(exact.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto place = [&](size_t i) { return std::pair(rounded[i] - exact[i], i); };
  std::ranges::sort(order, {}, place);
  for (size_t i = 0; i < coins; ++i) rounded[order[i]] += unit;
  return rounded;
}

Result<Money> tax_of(Money net, std::string_view percent, Money unit) {
  constexpr int128 kMicro = 1'000'000;  // pico-units in a millionth
  const auto rate = Money::parse(percent);
  if (!rate || rate->is_negative() || rate->pico() > 100 * kMicro * kMicro || rate->pico() % kMicro != 0) {
    return fail(ErrorCode::kInvalidArgument,
                "'{}' is not a tax rate: write a percentage from 0 to 100 with at most six decimals",
                percent);
  }
  // net × rate ÷ 100 in whole coins: both sides of the rounding are scaled by 10⁸ to stay integers.
  const int128 millionths = rate->pico() / kMicro;
  const Money scaled = Money::pico(net.pico() / unit.pico()) * static_cast<TokenCount>(millionths);
  const Money coins = round_to(scaled, Money::pico(100 * kMicro));
  return Money::pico(coins.pico() / (100 * kMicro) * unit.pico());
}

Result<Invoice> make_invoice(InvoiceFacts facts) {
  Invoice invoice;
  invoice.digits = TRY(minor_digits(facts.currency));
  const Money unit = smallest_unit(invoice.digits);
  std::ranges::sort(facts.lines, {}, order_of);
  std::vector<Money> exact;
  for (const ChargeLine& line : facts.lines) exact.push_back(line.amount);
  const std::vector<Money> rounded = round_lines(exact, unit);
  for (size_t i = 0; i < rounded.size(); ++i) {
    invoice.lines.push_back({std::move(facts.lines[i]), rounded[i]});
  }
  facts.lines.clear();
  const Money net = net_of(invoice.lines);
  for (const TaxRate& rate : facts.taxes) {
    invoice.taxes.push_back({rate, TRY(tax_of(net, rate.percent, unit))});
  }
  invoice.facts = std::move(facts);
  close_sums(invoice);
  return invoice;
}

Result<Invoice> make_credit_note(const Invoice& invoice, CreditNoteFacts facts) {
  if (!invoice.corrects.empty()) {
    return fail(ErrorCode::kConflict, "{} is a credit note: it cannot be taken back", invoice.facts.number);
  }
  if (facts.lines.empty()) return fail(ErrorCode::kInvalidArgument, "name at least one line to take back");
  std::vector<bool> taken(invoice.lines.size());
  TRY(take_lines(facts.lines_reversed, taken));
  const Money net_before = net_left(invoice, taken);
  TRY(take_lines(facts.lines, taken));
  const Money net_after = net_left(invoice, taken);

  Invoice note;
  note.facts = invoice.facts;
  note.facts.number = std::move(facts.number);
  note.facts.issued = facts.issued;
  note.facts.due_days = 0;
  note.facts.payments.clear();
  note.corrects = invoice.facts.number;
  note.reason = std::move(facts.reason);
  note.digits = invoice.digits;
  std::ranges::sort(facts.lines);
  for (size_t line : facts.lines) {
    note.lines.push_back({reversed(invoice.lines[line].charge), -invoice.lines[line].amount});
  }
  const Money unit = smallest_unit(note.digits);
  for (const TaxLine& tax : invoice.taxes) {
    const Money before = TRY(tax_of(net_before, tax.rate.percent, unit));
    const Money after = TRY(tax_of(net_after, tax.rate.percent, unit));
    note.taxes.push_back({tax.rate, after - before});
  }
  close_sums(note);
  return note;
}

}  // namespace feilun::ledger
