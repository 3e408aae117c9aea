#include "ledger/billing.h"

#include <boost/json.hpp>

#include "ledger/checked_text.h"
#include "ledger/json_fields.h"

namespace feilun::ledger {
namespace {

namespace json = boost::json;

constexpr size_t kAddressLinesMax = 10;
constexpr size_t kTaxesMax = 8;
constexpr int kDueDaysMax = 3650;

}  // namespace

Record record_of(const Billing& billing) {
  json::object body;
  body["name"] = billing.party.name;
  body["address"] = json::array(billing.party.address.begin(), billing.party.address.end());
  body["tax_number"] = billing.party.tax_number;
  if (billing.taxes) {
    json::array taxes;
    for (const TaxRate& tax : *billing.taxes) {
      taxes.push_back(json::object{{"name", tax.name}, {"percent", tax.percent}});
    }
    body["taxes"] = std::move(taxes);
  }
  if (billing.due_days) body["due_days"] = *billing.due_days;
  return {
      .type = "billing", .id = billing.owner_id, .parent = billing.owner_id, .json = json::serialize(body)};
}

Result<Billing> billing_from(const Record& record) {
  JsonFields body(record.json);
  Billing billing{.owner_id = record.id};
  billing.party = {body.text("name"), body.texts("address"), body.text("tax_number")};
  if (body.has("taxes")) {
    billing.taxes.emplace();
    for (JsonFields& tax : body.objects("taxes")) {
      billing.taxes->push_back({tax.text("name"), tax.text("percent")});
    }
  }
  if (body.has("due_days")) billing.due_days = static_cast<int>(body.number("due_days"));
  if (!body.ok()) return fail(ErrorCode::kCorrupt, "the billing of {} cannot be read", record.id);
  return billing;
}

Result<Billing> find_billing(State& state, std::string_view owner_id) {
  const auto record = TRY(find_record(state, "billing", owner_id));
  if (!record) return Billing{.owner_id = std::string(owner_id)};
  return billing_from(*record);
}

Result<> check_billing(const Billing& billing) {
  TRY(check_text("name", billing.party.name, true));
  TRY(check_text("tax number", billing.party.tax_number, true));
  if (billing.party.address.size() > kAddressLinesMax) {
    return fail(ErrorCode::kInvalidArgument, "an address has at most {} lines", kAddressLinesMax);
  }
  for (const std::string& line : billing.party.address) TRY(check_text("address", line, false));
  if (billing.taxes && billing.taxes->size() > kTaxesMax) {
    return fail(ErrorCode::kInvalidArgument, "an invoice has at most {} taxes", kTaxesMax);
  }
  for (const TaxRate& tax : billing.taxes.value_or(std::vector<TaxRate>())) {
    TRY(check_text("tax's name", tax.name, false));
    TRY(tax_of(Money(), tax.percent, Money::pico(1)));
  }
  const int days = billing.due_days.value_or(0);
  if (days < 0 || days > kDueDaysMax) {
    return fail(ErrorCode::kInvalidArgument, "an invoice is due 0 to {} days after it is issued",
                kDueDaysMax);
  }
  return {};
}

Result<TaxRate> parse_tax(std::string_view text) {
  const size_t sign = text.rfind('=');
  if (sign == text.npos || sign == 0) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a tax: write its name and percentage, as in VAT=6",
                text);
  }
  TaxRate tax{std::string(text.substr(0, sign)), std::string(text.substr(sign + 1))};
  TRY(tax_of(Money(), tax.percent, Money::pico(1)));
  return tax;
}

}  // namespace feilun::ledger
