#pragma once

/// An interpreter for the machine-readable rules of FOCUS, for tests. A rules file is a graph: a rule has a
/// sentence, the criteria under which a provider is bound by it, a condition that picks rows, and a
/// requirement, both trees of check functions; composite rules are AND or OR of other rules, and a rule only
/// speaks about the rows that a rule above it speaks about. Logic is three-valued, as in the query languages
/// the rules are written for: a check of a null cell is unknown, and a rule is broken by a row only when its
/// condition is true there and its requirement is false. The file calls a rule dynamic when it gives no
/// requirement for it; what can be said about those is in focus_dynamic_rules.h.

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "ledger/currency.h"
#include "ledger/focus_table.h"

namespace feilun::ledger::focus_rules {

enum class Truth : uint8_t { kFalse, kUnknown, kTrue };

inline Truth truth(bool value) {
  return value ? Truth::kTrue : Truth::kFalse;
}

/// A node of a condition or requirement, bound to the columns of one table.
struct Node {
  std::string function;
  std::vector<Node> items;
  std::string column_name;
  int column = -1, other = -1, result = -1;
  std::optional<std::string> value;  ///< absent: null
  std::optional<Decimal> number;     ///< when the rule compares with a number
  std::string rule;                  ///< of CheckModelRule
};

/// A check of one cell that is not null.
using CellCheck = bool (*)(const std::string& cell);
inline const std::map<std::string, CellCheck, std::less<>>& cell_checks() {
  static const auto is_decimal = [](const std::string& cell) { return parse_decimal(cell).has_value(); };
  static const auto is_currency = [](const std::string& cell) { return minor_digits(cell).has_value(); };
  static const auto is_time = [](const std::string& cell) { return is_date_time(cell); };
  static const std::map<std::string, CellCheck, std::less<>> kChecks = {
      {"TypeDecimal", is_decimal},
      {"FormatNumeric", is_decimal},
      {"CheckDecimalValue", is_decimal},
      {"TypeDateTime", is_time},
      {"FormatDateTime", is_time},
      {"TypeString",
       [](const std::string& cell) { return simdjson::validate_utf8(cell.data(), cell.size()); }},
      {"FormatString", [](const std::string& cell) { return is_text(cell); }},
      {"FormatUnit", [](const std::string& cell) { return is_unit(cell); }},
      {"FormatKeyValue", [](const std::string& cell) { return read_key_values(cell).has_value(); }},
      {"FormatCurrency", is_currency},
      {"CheckNationalCurrency", is_currency},
  };
  return kChecks;
}

inline Truth evaluate(const Node& node, const Table& table, size_t row);

/// AND is the least of its items, OR the greatest.
inline Truth evaluate_items(const Node& node, const Table& table, size_t row) {
  const bool all = node.function == "AND";
  Truth result = truth(all);
  for (const Node& item : node.items) {
    const Truth one = evaluate(item, table, row);
    result = all ? std::min(result, one) : std::max(result, one);
  }
  return result;
}

inline Truth evaluate_value(const Node& node, const std::optional<std::string>& cell) {
  const bool negated = node.function == "CheckNotValue";
  if (!node.value) return truth(cell.has_value() == negated);
  if (!cell) return negated ? Truth::kTrue : Truth::kUnknown;
  const bool equal = node.number ? parse_decimal(*cell) == node.number : *cell == *node.value;
  return truth(equal != negated);
}

inline Truth evaluate_pair(const Node& node, const std::optional<std::string>& a,
                           const std::optional<std::string>& b) {
  if (!a || !b) return Truth::kUnknown;
  return truth((*a == *b) == (node.function == "CheckSameValue"));
}

inline Truth evaluate_product(const Node& node, const Table& table, size_t row) {
  const auto &a = table.at(row, node.column), &b = table.at(row, node.other);
  const auto& result = table.at(row, node.result);
  if (!a || !b || !result) return Truth::kUnknown;
  const auto x = parse_decimal(*a), y = parse_decimal(*b), z = parse_decimal(*result);
  return truth(x && y && z && product(*x, *y) == z);
}

inline Truth evaluate(const Node& node, const Table& table, size_t row) {
  if (node.function == "AND" || node.function == "OR") return evaluate_items(node, table, row);
  if (node.function == "ColumnPresent") return truth(node.column >= 0);
  if (node.function == "ColumnByColumnEqualsColumnValue") return evaluate_product(node, table, row);
  const auto& cell = table.at(row, node.column);
  if (node.function == "CheckValue" || node.function == "CheckNotValue") return evaluate_value(node, cell);
  if (node.function == "CheckSameValue" || node.function == "CheckNotSameValue") {
    return evaluate_pair(node, cell, table.at(row, node.other));
  }
  if (!cell) return Truth::kUnknown;
  if (node.function == "CheckGreaterOrEqualThanValue") {
    const auto value = parse_decimal(*cell);
    return truth(value && node.number && node.number->mantissa == 0 && value->mantissa >= 0);
  }
  return truth(cell_checks().find(node.function)->second(*cell));
}

struct Rule {
  std::string sentence, keyword;
  bool dynamic = false;
  std::set<std::string> criteria;
  std::optional<Node> condition, requirement;
  std::vector<std::string> children;  ///< of a composite
  bool any_child = false;             ///< OR of them
  std::vector<std::string> parents;
};

using Rules = std::map<std::string, Rule>;

/// Reads a rules file against the columns of a table. What it does not understand is an error, never a pass.
class RulesReader {
 public:
  explicit RulesReader(const Table& table) : table_(table) {}

