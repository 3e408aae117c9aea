#pragma once

/// A reader of RFC 4180 that shares nothing with the writers it checks, and charges to write invoices of.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/invoice.h"

namespace feilun::ledger {

using CsvRow = std::vector<std::string>;
using CsvCells = std::vector<std::optional<std::string>>;

/// The records of a CSV text; nothing when it breaks RFC 4180: every record ends with CR LF, quotes are
/// doubled and close before a comma or the end, and no bare quote or line break is in an unquoted field.
/// A field of nothing, not even quotes, is null.
inline std::optional<std::vector<CsvCells>> read_csv_cells(std::string_view text) {
  std::vector<CsvCells> rows;
  size_t at = 0;
  while (at < text.size()) {
    CsvCells row;
    for (bool more = true; more;) {
      std::string field;
      const bool quoted = text[at] == '"';
      if (quoted) {
        for (++at;; ++at) {
          if (at >= text.size()) return std::nullopt;
          if (text[at] == '"') {
            if (at + 1 >= text.size() || text[at + 1] != '"') break;
            ++at;
          }
          field += text[at];
        }
        ++at;
      } else {
        for (; at < text.size() && text[at] != ',' && text[at] != '\r'; ++at) {
          if (text[at] == '"' || text[at] == '\n') return std::nullopt;
          field += text[at];
        }
      }
      row.push_back(quoted || !field.empty() ? std::optional(std::move(field)) : std::nullopt);
      if (at >= text.size()) return std::nullopt;
      more = text[at] == ',';
      if (more && ++at >= text.size()) return std::nullopt;
    }
    if (text.substr(at, 2) != "\r\n") return std::nullopt;
    at += 2;
    rows.push_back(std::move(row));
  }
  return rows;
}

inline std::optional<std::vector<CsvRow>> read_csv(std::string_view text) {
  const auto cells = read_csv_cells(text);
  if (!cells) return std::nullopt;
  std::vector<CsvRow> rows;
  for (const CsvCells& row : *cells) {
    rows.emplace_back();
    for (const auto& cell : row) rows.back().push_back(cell.value_or(""));
  }
  return rows;
}

inline Money money(std::string_view text) {
  return Money::parse(text).value();
}

inline WallTime time_at(std::string_view text) {
  return parse_iso8601(text).value();
}

inline ChargeLine token_line(std::string project, std::string offering, std::string token_class,
                             std::string_view yuan_per_million, TokenCount quantity) {
  ChargeLine line;
  line.project_id = "prj_" + project;
  line.project_name = std::move(project);
  line.offering = std::move(offering);
  line.token_class = std::move(token_class);
  line.price_id = 7;
  line.unit = pricing::per_million(yuan_per_million).value();
  line.quantity = quantity;
  line.amount = line.unit * quantity;
  return line;
}

inline InvoiceFacts invoice_facts(std::string currency = "CNY") {
  InvoiceFacts facts;
  facts.number = "2026-02-0001";
  facts.organisation_id = "org_1";
  facts.seller = {"Feilun Cloud Ltd.", {"1 Wheel Street", "Hangzhou"}, "91330000"};
  facts.buyer = {"Example GmbH", {"Musterweg 1", "10115 Berlin"}, "DE1"};
  facts.currency = std::move(currency);
  facts.zone = TimeZone::find("Asia/Shanghai").value();
  facts.period = facts.zone.period_of(parse_month("2026-02").value());
  facts.issued = time_at("2026-03-01T01:00:00Z");
  return facts;
}

}  // namespace feilun::ledger
