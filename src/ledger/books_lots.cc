#include <algorithm>

#include "base/ids.h"
#include "ledger/books.h"
#include "ledger/checked_amount.h"
#include "ledger/checked_text.h"
#include "ledger/closed_months.h"
#include "ledger/invoice_items.h"
#include "ledger/invoicing.h"
#include "ledger/limits.h"
#include "ledger/tenant_records.h"

// What payers may spend: lots in their order, then the wallet, then its credit.

namespace feilun::ledger {
namespace {

constexpr size_t kLiveLotsMax = 64;
constexpr size_t kOfferingsMax = 64;
constexpr int64_t kPriorityMax = 1000;
/// An entry has room for so many draws and a few postings more.
constexpr size_t kDrawsMax = 200;

Result<> check_lot(const Lot& lot, const Payer& payer, WallTime now) {
  const bool package = lot.kind == LotKind::kPackage;
  if (lot.unit != (package ? kTokenUnit : payer.currency)) {
    return fail(ErrorCode::kInvalidArgument, "a {} of '{}' is in {}, not {}", name_of(lot.kind), payer.name,
                package ? kTokenUnit : payer.currency, lot.unit);
  }
  if (!package) TRY(check_amount("amount of a lot", lot.amount, kLeastAmount));
  const bool counted = lot.amount >= token_amount(1) && lot.amount <= token_amount(kTokensMax) &&
                       lot.amount == token_amount(tokens_in(lot.amount));
  if (package && !counted) {
    return fail(ErrorCode::kInvalidArgument, "a package has from 1 to {} tokens, not {}", kTokensMax,
                lot.amount.to_string());
  }
  const bool bought = package || lot.kind == LotKind::kPlan;
  if (lot.paid.is_negative() || (!bought && !lot.paid.is_zero())) {
    return fail(ErrorCode::kInvalidArgument, "a {} cannot cost {}", name_of(lot.kind), lot.paid.to_string());
  }
  if (lot.kind == LotKind::kPlan && (lot.paid.is_zero() || lot.paid >= lot.amount)) {
    return fail(ErrorCode::kInvalidArgument, "a plan is bought for less than its face and more than nothing");
  }
  if (lot.priority < 0 || lot.priority > kPriorityMax) {
    return fail(ErrorCode::kInvalidArgument, "a priority is from 0 to {}", kPriorityMax);
  }
  if (lot.expires <= now) return fail(ErrorCode::kInvalidArgument, "the lot would have expired already");
  if (lot.offerings.size() > kOfferingsMax) {
    return fail(ErrorCode::kInvalidArgument, "a lot is for at most {} offerings, or for all", kOfferingsMax);
  }
  for (const std::string& offering : lot.offerings) {
    TRY(check_text("offering", offering, false));
    if (!offering.contains('*')) continue;
    return fail(ErrorCode::kInvalidArgument,
                "a lot is for offerings by their whole names, not '{}'; for all of them, name none",
                offering);
  }
  return check_text("idempotency key", lot.idempotency_key, true);
}

bool same_terms(const Lot& a, const Lot& b) {
  return a.payer_id == b.payer_id && a.kind == b.kind && a.unit == b.unit && a.amount == b.amount &&
         a.paid == b.paid && a.offerings == b.offerings && a.priority == b.priority && a.expires == b.expires;
}

bool is_drawn(const std::vector<Draw>& draws, const Source& source) {
  return std::ranges::find(draws, source.account, &Draw::account) != draws.end();
}

}  // namespace

Result<Organisation> Books::set_credit_limit(std::string_view organisation, Money limit) {
  Organisation changed = TRY(find_organisation(state_, organisation));
  TRY(check_amount("credit limit", limit));
  if (changed.credit_limit == limit) return changed;
  changed.credit_limit = limit;
  const auto before = TRY(find_record(state_, "organisation", changed.id));
  TRY(act("change", before, record_of(changed)));
  return changed;
}

Result<LotBalance> Books::grant(std::string_view owner, Lot lot, std::string_view reason) {
  TRY(check_text("reason", reason, true));
  const Payer payer = TRY(find_payer(state_, owner));
  lot.payer_id = payer.id;
  if (const auto before = TRY(find_record_named(state_, "lot", lot.idempotency_key))) {
    Lot granted = TRY(lot_from(*before));
    if (!same_terms(granted, lot)) {
      return fail(ErrorCode::kConflict, "the idempotency key '{}' was used for another lot",
                  lot.idempotency_key);
    }
    const Money left = TRY(account(state_, lot_account(granted.id), granted.unit));
    return LotBalance{std::move(granted), left};
  }
  TRY(check_lot(lot, payer, now_));
  if (TRY(live_lots(state_, payer.id)).size() >= kLiveLotsMax) {
    return fail(ErrorCode::kInvalidArgument, "'{}' has {} lots already", payer.name, kLiveLotsMax);
  }
  const Money funding = TRY(account(state_, "funding", lot.unit));
  TRY(check_funding(funding, lot.amount));
  const std::string wallet = wallet_of(payer.id);
  const Money available = TRY(account(state_, wallet, payer.currency)) + payer.credit_limit;
  if (lot.paid > std::max(available, Money())) {
    return fail(ErrorCode::kInsufficientQuota, "the wallet of '{}' does not pay {} {}", payer.name,
                lot.paid.to_string(), payer.currency);
  }
  lot.id = new_id("lot");
  lot.sequence = state_.head().sequence + 1;
  TRY(act("create", std::nullopt, record_of(lot)));
  Payload payload(EntryKind::kGrant);
  payload.text(lot.id).text(payer.id).text(actor_).text(reason);
  TRY(record(std::move(payload), {{"funding", lot.unit, -lot.amount},
                                  {lot_account(lot.id), lot.unit, lot.amount},
                                  {wallet, payer.currency, -lot.paid},
                                  {"revenue", payer.currency, lot.paid}}));
  if (!lot.paid.is_zero()) {
    const Buyer buyer = TRY(find_buyer(state_, payer.id));
    const Month month = TRY(counting_month(state_, payer.id, buyer.zone.month_of(now_)));
    TRY(add_invoice_item(state_, payer.id, month, ItemKind::kLotBought, lot.id, lot.paid));
  }
  const Money left = lot.amount;
  return LotBalance{std::move(lot), left};
}

Result<int64_t> Books::expire_lots(int64_t limit) {
  std::vector<LotBalance> expired;
  for (const std::string& id : TRY(expired_lots(state_, now_, limit))) {
    Lot lot = TRY(find_lot(state_, id));
    const Money left = TRY(account(state_, lot_account(id), lot.unit));
    expired.push_back({std::move(lot), left});
  }
  for (const auto& [lot, left] : expired) {
    Payload payload(EntryKind::kExpire);
    payload.text(lot.id).text(lot.payer_id);
    TRY(record(std::move(payload), {{lot_account(lot.id), lot.unit, -left}, {"breakage", lot.unit, left}}));
  }
  return std::ssize(expired);
}

Result<const PayingTenant*> Books::tenant_of(std::string_view project_id) {
  return tenants_.of(state_, project_id, now_);
}

Result<Sources> Books::sources(const PayingTenant& tenant, std::string_view offering,
                               const std::vector<Draw>& drawn) {
  const Project& project = tenant.project;
  Sources sources;
  for (const LiveLot& lot : TRY(live_lots(state_, project.payer))) {
    if (lot.expires <= now_ || !lot.serves(offering)) continue;
    const Source source{lot_account(lot.id), TRY(account(state_, lot_account(lot.id), lot.unit))};
    if (lot.unit == kTokenUnit) sources.packages.push_back(source);
    if (lot.unit == project.currency) sources.money.push_back(source);
  }
  Money wallet = TRY(account(state_, wallet_of(project.payer), project.currency));
  if (project.payer == project.organisation) wallet += tenant.organisation.credit_limit;
  sources.money.push_back({wallet_of(project.payer), wallet});
  for (auto* some : {&sources.packages, &sources.money}) {
    if (drawn.size() + sources.packages.size() + sources.money.size() <= kDrawsMax) break;
    std::erase_if(*some, [&](const Source& source) { return !is_drawn(drawn, source); });
  }
  return sources;
}

Result<std::string> Books::returned_to(const std::string& account) {
  if (!account.starts_with(kLotAccounts)) return account;
  const Lot lot = TRY(find_lot(state_, std::string_view(account).substr(kLotAccounts.size())));
  return lot.expires <= now_ ? "breakage" : account;
}

Result<std::vector<Posting>> Books::ending(const OpenHold& hold, const std::vector<EndedDraw>& draws) {
  std::vector<Posting> postings;
  postings.reserve(draws.size() + 4);
  for (const std::string_view unit : {std::string_view(hold.currency), kTokenUnit}) {
    Money held;
    Money spent;
    for (const EndedDraw& draw : draws) {
      if (draw.spent.currency != unit) continue;
      held += draw.spent.amount + draw.left;
      spent += draw.spent.amount;
    }
    if (held.is_zero()) continue;
    postings.push_back({held_of(hold.payer_id), std::string(unit), -held});
    postings.push_back({"revenue", std::string(unit), spent});
  }
  for (const EndedDraw& draw : draws) {
    if (draw.left.is_zero()) continue;
    postings.push_back({TRY(returned_to(draw.spent.account)), draw.spent.currency, draw.left});
  }
  return postings;
}

}  // namespace feilun::ledger
