#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/civil_time.h"
#include "pricing/price_preview.h"

namespace feilun::pricing {
namespace {

namespace json = boost::json;

constexpr size_t kColumns = 7;
constexpr size_t kTextColumns = 2;  ///< left-aligned; the others are numbers
using Row = std::array<std::string, kColumns>;

std::string percent_or_dash(const Revenue& revenue) {
  const std::string percent = revenue.change_percent();
  if (percent.empty()) return revenue.after.is_zero() ? "0.00 %" : "new";
  const bool gain = !percent.starts_with('-') && percent != "0.00";
  return (gain ? "+" : "") + percent + " %";
}

Row row_for(const std::string& name, const std::string& offering, const Revenue& revenue) {
  return {name,
          offering,
          std::to_string(revenue.requests),
          std::to_string(revenue.tokens),
          revenue.before.to_string(),
          revenue.after.to_string(),
          percent_or_dash(revenue)};
}

/// How many columns of a terminal UTF-8 text fills, a wide character counted as the two it takes.
size_t width_of(std::string_view text) {
  size_t width = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) width += byte >= 0xE3 ? 2 : 1;
  }
  return width;
}

std::string lined_up(const std::vector<Row>& rows) {
  std::array<size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const Row& row : rows) {
    for (size_t i = 0; i < kColumns; ++i) {
      const std::string space(widths[i] - width_of(row[i]), ' ');
      text += (i == 0 ? "" : "  ") + (i < kTextColumns ? row[i] + space : space + row[i]);
    }
    text += "\n";
  }
  return text;
}

json::object revenue_to_json(const Revenue& revenue) {
  const std::string percent = revenue.change_percent();
  json::object object;
  object["requests"] = revenue.requests;
  object["tokens"] = revenue.tokens;
  object["before_pico"] = revenue.before.to_pico_string();
  object["after_pico"] = revenue.after.to_pico_string();
  object["change_percent"] = percent.empty() ? json::value() : json::value(percent);
  return object;
}

}  // namespace

std::string to_table(const PricePreview& preview) {
  if (preview.lines.empty()) return "no requests to price\n";
  std::string text =
      fmt::format("requests from {} to {}\n", to_iso8601(preview.first), to_iso8601(preview.last));
  for (const PreviewTotal& total : preview.totals) {
    std::vector<Row> rows = {{"customer", "offering", "requests", "tokens", "before", "after", "change"}};
    bool kept = false;
    for (const PreviewLine& line : preview.lines) {
      if (line.currency != total.currency) continue;
      const std::string& name = line.customer_name.empty() ? line.customer : line.customer_name;
      rows.push_back(row_for(name, line.offering + (line.repriced ? "" : " *"), line.revenue));
      kept = kept || !line.repriced;
    }
    rows.push_back(row_for("total", "", total.revenue));
    text += "\n" + total.currency + "\n" + lined_up(rows);
    if (kept) text += "* keeps its price: none of the new prices is for it\n";
  }
  return text;
}

std::string to_json(const PricePreview& preview) {
  json::object object;
  if (!preview.lines.empty()) {
    object["first"] = to_iso8601(preview.first);
    object["last"] = to_iso8601(preview.last);
  }
  json::array totals, lines;
  for (const PreviewTotal& total : preview.totals) {
    json::object entry = revenue_to_json(total.revenue);
    entry["currency"] = total.currency;
    totals.push_back(std::move(entry));
  }
  for (const PreviewLine& line : preview.lines) {
    json::object entry = revenue_to_json(line.revenue);
    entry["currency"] = line.currency;
    entry["customer"] = line.customer;
    entry["customer_name"] = line.customer_name;
    entry["offering"] = line.offering;
    entry["repriced"] = line.repriced;
    lines.push_back(std::move(entry));
  }
  object["totals"] = std::move(totals);
  object["lines"] = std::move(lines);
  return json::serialize(object);
}

}  // namespace feilun::pricing
