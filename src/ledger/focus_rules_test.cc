#include "ledger/focus_rules.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "ledger/focus_verdicts.h"

namespace feilun::ledger::focus_rules {
namespace {

/// The lists of docs/formats/focus.md.
std::string report(const Rules& rules, const std::map<std::string, Outcome>& outcomes) {
  std::map<std::string, std::set<std::string>> unsupported, unchecked;
  std::set<std::string> held, permissions, checked, alternatives;
  for (const auto& [id, outcome] : outcomes) {
    if (outcome.verdict == Verdict::kHolds) held.insert(id);
    if (outcome.verdict == Verdict::kUnsupported) unsupported[outcome.detail].insert(id);
    if (outcome.verdict == Verdict::kPermission) permissions.insert(id);
    if (outcome.verdict == Verdict::kAlternative) alternatives.insert(id);
    if (outcome.verdict == Verdict::kDynamic) checked.insert(id);
  }
  for (const Unchecked& one : unchecked_rules()) {
    for (const std::string& rule : one.rules) checked.erase(rule);
    unchecked[one.reason].insert(one.rules.begin(), one.rules.end());
  }
  std::string text = fmt::format(
      "Of {} rules, {} are evaluated as the file has them or as corrected below, {} more, for which it has a "
      "sentence only, by checks of our own. The others:\n\n",
      rules.size(), held.size() + alternatives.size(), checked.size());
  text += fmt::format("- MAY, which nothing can break: {}.\n", by_family(permissions));
  for (const auto& [criterion, ids] : unsupported) {
    text += fmt::format("- does not apply without {}: {}.\n", criterion, by_family(ids));
  }
  for (const auto& [reason, ids] : unchecked) text += fmt::format("- {}: {}.\n", reason, by_family(ids));
  text += "\nCorrected, because a requirement is not what its own sentence says:\n\n";
  for (const Correction& one : kCorrections) text += fmt::format("- {} {}.\n", one.rule, one.what_is_wrong);
  return text;
}

TEST(FocusRules, HoldOnAnExportOfTenThousandMixedRequests) {
  SKIP_WITHOUT(testdata_path(kRulesFile));
  const FocusSample sample = FocusSampleMaker(10'000).make();
  const Table table = table_of(sample);
  const Export all{sample, table};
  const Rules rules = read_rules(table);
  ASSERT_EQ(rules.size(), 621u);
  const auto outcomes = evaluate_all(rules, table);

  std::set<std::string> dynamic, idle;
  for (const auto& [id, outcome] : outcomes) {
    EXPECT_NE(outcome.verdict, Verdict::kBroken)
        << id << ": " << rules.at(id).sentence << ' ' << outcome.detail;
    if (outcome.verdict == Verdict::kDynamic) dynamic.insert(id);
    if (outcome.verdict == Verdict::kHolds && outcome.rows == 0) idle.insert(id);
  }
  // Speaks of charges whose invoice someone else issues; a mutation below shows that it can fail.
  EXPECT_EQ(idle, std::set<std::string>{"BilledCost-C-005-C"});
  for (const DynamicCheck& check : dynamic_checks()) {
    EXPECT_EQ(check.check(all), "") << by_family({check.rules.begin(), check.rules.end()});
    for (const std::string& rule : check.rules) EXPECT_EQ(dynamic.erase(rule), 1u) << rule;
  }
  for (const Unchecked& one : unchecked_rules()) {
    for (const std::string& rule : one.rules) EXPECT_EQ(dynamic.erase(rule), 1u) << rule;
  }
  EXPECT_EQ(dynamic, std::set<std::string>()) << "neither checked nor excused";

  const std::string list = report(rules, outcomes);
  if (std::getenv("FEILUN_FOCUS_LIST") != nullptr) {
    for (const auto& [id, outcome] : outcomes) {
      static constexpr const char* kVerdicts[] = {"holds", "BROKEN", "may", "n/a", "one of", "own check"};
      std::cout << fmt::format("{} {} {} {}\n", id, kVerdicts[static_cast<int>(outcome.verdict)],
                               outcome.rows, outcome.detail);
    }
  }
  std::ifstream file(std::string(FEILUN_SOURCE_DIR) + "/docs/formats/focus.md");
  std::stringstream document;
  document << file.rdbuf();
  EXPECT_NE(document.str().find(list), std::string::npos) << "docs/formats/focus.md should say:\n" << list;
}

TEST(FocusRules, OfTheFileAreAsWrongAsTheirCorrectionsSay) {
  SKIP_WITHOUT(testdata_path(kRulesFile));
  const FocusSample sample = FocusSampleMaker(300).make();
  const Table table = table_of(sample);
  const RulesReader reader(table);
  ASSERT_TRUE(reader.read(rules_text()));
  EXPECT_EQ(reader.unreadable(),
            (std::set<std::string>{
                "ResourceType MUST NOT be null when ResourceId is not null.",
                "When ResourceId is not null, ResourceId adheres to the following additional requirements:",
                "CapacityReservationStatus MUST be null when CapacityReservationId is null.",
                "CapacityReservationStatus MUST NOT be null when CapacityReservationId is not null and "
                "ChargeCategory is \"Usage\"."}));
  EXPECT_EQ(broken_rules(read_rules(table, false), table),
            (std::set<std::string>{"CommitmentDiscountStatus-C-003-C", "CommitmentDiscountStatus-C-004-C",
                                   "CommitmentDiscountStatus-C-005-M", "ResourceType-C-005-C"}));
}

/// One cell, or a whole column, made wrong.
struct Mutation {
  const char* category;  ///< of the row to change
  const char* column;
  const char* value;  ///< null: no value
  const char* breaks;
};
constexpr Mutation kMutations[] = {
    {"Usage", "BillingPeriodStart", "2026-01-01 00:00:00", "BillingPeriodStart-C-002-M"},
    {"Usage", "BillingPeriodEnd", "2026-02-30T00:00:00Z", "BillingPeriodEnd-C-001-M"},
    {"Usage", "ChargePeriodEnd", "2026-01-01T00:00:00+08:00", "ChargePeriodEnd-C-002-M"},
    {"Usage", "BilledCost", "1,5", "BilledCost-C-002-M"},
    {"Usage", "BilledCost", "+1.5", "BilledCost-C-002-M"},
    {"Usage", "ListCost", "¥1.50", "ListCost-C-002-M"},
    {"Usage", "ListUnitPrice", "-0.6", "ListUnitPrice-C-008-M"},
    {"Usage", "ContractedUnitPrice", "-0.6", "ContractedUnitPrice-C-009-C"},
    {"Usage", "PricingQuantity", "-1", "ContractedUnitPrice-C-011-C"},
    {"Usage", "PricingQuantity", "-1", "ListUnitPrice-C-010-C"},
    {"Usage", "ListCost", "0.000000000001", "ListCost-C-009-C"},
    {"Usage", "EffectiveCost", nullptr, "EffectiveCost-C-003-M"},
    {"Usage", "ChargeCategory", "usage", "ChargeCategory-C-003-M"},
    {"Usage", "BillingCurrency", "XXX", "BillingCurrency-C-006-M"},
    {"Usage", "BillingCurrency", "Yuan", "BillingCurrency-C-003-M"},
    {"Usage", "SkuPriceDetails", "{\"a\":{}}", "SkuPriceDetails-C-001-M"},
    {"Usage", "SkuPriceDetails", "{\"a\":1,\"a\":2}", "SkuPriceDetails-C-001-M"},
    {"Usage", "PricingUnit", "per token!", "PricingUnit-C-003-O"},
    {"Usage", "ConsumedUnit", nullptr, "ConsumedUnit-C-006-C"},
    {"Usage", "ConsumedQuantity", nullptr, "ConsumedUnit-C-005-C"},
    {"Usage", "ServiceSubcategory", "Search", "ServiceSubcategory-C-004-M"},
    {"Usage", "ServiceCategory", "Analytics", "ServiceName-C-005-C"},
    {"Usage", "ServiceSubcategory", "Bots", "ServiceName-C-008-C"},
    {"Usage", "SkuId", "other/input", "SkuPriceId-C-008-M"},
    {"Usage", "ChargeClass", "Fix", "ChargeClass-C-005-C"},
    {"Usage", "CommitmentDiscountStatus", "Active", "CommitmentDiscountStatus-C-005-M"},
    {"Usage", "CommitmentDiscountStatus", "Used", "CommitmentDiscountStatus-C-003-C"},
    {"Usage", "CommitmentDiscountId", "pkg_9", "CommitmentDiscountStatus-C-004-C"},
    {"Usage", "ResourceType", nullptr, "ResourceType-C-005-C"},
    {"Usage", "SubAccountName", nullptr, "SubAccountName-C-005-C"},
    {"Usage", "InvoiceIssuerName", "A Marketplace", "BilledCost-C-005-C"},
    {"Usage", "ChargeDescription", "\xff\xfe", "ChargeDescription-C-002-M"},
    {"Usage", "SkuMeter", nullptr, "SkuMeter-C-005-C"},
    {"Purchase", "ChargeFrequency", "Usage-Based", "ChargeFrequency-C-004-C"},
    {"Purchase", "EffectiveCost", "1", "EffectiveCost-C-005-C"},
    {"Purchase", "ListUnitPrice", nullptr, "ListUnitPrice-C-005-C"},
    {"Purchase", "CommitmentDiscountQuantity", nullptr, "CommitmentDiscountQuantity-C-005-C"},
    {"Tax", "ListUnitPrice", "0", "ListUnitPrice-C-004-C"},
    {"Tax", "SkuId", "tax", "SkuId-C-004-C"},
    {"Credit", "ConsumedQuantity", "0", "ConsumedQuantity-C-004-C"},
    {"Credit", "CommitmentDiscountQuantity", "1", "CommitmentDiscountQuantity-C-007-C"},
};

size_t row_of(const Table& table, std::string_view category) {
  size_t row = 0;
  while (table.at(row, "ChargeCategory") != std::string(category) || table.at(row, "CommitmentDiscountId")) {
    if (++row < table.rows.size()) continue;
    for (row = 0; table.at(row, "ChargeCategory") != std::string(category);) ++row;
    break;
  }
  return row;
}

void set(Table& table, size_t row, std::string_view column, const char* value) {
  auto& cell = table.rows[row][static_cast<size_t>(table.index_of(column))];
  cell = value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

TEST(FocusRules, AreBrokenByExportsMadeWrong) {
  SKIP_WITHOUT(testdata_path(kRulesFile));
  const FocusSample sample = FocusSampleMaker(100).make();
  const Table right = table_of(sample);
  const Rules rules = read_rules(right);
  ASSERT_EQ(broken_rules(rules, right), std::set<std::string>());
  for (const Mutation& mutation : kMutations) {
    Table table = right;
    set(table, row_of(right, mutation.category), mutation.column, mutation.value);
    EXPECT_TRUE(broken_rules(rules, table).contains(mutation.breaks))
        << mutation.column << " of " << mutation.category << " as "
        << (mutation.value == nullptr ? "null" : mutation.value) << " breaks "
        << by_family(broken_rules(rules, table)) << " but not " << mutation.breaks;
  }
}

/// Every rule that is evaluated can fail: some column missing, emptied or filled with one wrong value in the
/// rows of one category, or one of the cells above, breaks it.
TEST(FocusRules, CanEachBeBroken) {
  SKIP_WITHOUT(testdata_path(kRulesFile));
  const FocusSample sample = FocusSampleMaker(30).make();
  const Table right = table_of(sample);
  const Rules rules = read_rules(right);
  std::set<std::string> broken;
  for (const Mutation& mutation : kMutations) {
    Table table = right;
    set(table, row_of(right, mutation.category), mutation.column, mutation.value);
    broken.merge(broken_rules(rules, table));
  }
  for (const std::string& column : right.columns) {
    Table table = right;
    table.places.erase(column);
    broken.merge(broken_rules(read_rules(table), table));
    for (const char* value : {static_cast<const char*>(nullptr), "\xff"}) {
      table = right;
      for (size_t row = 0; row < table.rows.size(); ++row) set(table, row, column, value);
      broken.merge(broken_rules(rules, table));
    }
  }
  for (const auto& [id, outcome] : evaluate_all(rules, right)) {
    if (outcome.verdict != Verdict::kHolds || !rules.at(id).children.empty()) continue;
    EXPECT_TRUE(broken.contains(id)) << id << ": " << rules.at(id).sentence;
  }
}

TEST(FocusRules, WithoutARequirementCanBeBrokenToo) {
  const FocusSample sample = FocusSampleMaker(30).make();
  const Table right = table_of(sample);
  ASSERT_EQ(broken_dynamic_rules({sample, right}), std::set<std::string>());
  std::set<std::string> broken;
  for (const std::string& column : right.columns) {
    for (const char* value : {static_cast<const char*>(nullptr), "?", "\xff", "0.000000000001"}) {
      for (const char* category : {"Usage", "Purchase", "Tax", "Credit"}) {
        Table table = right;
        set(table, row_of(right, category), column, value);
        broken.merge(broken_dynamic_rules({sample, table}));
      }
    }
  }
  for (const Mutation& mutation : {Mutation{"Usage", "CommitmentDiscountStatus", "Used", ""},
                                   {"Usage", "CommitmentDiscountStatus", "Unused", ""},
                                   {"Usage", "ChargeDescription", "N/A", ""}}) {
    Table table = right;
    set(table, row_of(right, mutation.category), mutation.column, mutation.value);
    broken.merge(broken_dynamic_rules({sample, table}));
  }
  Table table = right;
  table.columns.emplace_back("no good name");
  broken.merge(broken_dynamic_rules({sample, table}));
  table = right;
  for (auto& row : table.rows) row[static_cast<size_t>(table.index_of("x_TokenClass"))] = "input";
  broken.merge(broken_dynamic_rules({sample, table}));
  for (const DynamicCheck& check : dynamic_checks()) {
    if (check.check == numbers_are_declared) continue;  // of the columns, which no row changes
    EXPECT_TRUE(broken.contains(check.rules.front())) << check.rules.front();
  }
}

}  // namespace
}  // namespace feilun::ledger::focus_rules