  Result<Rules> read(std::string_view text) const {
    const JsonDocument document = TRY(JsonDocument::parse(text));
    Rules rules;
    for (const auto& [id, element] : object_of(document.root(), "ModelRules")) {
      rules[std::string(id)] = TRY(read_rule(element));
    }
    for (auto& [id, rule] : rules) {
      for (const std::string& child : rule.children) {
        if (!rules.contains(child)) return fail(ErrorCode::kCorrupt, "{} refers to no rule {}", id, child);
        rules[child].parents.push_back(id);
      }
    }
    return rules;
  }

  Result<Node> read_node(simdjson::dom::element element) const {
    Node node;
    node.function = text_of(element, "CheckFunction");
    static const std::set<std::string, std::less<>> kRowChecks = {"ColumnPresent",
                                                                  "CheckValue",
                                                                  "CheckNotValue",
                                                                  "CheckSameValue",
                                                                  "CheckNotSameValue",
                                                                  "CheckDistinctCount",
                                                                  "CheckGreaterOrEqualThanValue",
                                                                  "ColumnByColumnEqualsColumnValue"};
    if (node.function == "AND" || node.function == "OR") {
      for (auto item : simdjson::dom::array(element["Items"].get_array().value())) {
        node.items.push_back(TRY(read_node(item)));
      }
      return node;
    }
    if (node.function == "CheckModelRule") {
      node.rule = text_of(element, "ModelRuleId");
      return node;
    }
    if (!kRowChecks.contains(node.function) && !cell_checks().contains(node.function)) {
      return fail(ErrorCode::kUnsupported, "a check this interpreter does not know: {}",
                  simdjson::minify(element));
    }
    node.column_name = text_of(element, "ColumnName") + text_of(element, "ColumnAName");
    if (node.column_name.empty()) {
      return fail(ErrorCode::kUnsupported, "a check of no column: {}", simdjson::minify(element));
    }
    node.column = table_.index_of(node.column_name);
    node.other = table_.index_of(text_of(element, "ColumnBName"));
    node.result = table_.index_of(text_of(element, "ResultColumnName"));
    for (const char* key : {"Value", "ExpectedCount"}) {
      simdjson::dom::element value;
      if (element.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) continue;
      node.value = value.is_string() ? std::string(value.get_string().value()) : simdjson::minify(value);
      if (!value.is_string()) node.number = parse_decimal(*node.value);
    }
    return node;
  }

