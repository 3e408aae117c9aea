#include "ledger/invoicing.h"

#include <boost/json.hpp>

#include "ledger/books.h"
#include "ledger/invoice_formats.h"
#include "ledger/json_fields.h"
#include "ledger/rollups.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kInvoicesMax = 1'000'000;

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
  cut.description = "not charged: more than was held";
  lines.push_back(std::move(cut));
  return {};
}

InvoiceFacts facts_for(const Buyer& buyer, Month month, WallTime issued) {
  InvoiceFacts facts{.organisation_id = buyer.id, .currency = buyer.currency, .zone = buyer.zone};
  facts.buyer.name = buyer.name;
  facts.seller.name = "feilun";
  facts.period = buyer.zone.period_of(month);
  facts.issued = issued;
  return facts;
}

Result<IssuedInvoice> invoice_from(const Record& record) {
  JsonFields body(record.json);
  IssuedInvoice issued{.number = record.id, .buyer_id = record.parent};
  const auto month = parse_month(body.text("month"));
  issued.issued = body.time("issued").value_or(WallTime());
  issued.json = body.text("invoice");
  issued.buyer_name = body.text("buyer");
  for (JsonFields& project : body.objects("projects"))
    issued.names[project.text("id")] = project.text("name");
  if (!body.ok() || !month) return fail(ErrorCode::kCorrupt, "the invoice {} cannot be read", record.id);
  issued.month = *month;
  return issued;
}

}  // namespace

Result<Buyer> find_buyer(State& state, std::string_view owner) {
  if (const auto found = find_organisation(state, owner)) {
    return Buyer{found->id, found->name, found->currency, TRY(TimeZone::find(found->time_zone))};
  } else if (found.error().code != ErrorCode::kNotFound) {
    return std::unexpected(found.error());
  }
  const Project project = TRY(find_project(state, owner));
  if (project.payer != project.id) return find_buyer(state, project.payer);
  return Buyer{.id = project.id, .name = project.name, .currency = project.currency};
}

Result<std::vector<ChargeLine>> charge_lines(State& state, const Buyer& buyer, Month month) {
  std::vector<ChargeLine> lines;
  for (const UsageRow& row : TRY(monthly_usage(state, buyer.id, month))) TRY(add_lines(state, row, lines));
  return lines;
}

Result<Invoice> draft_invoice(State& state, const Buyer& buyer, Month month, WallTime issued) {
  InvoiceFacts facts = facts_for(buyer, month, issued);
  facts.number = "draft";
  facts.lines = TRY(charge_lines(state, buyer, month));
  return make_invoice(std::move(facts));
}

std::string invoice_name(const Buyer& buyer, Month month) {
  return to_string(month) + " " + buyer.id;
}

Record record_of(const Invoice& invoice, const Buyer& buyer, Month month) {
  namespace json = boost::json;
  std::map<std::string, std::string> names;
  for (const InvoiceLine& line : invoice.lines) names[line.charge.project_id] = line.charge.project_name;
  json::array projects;
  for (const auto& [id, name] : names) projects.push_back(json::object{{"id", id}, {"name", name}});
  const json::object body = {{"month", to_string(month)},
                             {"issued", invoice.facts.issued.time_since_epoch().count()},
                             {"buyer", buyer.name},
                             {"projects", std::move(projects)},
                             {"invoice", invoice_json(invoice)}};
  return {.type = "invoice",
          .id = invoice.facts.number,
          .parent = buyer.id,
          .name = invoice_name(buyer, month),
          .json = json::serialize(body)};
}

Result<std::vector<IssuedInvoice>> issued_invoices(State& state, std::string_view buyer_id) {
  std::vector<IssuedInvoice> invoices;
  const auto records = buyer_id.empty() ? all_records(state, "invoice", kInvoicesMax)
                                        : records_of(state, "invoice", buyer_id, kInvoicesMax);
  for (const Record& record : TRY(records)) invoices.push_back(TRY(invoice_from(record)));
  return invoices;
}

Result<Invoice> issued_invoice(State& state, std::string_view number) {
  const auto record = TRY(find_record(state, "invoice", number));
  if (!record) return fail(ErrorCode::kNotFound, "there is no invoice '{}'", number);
  const IssuedInvoice issued = TRY(invoice_from(*record));
  Buyer buyer = TRY(find_buyer(state, issued.buyer_id));
  buyer.name = issued.buyer_name;
  InvoiceFacts facts = facts_for(buyer, issued.month, issued.issued);
  facts.number = issued.number;
  facts.lines = TRY(charge_lines(state, buyer, issued.month));
  for (ChargeLine& line : facts.lines) {
    if (const auto name = issued.names.find(line.project_id); name != issued.names.end()) {
      line.project_name = name->second;
    }
  }
  Invoice invoice = TRY(make_invoice(std::move(facts)));
  if (invoice_json(invoice) == issued.json) return invoice;
  return fail(ErrorCode::kCorrupt, "the invoice {} is not what its month's sums make", number);
}

}  // namespace feilun::ledger
