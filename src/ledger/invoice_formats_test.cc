#include "ledger/invoice_formats.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "ledger/credit_note.h"
#include "ledger/invoice_fixture.h"

namespace feilun::ledger {
namespace {

Invoice sample_invoice() {
  InvoiceFacts facts = invoice_facts();
  facts.lines = {token_line("web", "qwen-7b", "input", "0.3", 123'456'789),
                 token_line("web", "qwen-7b", "output", "0.6", 5'000'001)};
  facts.lines[1].covered = 1'000'000;
  facts.lines[1].amount = facts.lines[1].unit * 4'000'001;
  facts.lines[1].tier = pricing::ServiceTier::kPriority;
  ChargeLine credit;
  credit.description = "Free quota";
  credit.amount = money("-0.5");
  facts.lines.push_back(credit);
  facts.taxes = {{"VAT", "6"}};
  facts.payments = {{"top-up 12", "Wallet", facts.issued, money("10")}};
  return make_invoice(facts).value();
}

simdjson::dom::element member(simdjson::dom::element object, std::string_view path) {
  return object.at_pointer(path).value();
}

TEST(InvoiceJson, GivesEveryAmountTwiceAndTheSumsHold) {
  const Invoice invoice = sample_invoice();
  const JsonDocument document = JsonDocument::parse(invoice_json(invoice)).value();
  const auto text = [&](std::string_view path) {
    return std::string(member(document.root(), path).get_string().value());
  };
  EXPECT_EQ(text("/object"), "invoice");
  EXPECT_EQ(text("/net/amount"), "38.94");
  EXPECT_EQ(text("/net/pico"), "38940000000000");
  EXPECT_EQ(text("/total/amount"), "41.28");
  EXPECT_EQ(text("/due/amount"), "31.28");
  EXPECT_EQ(text("/exact/pico"), "38937037300000");
  EXPECT_EQ(text("/residue/pico"), "-2962700000");
  EXPECT_EQ(text("/time_zone"), "Asia/Shanghai");
  EXPECT_EQ(text("/period/from"), "2026-01-31T16:00:00Z");
  EXPECT_EQ(text("/period/until"), "2026-02-28T16:00:00Z");
  Money lines;
  for (auto line : member(document.root(), "/lines").get_array().value()) {
    lines += money(member(line, "/amount/amount").get_string().value());
  }
  EXPECT_EQ(lines, invoice.net);
}

TEST(InvoiceJson, ReadsBackAsTheSameInvoice) {
  const Invoice invoice = sample_invoice();
  const Invoice note =
      make_credit_note(invoice, {"C-1", "billed twice", {{0, money("1.50")}}, {}, invoice.facts.issued})
          ->note;
  for (const Invoice& each : {invoice, note}) {
    const std::string json = invoice_json(each);
    const auto read = invoice_from_json(json);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(invoice_json(*read), json);
    EXPECT_EQ(invoice_csv(*read), invoice_csv(each));
    EXPECT_EQ(invoice_html(*read), invoice_html(each));
    EXPECT_EQ(read->lines, each.lines);
    EXPECT_EQ(read->due_on, each.due_on);
  }
  std::string other = invoice_json(invoice);
  other.replace(other.find("38.94"), 5, "38.95");
  EXPECT_EQ(invoice_from_json(other).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(invoice_from_json("{}").error().code, ErrorCode::kCorrupt);
}

TEST(InvoiceJson, OfACreditNoteNamesWhatItCorrects) {
  const Invoice invoice = sample_invoice();
  const Invoice note =
      make_credit_note(invoice, {"C-1", "billed twice", {{1}}, {}, invoice.facts.issued})->note;
  const JsonDocument document = JsonDocument::parse(invoice_json(note)).value();
  EXPECT_EQ(member(document.root(), "/object").get_string().value(), "credit_note");
  EXPECT_EQ(member(document.root(), "/corrects").get_string().value(), invoice.facts.number);
  EXPECT_NE(invoice_html(note).find("Corrects invoice 2026-02-0001"), std::string::npos);
}

TEST(InvoiceCsv, HasARowForEachLineTaxAndPaymentThatSumToWhatIsDue) {
  const Invoice invoice = sample_invoice();
  const auto rows = read_csv(invoice_csv(invoice));
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1 + 3 + 1 + 1u);
  Money sum;
  for (size_t i = 0; i < rows->size(); ++i) {
    ASSERT_EQ((*rows)[i].size(), rows->front().size());
    if (i > 0) sum += money((*rows)[i].back());
  }
  EXPECT_EQ(rows->front().back(), "amount");
  EXPECT_EQ(sum, invoice.due);
}

TEST(InvoiceCsv, TextsAreNeverFormulas) {
  for (const char* text : {"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =cmd|' /C calc'!A0", "\n=1"}) {
    const auto rows = read_csv(csv_guarded_field(text) + "\r\n");
    ASSERT_TRUE(rows) << text;
    EXPECT_EQ((*rows)[0][0], "'" + std::string(text));
  }
  EXPECT_EQ(csv_guarded_field("a-b=c"), "a-b=c");
  EXPECT_EQ(csv_guarded_field(""), "");
  Invoice invoice = sample_invoice();
  for (InvoiceLine& line : invoice.lines) line.charge.project_name = "=HYPERLINK(\"x\",\"y\")";
  const std::string csv = invoice_csv(invoice);
  EXPECT_EQ(csv.find(",=HYPERLINK"), std::string::npos);
  EXPECT_EQ(csv.find("\"=HYPERLINK"), std::string::npos);
}

TEST(InvoiceCsv, FieldsSurviveTheirRoundTrip) {
  for (const char* text : {"", "plain", "a,b", "say \"hi\"", "two\r\nlines", "\"", ",", "飞轮"}) {
    const auto rows = read_csv(csv_field(text) + "," + csv_field("end") + "\r\n");
    ASSERT_TRUE(rows) << text;
    EXPECT_EQ(rows->at(0), (CsvRow{text, "end"}));
  }
}

TEST(InvoiceHtml, NothingInItIsMarkupButItsOwn) {
  InvoiceFacts facts = invoice_facts();
  const std::string evil = "<script>alert('x')</script>\"&amp;";
  facts.lines = {token_line(evil, evil, "input", "0.3", 1), token_line("b", "c", evil, "0.3", 1)};
  for (ChargeLine& line : facts.lines) line.description = evil;
  facts.number = facts.organisation_id = evil;
  facts.seller = {evil, {evil}, evil};
  facts.buyer = {evil, {evil}, evil};
  facts.taxes = {{evil, "6"}};
  facts.payments = {{evil, evil, facts.issued, money("1")}};
  Invoice invoice = make_invoice(facts).value();
  const Invoice note = make_credit_note(invoice, {evil, evil, {{0}}, {}, facts.issued})->note;
  for (const std::string& html : {invoice_html(invoice), invoice_html(note)}) {
    EXPECT_EQ(html.find("<script"), std::string::npos);
    EXPECT_EQ(html.find("'x'"), std::string::npos);
    EXPECT_EQ(html.find("\"&amp;<"), std::string::npos);
    EXPECT_NE(html.find("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;amp;"), std::string::npos);
    EXPECT_EQ(html.find("http"), html.find("http-equiv"));  // it loads nothing
    EXPECT_EQ(html.find("http", html.find("http-equiv") + 1), std::string::npos);
  }
}

TEST(InvoiceHtml, ShowsWhatIsDueAndWhatIsOpen) {
  const Invoice invoice = sample_invoice();
  const Ageing account{money("31.28"), money("1234567.5"), Money(), Money(), money("-0")};
  const std::string html = invoice_html(invoice, &account);
  for (const char* text : {"2026-02-01 to 2026-02-28", "Due 2026-03-31", "123,456,789", "31.28",
                           "1,000,000 covered", "VAT 6%", "1,234,567.50", "-10.00", "-0.50"}) {
    EXPECT_NE(html.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(invoice_html(invoice).find("Open on this account"), std::string::npos);
}

}  // namespace
}  // namespace feilun::ledger
