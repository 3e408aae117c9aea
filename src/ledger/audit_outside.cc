#include "ledger/audit_outside.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <span>

namespace feilun::ledger::audit {
namespace {

/// The text of a row's field, by its name; nothing where the row has none.
using Lookup = std::function<std::optional<std::string>(const std::string& name)>;

constexpr std::array<const char*, 3> kRequestNames = {"request_id", "id", "request"};
constexpr std::array<const char*, 2> kInputNames = {"input_tokens", "prompt_tokens"};
constexpr std::array<const char*, 2> kOutputNames = {"output_tokens", "completion_tokens"};
constexpr std::array<const char*, 6> kAmountNames = {"amount_pico", "amount", "cost_pico",
                                                     "cost",        "spend",  "charged"};
constexpr std::array<const char*, 1> kCurrencyNames = {"currency"};

struct Found {
  std::string name;
  std::string text;
};

/// The first of the names that the row has a text for.
std::optional<Found> find(const Lookup& lookup, const std::string& wanted,
                          std::span<const char* const> usual) {
  if (!wanted.empty()) usual = {};
  if (!wanted.empty()) {
    if (auto text = lookup(wanted); text && !text->empty()) return Found{wanted, *std::move(text)};
  }
  for (const char* name : usual) {
    if (auto text = lookup(name); text && !text->empty()) return Found{name, *std::move(text)};
  }
  return std::nullopt;
}

std::optional<int64_t> read_count(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

Result<std::optional<int64_t>> count(const Lookup& lookup, const std::string& wanted,
                                     std::span<const char* const> usual, size_t line) {
  const auto found = find(lookup, wanted, usual);
  if (!found) return std::nullopt;
  const auto value = read_count(found->text);
  if (value) return value;
  return fail(ErrorCode::kInvalidArgument, "line {}: '{}' in '{}' is not a count of tokens", line,
              found->text, found->name);
}

Result<std::optional<int128>> amount(const Lookup& lookup, const std::string& wanted, size_t line) {
  const auto found = find(lookup, wanted, kAmountNames);
  if (!found) return std::nullopt;
  auto value = read_decimal(found->text);
  constexpr int128 kPico = 1'000'000'000'000;
  const bool in_pico = found->name.ends_with("_pico");
  if (value && in_pico && *value % kPico != 0) value = std::nullopt;
  if (value) return in_pico ? *value / kPico : *value;
  return fail(ErrorCode::kInvalidArgument, "line {}: '{}' in '{}' is not an amount", line, found->text,
              found->name);
}

Result<OutsideRow> read_row(const Lookup& lookup, const OutsideColumns& columns, size_t line) {
  const auto request = find(lookup, columns.request, kRequestNames);
  if (!request) {
    return fail(ErrorCode::kInvalidArgument, "line {}: it names no request; its column is {}", line,
                columns.request.empty() ? "request_id, id or request" : "'" + columns.request + "'");
  }
  OutsideRow row{.request = request->text};
  row.input_tokens = TRY(count(lookup, columns.input, kInputNames, line));
  row.output_tokens = TRY(count(lookup, columns.output, kOutputNames, line));
  row.amount = TRY(amount(lookup, columns.amount, line));
  if (auto currency = find(lookup, columns.currency, kCurrencyNames)) row.currency = currency->text;
  return row;
}

/// A field of a JSON object as it is written there: numbers are not made floating-point.
std::optional<std::string> json_field(simdjson::ondemand::document& document, const std::string& name) {
  simdjson::ondemand::value value;
  std::string pointer = "/" + name;
  std::ranges::replace(pointer, '.', '/');
  document.rewind();
  if (document.at_pointer(pointer).get(value)) return std::nullopt;
  simdjson::ondemand::json_type type;
  std::string_view text;
  if (value.type().get(type)) return std::nullopt;
  if (type == simdjson::ondemand::json_type::string) {
    if (value.get_string().get(text)) return std::nullopt;
  } else if (type == simdjson::ondemand::json_type::number) {
    text = value.raw_json_token();
    while (!text.empty() && static_cast<uint8_t>(text.back()) <= ' ') text.remove_suffix(1);
  }
  return std::string(text);
}

Result<std::vector<OutsideRow>> read_json_lines(std::string_view text, const OutsideColumns& columns) {
  std::vector<OutsideRow> rows;
  simdjson::ondemand::parser parser;
  for (size_t line = 1; !text.empty(); ++line) {
    const simdjson::padded_string one(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    if (std::string_view(one).find_first_not_of(" \r\t") == std::string_view::npos) continue;
    simdjson::dom::parser whole;
    simdjson::ondemand::document document;
    // At demand nothing but what is asked for is checked.
    if (whole.parse(one).error() || parser.iterate(one).get(document)) {
      return fail(ErrorCode::kInvalidArgument, "line {}: it is not JSON", line);
    }
    rows.push_back(
        TRY(read_row([&](const std::string& name) { return json_field(document, name); }, columns, line)));
  }
  return rows;
}

/// Takes the cells of the next record off the front; quotes as in RFC 4180.
std::vector<std::string> take_csv_record(std::string_view& text, size_t& line) {
  std::vector<std::string> cells(1);
  bool in_quotes = false;
  while (!text.empty()) {
    const char c = text[0];
    text.remove_prefix(1);
    line += c == '\n';
    if (in_quotes) {
      if (c != '"') {
        cells.back().push_back(c);
      } else if (text.starts_with('"')) {
        cells.back().push_back('"');
        text.remove_prefix(1);
      } else {
        in_quotes = false;
      }
    } else if (c == '"' && cells.back().empty()) {
      in_quotes = true;
    } else if (c == ',') {
      cells.emplace_back();
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      cells.back().push_back(c);
    }
  }
  return cells;
}

Result<std::vector<OutsideRow>> read_csv(std::string_view text, const OutsideColumns& columns) {
  size_t next_line = 1;
  const std::vector<std::string> names = take_csv_record(text, next_line);
  const Lookup named = [&](const std::string& name) -> std::optional<std::string> {
    return std::ranges::count(names, name) > 0 ? std::optional(name) : std::nullopt;
  };
  if (!find(named, columns.request, kRequestNames)) {
    return fail(
        ErrorCode::kInvalidArgument,
        "line 1: it names no column with requests, such as request_id; the file is CSV with a line of "
        "names, or a JSON object a line");
  }
  std::vector<OutsideRow> rows;
  while (!text.empty()) {
    const size_t line = next_line;
    const std::vector<std::string> cells = take_csv_record(text, next_line);
    if (cells.size() == 1 && cells[0].empty()) continue;
    if (cells.size() != names.size()) {
      return fail(ErrorCode::kInvalidArgument, "line {}: it has {} cells where line 1 names {}", line,
                  cells.size(), names.size());
    }
    const Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
      const auto place = std::ranges::find(names, name);
      if (place == names.end()) return std::nullopt;
      return cells[static_cast<size_t>(place - names.begin())];
    };
    rows.push_back(TRY(read_row(lookup, columns, line)));
  }
  return rows;
}

}  // namespace

std::optional<int128> read_decimal(std::string_view text) {
  constexpr int kDecimals = 12;
  constexpr int128 kLargest = int128{1'000'000'000'000} * 1'000'000'000'000 * 1'000'000'000'000;
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  int exponent = kDecimals;
  if (const size_t at = text.find_first_of("eE"); at != text.npos) {
    std::string_view power = text.substr(at + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    int value = 0;
    const auto [end, error] = std::from_chars(power.data(), power.data() + power.size(), value);
    if (error != std::errc() || end != power.data() + power.size() || value < -1000 || value > 1000) {
      return std::nullopt;
    }
    exponent += value;
    text = text.substr(0, at);
  }
  const size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  if (digits.empty()) return std::nullopt;
  if (point != text.npos) {
    exponent -= static_cast<int>(std::min<size_t>(text.size() - point - 1, 5000));
    digits += text.substr(point + 1);
  }
  if (digits.size() > 5000 || !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  // What lies behind the last pico-unit rounds it; only its first digit matters.
  bool up = false;
  for (; exponent < 0; ++exponent) {
    up = !digits.empty() && digits.back() >= '5';
    if (!digits.empty()) digits.pop_back();
  }
  int128 value = 0;
  for (const char c : digits) {
    value = value * 10 + (c - '0');
    if (value > kLargest) return std::nullopt;
  }
  for (; exponent > 0 && value != 0; --exponent) {
    value *= 10;
    if (value > kLargest) return std::nullopt;
  }
  value += up ? 1 : 0;
  return negative ? -value : value;
}

Result<std::vector<OutsideRow>> read_outside(std::string_view text, const OutsideColumns& columns) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const size_t first = text.find_first_not_of(" \r\n\t");
  if (first == text.npos) return std::vector<OutsideRow>();
  return text[first] == '{' ? read_json_lines(text, columns) : read_csv(text, columns);
}

}  // namespace feilun::ledger::audit
