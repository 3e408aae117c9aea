#include <array>

#include "ledger/currency.h"
#include "ledger/invoice_formats.h"

namespace feilun::ledger {
namespace {

constexpr auto kColumns = std::to_array<std::string_view>(
    {"kind",        "line_kind",    "invoice",     "corrects",    "organisation_id",
     "period_from", "period_until", "currency",    "project_id",  "project_name",
     "offering",    "service_tier", "token_class", "price_id",    "price_per_million",
     "quantity",    "covered",      "reference",   "description", "exact",
     "tax",         "amount"});
using Row = std::array<std::string, kColumns.size()>;

enum Column : size_t {
  kKind,
  kLineKind,
  kInvoice,
  kCorrects,
  kOrganisation,
  kFrom,
  kUntil,
  kCurrency,
  kProjectId,
  kProjectName,
  kOffering,
  kTier,
  kClass,
  kPriceId,
  kPrice,
  kQuantity,
  kCovered,
  kReference,
  kDescription,
  kExact,
  kTax,
  kAmount,
};
static_assert(kAmount + 1 == kColumns.size());

Row row_of(const Invoice& invoice, std::string_view kind, Money exact, Money amount) {
  const InvoiceFacts& facts = invoice.facts;
  Row row;
  row[kKind] = kind;
  row[kInvoice] = csv_guarded_field(facts.number);
  row[kCorrects] = csv_guarded_field(invoice.corrects);
  row[kOrganisation] = csv_guarded_field(facts.organisation_id);
  row[kFrom] = to_iso8601(facts.period.from);
  row[kUntil] = to_iso8601(facts.period.until);
  row[kCurrency] = facts.currency;
  row[kExact] = to_decimal(exact, invoice.digits);
  row[kAmount] = to_decimal(amount, invoice.digits);
  return row;
}

Row row_of(const Invoice& invoice, const InvoiceLine& line) {
  const ChargeLine& charge = line.charge;
  Row row = row_of(invoice, "line", charge.amount, line.amount);
  row[kProjectId] = csv_guarded_field(charge.project_id);
  row[kProjectName] = csv_guarded_field(charge.project_name);
  row[kOffering] = csv_guarded_field(charge.offering);
  row[kLineKind] = name_of(charge.kind);
  row[kReference] = csv_guarded_field(charge.reference);
  row[kDescription] = csv_guarded_field(charge.description);
  row[kTax] = to_decimal(line.tax, invoice.digits);
  if (charge.token_class.empty()) return row;
  row[kTier] = pricing::name_of(charge.tier);
  row[kClass] = csv_guarded_field(charge.token_class);
  row[kPriceId] = fmt::format("{}", charge.price_id);
  row[kPrice] = to_decimal(charge.unit * 1'000'000, invoice.digits);
  row[kQuantity] = fmt::format("{}", charge.quantity);
  row[kCovered] = fmt::format("{}", charge.covered);
  return row;
}

void append(std::string& csv, const Row& row) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (i > 0) csv += ',';
    csv += row[i];
  }
  csv += "\r\n";
}

}  // namespace

std::string csv_field(std::string_view text) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
  std::string field = "\"";
  for (char c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + '"';
}

std::string csv_guarded_field(std::string_view text) {
  if (text.empty()) return {};
  // Spreadsheets trim spaces before they look for what begins a formula.
  const size_t first = text.find_first_not_of(' ');
  const bool formula = first != text.npos && std::string_view("=+-@\t\r\n").find(text[first]) != text.npos;
  return csv_field(formula ? "'" + std::string(text) : std::string(text));
}

std::string invoice_csv(const Invoice& invoice) {
  std::string csv;
  for (std::string_view column : kColumns) {
    if (!csv.empty()) csv += ',';
    csv += column;
  }
  csv += "\r\n";
  for (const InvoiceLine& line : invoice.lines) append(csv, row_of(invoice, line));
  for (const TaxLine& tax : invoice.taxes) {
    Row row = row_of(invoice, "tax", tax.amount, tax.amount);
    row[kDescription] = csv_guarded_field(fmt::format("{} {}%", tax.rate.name, tax.rate.percent));
    append(csv, row);
  }
  for (const Payment& payment : invoice.facts.payments) {
    Row row = row_of(invoice, "payment", -payment.amount, -payment.amount);
    row[kDescription] = csv_guarded_field(fmt::format("{} {}", payment.method, payment.reference));
    append(csv, row);
  }
  return csv;
}

}  // namespace feilun::ledger
