#include "ledger/invoice.h"

#include <algorithm>
#include <numeric>
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
  const LineKind group = line.kind == LineKind::kUncharged ? LineKind::kUsage : line.kind;
  return std::tuple(line.project_id.empty(), std::string_view(line.project_name),
                    std::string_view(line.project_id), group, std::string_view(line.offering), line.tier,
                    place_of_class(line.token_class), std::string_view(line.token_class), line.price_id,
                    line.unit, line.quantity, line.covered, std::string_view(line.reference), line.amount,
                    std::string_view(line.description));
}

/// A rounded down to a multiple of the unit, also below zero.
Money floor_to(Money amount, Money unit) {
  const int128 rest = amount.pico() % unit.pico();
  return Money::pico(amount.pico() - rest - (rest < 0 ? unit.pico() : 0));
}

Money sum_of(std::span<const Money> amounts) {
  return std::accumulate(amounts.begin(), amounts.end(), Money());
}

/// A percentage in millionths.
Result<int64_t> millionths_of(std::string_view percent) {
  constexpr int128 kMicro = 1'000'000;  // pico-units in a millionth
  constexpr size_t kDecimals = 6;
  const auto rate = Money::parse(percent);
  const size_t point = percent.find('.');
  const bool is_short = point == percent.npos || percent.size() - point - 1 <= kDecimals;
  if (!rate || !is_short || percent.starts_with('-') || rate->pico() > 100 * kMicro * kMicro) {
    return fail(ErrorCode::kInvalidArgument,
                "'{}' is not a tax rate: write a percentage from 0 to 100 with at most six decimals",
                percent);
  }
  return static_cast<int64_t>(rate->pico() / kMicro);
}

/// A coin that is scaled by this is in whole numbers whatever millionths of a percent are taken of it.
constexpr Money kScaledCoin = Money::pico(100'000'000);

/// So many millionths of a percent of an amount, in scaled coins.
Money scaled_tax(Money amount, int64_t millionths, Money unit) {
  return Money::pico(amount.pico() / unit.pico()) * millionths;
}

Money from_scaled(Money scaled, Money unit) {
  return Money::pico(scaled.pico() / kScaledCoin.pico() * unit.pico());
}

Result<> add_tax(Invoice& invoice, const TaxRate& rate, Money unit) {
  const int64_t millionths = TRY(millionths_of(rate.percent));
  std::vector<Money> shares;
  for (const InvoiceLine& line : invoice.lines) shares.push_back(scaled_tax(line.amount, millionths, unit));
  const std::vector<Money> rounded = round_lines(shares, kScaledCoin);
  for (size_t i = 0; i < rounded.size(); ++i) invoice.lines[i].tax += from_scaled(rounded[i], unit);
  invoice.taxes.push_back({rate, from_scaled(sum_of(rounded), unit)});
  return {};
}

constexpr std::string_view kLineKinds[] = {"usage",   "uncharged", "lot_bought",
                                           "true_up", "lot_spent", "refund"};

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

std::string_view name_of(LineKind kind) {
  return kLineKinds[static_cast<size_t>(kind)];
}

Result<LineKind> parse_line_kind(std::string_view name) {
  const auto place = std::ranges::find(kLineKinds, name);
  if (place == std::end(kLineKinds)) return fail(ErrorCode::kInvalidArgument, "no line is a '{}'", name);
  return static_cast<LineKind>(place - std::begin(kLineKinds));
}

Result<Money> tax_of(Money net, std::string_view percent, Money unit) {
  const Money scaled = scaled_tax(net, TRY(millionths_of(percent)), unit);
  return from_scaled(round_to(scaled, kScaledCoin), unit);
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
    invoice.lines.push_back({std::move(facts.lines[i]), rounded[i], Money()});
  }
  facts.lines.clear();
  for (const TaxRate& rate : facts.taxes) TRY(add_tax(invoice, rate, unit));
  invoice.facts = std::move(facts);
  close_sums(invoice);
  return invoice;
}

void add_payment(Invoice& invoice, Payment payment) {
  invoice.facts.payments.push_back(std::move(payment));
  close_sums(invoice);
}

void close_sums(Invoice& invoice) {
  invoice.exact = Money();
  invoice.net = Money();
  for (const InvoiceLine& line : invoice.lines) {
    invoice.exact += line.charge.amount;
    invoice.net += line.amount;
  }
  invoice.residue = invoice.exact - invoice.net;
  invoice.total = invoice.net;
  for (const TaxLine& tax : invoice.taxes) invoice.total += tax.amount;
  invoice.paid = Money();
  for (const Payment& payment : invoice.facts.payments) invoice.paid += payment.amount;
  invoice.due = invoice.total - invoice.paid;
  invoice.due_on = plus_days(invoice.facts.zone.day_of(invoice.facts.issued), invoice.facts.due_days);
}

}  // namespace feilun::ledger
