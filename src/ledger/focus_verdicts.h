#pragma once

/// What an export is judged by, for tests: which rules of the file bind a provider like feilun, where the
/// file does not say what its own sentences say, and what became of each rule.

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

#include "base/testdata.h"
#include "ledger/focus_dynamic_rules.h"
#include "ledger/focus_fixture.h"
#include "ledger/focus_rules.h"

namespace feilun::ledger::focus_rules {

inline constexpr std::string_view kRulesFile = "focus/model-1.2.json";

/// What feilun does not have, so that rules for providers who do are not for it.
inline const std::set<std::string>& unsupported_criteria() {
  static const std::set<std::string> kUnsupported = {"AVAILABILITY_ZONE_SUPPORTED",
                                                     "CAPACITY_RESERVATION_SUPPORTED",
                                                     "REGION_SUPPORTED",
                                                     "VIRTUAL_CURRENCY_SUPPORTED",
                                                     "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED",
                                                     "MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED",
                                                     "TAGGING_SUPPORTED"};
  return kUnsupported;
}

/// A rule whose requirement or condition in the file is not what its own sentence says. It is evaluated as
/// the sentence says. The sentence is repeated here, so that a file that is put right is noticed.
struct Correction {
  std::string_view rule, sentence, requirement, condition, what_is_wrong;
};
inline constexpr Correction kCorrections[] = {
    {"CommitmentDiscountStatus-C-003-C",
     "CommitmentDiscountStatus MUST be null when CommitmentDiscountId is null.",
     R"({"CheckFunction":"CheckValue","ColumnName":"CommitmentDiscountStatus","Value":null})", "",
     "requires that it is not null"},
    {"CommitmentDiscountStatus-C-004-C",
     "CommitmentDiscountStatus MUST NOT be null when CommitmentDiscountId is not null and Charge Category is "
     "\"Usage\".",
     "",
     R"({"CheckFunction":"AND","Items":[
         {"CheckFunction":"CheckNotValue","ColumnName":"CommitmentDiscountId","Value":null},
         {"CheckFunction":"CheckValue","ColumnName":"ChargeCategory","Value":"Usage"}]})",
     "is asked where the id is null"},
    {"CommitmentDiscountStatus-C-005-M", "CommitmentDiscountStatus MUST be one of the allowed values.",
     R"({"CheckFunction":"OR","Items":[
         {"CheckFunction":"CheckValue","ColumnName":"CommitmentDiscountStatus","Value":"Used"},
         {"CheckFunction":"CheckValue","ColumnName":"CommitmentDiscountStatus","Value":"Unused"}]})",
     "", "allows Active, Expired and Pending, where all other rules speak of Used and Unused"},
    {"ConsumedQuantity-C-006-C", "ConsumedQuantity MUST NOT be null when ChargeClass is not \"Correction\".",
     "", R"({"CheckFunction":"CheckNotValue","ColumnName":"ChargeClass","Value":"Correction"})",
     "is asked of corrections"},
    {"CommitmentDiscountQuantity-C-010-C",
     "When ChargeCategory is \"Purchase\", CommitmentDiscountQuantity adheres to the following additional "
     "requirements:",
     "", R"({"CheckFunction":"CheckValue","ColumnName":"ChargeCategory","Value":"Purchase"})",
     "is asked where there is no category"},
    {"PricingCurrencyEffectiveCost-C-004-M", "PricingCurrencyEffectiveCost MUST be a valid decimal value.",
     R"({"CheckFunction":"CheckDecimalValue","ColumnName":"PricingCurrencyEffectiveCost"})", "",
     "checks PricingCurrencyListUnitPrice"},
    {"PricingQuantity-C-008-M", "PricingQuantity MUST be a valid decimal value.",
     R"({"CheckFunction":"CheckDecimalValue","ColumnName":"PricingQuantity"})", "",
     "only requires, of quantities that are not null, that they are not null"},
    {"ResourceId-C-006-C",
     "When ResourceId is not null, ResourceId adheres to the following additional requirements:", "",
     R"({"CheckFunction":"CheckNotValue","ColumnName":"ResourceId","Value":null})",
     "has a condition that names no column"},
    {"ResourceType-C-005-C", "ResourceType MUST NOT be null when ResourceId is not null.", "",
     R"({"CheckFunction":"CheckNotValue","ColumnName":"ResourceId","Value":null})",
     "has a condition that names no column"},
};

inline std::string rules_text() {
  std::ifstream file(testdata_path(kRulesFile));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline Rules read_rules(const Table& table, bool corrected = true) {
  const RulesReader reader(table);
  static const std::string kText = rules_text();
  Rules rules = reader.read(kText).value();
  for (const Correction& correction : kCorrections) {
    if (!corrected) break;
    Rule& rule = rules.at(std::string(correction.rule));
    EXPECT_EQ(rule.sentence, correction.sentence);
    const auto node = [&](std::string_view text) {
      return reader.read_node(JsonDocument::parse(text).value().root()).value();
    };
    if (!correction.requirement.empty()) rule.requirement = node(correction.requirement);
    if (!correction.condition.empty()) rule.condition = node(correction.condition);
  }
  return rules;
}

inline Table table_of(const FocusSample& sample) {
  return read_table(focus_csv(sample.provider, sample.charges)).value();
}

inline std::map<std::string, Outcome> evaluate_all(const Rules& rules, const Table& table) {
  return Evaluation(rules, table, unsupported_criteria()).run();
}

/// The static rules that a table breaks, without the composites above them.
inline std::set<std::string> broken_rules(const Rules& rules, const Table& table) {
  std::set<std::string> broken;
  for (const auto& [id, outcome] : evaluate_all(rules, table)) {
    if (outcome.verdict == Verdict::kBroken && rules.at(id).children.empty()) broken.insert(id);
  }
  return broken;
}

/// The dynamic rules that an export breaks.
inline std::set<std::string> broken_dynamic_rules(const Export& all) {
  std::set<std::string> broken;
  for (const DynamicCheck& check : dynamic_checks()) {
    if (!check.check(all).empty()) broken.insert(check.rules.begin(), check.rules.end());
  }
  return broken;
}

/// "BilledCost C-005-C, C-006-M; ListCost …".
inline std::string by_family(const std::set<std::string>& rules) {
  std::string text, last;
  for (const std::string& rule : rules) {
    const size_t dash = rule.find('-');
    if (rule.substr(0, dash) != last)
      text += (last.empty() ? "" : "; ") + rule.substr(0, dash);
    else
      text += ',';
    last = rule.substr(0, dash);
    text += ' ' + rule.substr(dash + 1);
  }
  return text;
}

}  // namespace feilun::ledger::focus_rules
