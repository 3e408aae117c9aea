#include <boost/json.hpp>

#include "ledger/currency.h"
#include "ledger/invoice_formats.h"
#include "ledger/json_fields.h"
#include "ledger/limits.h"

namespace feilun::ledger {
namespace {

namespace json = boost::json;

json::object amount_json(Money amount, int digits) {
  return {{"amount", to_decimal(amount, digits)}, {"pico", amount.to_pico_string()}};
}

json::object party_json(const Party& party) {
  json::array address;
  for (const std::string& line : party.address) address.emplace_back(line);
  return {{"name", party.name}, {"address", std::move(address)}, {"tax_number", party.tax_number}};
}

json::object line_json(const InvoiceLine& line, int digits) {
  const ChargeLine& charge = line.charge;
  return {{"kind", name_of(charge.kind)},
          {"project_id", charge.project_id},
          {"project_name", charge.project_name},
          {"offering", charge.offering},
          {"service_tier", pricing::name_of(charge.tier)},
          {"token_class", charge.token_class},
          {"price_id", charge.price_id},
          {"unit_price", amount_json(charge.unit, digits)},
          {"quantity", charge.quantity},
          {"covered", charge.covered},
          {"reference", charge.reference},
          {"description", charge.description},
          {"exact", amount_json(charge.amount, digits)},
          {"amount", amount_json(line.amount, digits)},
          {"tax", amount_json(line.tax, digits)}};
}

json::object payment_json(const Payment& payment, int digits) {
  return {{"reference", payment.reference},
          {"method", payment.method},
          {"received", to_iso8601(payment.received)},
          {"amount", amount_json(payment.amount, digits)}};
}

json::array lines_json(const Invoice& invoice) {
  json::array lines;
  for (const InvoiceLine& line : invoice.lines) lines.push_back(line_json(line, invoice.digits));
  return lines;
}

/// Beyond all that invoices can come to; as many as a paper has room for can be added and taxed.
constexpr Money kPaperAmountMax = Money::pico(kTrillion * kTrillion * 100'000'000);
constexpr Money kUnitMax = Money::pico(kTrillion * kTrillion);

Result<Money> amount_from(JsonFields& from, std::string_view name, Money most = kPaperAmountMax) {
  const Money amount = from.object(name).money("pico");
  if (amount <= most && -most <= amount) return amount;
  return fail(ErrorCode::kCorrupt, "'{}' is more than can be", name);
}

Result<WallTime> time_from(JsonFields& from, std::string_view name) {
  return parse_iso8601(from.text(name));
}

Party party_from(JsonFields from) {
  return {from.text("name"), from.texts("address"), from.text("tax_number")};
}

Result<InvoiceLine> line_from(JsonFields& from) {
  InvoiceLine line;
  ChargeLine& charge = line.charge;
  charge.kind = TRY(parse_line_kind(from.text("kind")));
  charge.project_id = from.text("project_id");
  charge.project_name = from.text("project_name");
  charge.offering = from.text("offering");
  charge.tier = TRY(pricing::parse_tier(from.text("service_tier")));
  charge.token_class = from.text("token_class");
  charge.price_id = from.number("price_id");
  charge.unit = TRY(amount_from(from, "unit_price", kUnitMax));
  charge.quantity = from.number("quantity");
  charge.covered = from.number("covered");
  charge.reference = from.text("reference");
  charge.description = from.text("description");
  charge.amount = TRY(amount_from(from, "exact"));
  line.amount = TRY(amount_from(from, "amount"));
  line.tax = TRY(amount_from(from, "tax"));
  return line;
}

Result<InvoiceFacts> facts_from(JsonFields& from) {
  InvoiceFacts facts{.number = from.text("number"), .organisation_id = from.text("organisation_id")};
  facts.seller = party_from(from.object("seller"));
  facts.buyer = party_from(from.object("buyer"));
  facts.currency = from.text("currency");
  facts.zone = TRY(TimeZone::find(from.text("time_zone")));
  JsonFields period = from.object("period");
  facts.period = {TRY(time_from(period, "from")), TRY(time_from(period, "until"))};
  facts.issued = TRY(time_from(from, "issued"));
  facts.due_days = days_between(facts.zone.day_of(facts.issued), TRY(parse_day(from.text("due_on"))));
  for (JsonFields& payment : from.objects("payments")) {
    facts.payments.push_back({payment.text("reference"), payment.text("method"),
                              TRY(time_from(payment, "received")), TRY(amount_from(payment, "amount"))});
  }
  for (JsonFields& tax : from.objects("taxes"))
    facts.taxes.push_back({tax.text("name"), tax.text("percent")});
  return facts;
}

Result<Invoice> read_invoice(std::string_view json) {
  JsonFields from(json);
  Invoice invoice{.facts = TRY(facts_from(from))};
  invoice.corrects = from.text("corrects");
  invoice.reason = from.text("reason");
  invoice.digits = TRY(minor_digits(invoice.facts.currency));
  for (JsonFields& line : from.objects("lines")) invoice.lines.push_back(TRY(line_from(line)));
  size_t place = 0;
  for (JsonFields& tax : from.objects("taxes")) {
    invoice.taxes.push_back({invoice.facts.taxes[place++], TRY(amount_from(tax, "amount"))});
  }
  close_sums(invoice);
  return invoice;
}

json::array taxes_json(const Invoice& invoice) {
  json::array taxes;
  for (const TaxLine& tax : invoice.taxes) {
    taxes.push_back({{"name", tax.rate.name},
                     {"percent", tax.rate.percent},
                     {"amount", amount_json(tax.amount, invoice.digits)}});
  }
  return taxes;
}

}  // namespace

std::string invoice_json(const Invoice& invoice) {
  const InvoiceFacts& facts = invoice.facts;
  const auto amount = [&](Money value) { return amount_json(value, invoice.digits); };
  const bool is_note = !invoice.corrects.empty();
  json::object object{{"object", is_note ? "credit_note" : "invoice"}, {"number", facts.number}};
  if (is_note) {
    object["corrects"] = invoice.corrects;
    object["reason"] = invoice.reason;
  }
  object["organisation_id"] = facts.organisation_id;
  object["seller"] = party_json(facts.seller);
  object["buyer"] = party_json(facts.buyer);
  object["currency"] = facts.currency;
  object["time_zone"] = facts.zone.name();
  object["period"] = {{"from", to_iso8601(facts.period.from)}, {"until", to_iso8601(facts.period.until)}};
  object["issued"] = to_iso8601(facts.issued);
  object["due_on"] = to_string(invoice.due_on);
  object["lines"] = lines_json(invoice);
  object["net"] = amount(invoice.net);
  object["taxes"] = taxes_json(invoice);
  object["total"] = amount(invoice.total);
  json::array payments;
  for (const Payment& payment : facts.payments) payments.push_back(payment_json(payment, invoice.digits));
  object["payments"] = std::move(payments);
  object["paid"] = amount(invoice.paid);
  object["due"] = amount(invoice.due);
  object["exact"] = amount(invoice.exact);
  object["residue"] = amount(invoice.residue);
  return json::serialize(object);
}

Result<Invoice> invoice_from_json(std::string_view json) {
  auto invoice = read_invoice(json);
  if (invoice && invoice_json(*invoice) == json) return invoice;
  return fail(ErrorCode::kCorrupt, "an invoice cannot be read");
}

}  // namespace feilun::ledger
