#include "ledger/invoicing.h"

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "ledger/books.h"
#include "ledger/invoice_formats.h"
#include "ledger/invoice_items.h"
#include "ledger/json_fields.h"
#include "ledger/paying_tenant.h"
#include "ledger/rollups.h"
#include "ledger/tenant_records.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kProjectsMax = 10'000'000;
constexpr int64_t kInvoicesMax = 10'000'000;

/// The classes of tokens, as invoices name them.
struct TokenClass {
  std::string_view name;
  TokenCount TokenUsage::* tokens;
  Money pricing::UnitPrices::* unit;
};
constexpr TokenClass kClasses[] = {
    {"input", &TokenUsage::input_fresh, &pricing::UnitPrices::input_fresh},
    {"cache_read", &TokenUsage::cache_read, &pricing::UnitPrices::cache_read},
    {"cache_write", &TokenUsage::cache_write, &pricing::UnitPrices::cache_write},
    {"output", &TokenUsage::output, &pricing::UnitPrices::output},
    {"reasoning", &TokenUsage::reasoning, &pricing::UnitPrices::reasoning},
};

/// The lines of one sum. Where requests were charged less than their tokens cost, because their holds were
/// spent, a line says so.
Result<> add_lines(State& state, const UsageRow& row, std::vector<ChargeLine>& lines) {
  const PriceVersion price = TRY(find_price(state, row.key.price_id));
  if (row.key.price_row >= std::ssize(price.rows)) {
    return fail(ErrorCode::kCorrupt, "the price version {} has no row {}", price.id, row.key.price_row);
  }
  ChargeLine line{.project_id = row.key.project_id, .offering = row.key.offering, .tier = row.key.tier};
  line.project_name = TRY(find_project(state, row.key.project_id)).name;
  line.price_id = price.id;
  Money listed;
  for (const TokenClass& each : kClasses) {
    line.token_class = each.name;
    line.unit = price.rows[static_cast<size_t>(row.key.price_row)].units.*each.unit;
    line.quantity = row.sums.usage.*each.tokens;
    line.covered = row.sums.covered.*each.tokens;
    line.amount = line.unit * (line.quantity - line.covered);
    listed += line.amount;
    if (line.quantity > 0) lines.push_back(line);
  }
  if (listed == row.sums.charged) return {};
  ChargeLine cut{.project_id = line.project_id, .project_name = line.project_name, .offering = line.offering};
  cut.tier = line.tier;
  cut.price_id = line.price_id;
  cut.amount = row.sums.charged - listed;
  cut.kind = LineKind::kUncharged;
  cut.description = "not charged: more than was held";
  lines.push_back(std::move(cut));
  return {};
}

ChargeLine own_line(LineKind kind, std::string reference, Money amount, std::string description) {
  ChargeLine line;
  line.kind = kind;
  line.reference = std::move(reference);
  line.amount = amount;
  line.description = std::move(description);
  return line;
}

std::string description_of(const Lot& lot, bool bought) {
  if (!bought) return fmt::format("paid with {} {}", name_of(lot.kind), lot.id);
  std::string what = lot.kind == LotKind::kPackage
                         ? fmt::format("package of {} tokens", tokens_in(lot.amount))
                         : fmt::format("{} of {} {}", name_of(lot.kind), lot.amount.to_string(), lot.unit);
  for (size_t i = 0; i < lot.offerings.size(); ++i) {
    what += fmt::format("{}{}", i == 0 ? " for " : ", ", lot.offerings[i]);
  }
  return what;
}

Result<ChargeLine> item_line(State& state, const InvoiceItem& item) {
  if (item.kind == ItemKind::kRefunded) {
    return own_line(LineKind::kRefund, "", -item.amount, fmt::format("{} refunds", item.count));
  }
  const Lot lot = TRY(find_lot(state, item.lot));
  const bool bought = item.kind == ItemKind::kLotBought;
  return own_line(bought ? LineKind::kLotBought : LineKind::kLotSpent, lot.id,
                  bought ? item.amount : -item.amount, description_of(lot, bought));
}

/// What the month lacks of the commitment that covers it: as charged, or as it will be.
Result<> add_true_up(State& state, const Buyer& buyer, Month month, WallTime now, Money charged,
                     std::vector<ChargeLine>& lines) {
  if (!buyer.is_organisation || now < buyer.zone.period_of(month).until) return {};
  const auto commitment = TRY(commitment_of(state, buyer.id, month));
  if (!commitment) return {};
  const auto done = TRY(find_true_up(state, commitment->id, month));
  const Money lacks = done ? done->shortfall : std::max(commitment->amount - charged, Money());
  if (lacks.is_zero()) return {};
  lines.push_back(
      own_line(LineKind::kTrueUp, commitment->id, lacks,
               fmt::format("committed to {}, used {}", commitment->amount.to_string(), charged.to_string())));
  return {};
}

Result<Record> invoice_record(State& state, std::string_view number) {
  auto record = TRY(find_record(state, "invoice", number));
  if (!record) return fail(ErrorCode::kNotFound, "there is no invoice '{}'", number);
  return *std::move(record);
}

/// What both parties and the terms are now.
Result<InvoiceFacts> facts_for(State& state, const Buyer& buyer, Month month, WallTime issued) {
  Billing seller = TRY(find_billing(state, kSeller));
  Billing billing = TRY(find_billing(state, buyer.id));
  InvoiceFacts facts{.organisation_id = buyer.id, .currency = buyer.currency, .zone = buyer.zone};
  facts.seller = std::move(seller.party);
  if (facts.seller.name.empty()) facts.seller.name = "feilun";
  facts.buyer = std::move(billing.party);
  if (facts.buyer.name.empty()) facts.buyer.name = buyer.name;
  facts.taxes = (billing.taxes ? billing.taxes : seller.taxes).value_or(std::vector<TaxRate>());
  facts.due_days = billing.due_days.value_or(seller.due_days.value_or(kDueDaysDefault));
  facts.period = buyer.zone.period_of(month);
  facts.issued = issued;
  return facts;
}

}  // namespace

