#include <boost/json.hpp>

#include "ledger/currency.h"
#include "ledger/invoice_formats.h"

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
  return {{"project_id", charge.project_id},
          {"project_name", charge.project_name},
          {"offering", charge.offering},
          {"service_tier", pricing::name_of(charge.tier)},
          {"token_class", charge.token_class},
          {"price_id", charge.price_id},
          {"unit_price", amount_json(charge.unit, digits)},
          {"quantity", charge.quantity},
          {"covered", charge.covered},
          {"description", charge.description},
          {"exact", amount_json(charge.amount, digits)},
          {"amount", amount_json(line.amount, digits)}};
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

}  // namespace feilun::ledger
