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
  // make_invoice() alone, no ledger. The second count is kept in integers of its own: pico-units modulo a
  // fen, and whole fen.
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
  for (const char* percent :
       {"", "-1", "100.000001", "6%", "1e1", "six", "0.0000001", "6.0000000", "6.1234560", "-0"}) {
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

TEST(Invoice, TaxesAreSharedAmongLinesByLargestRemainder) {
  InvoiceFacts facts = invoice_facts();
  for (const char* name : {"a", "b", "c"}) facts.lines.push_back(plain_line("0.10", name));
  facts.lines.push_back(plain_line("-0.05", "d"));
  facts.taxes = {{"VAT", "13"}, {"Levy", "9.975"}};
  const Invoice invoice = make_invoice(facts).value();
  // 0.0325 and 0.0249375 of 0.25; the lines' shares are 0.013, 0.013, 0.013, -0.0065, and so on.
  EXPECT_EQ(invoice.taxes[0].amount, money("0.03"));
  EXPECT_EQ(invoice.taxes[1].amount, money("0.02"));
  Money shares;
  for (const InvoiceLine& line : invoice.lines) {
    shares += line.tax;
    EXPECT_EQ(line.tax.pico() % money("0.01").pico(), 0);
  }
  EXPECT_EQ(shares, money("0.05"));
  EXPECT_EQ(invoice.total, money("0.30"));

  std::mt19937_64 random(11);
  for (int round = 0; round < 500; ++round) {
    facts.lines.clear();
    for (size_t i = 0; i < 1 + random() % 9; ++i) {
      facts.lines.push_back(plain_line("0", std::to_string(i)));
      facts.lines.back().amount =
          Money::pico(static_cast<int128>(random() % 3'000'000'000'000) - 400'000'000'000);
    }
    const Invoice many = make_invoice(facts).value();
    Money taxes;
    for (const TaxLine& tax : many.taxes) {
      EXPECT_EQ(tax.amount, tax_of(many.net, tax.rate.percent, money("0.01")));
      taxes += tax.amount;
    }
    Money of_lines;
    for (const InvoiceLine& line : many.lines) of_lines += line.tax;
    EXPECT_EQ(of_lines, taxes);
  }
}

TEST(Ageing, BucketsCountDaysSinceDue) {
  const Day today = parse_day("2026-06-30").value();
  std::vector<Receivable> invoices;
  const auto add = [&](const char* owner, const char* currency, int late, const char* total, const char* paid,
                       const char* credited) {
    invoices.push_back({owner, fmt::format("n{}", invoices.size()), currency, plus_days(today, -late),
                        money(total), money(paid), money(credited)});
  };
  for (int late : {-5, 0, 1, 30, 31, 61, 90, 91, 400}) add("org_1", "CNY", late, "1", "0", "0");
  add("org_1", "CNY", 60, "1", "0.25", "0");
  add("org_1", "USD", 45, "3", "0", "0");
  add("org_2", "CNY", 45, "9", "4", "5");
  add("org_3", "CNY", 45, "9", "10", "0");
  const auto aged = age_receivables(invoices, today);
  EXPECT_EQ(aged.at({"org_1", "CNY"}),
            (Ageing{money("2"), money("2"), money("1.75"), money("2"), money("2")}));
  EXPECT_EQ(aged.at({"org_1", "USD"}).days_31_to_60, money("3"));
  EXPECT_EQ(aged.at({"org_2", "CNY"}), Ageing());
  EXPECT_EQ(aged.at({"org_3", "CNY"}).current, money("-1"));
  EXPECT_EQ(aged.at({"org_1", "CNY"}).total(), money("9.75"));
}

TEST(Ageing, StatesFollowFromWhatWasPaidAndCredited) {
  const auto state = [](const char* paid, const char* credited) {
    return state_of({.total = money("10"), .paid = money(paid), .credited = money(credited)});
  };
  EXPECT_EQ(state("0", "0"), "open");
  EXPECT_EQ(state("3", "0"), "partly_paid");
  EXPECT_EQ(state("0", "3"), "partly_paid");
  EXPECT_EQ(state("10", "0"), "paid");
  EXPECT_EQ(state("7", "3"), "paid");
  EXPECT_EQ(state("0", "10"), "credited");
}

}  // namespace
}  // namespace feilun::ledger