Result<Buyer> find_buyer(State& state, std::string_view owner) {
  const auto found = TRY(find_owner(state, owner));
  if (const auto* buyer = std::get_if<Organisation>(&found)) {
    return Buyer{buyer->id, buyer->name, buyer->currency, TRY(TimeZone::find(buyer->time_zone)), true};
  }
  const Project& project = std::get<Project>(found);
  if (project.payer != project.id) return find_buyer(state, project.payer);
  const Organisation organisation = TRY(organisation_of(state, project.organisation));
  return Buyer{project.id, project.name, project.currency, TRY(TimeZone::find(organisation.time_zone))};
}

Result<std::vector<ChargeLine>> charge_lines(State& state, const Buyer& buyer, Month month, WallTime now) {
  std::vector<ChargeLine> lines;
  Money charged;
  for (const UsageRow& row : TRY(monthly_usage(state, buyer.id, month))) {
    TRY(add_lines(state, row, lines));
    charged += row.sums.charged;
  }
  for (const InvoiceItem& item : TRY(invoice_items(state, buyer.id, month))) {
    lines.push_back(TRY(item_line(state, item)));
  }
  TRY(add_true_up(state, buyer, month, now, charged, lines));
  return lines;
}

Result<Invoice> draft_invoice(State& state, const Buyer& buyer, Month month, WallTime now) {
  InvoiceFacts facts = TRY(facts_for(state, buyer, month, now));
  facts.number = "draft";
  facts.lines = TRY(charge_lines(state, buyer, month, now));
  Invoice invoice = TRY(make_invoice(std::move(facts)));
  // A total below zero is money back: it becomes free.
  const Money pays = std::min(invoice.total, TRY(free_money(state, buyer.id)));
  if (!pays.is_zero()) add_payment(invoice, {"balance", "Wallet", now, pays});
  return invoice;
}

std::string invoice_name(std::string_view payer_id, Month month) {
  return fmt::format("{} {}", to_string(month), payer_id);
}

Record record_of(const Invoice& invoice, const Buyer& buyer, Month month) {
  const boost::json::object body = {{"month", to_string(month)}, {"invoice", invoice_json(invoice)}};
  return {.type = "invoice",
          .id = invoice.facts.number,
          .parent = buyer.id,
          .name = invoice_name(buyer.id, month),
          .json = boost::json::serialize(body)};
}

Result<Invoice> issued_invoice(State& state, std::string_view number) {
  const Record record = TRY(invoice_record(state, number));
  return invoice_from_json(JsonFields(record.json).text("invoice"));
}

Result<Month> month_of_invoice(State& state, std::string_view number) {
  const Record record = TRY(invoice_record(state, number));
  return parse_month(JsonFields(record.json).text("month"));
}

Result<std::map<AgeingKey, Ageing>> ageing(State& state, std::string_view payer_id, WallTime now,
                                           std::optional<Day> on) {
  std::map<AgeingKey, Ageing> all;
  const auto owed = TRY(receivables(state, payer_id, kInvoicesMax));
  for (size_t first = 0, end = 0; first < owed.size(); first = end) {
    const std::string& payer = owed[first].organisation_id;
    while (end < owed.size() && owed[end].organisation_id == payer) ++end;
    const Day today = on ? *on : TRY(find_buyer(state, payer)).zone.day_of(now);
    all.merge(age_receivables(std::span(owed).subspan(first, end - first), today));
  }
  return all;
}

Result<std::vector<Buyer>> buyers_to_invoice(State& state, Month month, WallTime now) {
  std::vector<std::string> payers;
  for (const Organisation& each : TRY(all_organisations(state))) payers.push_back(each.id);
  for (const Record& record : TRY(all_records(state, "project", kProjectsMax))) {
    const Project project = TRY(project_from(record));
    if (project.payer == project.id) payers.push_back(project.id);
  }
  std::ranges::sort(payers);
  std::vector<Buyer> buyers;
  for (const std::string& payer : payers) {
    Buyer buyer = TRY(find_buyer(state, payer));
    if (now < buyer.zone.period_of(month).until) continue;
    if (TRY(find_record_named(state, "invoice", invoice_name(buyer.id, month)))) continue;
    if (TRY(charge_lines(state, buyer, month, now)).empty()) continue;
    buyers.push_back(std::move(buyer));
  }
  return buyers;
}

Result<> run_invoices(Ledger& ledger, Month month, WallTime now, std::string_view actor,
                      const std::function<void(const Invoice&)>& issued) {
  const auto buyers = TRY(
      ledger.read<std::vector<Buyer>>([&](State& state) { return buyers_to_invoice(state, month, now); }));
  std::optional<Error> failed;
  for (const Buyer& buyer : buyers) {
    const auto invoice = ledger.write<Invoice>([&](Books& books) {
      if (!actor.empty()) books.act_as(std::string(actor));
      return books.issue_invoice(buyer.id, month);
    });
    if (invoice) issued(*invoice);
    if (!invoice && !failed) failed = invoice.error();
  }
  if (failed) return std::unexpected(*std::move(failed));
  return {};
}

}  // namespace feilun::ledger
