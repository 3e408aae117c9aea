// LINK: feilun_ledger
// The text of an invoice or a credit note as the journal keeps it. What the ledger reads it gives again byte
// for byte, in every form, and can take back; the auditor, with a reader of its own, reads it too.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "ledger/credit_note.h"
#include "ledger/invoice_formats.h"
#include "ledger/verify_paper.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace feilun;
  using namespace feilun::ledger;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto paper = audit::read_paper(text);
  if (paper) {
    (void)audit::fault_of_sums(*paper);
    (void)audit::fault_of_rounding(*paper);
  }
  const auto invoice = invoice_from_json(text);
  if (!invoice) return 0;
  CHECK(paper);
  CHECK(paper->total == invoice->total.pico());
  CHECK(invoice_json(*invoice) == text);
  CHECK(!invoice_csv(*invoice).empty());
  CHECK(!invoice_html(*invoice).empty());
  const auto note = make_credit_note(*invoice, {.number = "C", .reason = "all"});
  if (note) CHECK(!invoice_json(note->note).empty());
  return 0;
}
