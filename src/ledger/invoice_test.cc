#include "ledger/invoice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "ledger/currency.h"
#include "ledger/invoice_ageing.h"
#include "ledger/invoice_fixture.h"

namespace feilun::ledger {
namespace {

ChargeLine plain_line(std::string_view amount, std::string description) {
  ChargeLine line;
  line.description = std::move(description);
  line.amount = money(amount);
  return line;
}

Money sum_of_lines(const Invoice& invoice) {
  Money sum;
  for (const InvoiceLine& line : invoice.lines) sum += line.amount;
  return sum;
}

TEST(Invoice, LinesSumToTheTotalAndTheResidueIsWhatRoundingTook) {
  InvoiceFacts facts = invoice_facts();
  // Three lines of a third of a fen each lose most; the total decides how many fen they get.
  for (const char* name : {"a", "b", "c"}) facts.lines.push_back(plain_line("0.003333333333", name));
  facts.lines.push_back(plain_line("1.001", "d"));
  const Invoice invoice = make_invoice(facts).value();
  EXPECT_EQ(invoice.exact, money("1.010999999999"));
  EXPECT_EQ(invoice.net, money("1.01"));
  EXPECT_EQ(sum_of_lines(invoice), invoice.net);
  EXPECT_EQ(invoice.residue, money("0.000999999999"));
  EXPECT_EQ(invoice.lines[0].amount, money("0.01"));
  EXPECT_EQ(invoice.lines[1].amount, money("0"));
  EXPECT_EQ(invoice.lines[3].amount, money("1.00"));
}

TEST(Invoice, OfNothingIsZero) {
  const Invoice invoice = make_invoice(invoice_facts()).value();
  EXPECT_TRUE(invoice.total.is_zero());
  EXPECT_TRUE(invoice.residue.is_zero());
}

TEST(Invoice, RandomLinesOfEitherSignAlwaysSumToTheRoundedTotal) {
  std::mt19937_64 random(5);
  for (const char* currency : {"JPY", "CNY", "KWD"}) {
    const Money unit = smallest_unit(minor_digits(currency).value());
    for (int round = 0; round < 2000; ++round) {
      std::vector<Money> exact(random() % 20);
      Money sum;
      for (Money& amount : exact) {
        amount = Money::pico(static_cast<int128>(random() % 4'000'000'000'000) - 1'500'000'000'000);
        if (random() % 4 == 0) amount = round_to(amount, unit);
        sum += amount;
      }
      Money rounded_sum;
      const std::vector<Money> rounded = round_lines(exact, unit);
      for (size_t i = 0; i < exact.size(); ++i) {
        rounded_sum += rounded[i];
        EXPECT_EQ(rounded[i].pico() % unit.pico(), 0);
        EXPECT_LT(std::max(rounded[i] - exact[i], exact[i] - rounded[i]), unit);
      }
      EXPECT_EQ(rounded_sum, round_to(sum, unit));
    }
  }
}

TEST(Invoice, TenMillionTinyChargesLeaveExactlyTheirResidue) {
  // The second count is kept in integers of its own: pico-units modulo a fen, and whole fen.
  constexpr int kProjects = 40;
  std::vector<Money> exact(kProjects);
  int64_t pico_rest = 0, fen = 0;
  uint64_t state = 1;
  for (int i = 0; i < 10'000'000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const int64_t pico = static_cast<int64_t>(state >> 41);  // at most 8.4 millionths of a yuan
    exact[static_cast<size_t>(i % kProjects)] += Money::pico(pico);
    pico_rest += pico;
    if (pico_rest >= 10'000'000'000) pico_rest -= 10'000'000'000, ++fen;
  }
  InvoiceFacts facts = invoice_facts();
  for (const Money& amount : exact) {
    facts.lines.push_back(plain_line("0", ""));
    facts.lines.back().amount = amount;
  }
  const Invoice invoice = make_invoice(facts).value();
  const bool up = pico_rest >= 5'000'000'000;
  EXPECT_EQ(invoice.net.pico(), static_cast<int128>(fen + (up ? 1 : 0)) * 10'000'000'000);
  EXPECT_EQ(invoice.residue.pico(), pico_rest - (up ? 10'000'000'000 : 0));
  EXPECT_EQ(sum_of_lines(invoice), invoice.net);
  EXPECT_EQ(invoice.exact, invoice.net + invoice.residue);
}

TEST(Invoice, LinesComeInOneOrderWhateverOrderTheFactsHave) {
  InvoiceFacts facts = invoice_facts();
  facts.lines = {token_line("web", "qwen-7b", "output", "0.6", 10),
                 token_line("web", "qwen-7b", "cache_read", "0.06", 10),
                 token_line("web", "qwen-7b", "input", "0.3", 10),
                 token_line("app", "qwen-7b", "reasoning", "0.6", 10),
                 token_line("app", "llama-8b", "output", "0.6", 10)};
  ChargeLine priority = token_line("web", "qwen-7b", "input", "0.6", 10);
  priority.tier = pricing::ServiceTier::kPriority;
  ChargeLine later_price = token_line("web", "qwen-7b", "input", "0.2", 10);
  later_price.price_id = 8;
  ChargeLine package = plain_line("-1", "refund");
  package.project_name = "web";
  package.project_id = "prj_web";
  package.offering = "qwen-7b";
  facts.lines.insert(facts.lines.end(), {priority, later_price, package});
  const Invoice invoice = make_invoice(facts).value();
  std::vector<std::string> order;
  for (const InvoiceLine& line : invoice.lines) {
    order.push_back(fmt::format("{} {} {} {} {}", line.charge.project_name, line.charge.offering,
                                pricing::name_of(line.charge.tier), line.charge.token_class,
                                line.charge.price_id));
  }
  EXPECT_EQ(order,
            (std::vector<std::string>{"app llama-8b default output 7", "app qwen-7b default reasoning 7",
                                      "web qwen-7b default input 7", "web qwen-7b default input 8",
                                      "web qwen-7b default cache_read 7", "web qwen-7b default output 7",
                                      "web qwen-7b default  0", "web qwen-7b priority input 7"}));
  std::mt19937_64 random(9);
  for (int i = 0; i < 20; ++i) {
    std::ranges::shuffle(facts.lines, random);
    EXPECT_EQ(make_invoice(facts)->lines, invoice.lines);
  }
}

TEST(Invoice, TaxesAreOfTheRoundedNetAndRoundedHalfUp) {
  const Money fen = money("0.01");
  EXPECT_EQ(tax_of(money("100"), "6", fen), money("6"));
  EXPECT_EQ(tax_of(money("0.25"), "6", fen), money("0.02"));  // 0.015
  EXPECT_EQ(tax_of(money("0.24"), "6", fen), money("0.01"));  // 0.0144
  EXPECT_EQ(tax_of(money("-0.25"), "6", fen), money("-0.02"));
  EXPECT_EQ(tax_of(money("10.10"), "8.25", fen), money("0.83"));  // 0.83325
  EXPECT_EQ(tax_of(money("1000"), "10", money("1")), money("100"));
  EXPECT_EQ(tax_of(money("5"), "10", money("1")), money("1"));
  EXPECT_EQ(tax_of(money("100000000000000000000"), "100", fen), money("100000000000000000000"));
  EXPECT_EQ(tax_of(money("1"), "0", fen), money("0"));
  for (const char* percent : {"", "-1", "100.000001", "6%", "1e1", "0.0000001", "six"}) {
    EXPECT_FALSE(tax_of(money("1"), percent, fen)) << percent;
  }
  InvoiceFacts facts = invoice_facts();
  facts.lines = {plain_line("10.001", "a"), plain_line("0.098", "b")};
  facts.taxes = {{"VAT", "6"}, {"Surcharge", "0.72"}};
  facts.payments = {{"w1", "Wallet", facts.issued, money("4")}};
  const Invoice invoice = make_invoice(facts).value();
  EXPECT_EQ(invoice.net, money("10.10"));
  ASSERT_EQ(invoice.taxes.size(), 2u);
  EXPECT_EQ(invoice.taxes[0].amount, money("0.61"));
  EXPECT_EQ(invoice.taxes[1].amount, money("0.07"));
  EXPECT_EQ(invoice.total, money("10.78"));
  EXPECT_EQ(invoice.due, money("6.78"));
  EXPECT_EQ(to_string(invoice.due_on), "2026-03-31");
  facts.taxes = {{"VAT", "many"}};
  EXPECT_FALSE(make_invoice(facts));
}

TEST(Invoice, RoundsToTheCoinsOfItsCurrency) {
  for (const auto& [currency, net] : {std::pair{"JPY", "1"}, {"CNY", "1.23"}, {"KWD", "1.235"}}) {
    InvoiceFacts facts = invoice_facts(currency);
    facts.lines = {plain_line("1.2345678", "a")};
    EXPECT_EQ(make_invoice(facts)->net, money(net));
  }
  EXPECT_FALSE(make_invoice(invoice_facts("XXX")));
}

TEST(CreditNote, OverAllLinesTakesBackExactlyTheInvoice) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    InvoiceFacts facts = invoice_facts();
    const size_t count = 1 + random() % 8;
    for (size_t i = 0; i < count; ++i) {
      facts.lines.push_back(plain_line("0", std::to_string(i)));
      facts.lines.back().amount = Money::pico(static_cast<int128>(random() % 900'000'000'000));
    }
    facts.taxes = {{"VAT", "6"}, {"Levy", "0.333333"}};
    const Invoice invoice = make_invoice(facts).value();
    Money total, residue;
    std::vector<size_t> done;
    for (size_t line : {count - 1, size_t{0}}) {
      if (std::ranges::count(done, line) != 0) continue;
      const Invoice note = make_credit_note(invoice, {"C1", "refund", {line}, done, facts.issued}).value();
      EXPECT_EQ(note.corrects, facts.number);
      EXPECT_EQ(note.net, -invoice.lines[line].amount);
      total += note.total, residue += note.residue;
      done.push_back(line);
    }
    std::vector<size_t> rest;
    for (size_t i = 1; i + 1 < count; ++i) rest.push_back(i);
    if (!rest.empty()) {
      const Invoice note = make_credit_note(invoice, {"C2", "refund", rest, done, facts.issued}).value();
      total += note.total, residue += note.residue;
    }
    EXPECT_EQ(total, -invoice.total);
    EXPECT_EQ(residue, -invoice.residue);
  }
}

TEST(CreditNote, RefusesWhatIsNotThereOrAlreadyTakenBack) {
  InvoiceFacts facts = invoice_facts();
  facts.lines = {plain_line("1", "a"), plain_line("2", "b")};
  const Invoice invoice = make_invoice(facts).value();
  const auto code = [&](std::vector<size_t> lines, std::vector<size_t> reversed) {
    const auto note = make_credit_note(invoice, {"C", "", lines, reversed, facts.issued});
    return note ? std::optional<ErrorCode>() : note.error().code;
  };
  EXPECT_EQ(code({0}, {}), std::nullopt);
  EXPECT_EQ(code({}, {}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({2}, {}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({0, 0}, {}), ErrorCode::kConflict);
  EXPECT_EQ(code({0}, {0}), ErrorCode::kConflict);
  const Invoice note = make_credit_note(invoice, {"C", "", {0}, {}, facts.issued}).value();
  EXPECT_FALSE(make_credit_note(note, {"D", "", {0}, {}, facts.issued}));
}

TEST(Ageing, BucketsCountDaysSinceDue) {
  const Day today = parse_day("2026-06-30").value();
  std::vector<Receivable> invoices;
  for (int late : {-5, 0, 1, 30, 31, 60, 61, 90, 91, 400}) {
    invoices.push_back({"org_1", fmt::format("n{}", late), "CNY", money("1"), plus_days(today, -late)});
  }
  invoices.push_back({"org_1", "usd", "USD", money("3"), plus_days(today, -45)});
  invoices.push_back({"org_2", "paid", "CNY", money("9"), plus_days(today, -45)});
  invoices.push_back({"org_3", "over", "CNY", money("9"), plus_days(today, -45)});
  const std::vector<Receipt> receipts = {
      {"n60", money("0.25")}, {"paid", money("4")}, {"paid", money("5")}, {"over", money("10")}};
  const auto aged = age_receivables(invoices, receipts, today).value();
  EXPECT_EQ(aged.at({"org_1", "CNY"}),
            (Ageing{money("2"), money("2"), money("1.75"), money("2"), money("2")}));
  EXPECT_EQ(aged.at({"org_1", "USD"}).days_31_to_60, money("3"));
  EXPECT_EQ(aged.at({"org_2", "CNY"}), Ageing());
  EXPECT_EQ(aged.at({"org_3", "CNY"}).current, money("-1"));
  EXPECT_EQ(aged.at({"org_1", "CNY"}).total(), money("9.75"));
  EXPECT_FALSE(age_receivables(invoices, std::vector<Receipt>{{"none", money("1")}}, today));
  invoices.push_back(invoices.front());
  EXPECT_FALSE(age_receivables(invoices, {}, today));
}

}  // namespace
}  // namespace feilun::ledger