 private:
  static std::string text_of(simdjson::dom::element element, std::string_view key) {
    const auto value = element.at_key(key);
    return value.is_string() ? std::string(value.get_string().value()) : "";
  }

  static simdjson::dom::object object_of(simdjson::dom::element element, std::string_view key) {
    return element.at_key(key).get_object().value();
  }

  Result<Rule> read_rule(simdjson::dom::element element) const {
    Rule rule;
    const simdjson::dom::element criteria = element["ValidationCriteria"].value();
    rule.sentence = text_of(criteria, "MustSatisfy");
    rule.keyword = text_of(criteria, "Keyword");
    rule.dynamic = text_of(element, "Type") == "Dynamic";
    for (auto one : simdjson::dom::array(element["ApplicabilityCriteria"].get_array().value())) {
      rule.criteria.emplace(one.get_string().value());
    }
    if (object_of(criteria, "Condition").size() > 0) {
      auto node = read_node(criteria["Condition"].value());
      if (node) {
        rule.condition = std::move(*node);
      } else {
        unreadable_.insert(rule.sentence);
      }
    }
    if (object_of(criteria, "Requirement").size() == 0) return rule;
    rule.requirement = TRY(read_node(criteria["Requirement"].value()));
    for (const Node& item : rule.requirement->items) {
      if (!item.rule.empty()) rule.children.push_back(item.rule);
    }
    if (!rule.children.empty() && rule.children.size() != rule.requirement->items.size()) {
      return fail(ErrorCode::kUnsupported, "rules beside checks: {}", rule.sentence);
    }
    rule.any_child = !rule.children.empty() && rule.requirement->function == "OR";
    return rule;
  }

 public:
  /// The sentences of rules whose condition is no tree of checks.
  const std::set<std::string>& unreadable() const { return unreadable_; }

 private:
  const Table& table_;
  mutable std::set<std::string> unreadable_;
};

enum class Verdict : uint8_t {
  kHolds,
  kBroken,
  kPermission,   ///< MAY: nothing can break it
  kUnsupported,  ///< binds providers of something that this one does not have
  kAlternative,  ///< one of several of which the rule above wants one
  kDynamic,      ///< without a requirement in the file
};

struct Outcome {
  Verdict verdict = Verdict::kHolds;
  size_t rows = 0;     ///< to which it applied
  std::string detail;  ///< why, or the first row that breaks it
};

/// Applies all rules to one table.
class Evaluation {
 public:
  Evaluation(const Rules& rules, const Table& table, const std::set<std::string>& unsupported)
      : rules_(rules), table_(table), unsupported_(unsupported) {}

  std::map<std::string, Outcome> run() {
    for (const auto& [id, rule] : rules_) outcome(id);
    return outcomes_;
  }

 private:
  using Rows = std::vector<char>;

  /// The rows that a rule's parents let it speak about, without its own condition.
  const Rows& scope(const std::string& id) {
    if (const auto known = scopes_.find(id); known != scopes_.end()) return known->second;
    const Rule& rule = rules_.at(id);
    Rows rows(table_.rows.size(), rule.parents.empty() ? 1 : 0);
    for (const std::string& parent : rule.parents) {
      const Rows& above = applies(parent);
      for (size_t i = 0; i < rows.size(); ++i) rows[i] |= above[i];
    }
    return scopes_[id] = std::move(rows);
  }

  /// The rows where the condition is true as well.
  const Rows& applies(const std::string& id) {
    if (const auto known = applies_.find(id); known != applies_.end()) return known->second;
    Rows rows = scope(id);
    const Rule& rule = rules_.at(id);
    for (size_t i = 0; rule.condition && i < rows.size(); ++i) {
      rows[i] = rows[i] && evaluate(*rule.condition, table_, i) == Truth::kTrue;
    }
    return applies_[id] = std::move(rows);
  }

