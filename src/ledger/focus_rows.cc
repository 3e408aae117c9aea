#include "ledger/focus_rows.h"

#include <algorithm>

#include "ledger/books.h"
#include "ledger/draws.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;

constexpr size_t kNamesKeptMax = 50'000;
constexpr size_t kPricesKeptMax = 10'000;

std::string_view type_of(LotKind kind) {
  return kind == LotKind::kPackage ? "Token Package" : "Savings Plan";
}

FocusCommitment commitment_of(const Lot& lot, FocusCommitment::Part part) {
  return {.id = lot.id,
          .name = {},
          .type = std::string(type_of(lot.kind)),
          .part = part,
          .of_spend = lot.kind == LotKind::kPlan};
}

void add_quantity(FocusCommitment& commitment, Money amount) {
  if (commitment.of_spend) {
    commitment.spend += amount;
  } else {
    commitment.tokens += tokens_in(amount);
  }
}

std::string description_of(const Lot& lot) {
  if (lot.kind == LotKind::kPackage) return fmt::format("{} tokens", tokens_in(lot.amount));
  return fmt::format("{} {} to spend", lot.amount.to_string(), lot.unit);
}

}  // namespace

Result<bool> FocusRows::is_asked_for(State& state, const Buyer& buyer) const {
  if (scope_.empty() || buyer.id == scope_) return true;
  if (scope_ != "default") return false;
  return !TRY(find_record(state, "organisation", buyer.id)).has_value();
}

Result<FocusAccount*> FocusRows::account(State& state, std::string_view payer) {
  auto place = accounts_.find(payer);
  if (place == accounts_.end()) {
    std::optional<FocusAccount> found;
    Buyer buyer = TRY(find_buyer(state, payer));
    if (TRY(is_asked_for(state, buyer))) {
      const auto issued = TRY(find_record_named(state, "invoice", invoice_name(buyer.id, month_)));
      found.emplace();
      found->period = buyer.zone.period_of(month_);
      found->months = TRY(CountingMonths::of(state, buyer));
      if (issued) found->invoice_number = issued->id;
      found->buyer = std::move(buyer);
    }
    place = accounts_.emplace(std::string(payer), std::move(found)).first;
  }
  return place->second ? &*place->second : nullptr;
}

std::vector<FocusAccount*> FocusRows::accounts() {
  std::vector<FocusAccount*> all;
  for (auto& [id, account] : accounts_) {
    if (account) all.push_back(&*account);
  }
  return all;
}

FocusCharge FocusRows::charge_of(const FocusAccount& account) {
  FocusCharge charge;
  charge.organisation_id = account.buyer.id;
  charge.organisation_name = account.buyer.name;
  charge.currency = account.buyer.currency;
  charge.invoice_number = account.invoice_number;
  charge.billing_period = charge.charge_period = account.period;
  return charge;
}

Period FocusRows::hour_of(const FocusAccount& account, WallTime time) {
  const TimeZone& zone = account.buyer.zone;
  const Period month = account.period.contains(time) ? account.period : zone.period_of(zone.month_of(time));
  const WallTime hour = std::chrono::floor<hours>(time);
  return {std::max(hour, month.from), std::min(hour + hours(1), month.until)};
}

Result<const PriceVersion*> FocusRows::price(State& state, int64_t id) {
  auto place = prices_.find(id);
  if (place == prices_.end()) place = prices_.emplace(id, TRY(find_price(state, id))).first;
  return &place->second;
}

Result<FocusRows::Priced> FocusRows::priced(State& state, const ChargedRequest& request) {
  const PriceVersion* version = TRY(price(state, request.price_id));
  if (request.price_row < version->rows.size()) return Priced{version, request.price_row};
  return fail(ErrorCode::kCorrupt, "the price version {} has no row {}", version->id, request.price_row);
}

Result<const pricing::UnitPrices*> FocusRows::units_of(State& state, const ChargedRequest& request) {
  return &TRY(priced(state, request)).units();
}

Result<FocusRows::Priced> FocusRows::listed(State& state, const ChargedRequest& request,
                                            const Priced& charged) {
  if (charged.version->organisation.empty()) return charged;
  for (const PriceInterval& in :
       TRY(price_intervals(state, request.offering, charged.version->currency, ""))) {
    if (request.held < in.from || request.held >= in.until) continue;
    const PriceVersion* list = TRY(price(state, in.id));
    const TokenCount volume = charged.version->rows[charged.row].volume_from;
    return Priced{list, pricing::row_of(*list, request.tier, request.input_tokens, volume)};
  }
  return charged;
}

Result<std::string> FocusRows::key_name(State& state, const std::string& key_id) {
  if (key_id.empty()) return std::string();
  const auto known = names_.find(key_id);
  if (known != names_.end()) return known->second;
  const auto key = find_key(state, key_id);
  if (!key && key.error().code != ErrorCode::kNotFound) return std::unexpected(key.error());
  return names_[key_id] = key ? key->name : "";
}

Result<std::string> FocusRows::project_name(State& state, const std::string& project_id) {
  const auto known = names_.find(project_id);
  if (known != names_.end()) return known->second;
  return names_[project_id] = TRY(find_project(state, project_id)).name;
}

