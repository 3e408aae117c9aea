#include "ledger/focus.h"

#include <gtest/gtest.h>

#include "ledger/currency.h"
#include "ledger/focus_fixture.h"

namespace feilun::ledger {
namespace {

const FocusProvider kProvider{"Feilun Cloud", "Feilun", "Feilun Cloud", "Feilun Model API"};

FocusCharge usage_charge() {
  FocusCharge charge;
  charge.organisation_id = "org_1";
  charge.project_id = "prj_1";
  charge.project_name = "=web, \"1\"";
  charge.key_id = "key_1";
  charge.currency = "CNY";
  charge.billing_period = TimeZone::find("Asia/Shanghai")->period_of(parse_month("2026-02").value());
  charge.charge_period = {time_at("2026-02-03T04:00:00Z"), time_at("2026-02-03T05:00:00Z")};
  charge.offering = "qwen-7b";
  charge.tier = pricing::ServiceTier::kPriority;
  charge.token_class = "output";
  charge.list_price_id = 7;
  charge.list_row = 1;
  charge.price_id = 9;
  charge.quantity = 1'234'567;
  charge.list_unit = pricing::per_million("0.6").value();
  charge.contracted_unit = pricing::per_million("0.55").value();
  charge.billed = charge.contracted_unit * charge.quantity;
  return charge;
}

/// The cells of one row by the columns' names; null cells are absent.
std::map<std::string, std::string> cells_of(const FocusCharge& charge) {
  const auto rows = read_csv_cells(focus_csv(kProvider, std::span(&charge, 1))).value();
  std::map<std::string, std::string> cells;
  for (size_t i = 0; i < rows[0].size(); ++i) {
    if (rows[1][i]) cells[*rows[0][i]] = *rows[1][i];
  }
  return cells;
}

TEST(Focus, AUsageRowSaysWhatWasUsedAtWhichPrices) {
  const auto cells = cells_of(usage_charge());
  const std::map<std::string, std::string> expected = {
      {"BilledCost", "0.67901185"},
      {"BillingAccountId", "wallets/org_1"},
      {"BillingAccountName", "org_1"},
      {"BillingCurrency", "CNY"},
      {"BillingPeriodEnd", "2026-02-28T16:00:00Z"},
      {"BillingPeriodStart", "2026-01-31T16:00:00Z"},
      {"ChargeCategory", "Usage"},
      {"ChargeDescription", "Output Tokens of qwen-7b, tier priority"},
      {"ChargeFrequency", "Usage-Based"},
      {"ChargePeriodEnd", "2026-02-03T05:00:00Z"},
      {"ChargePeriodStart", "2026-02-03T04:00:00Z"},
      {"ConsumedQuantity", "1234567"},
      {"ConsumedUnit", "Tokens"},
      {"ContractedCost", "0.67901185"},
      {"ContractedUnitPrice", "0.55"},
      {"EffectiveCost", "0.67901185"},
      {"InvoiceIssuerName", "Feilun Cloud"},
      {"ListCost", "0.7407402"},
      {"ListUnitPrice", "0.6"},
      {"PricingCategory", "Standard"},
      {"PricingCurrency", "CNY"},
      {"PricingCurrencyContractedUnitPrice", "0.55"},
      {"PricingCurrencyEffectiveCost", "0.67901185"},
      {"PricingCurrencyListUnitPrice", "0.6"},
      {"PricingQuantity", "1.234567"},
      {"PricingUnit", "1000000 Tokens"},
      {"ProviderName", "Feilun Cloud"},
      {"PublisherName", "Feilun"},
      {"ResourceId", "wallets/org_1/projects/prj_1/api_keys/key_1"},
      {"ResourceType", "API Key"},
      {"ServiceCategory", "AI and Machine Learning"},
      {"ServiceName", "Feilun Model API"},
      {"ServiceSubcategory", "Generative AI"},
      {"SkuId", "qwen-7b/output"},
      {"SkuMeter", "Output Tokens"},
      {"SkuPriceDetails", R"({"x_Offering":"qwen-7b","x_ServiceTier":"priority","x_TokenClass":"output"})"},
      {"SkuPriceId", "qwen-7b/output/priority@7.1"},
      {"SubAccountId", "wallets/org_1/projects/prj_1"},
      {"SubAccountName", "=web, \"1\""},
      {"x_PriceId", "9"},
      {"x_ServiceTier", "priority"},
      {"x_TokenClass", "output"}};
  EXPECT_EQ(cells, expected);
}

TEST(Focus, TimesAreWholeSecondsHoweverFarTheyAre) {
  FocusCharge charge = usage_charge();
  charge.charge_period = {time_at("2026-02-03T04:00:00.999999Z"), WallTime::max()};
  charge.billing_period.from = WallTime::min();
  auto cells = cells_of(charge);
  EXPECT_EQ(cells["ChargePeriodStart"], "2026-02-03T04:00:00Z");
  EXPECT_EQ(cells["ChargePeriodEnd"], "9999-12-31T23:59:59Z");
  EXPECT_EQ(cells["BillingPeriodStart"], "0001-01-01T00:00:00Z");
}

TEST(Focus, WhatAPackagePaysForIsUsedAtItsShareOfThePackagesPrice) {
  FocusCharge charge = usage_charge();
  charge.commitment = FocusCommitment{"pkg_1", "Ten million", "Token Package", FocusCommitment::Part::kUsed};
  charge.commitment->tokens = charge.quantity;
  charge.billed = Money();
  charge.effective = money("0.5");
  auto cells = cells_of(charge);
  EXPECT_EQ(cells["BilledCost"], "0");
  EXPECT_EQ(cells["EffectiveCost"], "0.5");
  EXPECT_EQ(cells["ContractedCost"], "0.67901185");
  EXPECT_EQ(cells["CommitmentDiscountStatus"], "Used");
  EXPECT_EQ(cells["CommitmentDiscountQuantity"], "1234567");
  EXPECT_EQ(cells["PricingCategory"], "Committed");
  EXPECT_EQ(cells["ResourceId"], "wallets/org_1/projects/prj_1/api_keys/key_1");
}

TEST(Focus, PartsOfAPriceSumToItWhateverTheyAre) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 500; ++round) {
    const auto total = static_cast<TokenCount>(1 + (random() >> (1 + random() % 60)));
    const Money price = Money::pico(static_cast<int128>(random() >> (random() % 60)) * 1'000'000);
    Money sum;
    TokenCount at = 0;
    while (at < total) {
      const TokenCount next =
          std::min(total - at, static_cast<TokenCount>(1 + random() % (total / 5 + 1))) + at;
      const Money part = amortised(price, total, at, next);
      EXPECT_FALSE(part.is_negative());
      sum += part;
      at = next;
    }
    EXPECT_EQ(sum, price);
  }
  EXPECT_EQ(amortised(money("100000000000000000000"), INT64_MAX, 0, INT64_MAX),
            money("100000000000000000000"));
}

