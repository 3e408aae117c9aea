#include "ledger/verify_prices.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/json.h"

namespace feilun::ledger::audit {
namespace {

using simdjson::dom::element;

constexpr std::array<std::string_view, 4> kTiers = {"default", "priority", "flex", "batch"};
constexpr std::array<const char*, 5> kClasses = {"input", "cache_read", "cache_write", "output", "reasoning"};
constexpr size_t kUnitDigitsMax = 25;
constexpr int128 kUnitMax = int128{1'000'000'000'000} * 1'000'000'000'000;
constexpr size_t kRowsMax = 256;

/// Whole pico-units; below zero when it is none.
int128 read_unit(std::string_view digits) {
  if (digits.empty() || digits.size() > kUnitDigitsMax) return -1;
  int128 value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value <= kUnitMax ? value : -1;
}

bool read_row(element object, PriceRow& row) {
  std::string_view tier;
  if (object["tier"].get(tier)) return false;
  row.tier = std::ranges::find(kTiers, tier) - kTiers.begin();
  if (object["input_from"].get(row.input_from) || object["volume_from"].get(row.volume_from)) return false;
  for (size_t i = 0; i < kClasses.size(); ++i) {
    std::string_view digits;
    if (object[kClasses[i]].get(digits)) return false;
    row.units[i] = read_unit(digits);
  }
  return row.tier < std::ssize(kTiers) && row.input_from >= 0 && row.volume_from >= 0 &&
         std::ranges::min(row.units) >= 0;
}

/// Sorted, none twice, and each tier that has rows has one for the smallest request.
bool in_order(const std::vector<PriceRow>& rows) {
  const auto key = [](const PriceRow& row) { return std::tuple(row.tier, row.input_from, row.volume_from); };
  if (rows.empty() || rows.size() > kRowsMax || key(rows[0]) != std::tuple(0, 0, 0)) return false;
  for (size_t i = 1; i < rows.size(); ++i) {
    if (key(rows[i]) <= key(rows[i - 1])) return false;
    const bool first = rows[i].tier != rows[i - 1].tier;
    if (first && (rows[i].input_from != 0 || rows[i].volume_from != 0)) return false;
  }
  return true;
}

}  // namespace

int64_t Price::priced_as(int64_t tier) const {
  return std::ranges::find(rows, tier, &PriceRow::tier) == rows.end() ? 0 : tier;
}

int128 Price::worst(int64_t tier, int64_t input_tokens, int first_class, int last_class) const {
  int128 worst = 0;
  for (const PriceRow& row : rows) {
    if (row.tier != priced_as(tier) || row.input_from > input_tokens) continue;
    for (int i = first_class; i <= last_class; ++i) worst = std::max(worst, row.units[i]);
  }
  return worst;
}

int128 Price::worst_input(int64_t tier, int64_t input_tokens) const {
  return worst(tier, input_tokens, 0, 2);
}

int128 Price::worst_output(int64_t tier, int64_t input_tokens) const {
  return worst(tier, input_tokens, 3, 4);
}

int64_t Price::row_of(int64_t tier, int64_t input_tokens, int64_t volume) const {
  int64_t last = 0;
  for (int64_t i = 0; i < std::ssize(rows); ++i) {
    const PriceRow& row = rows[static_cast<size_t>(i)];
    if (row.tier == priced_as(tier) && row.input_from <= input_tokens && row.volume_from <= volume) last = i;
  }
  return last;
}

int128 cost_of(const PriceRow& row, const Classes& usage) {
  int128 sum = 0;
  for (int i = 0; i < 5; ++i) sum += row.units[i] * usage.tokens[i];
  return sum;
}

std::expected<Price, std::string> read_price(std::string_view json) {
  const auto document = JsonDocument::parse(json);
  if (!document) return std::unexpected(document.error().message);
  const element root = document->root();
  Price price;
  std::string_view offering, currency, organisation;
  simdjson::dom::array rows;
  if (root["offering"].get(offering) || root["currency"].get(currency) || root["from"].get(price.from) ||
      root["rows"].get(rows)) {
    return std::unexpected("a field is missing or of another type");
  }
  (void)root["organisation"].get(organisation);
  (void)root["until"].get(price.until);
  price.offering = offering;
  price.currency = currency;
  price.organisation = organisation;
  for (const element row : rows) {
    if (!read_row(row, price.rows.emplace_back())) return std::unexpected("a row cannot be");
  }
  if (!in_order(price.rows)) return std::unexpected("its rows are not in order");
  if (price.from >= price.until) return std::unexpected("it ends before it begins");
  return price;
}

std::string insert_version(std::vector<Interval>& versions, const Interval& version) {
  std::erase_if(versions, [&](const Interval& other) { return other.from == version.from; });
  const auto next =
      std::ranges::find_if(versions, [&](const Interval& other) { return other.from > version.from; });
  const bool overlaps = next != versions.end() && version.until > next->from;
  if (next != versions.begin()) {
    int64_t& until = std::prev(next)->until;
    until = std::min(until, version.from);
  }
  versions.insert(next, version);
  return overlaps ? "it overlaps with the next version" : "";
}

}  // namespace feilun::ledger::audit