Result<FocusRows::Group*> FocusRows::group_of(State& state, const FocusAccount& account,
                                              const ChargedRequest& request, bool gives_back) {
  const Priced charged = TRY(priced(state, request));
  const Priced list = TRY(listed(state, request, charged));
  const Period hour = hour_of(account, request.settled);
  GroupKey key{.buyer = account.buyer.id, .from = hour.from, .project = request.project_id};
  key.key = request.key_id;
  key.offering = request.offering;
  key.tier = request.tier;
  key.price_id = charged.version->id;
  key.price_row = charged.row;
  key.list_price_id = list.version->id;
  key.list_row = list.row;
  key.gives_back = gives_back;
  const auto [place, is_new] = groups_.try_emplace(std::move(key));
  Group& group = place->second;
  if (!is_new) return &group;
  group.units = &charged.units();
  group.list_units = &list.units();
  FocusCharge& like = group.like = charge_of(account);
  like.charge_period = hour;
  like.corrects_invoiced = hour.from < account.period.from;
  like.project_id = request.project_id;
  like.project_name = TRY(project_name(state, request.project_id));
  like.key_id = request.key_id;
  like.key_name = TRY(key_name(state, request.key_id));
  like.offering = request.offering;
  like.tier = request.tier;
  like.price_id = charged.version->id;
  like.list_price_id = list.version->id;
  like.list_row = list.row;
  return &group;
}

FocusCharge& FocusRows::row_of(Group& group, const TokenClass& token_class, const FocusLots::Known* bought) {
  const auto [place, is_new] =
      group.rows.try_emplace({&token_class, bought == nullptr ? "" : bought->lot.id});
  FocusCharge& row = place->second;
  if (!is_new) return row;
  ++waiting_;
  row = group.like;
  row.token_class = token_class.name;
  row.list_unit = group.list_units->*token_class.unit;
  row.contracted_unit = group.units->*token_class.unit;
  if (bought == nullptr) return row;
  row.commitment = commitment_of(bought->lot, FocusCommitment::Part::kUsed);
  row.effective = Money();
  return row;
}

void FocusRows::add_credit(const FocusAccount& account, const FocusCharge& like, const FocusLots::Known* lot,
                           Money amount) {
  GroupKey key{.buyer = account.buyer.id, .from = like.charge_period.from, .project = like.project_id};
  const auto [place, is_new] =
      credits_.try_emplace({std::move(key), lot == nullptr ? "" : lot->lot.id}, charge_of(account));
  FocusCharge& row = place->second;
  row.billed -= amount;
  if (!is_new) return;
  ++waiting_;
  row.category = ChargeCategory::kCredit;
  row.charge_period = like.charge_period;
  row.corrects_invoiced = like.corrects_invoiced;
  row.project_id = like.project_id;
  row.project_name = like.project_name;
  row.description = lot == nullptr
                        ? "Not charged: more than was held"
                        : fmt::format("Paid by the {} {}", ledger::name_of(lot->lot.kind), lot->lot.id);
}

Result<> FocusRows::add_request(State& state, FocusAccount& account, const ChargedRequest& request,
                                const std::vector<ChargePart>& parts, bool gives_back, FocusLots& lots) {
  Group& group = *TRY(group_of(state, account, request, gives_back));
  const TokenCount sign = gives_back ? -1 : 1;
  for (const ChargePart& part : parts) {
    FocusLots::Known* lot = TRY(lots.of_account(state, part.account));
    const bool bought = lot != nullptr && lot->is_bought();
    FocusCharge& row = row_of(group, *part.token_class, bought ? lot : nullptr);
    row.quantity += sign * part.tokens;
    if (bought) {
      const Money amount = lot->lot.kind == LotKind::kPackage ? token_amount(part.tokens) : part.cost;
      *row.effective += gives_back ? FocusLots::give_back(*lot, amount) : FocusLots::use(*lot, amount);
      add_quantity(*row.commitment, amount * sign);
    } else {
      row.billed += part.cost * sign;
      if (lot != nullptr || part.account.empty()) add_credit(account, group.like, lot, part.cost * sign);
    }
  }
  if (!gives_back) account.charged += request.charged();
  return {};
}

void FocusRows::add_lot(FocusAccount& account, const Lot& lot, FocusCommitment::Part part, WallTime when,
                        Money quantity, Money cost) {
  FocusCharge charge = charge_of(account);
  const bool bought = part == FocusCommitment::Part::kBought;
  charge.charge_period = hour_of(account, when);
  charge.corrects_invoiced = charge.charge_period.from < account.period.from;
  charge.offering = fmt::format("{}/{}", ledger::name_of(lot.kind), lot.id);
  charge.list_price_id = charge.price_id = lot.sequence;
  charge.list_unit = charge.contracted_unit = lot.paid;
  charge.commitment = commitment_of(lot, part);
  add_quantity(*charge.commitment, quantity);
  charge.description =
      fmt::format("{}: {}{}", type_of(lot.kind), description_of(lot), bought ? "" : ", what was left of it");
  if (bought) {
    charge.category = ChargeCategory::kPurchase;
    charge.quantity = 1;
    charge.billed = cost;
  } else {
    charge.effective = cost;
  }
  add(std::move(charge));
}

void FocusRows::add(FocusCharge charge) {
  others_.push_back(std::move(charge));
  ++waiting_;
}

void FocusRows::flush(std::vector<FocusCharge>& rows) {
  const auto out = [&](FocusCharge& charge) {
    FocusAccount& account = *accounts_.find(charge.organisation_id)->second;
    if (charge.invoice_number == account.invoice_number) account.costs += charge;
    rows.push_back(std::move(charge));
  };
  for (auto& [key, group] : groups_) {
    for (auto& [what, row] : group.rows) out(row);
  }
  for (auto& [key, row] : credits_) out(row);
  for (FocusCharge& row : others_) out(row);
  groups_.clear();
  credits_.clear();
  others_.clear();
  waiting_ = 0;
  if (names_.size() > kNamesKeptMax) names_.clear();
  if (prices_.size() > kPricesKeptMax) prices_.clear();
}

}  // namespace feilun::ledger
