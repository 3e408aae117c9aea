#pragma once

#include <string>
#include <string_view>

#include "ledger/invoice.h"
#include "ledger/invoice_ageing.h"

namespace feilun::ledger {

/// The forms an invoice is handed out in; docs/formats/invoice.md describes each. All texts in an invoice are
/// UTF-8. The same invoice gives the same bytes.

/// One JSON object.
std::string invoice_json(const Invoice& invoice);
/// The invoice or credit note that gives this JSON. kCorrupt when there is none that gives the same bytes.
Result<Invoice> invoice_from_json(std::string_view json);

/// RFC 4180 with a header: a row for each line, tax and payment. Texts that a spreadsheet would take for a
/// formula are written behind an apostrophe; amounts are numbers and are not.
std::string invoice_csv(const Invoice& invoice);

/// A page that needs nothing else, laid out for A4. `account`: what the organisation has open altogether,
/// printed at the end; null leaves it out.
std::string invoice_html(const Invoice& invoice, const Ageing* account = nullptr);

/// A field as RFC 4180 writes it: quoted when it has a comma, a quote or a line break, or is empty.
std::string csv_field(std::string_view text);
/// The same for a text that someone else chose and a spreadsheet will open.
std::string csv_guarded_field(std::string_view text);

}  // namespace feilun::ledger
