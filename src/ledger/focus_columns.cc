#include <array>
#include <boost/json.hpp>

#include "ledger/currency.h"
#include "ledger/focus.h"
#include "ledger/invoice_formats.h"

namespace feilun::ledger {
namespace {

using Cell = std::optional<std::string>;
using Type = FocusColumn::Type;

constexpr TokenCount kTokensPerPrice = 1'000'000;  // the price list's unit

bool is_priced(const FocusCharge& charge) {
  return charge.category == ChargeCategory::kUsage || charge.category == ChargeCategory::kPurchase;
}

bool is_of_tokens(const FocusCharge& charge) {
  return charge.category == ChargeCategory::kUsage && !charge.token_class.empty();
}

/// Bought or unused, so that the row is about the commitment itself and not about a use of it.
bool is_of_commitment(const FocusCharge& charge) {
  return charge.commitment && charge.commitment->part != FocusCommitment::Part::kUsed;
}

Cell text(std::string_view value) {
  return value.empty() ? Cell() : Cell(value);
}

Cell decimal(Money value) {
  return to_decimal(value, 0);
}

/// To the second, whose spelling is the first nineteen characters.
Cell time(WallTime value) {
  return to_iso8601(value).substr(0, 19) + "Z";
}

std::string_view meter_of(std::string_view token_class) {
  if (token_class == "input") return "Input Tokens";
  if (token_class == "cache_read") return "Cache Read Tokens";
  if (token_class == "cache_write") return "Cache Write Tokens";
  if (token_class == "output") return "Output Tokens";
  if (token_class == "reasoning") return "Reasoning Tokens";
  return "Tokens";
}

Cell category(const FocusRow& row) {
  static constexpr std::string_view kNames[] = {"Usage", "Purchase", "Tax", "Credit", "Adjustment"};
  return Cell(kNames[static_cast<size_t>(row.charge.category)]);
}

Cell frequency(const FocusRow& row) {
  if (row.charge.category == ChargeCategory::kUsage) return "Usage-Based";
  return row.charge.recurring ? "Recurring" : "One-Time";
}

Cell description(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  if (!charge.description.empty()) return charge.description;
  if (is_of_tokens(charge)) {
    return fmt::format("{} of {}, tier {}", meter_of(charge.token_class), charge.offering,
                       pricing::name_of(charge.tier));
  }
  return charge.offering.empty() ? category(row) : Cell(charge.offering);
}

Cell sku(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  if (!is_priced(charge)) return {};
  if (!is_of_tokens(charge)) return text(charge.offering);
  return fmt::format("{}/{}", charge.offering, charge.token_class);
}

/// Names the list price, so that the same price has the same id for every buyer.
Cell sku_price(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  if (!is_priced(charge)) return {};
  if (!is_of_tokens(charge)) return fmt::format("{}@{}", charge.offering, charge.list_price_id);
  return fmt::format("{}/{}/{}@{}.{}", charge.offering, charge.token_class, pricing::name_of(charge.tier),
                     charge.list_price_id, charge.list_row);
}

Cell sku_meter(const FocusRow& row) {
  if (!is_priced(row.charge)) return {};
  return is_of_tokens(row.charge) ? Cell(meter_of(row.charge.token_class)) : Cell("Purchases");
}

Cell sku_details(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  if (!is_of_tokens(charge)) return {};
  return boost::json::serialize(boost::json::object{{"x_Offering", charge.offering},
                                                    {"x_ServiceTier", pricing::name_of(charge.tier)},
                                                    {"x_TokenClass", charge.token_class}});
}

Cell pricing_quantity(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  if (!is_priced(charge)) return {};
  const Money one = Money::pico(1'000'000'000'000);
  return decimal(is_of_tokens(charge) ? Money::pico(one.pico() / kTokensPerPrice) * charge.quantity
                                      : one * charge.quantity);
}

Cell pricing_unit(const FocusRow& row) {
  if (!is_priced(row.charge)) return {};
  return is_of_tokens(row.charge) ? fmt::format("{} Tokens", kTokensPerPrice) : "Units";
}

Cell unit_price(const FocusCharge& charge, Money unit) {
  if (!is_priced(charge)) return {};
  return decimal(is_of_tokens(charge) ? unit * kTokensPerPrice : unit);
}

Cell pricing_category(const FocusRow& row) {
  if (!is_priced(row.charge)) return {};
  const bool bought = !row.charge.commitment || row.charge.commitment->part == FocusCommitment::Part::kBought;
  return bought ? "Standard" : "Committed";
}

Cell commitment_quantity(const FocusRow& row) {
  if (!row.charge.commitment || row.charge.corrects_invoiced || !is_priced(row.charge)) return {};
  const FocusCommitment& commitment = *row.charge.commitment;
  return commitment.of_spend ? decimal(commitment.spend) : fmt::format("{}", commitment.tokens);
}

Cell commitment_unit(const FocusRow& row) {
  if (!commitment_quantity(row)) return {};
  return row.charge.commitment->of_spend ? row.charge.currency : "Tokens";
}

Cell commitment_status(const FocusRow& row) {
  if (!row.charge.commitment || row.charge.category != ChargeCategory::kUsage) return {};
  return row.charge.commitment->part == FocusCommitment::Part::kUsed ? "Used" : "Unused";
}

/// Ids are paths that begin with who pays, as the admin API's are.
Cell account_id(const FocusRow& row) {
  return "wallets/" + row.charge.organisation_id;
}

Cell sub_account_id(const FocusRow& row) {
  if (row.charge.project_id.empty()) return {};
  return fmt::format("{}/projects/{}", *account_id(row), row.charge.project_id);
}

Cell commitment_id(const FocusRow& row) {
  if (!row.charge.commitment) return {};
  return fmt::format("{}/lots/{}", *account_id(row), row.charge.commitment->id);
}

template <auto Member>
Cell commitment_text(const FocusRow& row) {
  return row.charge.commitment ? text(row.charge.commitment.value().*Member) : Cell();
}

template <auto Member>
Cell provider_text(const FocusRow& row) {
  return text(row.provider.*Member);
}

template <auto Member>
Cell charge_text(const FocusRow& row) {
  return text(row.charge.*Member);
}

Cell resource_id(const FocusRow& row) {
  if (is_of_commitment(row.charge)) return commitment_id(row);
  if (row.charge.key_id.empty()) return {};
  return fmt::format("{}/api_keys/{}", sub_account_id(row).value_or(*account_id(row)), row.charge.key_id);
}

Cell resource_name(const FocusRow& row) {
  const std::string& name = is_of_commitment(row.charge) ? row.charge.commitment->name : row.charge.key_name;
  return resource_id(row) ? text(name) : Cell();
}

Cell resource_type(const FocusRow& row) {
  if (!resource_id(row)) return {};
  return is_of_commitment(row.charge) ? text(row.charge.commitment->type) : Cell("API Key");
}

Cell sub_account_name(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  return text(charge.project_id.empty() || charge.project_name.empty() ? charge.project_id
                                                                       : charge.project_name);
}

Cell account_name(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  return text(charge.organisation_name.empty() ? charge.organisation_id : charge.organisation_name);
}

Cell pricing_currency(const FocusRow& row) {
  return text(row.charge.pricing ? row.charge.pricing->currency : row.charge.currency);
}

Cell pricing_list_unit(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  return unit_price(charge, charge.pricing ? charge.pricing->list_unit : charge.list_unit);
}

Cell pricing_contracted_unit(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  return unit_price(charge, charge.pricing ? charge.pricing->contracted_unit : charge.contracted_unit);
}

Cell pricing_effective(const FocusRow& row) {
  const FocusCharge& charge = row.charge;
  return decimal(charge.pricing ? charge.pricing->effective : effective_cost_of(charge));
}

Cell consumed_quantity(const FocusRow& row) {
  return is_of_tokens(row.charge) ? Cell(fmt::format("{}", row.charge.quantity)) : Cell();
}

constexpr auto kColumns = std::to_array<FocusColumn>({
    {"BilledCost", Type::kDecimal, [](const FocusRow& row) { return decimal(row.charge.billed); }},
    {"BillingAccountId", Type::kString, account_id},
    {"BillingAccountName", Type::kString, account_name},
    {"BillingCurrency", Type::kString, charge_text<&FocusCharge::currency>},
    {"BillingPeriodEnd", Type::kDateTime,
     [](const FocusRow& row) { return time(row.charge.billing_period.until); }},
    {"BillingPeriodStart", Type::kDateTime,
     [](const FocusRow& row) { return time(row.charge.billing_period.from); }},
    {"ChargeCategory", Type::kString, category},
    {"ChargeClass", Type::kString,
     [](const FocusRow& row) { return row.charge.corrects_invoiced ? Cell("Correction") : Cell(); }},
    {"ChargeDescription", Type::kString, description},
    {"ChargeFrequency", Type::kString, frequency},
    {"ChargePeriodEnd", Type::kDateTime,
     [](const FocusRow& row) { return time(row.charge.charge_period.until); }},
    {"ChargePeriodStart", Type::kDateTime,
     [](const FocusRow& row) { return time(row.charge.charge_period.from); }},
    {"CommitmentDiscountCategory", Type::kString,
     [](const FocusRow& row) {
       return row.charge.commitment ? Cell(row.charge.commitment->of_spend ? "Spend" : "Usage") : Cell();
     }},
    {"CommitmentDiscountId", Type::kString, commitment_id},
    {"CommitmentDiscountName", Type::kString, commitment_text<&FocusCommitment::name>},
    {"CommitmentDiscountQuantity", Type::kDecimal, commitment_quantity},
    {"CommitmentDiscountStatus", Type::kString, commitment_status},
    {"CommitmentDiscountType", Type::kString, commitment_text<&FocusCommitment::type>},
    {"CommitmentDiscountUnit", Type::kString, commitment_unit},
    {"ConsumedQuantity", Type::kDecimal, consumed_quantity},
    {"ConsumedUnit", Type::kString,
     [](const FocusRow& row) { return is_of_tokens(row.charge) ? Cell("Tokens") : Cell(); }},
    {"ContractedCost", Type::kDecimal,
     [](const FocusRow& row) { return decimal(contracted_cost_of(row.charge)); }},
    {"ContractedUnitPrice", Type::kDecimal,
     [](const FocusRow& row) { return unit_price(row.charge, row.charge.contracted_unit); }},
    {"EffectiveCost", Type::kDecimal,
     [](const FocusRow& row) { return decimal(effective_cost_of(row.charge)); }},
    {"InvoiceId", Type::kString, charge_text<&FocusCharge::invoice_number>},
    {"InvoiceIssuerName", Type::kString, provider_text<&FocusProvider::invoice_issuer>},
    {"ListCost", Type::kDecimal, [](const FocusRow& row) { return decimal(list_cost_of(row.charge)); }},
    {"ListUnitPrice", Type::kDecimal,
     [](const FocusRow& row) { return unit_price(row.charge, row.charge.list_unit); }},
    {"PricingCategory", Type::kString, pricing_category},
    {"PricingCurrency", Type::kString, pricing_currency},
    {"PricingCurrencyContractedUnitPrice", Type::kDecimal, pricing_contracted_unit},
    {"PricingCurrencyEffectiveCost", Type::kDecimal, pricing_effective},
    {"PricingCurrencyListUnitPrice", Type::kDecimal, pricing_list_unit},
    {"PricingQuantity", Type::kDecimal, pricing_quantity},
    {"PricingUnit", Type::kString, pricing_unit},
    {"ProviderName", Type::kString, provider_text<&FocusProvider::provider>},
    {"PublisherName", Type::kString, provider_text<&FocusProvider::publisher>},
    {"ResourceId", Type::kString, resource_id},
    {"ResourceName", Type::kString, resource_name},
    {"ResourceType", Type::kString, resource_type},
    {"ServiceCategory", Type::kString, [](const FocusRow&) { return Cell("AI and Machine Learning"); }},
    {"ServiceName", Type::kString, provider_text<&FocusProvider::service>},
    {"ServiceSubcategory", Type::kString, [](const FocusRow&) { return Cell("Generative AI"); }},
    {"SkuId", Type::kString, sku},
    {"SkuMeter", Type::kString, sku_meter},
    {"SkuPriceDetails", Type::kJson, sku_details},
    {"SkuPriceId", Type::kString, sku_price},
    {"SubAccountId", Type::kString, sub_account_id},
    {"SubAccountName", Type::kString, sub_account_name},
    {"x_PriceId", Type::kString,
     [](const FocusRow& row) {
       return is_priced(row.charge) ? Cell(fmt::format("{}", row.charge.price_id)) : Cell();
     }},
    {"x_ServiceTier", Type::kString,
     [](const FocusRow&
            row) { return is_of_tokens(row.charge) ? Cell(pricing::name_of(row.charge.tier)) : Cell(); }},
    {"x_TokenClass", Type::kString,
     [](const FocusRow& row) { return is_of_tokens(row.charge) ? Cell(row.charge.token_class) : Cell(); }},
});

}  // namespace

std::span<const FocusColumn> focus_columns() {
  return kColumns;
}

std::string focus_csv_header() {
  std::string csv;
  for (const FocusColumn& column : kColumns) {
    if (!csv.empty()) csv += ',';
    csv += column.name;
  }
  return csv + "\r\n";
}

void append_focus_row(std::string& csv, const FocusProvider& provider, const FocusCharge& charge) {
  const FocusRow row{provider, charge};
  for (const FocusColumn& column : kColumns) {
    if (&column != kColumns.begin()) csv += ',';
    if (const Cell cell = column.cell(row)) csv += csv_field(*cell);
  }
  csv += "\r\n";
}

std::string focus_csv(const FocusProvider& provider, std::span<const FocusCharge> charges) {
  std::string csv = focus_csv_header();
  for (const FocusCharge& charge : charges) append_focus_row(csv, provider, charge);
  return csv;
}

}  // namespace feilun::ledger
