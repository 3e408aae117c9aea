#pragma once

/// A FOCUS export as its reader sees it, for tests: cells that may be null, and what FOCUS calls a number, a
/// time, a text, a unit and a list of keys and values. None of it is shared with the writer.

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "ledger/invoice_fixture.h"

namespace feilun::ledger::focus_rules {

struct NameHash : std::hash<std::string_view> {
  using is_transparent = void;
};

struct Table {
  CsvRow columns;
  std::vector<CsvCells> rows;
  std::unordered_map<std::string, int, NameHash, std::equal_to<>> places;  ///< of the columns

  int index_of(std::string_view name) const {
    const auto found = places.find(name);
    return found == places.end() ? -1 : found->second;
  }
  /// A cell; null too where there is no such column.
  const std::optional<std::string>& at(size_t row, int column) const {
    static const std::optional<std::string> kNull;
    return column < 0 ? kNull : rows[row][static_cast<size_t>(column)];
  }
  const std::optional<std::string>& at(size_t row, std::string_view column) const {
    return at(row, index_of(column));
  }
};

/// Nothing when the text is not a CSV whose rows are all as wide as the header.
inline std::optional<Table> read_table(std::string_view csv) {
  auto rows = read_csv_cells(csv);
  if (!rows || rows->empty()) return std::nullopt;
  Table table;
  for (const auto& name : rows->front()) {
    table.places[name.value_or("")] = static_cast<int>(table.columns.size());
    table.columns.push_back(name.value_or(""));
  }
  rows->erase(rows->begin());
  for (const CsvCells& row : *rows) {
    if (row.size() != table.columns.size()) return std::nullopt;
  }
  table.rows = std::move(*rows);
  return table;
}

/// mantissa ÷ 10^scale, shortest.
struct Decimal {
  int128 mantissa = 0;
  int scale = 0;

  void shorten() {
    while (scale > 0 && mantissa % 10 == 0) mantissa /= 10, --scale;
  }
  friend bool operator==(const Decimal&, const Decimal&) = default;
};

/// As NumericFormat wants a number: "-12", "0.5", "5E-7"; no plus sign, no comma, no bare point.
inline std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal value;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t exponent_at = std::min(text.find('E'), text.size());
  bool digits = false, point = false;
  for (char c : text.substr(0, exponent_at)) {
    if (c == '.' && digits && !point) {
      point = true, digits = false;
    } else if (c >= '0' && c <= '9') {
      digits = true;
      if (__builtin_mul_overflow(value.mantissa, int128{10}, &value.mantissa)) return std::nullopt;
      value.mantissa += c - '0';
      value.scale += point ? 1 : 0;
    } else {
      return std::nullopt;
    }
  }
  if (!digits) return std::nullopt;
  if (exponent_at < text.size()) {
    std::string_view exponent = text.substr(exponent_at + 1);
    const bool down = exponent.starts_with('-');
    if (down) exponent.remove_prefix(1);
    if (exponent.empty() || exponent.size() > 2) return std::nullopt;
    int shift = 0;
    for (char c : exponent) {
      if (c < '0' || c > '9') return std::nullopt;
      shift = shift * 10 + (c - '0');
    }
    value.scale += down ? shift : -shift;
    for (; value.scale < 0; ++value.scale) {
      if (__builtin_mul_overflow(value.mantissa, int128{10}, &value.mantissa)) return std::nullopt;
    }
  }
  if (negative) value.mantissa = -value.mantissa;
  value.shorten();
  return value;
}

/// a × b; nothing when it needs more than 128 bits.
inline std::optional<Decimal> product(const Decimal& a, const Decimal& b) {
  Decimal result{0, a.scale + b.scale};
  if (__builtin_mul_overflow(a.mantissa, b.mantissa, &result.mantissa)) return std::nullopt;
  result.shorten();
  return result;
}

/// 'YYYY-MM-DDTHH:mm:ssZ' of a day and a time that exist.
inline bool is_date_time(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != kForm.size()) return false;
  int parts[7] = {};
  for (size_t i = 0, part = 0; i < kForm.size(); ++i) {
    if (kForm[i] != 'd') {
      if (text[i] != kForm[i]) return false;
      ++part;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return false;
    parts[part] = parts[part] * 10 + (text[i] - '0');
  }
  const std::chrono::year_month_day day(std::chrono::year(parts[0]),
                                        std::chrono::month(static_cast<unsigned>(parts[1])),
                                        std::chrono::day(static_cast<unsigned>(parts[2])));
  return day.ok() && parts[3] < 24 && parts[4] < 60 && parts[5] < 60;
}

/// Unicode without control characters, and not of spaces only.
inline bool is_text(std::string_view text) {
  if (!simdjson::validate_utf8(text.data(), text.size())) return false;
  const bool control = std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 32; });
  return !control && text.find_first_not_of(' ') != text.npos;
}

/// A unit of measure as UnitFormat has it: units, units by time, units a time, or a number of units.
inline bool is_unit(const std::string& text) {
  static const std::string kUnit =
      R"(([KMGTPE]?i?[bB]|(?:Year|Month|Day|Hour|Minute|Second)s?|[A-Z][A-Za-z0-9]*(?: [A-Za-z][A-Za-z0-9]*)*))";
  static const std::regex kForms("([0-9]+ )?" + kUnit +
                                 "(-(Years|Months|Days|Hours|Minutes|Seconds))?"
                                 "(/([0-9]+ )?(Year|Month|Day|Hour|Minute|Second)s?)?");
  static std::map<std::string, bool> known;  // exports have few units in many rows
  const auto [found, fresh] = known.emplace(text, false);
  if (fresh) found->second = std::regex_match(text, kForms);
  return found->second;
}

using KeyValues = std::map<std::string, std::string>;

inline std::optional<KeyValues> parse_key_values(std::string_view text) {
  const auto document = JsonDocument::parse(text);
  if (!document || !document->root().is_object()) return std::nullopt;
  KeyValues members;
  for (const auto& [key, value] : simdjson::dom::object(document->root().get_object().value())) {
    if (value.is_object() || value.is_array()) return std::nullopt;
    if (!members.emplace(key, simdjson::minify(value)).second) return std::nullopt;
  }
  return members;
}

/// The members of a JSON object of scalars with distinct keys; nothing otherwise.
inline const std::optional<KeyValues>& read_key_values(const std::string& text) {
  static std::map<std::string, std::optional<KeyValues>> known;
  const auto [found, fresh] = known.emplace(text, std::nullopt);
  if (fresh) found->second = parse_key_values(text);
  return found->second;
}

}  // namespace feilun::ledger::focus_rules