  /// The criterion that excuses a rule, its own or that of all rules above it.
  std::string excuse(const std::string& id) {
    const Rule& rule = rules_.at(id);
    for (const std::string& criterion : rule.criteria) {
      if (unsupported_.contains(criterion)) return criterion;
    }
    std::string found;
    for (const std::string& parent : rule.parents) {
      found = excuse(parent);
      if (found.empty()) return "";
    }
    return found;
  }

  const Outcome& outcome(const std::string& id) {
    if (const auto known = outcomes_.find(id); known != outcomes_.end()) return known->second;
    const Rule& rule = rules_.at(id);
    Outcome result;
    if (const std::string why = excuse(id); !why.empty()) {
      result = {Verdict::kUnsupported, 0, why};
    } else if (rule.keyword == "MAY") {
      result = {Verdict::kPermission, 0, "MAY"};
    } else if (rule.dynamic) {
      result = {Verdict::kDynamic, 0, ""};
    } else if (!rule.parents.empty() && rules_.at(rule.parents.front()).any_child) {
      result = {Verdict::kAlternative, 0, rule.parents.front()};
    } else if (!rule.children.empty()) {
      result = rule.any_child ? any_of_children(id) : all_children(id);
    } else if (rule.requirement->function == "CheckDistinctCount") {
      result = distinct_count(id);
    } else {
      result = rows_hold(id);
    }
    return outcomes_[id] = std::move(result);
  }

  Outcome rows_hold(const std::string& id) {
    const Rule& rule = rules_.at(id);
    // Whether a column is there does not depend on rows, so an empty table can miss one too.
    if (rule.requirement->function == "ColumnPresent") {
      const bool there = rule.requirement->column >= 0;
      return {there ? Verdict::kHolds : Verdict::kBroken, table_.rows.size(), there ? "" : "no such column"};
    }
    Outcome result;
    const Rows& rows = applies(id);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i]) continue;
      ++result.rows;
      if (evaluate(*rule.requirement, table_, i) != Truth::kFalse) continue;
      if (result.verdict == Verdict::kHolds) result.detail = fmt::format("row {}", i + 1);
      result.verdict = Verdict::kBroken;
    }
    return result;
  }

  Outcome distinct_count(const std::string& id) {
    const Node& node = *rules_.at(id).requirement;
    std::map<std::string, std::set<std::string>> groups;
    Outcome result;
    const Rows& rows = applies(id);
    for (size_t i = 0; i < rows.size(); ++i) {
      const auto &group = table_.at(i, node.column), &value = table_.at(i, node.other);
      if (!rows[i] || !group) continue;
      ++result.rows;
      auto& values = groups[*group];
      if (value) values.insert(*value);
    }
    for (const auto& [group, values] : groups) {
      if (fmt::format("{}", values.size()) == node.value) continue;
      result.verdict = Verdict::kBroken;
      result.detail = fmt::format("{} has {}", group, values.size());
    }
    return result;
  }

  Outcome all_children(const std::string& id) {
    Outcome result;
    for (const std::string& child : rules_.at(id).children) {
      if (outcome(child).verdict != Verdict::kBroken) continue;
      result = {Verdict::kBroken, 0, child};
    }
    result.rows = applies(id).size();
    return result;
  }

  Outcome any_of_children(const std::string& id) {
    Outcome result;
    const Rows& rows = applies(id);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i]) continue;
      ++result.rows;
      const bool one = std::ranges::any_of(rules_.at(id).children, [&](const std::string& child) {
        const Rule& rule = rules_.at(child);
        if (rule.condition && evaluate(*rule.condition, table_, i) != Truth::kTrue) return false;
        return evaluate(*rule.requirement, table_, i) != Truth::kFalse;
      });
      if (!one) result = {Verdict::kBroken, result.rows, fmt::format("row {}", i + 1)};
    }
    return result;
  }

  const Rules& rules_;
  const Table& table_;
  const std::set<std::string>& unsupported_;
  std::map<std::string, Rows> scopes_, applies_;
  std::map<std::string, Outcome> outcomes_;
};

}  // namespace feilun::ledger::focus_rules
