#include <gmock/gmock.h>

#include "ledger/audit.h"
#include "ledger/invoicing_fixture.h"
#include "ledger/verify_replay.h"

// The auditor holds invoices, payments and credit notes against what the wallet paid: in a ledger that is
// right, one entry is changed at a time, and each change is noticed by the rule that it breaks.

namespace feilun::ledger {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// What in which entry is changed to what; texts of the papers stand in the journal with escaped quotes.
struct Change {
  EntryKind kind;
  const char* from;
  const char* to;
  const char* problem;
  bool is_breach = false;
};

std::string escaped(std::string_view text) {
  std::string with;
  for (const char c : text) {
    if (c == '\'') with += '\\';
    with += c == '\'' ? '"' : c;
  }
  return with;
}

class VerifyInvoices : public InvoicingTest, public ::testing::WithParamInterface<Change> {
 protected:
  /// 100 tokens at 1 yuan and 6% of it; 40 of 106 paid, 10.60 credited.
  VerifyInvoices() {
    EXPECT_TRUE(set_billing({.owner_id = "acme", .taxes = {{{"VAT", "6"}}}}));
    PriceVersion round = price("round");
    const Money yuan_each = yuan("1");
    round.rows = pricing::flat_rows({yuan_each, yuan_each, yuan_each, yuan_each, yuan_each});
    EXPECT_TRUE(ledger_->set_price(round));
    HoldRequest asked = request("r", 0, 100);
    asked.project_id = red_;
    asked.offering = "round";
    EXPECT_TRUE(ledger_->hold_now(asked));
    settle("r", {.output = 100});
    go_to("2023-12-01T00:00:00Z");
    EXPECT_EQ(issue("acme", "2023-11").total, yuan("106"));
    EXPECT_TRUE(pay({.invoice = "2023-11-0001", .reference = "b", .amount = yuan("40")}));
    EXPECT_TRUE(credit_note({.invoice = "2023-11-0001", .lines = {{0, yuan("10")}}, .reason = "slow"}));
  }
  /// Replays the journal with the entries of the kind changed that have the text; returns what is wrong with
  /// it.
  std::vector<std::string> replayed(const Change* change) {
    audit::Place place{.directory = directory_.path()};
    if (!schema_.empty()) place.url = TestPostgres::server().url();
    if (!schema_.empty()) place.schema = schema_;
    std::vector<std::string> problems;
    audit::Replay replay([&](std::string problem) { problems.push_back(std::move(problem)); },
                         [&](std::string breach) { problems.push_back("breach: " + std::move(breach)); });
    bool changed = false;
    EXPECT_TRUE(audit::read_journal(place, [&](const audit::ReadEntry& read) -> Result<> {
      if (change == nullptr ||
          static_cast<uint8_t>(read.entry.kind()) != static_cast<uint8_t>(change->kind)) {
        replay.apply(read.sequence, read.time, read.entry);
        return {};
      }
      std::string payload =
          TRY(ledger_->read<JournalRow>([&](State& state) { return state.entry(read.sequence); })).payload;
      const std::string from = escaped(change->from);
      const size_t at = payload.find(from);
      if (at == payload.npos) {
        replay.apply(read.sequence, read.time, read.entry);
        return {};
      }
      const auto entry = audit::read_payload(payload.replace(at, from.size(), escaped(change->to)));
      if (!entry) return fail(ErrorCode::kCorrupt, "{}", entry.error());
      replay.apply(read.sequence, read.time, *entry);
      changed = true;
      return {};
    }));
    EXPECT_EQ(changed, change != nullptr);
    return problems;
  }
};

TEST_F(VerifyInvoices, ALedgerThatIsRightHasNoProblem) {
  EXPECT_THAT(replayed(nullptr), IsEmpty());
  expect_verified();
}

TEST_P(VerifyInvoices, AChangedEntryIsNoticed) {
  EXPECT_THAT(replayed(&GetParam()), Contains(AllOf(StartsWith(GetParam().is_breach ? "breach: " : "entry "),
                                                    HasSubstr(GetParam().problem))));
}

TEST_F(VerifyInvoices, APaymentThatGoesBackInAnothersNameIsNoticed) {
  ASSERT_TRUE(pay({.invoice = "2023-11-0001", .reference = "c", .amount = yuan("55.40")}));
  ASSERT_TRUE(credit_note({.invoice = "2023-11-0001", .lines = {{0, yuan("30")}}, .reason = "slow"}));
  // Of 63.60 that stay paid b paid 40.
  const auto back =
      pay({.invoice = "2023-11-0001", .reference = "d", .amount = yuan("-55.40"), .returns = "c"});
  EXPECT_EQ(back->applied, yuan("-23.60"));
  EXPECT_THAT(replayed(nullptr), IsEmpty());
  const Change others{EntryKind::kPayment, "\"returns\":\"c", "\"returns\":\"b", ""};
  const auto found = replayed(&others);
  EXPECT_THAT(found, Contains(HasSubstr("a payment pays another sum")));
  EXPECT_THAT(found, Contains(HasSubstr("more goes back than came by the payment")));
  const Change nobodys{EntryKind::kPayment, "\"returns\":", "\"repays\": ", ""};
  EXPECT_THAT(replayed(&nobodys), Contains(HasSubstr("names what it was")));
}

constexpr Change kOfInvoices[] = {
    {EntryKind::kInvoice, "2023-11-0001", "2023-11-0002", "not numbered in order"},
    {EntryKind::kInvoice, "'total':{'amount':'106.00','pico':'106", "'total':{'amount':'106.00','pico':'107",
     "total is not net and taxes"},
    {EntryKind::kInvoice, "'quantity':100", "'quantity':101", "other tokens than were settled"},
    {EntryKind::kInvoice, "'token_class':'output'", "'token_class':'inputs'", "counts no such usage"},
    {EntryKind::kInvoice, "'unit_price':{'amount':'1.00','pico':'1",
     "'unit_price':{'amount':'1.00','pico':'2", "not its tokens at its price", true},
    {EntryKind::kInvoice, "'kind':'usage'", "'kind':'other'", "not what its lot paid"},
    {EntryKind::kInvoice, "'percent':'6'", "'percent':'7'", "not its percentage", true},
    {EntryKind::kInvoice, "'name':'VAT'", "'name':'TAX'", "other taxes than are in force", true},
    {EntryKind::kInvoice, "'due_on':'2023-12-31'", "'due_on':'2024-01-31'", "due on another day", true},
    {EntryKind::kInvoice, "'exact':{'amount':'100.00','pico':'100", "'exact':{'amount':'100.00','pico':'101",
     "do not sum to its exact sum"},
    {EntryKind::kInvoice, "'issued':'2023-12-01", "'issued':'2023-12-02", "another's, or of another time"},
    {EntryKind::kInvoice, "'from':'2023-10-31", "'from':'2023-10-30", "another's, or of another time"},
    {EntryKind::kInvoice, "'paid':{'amount':'0.00','pico':'0'", "'paid':{'amount':'0.00','pico':'1'",
     "another sum than what was free", true},
    {EntryKind::kInvoice, "'currency':'CNY'", "'currency':'JPY'", "postings are not what"},
    {EntryKind::kInvoice, "'object'", "'abject'", "cannot be read"},
};
INSTANTIATE_TEST_SUITE_P(Invoices, VerifyInvoices, ::testing::ValuesIn(kOfInvoices));

constexpr Change kOfPayments[] = {
    {EntryKind::kPayment, "2023-11-0001 b", "2023-11-0001 c", "id is not its invoice and reference"},
    {EntryKind::kPayment, "\"applied\":\"40", "\"applied\":\"41", "record says otherwise"},
    {EntryKind::kPayment, "\"amount\":\"40", "\"amount\":\"90", "record says otherwise"},
    {EntryKind::kPayment, "\"method\":\"Bank transfer\"", "\"method\":       \"Wallet\"",
     "tells otherwise where", true},
    {EntryKind::kPayment, "\"currency\":\"CNY", "\"currency\":\"EUR", "record says otherwise"},
    {EntryKind::kCreditNote, "2023-11-0001-C1", "2023-11-0001-C2", "not numbered in order"},
    {EntryKind::kCreditNote, "\"line\":0", "\"line\":7", "does not take back what is left"},
    {EntryKind::kCreditNote, "'tax':{'amount':'-0.60','pico':'-60", "'tax':{'amount':'-0.60','pico':'-61",
     "taxes do not sum"},
    {EntryKind::kCreditNote, "'corrects':'2023-11-0001'", "'corrects':'2023-11-0003'", "is another's"},
};
INSTANTIATE_TEST_SUITE_P(Payments, VerifyInvoices, ::testing::ValuesIn(kOfPayments));

}  // namespace
}  // namespace feilun::ledger
