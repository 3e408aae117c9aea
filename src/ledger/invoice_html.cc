#include <cstdlib>

#include "ledger/currency.h"
#include "ledger/invoice_formats.h"

namespace feilun::ledger {
namespace {

/// The page loads nothing and runs nothing, whatever a text in it says.
constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
)";

constexpr std::string_view kStyle = R"(<style>
@page { size: A4; margin: 18mm 16mm 20mm; }
* { box-sizing: border-box; }
body { font: 10pt/1.45 "Helvetica Neue", Arial, "Noto Sans", "Noto Sans CJK SC", sans-serif; color: #1c2430;
  max-width: 178mm; margin: 12mm auto; padding: 0 4mm; overflow-wrap: anywhere; }
header { display: flex; justify-content: space-between; gap: 12mm; border-bottom: 2px solid #1c2430;
  padding-bottom: 5mm; }
h1 { font-size: 20pt; font-weight: 600; margin: 0 0 1mm; }
h2 { font-size: 8pt; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; color: #687385;
  margin: 0 0 1mm; }
.seller { text-align: right; }
.facts { display: flex; gap: 10mm; margin: 7mm 0; }
.facts > div { flex: 1; }
.facts p, .seller p { margin: 0; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
thead { display: table-header-group; }
th { text-align: left; font-size: 8pt; font-weight: 600; color: #687385; border-bottom: 1px solid #1c2430;
  padding: 1.5mm 2mm; vertical-align: bottom; }
td { padding: 1.3mm 2mm; border-bottom: 1px solid #e3e7ed; vertical-align: top; }
tr { break-inside: avoid; }
.project td { font-weight: 600; padding-top: 4mm; border-bottom-color: #b9c1cc; }
.number { text-align: right; white-space: nowrap; overflow-wrap: normal; }
.small { color: #687385; font-size: 8.5pt; }
.sums { width: 90mm; margin: 6mm 0 0 auto; break-inside: avoid; }
.sums td { border: 0; }
.sums .rule td { border-top: 1px solid #1c2430; }
.sums .due td { border-top: 2px solid #1c2430; font-size: 12pt; font-weight: 600; }
.account { margin-top: 9mm; break-inside: avoid; }
footer { margin-top: 9mm; break-inside: avoid; }
@media print { body { margin: 0; padding: 0; max-width: none; } }
</style></head>
)";

std::string escape(std::string_view text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

/// A decimal with its thousands apart: 1234567.50 → 1,234,567.50.
std::string grouped(std::string text) {
  const size_t first = text.starts_with('-') ? 1 : 0;
  const size_t point = std::min(text.find('.'), text.size());
  for (size_t at = point; at > first + 3;) text.insert(at -= 3, ",");
  return text;
}

std::string money(const Invoice& invoice, Money amount) {
  return grouped(to_decimal(amount, invoice.digits));
}

std::string_view title_of(const Invoice& invoice) {
  return invoice.corrects.empty() ? "Invoice" : "Credit note";
}

std::string day_of(const Invoice& invoice, WallTime time) {
  return to_string(invoice.facts.zone.day_of(time));
}

std::string party_html(std::string_view heading, const Party& party) {
  std::string html = fmt::format("<h2>{}</h2><p><strong>{}</strong></p>", heading, escape(party.name));
  for (const std::string& line : party.address) html += fmt::format("<p>{}</p>", escape(line));
  if (!party.tax_number.empty()) html += fmt::format("<p>Tax number {}</p>", escape(party.tax_number));
  return html;
}

std::string heading_html(const Invoice& invoice) {
  const InvoiceFacts& facts = invoice.facts;
  const std::string last = day_of(invoice, facts.period.until - std::chrono::microseconds(1));
  std::string dates = fmt::format("<h2>Period</h2><p>{} to {}</p><p class=\"small\">{}</p>",
                                  day_of(invoice, facts.period.from), last, escape(facts.zone.name()));
  std::string terms = fmt::format("<h2>Issued</h2><p>{}</p>", day_of(invoice, facts.issued));
  if (invoice.corrects.empty()) {
    terms += fmt::format("<p>Due {}</p>", to_string(invoice.due_on));
  } else {
    terms +=
        fmt::format("<p>Corrects invoice {}</p><p>{}</p>", escape(invoice.corrects), escape(invoice.reason));
  }
  return fmt::format(
      "<header><div><h1>{}</h1><p>{}</p></div><div class=\"seller\">{}</div></header>\n"
      "<section class=\"facts\"><div>{}</div><div>{}</div><div>{}</div></section>\n",
      title_of(invoice), escape(facts.number), party_html("From", facts.seller),
      party_html("To", facts.buyer), dates, terms);
}

std::string class_name(std::string_view token_class) {
  if (token_class == "input") return "input";
  if (token_class == "cache_read") return "cached input";
  if (token_class == "cache_write") return "input written to the cache";
  if (token_class == "output") return "output";
  if (token_class == "reasoning") return "reasoning output";
  return escape(token_class);
}

std::string line_html(const Invoice& invoice, const InvoiceLine& line) {
  const ChargeLine& charge = line.charge;
  std::string what = escape(charge.offering), quantity, price;
  if (!charge.token_class.empty()) {
    what += (what.empty() ? "" : ", ") + class_name(charge.token_class);
    if (charge.tier != pricing::ServiceTier::kDefault) {
      what += fmt::format(" ({})", pricing::name_of(charge.tier));
    }
    if (charge.quantity != 0) quantity = grouped(fmt::format("{}", charge.quantity));
    if (charge.covered != 0) {
      quantity += fmt::format("<br><span class=\"small\">{} covered</span>",
                              grouped(fmt::format("{}", charge.covered)));
    }
    price = money(invoice, charge.unit * 1'000'000);
  }
  if (what.empty()) {
    what = escape(charge.description);
  } else if (!charge.description.empty()) {
    what += fmt::format("<br><span class=\"small\">{}</span>", escape(charge.description));
  }
  return fmt::format(
      "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>"
      "</tr>\n",
      what, quantity, price, money(invoice, line.amount));
}

std::string lines_html(const Invoice& invoice) {
  std::string html = fmt::format(
      "<table><thead><tr><th>Usage</th><th class=\"number\">Tokens</th><th class=\"number\">{0} per million"
      "</th><th class=\"number\">{0}</th></tr></thead><tbody>\n",
      invoice.facts.currency);
  const std::string* project = nullptr;
  for (const InvoiceLine& line : invoice.lines) {
    const ChargeLine& charge = line.charge;
    if (project == nullptr || *project != charge.project_id) {
      const std::string& name = charge.project_name.empty() ? charge.project_id : charge.project_name;
      html += fmt::format("<tr class=\"project\"><td colspan=\"4\">{}</td></tr>\n",
                          name.empty() ? "Organisation" : escape(name));
    }
    project = &charge.project_id;
    html += line_html(invoice, line);
  }
  return html + "</tbody></table>\n";
}

std::string sum_html(const Invoice& invoice, std::string_view kind, std::string_view label, Money amount) {
  return fmt::format("<tr class=\"{}\"><td>{}</td><td class=\"number\">{}</td></tr>\n", kind, label,
                     money(invoice, amount));
}

std::string sums_html(const Invoice& invoice) {
  std::string html = "<table class=\"sums\"><tbody>\n" + sum_html(invoice, "", "Net", invoice.net);
  for (const TaxLine& tax : invoice.taxes) {
    html += sum_html(invoice, "", fmt::format("{} {}%", escape(tax.rate.name), escape(tax.rate.percent)),
                     tax.amount);
  }
  html += sum_html(invoice, "rule", "Total", invoice.total);
  for (const Payment& payment : invoice.facts.payments) {
    html += sum_html(invoice, "",
                     fmt::format("{} {}<br><span class=\"small\">{}</span>", escape(payment.method),
                                 day_of(invoice, payment.received), escape(payment.reference)),
                     -payment.amount);
  }
  const std::string_view owed = invoice.corrects.empty() ? "Amount due" : "Credited";
  html += sum_html(invoice, "due", fmt::format("{} ({})", owed, escape(invoice.facts.currency)),
                   invoice.corrects.empty() ? invoice.due : -invoice.due);
  return html + "</tbody></table>\n";
}

std::string account_html(const Invoice& invoice, const Ageing& account) {
  return fmt::format(
      "<section class=\"account\"><h2>Open on this account ({})</h2><table><thead><tr>"
      "<th class=\"number\">Not yet due</th><th class=\"number\">1–30 days late</th>"
      "<th class=\"number\">31–60</th><th class=\"number\">61–90</th><th class=\"number\">Over 90</th>"
      "<th class=\"number\">Sum</th></tr></thead><tbody><tr><td class=\"number\">{}</td>"
      "<td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>"
      "<td class=\"number\">{}</td><td class=\"number\">{}</td></tr></tbody></table></section>\n",
      escape(invoice.facts.currency), money(invoice, account.current), money(invoice, account.days_1_to_30),
      money(invoice, account.days_31_to_60), money(invoice, account.days_61_to_90),
      money(invoice, account.days_over_90), money(invoice, account.total()));
}

std::string footer_of(const Invoice& invoice) {
  if (!invoice.corrects.empty()) {
    return "Lines are taken back at the amounts they were invoiced with, and of each tax the difference that "
           "this makes.";
  }
  return fmt::format(
      "Each token is charged exactly; lines are rounded once so that they sum to the net amount ({} {} "
      "before "
      "rounding). Taxes are of the net amount, rounded half up.",
      escape(invoice.facts.currency), grouped(to_decimal(invoice.exact, invoice.digits)));
}

}  // namespace

std::string invoice_html(const Invoice& invoice, const Ageing* account) {
  std::string html(kHead);
  html += fmt::format("<title>{} {}</title>\n", title_of(invoice), escape(invoice.facts.number));
  html += kStyle;
  html += "<body>\n" + heading_html(invoice) + lines_html(invoice) + sums_html(invoice);
  if (account != nullptr) html += account_html(invoice, *account);
  html += fmt::format("<footer class=\"small\">{}</footer>\n", footer_of(invoice));
  return html + "</body></html>\n";
}

}  // namespace feilun::ledger