TEST(Focus, BilledCostsSumToTheExactChargesAndByInvoiceToItsTotal) {
  const FocusSample sample = FocusSampleMaker(3000).make();
  const auto rows = read_csv_cells(focus_csv(sample.provider, sample.charges)).value();
  ASSERT_EQ(rows.size(), 1 + sample.charges.size());
  const auto column = [&](std::string_view name) {
    return static_cast<size_t>(std::ranges::find(rows[0], std::optional(std::string(name))) -
                               rows[0].begin());
  };
  Money exact, all;
  std::map<std::string, Money> by_invoice;
  for (size_t i = 1; i < rows.size(); ++i) {
    const Money billed = money(*rows[i][column("BilledCost")]);
    const std::string description = rows[i][column("ChargeDescription")].value_or("");
    const bool added = rows[i][column("ChargeCategory")] == "Tax" || description.starts_with("Rounding");
    if (!added) exact += billed;
    by_invoice[rows[i][column("InvoiceId")].value_or("")] += billed;
    all += billed;
  }
  EXPECT_EQ(exact, sample.exact);
  ASSERT_EQ(sample.invoices.size(), 8u);
  Money invoiced = by_invoice[""];
  for (const Invoice& invoice : sample.invoices) {
    EXPECT_EQ(by_invoice[invoice.facts.number], invoice.total) << invoice.facts.number;
    EXPECT_EQ(invoice.total.pico() % smallest_unit(invoice.digits).pico(), 0);
    invoiced += invoice.total;
  }
  EXPECT_EQ(all, invoiced);
}

TEST(Focus, ChargesThatAreNotTheInvoicesAreRefused) {
  const FocusCharge charge = usage_charge();
  InvoiceFacts facts = invoice_facts();
  facts.lines = {token_line("web", "qwen-7b", "output", "0.55", charge.quantity)};
  const Invoice invoice = make_invoice(facts).value();
  FocusCosts costs;
  costs += charge;
  EXPECT_TRUE(focus_invoice_charges(invoice, costs));
  const auto refused = focus_invoice_charges(invoice, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorrupt);
}

/// A day of a published inference service: tokens in the three classes it prices, in dollars a million.
TEST(Focus, APublishedDayIsOneNumberInLinesInvoiceAndExport) {
  struct Class {
    const char* name;
    const char* price;
    TokenCount tokens;
  };
  constexpr Class kDay[] = {{"cache_read", "0.14", 342'000'000'000},
                            {"input", "0.55", 266'000'000'000},
                            {"output", "2.19", 168'000'000'000}};
  InvoiceFacts facts = invoice_facts("USD");
  std::vector<FocusCharge> charges;
  Money exact;
  for (const Class& used : kDay) {
    facts.lines.push_back(token_line("web", "r1", used.name, used.price, used.tokens));
    // By the hour, unevenly, as an export has it.
    TokenCount left = used.tokens;
    for (int hour = 0; hour < 24; ++hour) {
      FocusCharge charge = usage_charge();
      charge.token_class = used.name;
      charge.charge_period.from = time_at("2026-02-27T00:00:00Z") + std::chrono::hours(hour);
      charge.charge_period.until = charge.charge_period.from + std::chrono::hours(1);
      charge.quantity = hour == 23 ? left : left / 7 + hour;
      left -= charge.quantity;
      charge.list_unit = charge.contracted_unit = facts.lines.back().unit;
      charge.billed = charge.contracted_unit * charge.quantity;
      exact += charge.billed;
      charges.push_back(charge);
    }
  }
  const Invoice invoice = make_invoice(facts).value();
  FocusCosts costs;
  for (const FocusCharge& charge : charges) costs += charge;
  const auto more = focus_invoice_charges(invoice, costs).value();
  charges.insert(charges.end(), more.begin(), more.end());
  Money exported;
  for (const FocusCharge& charge : charges) exported += money(cells_of(charge)["BilledCost"]);
  EXPECT_EQ(exact, invoice.exact);
  EXPECT_EQ(exported, invoice.total);
  EXPECT_EQ(invoice.total, money("562100"));
  EXPECT_LT(invoice.total - money("562027"), money("562.027"));  // the published revenue, to 0.1%
}

}  // namespace
}  // namespace feilun::ledger
