#include "ledger/given_back.h"

#include <algorithm>

#include "ledger/fields.h"

namespace feilun::ledger {
namespace {

std::string given_back_key(std::string_view payer_id, Month month, const UsageKey& of) {
  const char tier = static_cast<char>(of.tier);
  KeyWriter key('g');
  key.text(payer_id).number(number_of(month)).text(of.project_id).text(of.offering);
  return key.raw({&tier, 1}).number(of.price_id).take();
}

Result<GivenBack> read_given_back(State& state, const std::string& key) {
  const std::string* value = TRY(state.get(key));
  if (value == nullptr) return GivenBack();
  FieldReader fields(*value);
  GivenBack back{.refunded = fields.amount()};
  back.elsewhere = fields.amount();
  if (!fields.ok() || !fields.at_end()) {
    return fail(ErrorCode::kCorrupt, "what was refunded of a month cannot be read");
  }
  return back;
}

bool is_usage(const ChargeLine& line) {
  return line.kind == LineKind::kUsage || line.kind == LineKind::kUncharged;
}

UsageKey key_of(const ChargeLine& line) {
  return {
      .project_id = line.project_id, .offering = line.offering, .tier = line.tier, .price_id = line.price_id};
}

}  // namespace

Result<> add_given_back(State& state, const MonthCharge& charge, const GivenBack& more) {
  const std::string key = given_back_key(charge.payer_id, charge.month, charge.key);
  const GivenBack before = TRY(read_given_back(state, key));
  FieldWriter value;
  value.amount(before.refunded + more.refunded).amount(before.elsewhere + more.elsewhere);
  state.put(key, value.take());
  return {};
}

Result<ChargesLeft> ChargesLeft::of(State& state, const Invoice& invoice, Month month,
                                    std::span<const TakenBack> noted) {
  ChargesLeft left;
  left.left_ = invoice.exact;
  for (const InvoiceLine& line : invoice.lines) {
    if (is_usage(line.charge)) left.kinds_[key_of(line.charge)].charged += line.charge.amount;
  }
  for (const TakenBack& taken : noted) {
    const ChargeLine& line = invoice.lines[taken.line].charge;
    left.left_ -= taken.exact;
    if (is_usage(line)) left.kinds_[key_of(line)].noted += taken.exact;
    if (!is_usage(line) && taken.exact.is_negative()) left.returned_ -= taken.exact;
  }
  for (auto& [key, kind] : left.kinds_) {
    const auto back = TRY(read_given_back(state, given_back_key(invoice.facts.organisation_id, month, key)));
    kind.refunded = back.refunded;
    left.elsewhere_ += back.elsewhere;
  }
  return left;
}

Result<> ChargesLeft::check() const {
  Money twice;
  for (const auto& [key, kind] : kinds_) {
    if (!kind.noted.is_zero()) twice += std::max(kind.noted + kind.refunded - kind.charged, Money());
  }
  const Money beyond =
      elsewhere_.is_zero() ? twice - returned_ : std::max(twice - returned_, elsewhere_ - left_);
  if (beyond <= Money()) return {};
  return fail(ErrorCode::kConflict,
              "it would give back {} more than was charged: requests of this invoice were refunded by "
              "themselves, or not charged whole",
              beyond.to_string());
}

}  // namespace feilun::ledger
