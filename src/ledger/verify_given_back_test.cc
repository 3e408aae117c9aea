#include <gmock/gmock.h>

#include "ledger/credit_note.h"
#include "ledger/invoice_formats.h"
#include "ledger/invoicing.h"
#include "ledger/verify_story.h"

// The auditor knows by itself, from the journal alone, that a charge comes back once.

namespace feilun::ledger {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kYuan = 1'000'000'000'000;

/// A request of January 1970 that was charged 100 yuan; then refunds, January's invoice and notes on it.
class GivenBackStory : public Story {
 public:
  GivenBackStory() {
    act("organisation", "org_1", "", "acme", "", kOrganisation);
    act("project", "proj_1", "org_1", "main", "", kProject);
    constexpr char kOneYuan[] = R"("1000000000000")";
    price("1", fmt::format(R"({{"offering":"nano","currency":"CNY","from":0,"rows":[{{"tier":"default",)"
                           R"("input_from":0,"volume_from":0,"input":{0},"cache_read":{0},)"
                           R"("cache_write":{0},"output":{0},"reasoning":{0}}}]}})",
                           kOneYuan));
    credit(1000 * kYuan);
    hold("r", 0, 100, 100 * kYuan);
    settle("r", {.output = 100}, 100 * kYuan, 100 * kYuan);
    time = to_microseconds("1970-02-15T00:00:00Z");
  }
  void refund(int64_t yuan) {
    Payload payload(EntryKind::kRefund);
    payload.text("r").text("local").text("slow").text("");
    tell(std::move(payload), {{"revenue", "CNY", Money::pico(-yuan * kYuan)},
                              {"wallet:org_1", "CNY", Money::pico(yuan * kYuan)}});
  }
  void invoice() {
    InvoiceFacts facts{.number = "1970-01-0001", .organisation_id = "org_1", .currency = "CNY"};
    facts.period = TimeZone::utc().period_of(parse_month("1970-01").value());
    facts.issued = WallTime(std::chrono::microseconds(time));
    ChargeLine line{.project_id = "proj_1", .project_name = "main", .offering = "nano"};
    line.token_class = "output";
    line.price_id = 1;
    line.unit = Money::pico(kYuan);
    line.quantity = 100;
    line.amount = Money::pico(100 * kYuan);
    facts.lines = {line};
    invoice_ = make_invoice(std::move(facts)).value();
    add_payment(invoice_, {"balance", "Wallet", invoice_.facts.issued, invoice_.total});
    const Record record = record_of(invoice_, {.id = "org_1"}, parse_month("1970-01").value());
    Payload payload(EntryKind::kInvoice);
    payload.text("local").text(record.id).text("org_1").text(record.name).text(record.json);
    tell(std::move(payload));
  }
  void note(int64_t yuan) {
    CreditNoteFacts facts{.number = "1970-01-0001-C1", .reason = "slow"};
    facts.lines = {{0, Money::pico(yuan * kYuan)}};
    facts.issued = WallTime(std::chrono::microseconds(time));
    const CreditNote made = make_credit_note(invoice_, std::move(facts)).value();
    const Record record = record_of(made, "");
    Payload payload(EntryKind::kCreditNote);
    payload.text("local").text(record.id).text(record.parent).text("org_1").text("").text(record.json);
    tell(std::move(payload), {{"revenue", "CNY", Money::pico(-yuan * kYuan)},
                              {"wallet:org_1", "CNY", Money::pico(yuan * kYuan)}});
  }

 private:
  static int64_t to_microseconds(const char* when) {
    return parse_iso8601(when).value().time_since_epoch().count();
  }
  Invoice invoice_;
};

TEST(VerifyGivenBack, WhatIsLeftOfAChargeComesBack) {
  GivenBackStory story;
  story.refund(40);
  story.refund(20);
  story.invoice();
  story.note(40);
  EXPECT_THAT(story.problems, IsEmpty());
}

TEST(VerifyGivenBack, ANoteOfWhatWasRefundedIsNoticed) {
  GivenBackStory story;
  story.refund(40);
  story.refund(20);
  story.invoice();
  EXPECT_THAT(story.problems, IsEmpty());
  story.note(41);
  EXPECT_THAT(story.breaches, Contains(HasSubstr("more of a line than was charged")));
  EXPECT_THAT(story.breaches, Contains(HasSubstr("more than the wallet paid")));
}

TEST(VerifyGivenBack, ARefundBehindTheInvoiceIsNoticed) {
  GivenBackStory story;
  story.invoice();
  story.note(40);
  EXPECT_THAT(story.problems, IsEmpty());
  story.refund(1);
  EXPECT_THAT(story.breaches, Contains(HasSubstr("a month that was invoiced or trued up")));
}

}  // namespace
}  // namespace feilun::ledger
