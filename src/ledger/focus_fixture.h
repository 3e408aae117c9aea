#pragma once

/// Two invoiced months and the start of a third at a small model cloud, as FOCUS charges: four organisations
/// that pay in four currencies, list prices by tier, a contract, prices agreed in another currency, a token
/// package and a savings plan that are used up or expire, free quota, refunds in and after their month,
/// taxes and rounding. Requests are drawn from a fixed seed, metered by class and added up by the hour.

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "ledger/focus.h"
#include "ledger/invoice.h"
#include "ledger/invoice_fixture.h"

namespace feilun::ledger {

struct FocusBuyer {
  std::string id, name, currency;
  TimeZone zone = TimeZone::utc();
  std::vector<TaxRate> taxes;
  std::string agreed_in;  ///< another currency that prices were agreed in, or empty
};

struct FocusSample {
  FocusProvider provider{"Feilun Cloud", "Feilun", "Feilun Cloud", "Feilun Model API"};
  std::vector<FocusBuyer> buyers;
  std::map<int64_t, pricing::PriceVersion> prices;
  std::map<std::string, int64_t> products;  ///< package or plan → its price's id
  std::vector<FocusCharge> charges;         ///< in the order of the export
  std::vector<Invoice> invoices;
  Money exact;  ///< what all charges without taxes and rounding sum to, added up request by request
};

/// What is left of a package or a plan.
struct FocusHolding {
  FocusCommitment commitment;
  std::string organisation_id, offering;
  Money price;
  TokenCount total = 0, used = 0;  ///< tokens, or pico-units of spending
};

class FocusSampleMaker {
 public:
  explicit FocusSampleMaker(int requests) : requests_(requests) {}

  FocusSample make() {
    make_buyers();
    make_prices();
    buy("pkg_1", "Starter 40M", "Token Package", "org_4", "qwen-7b", "9.9", 40'000'000, false, {});
    buy("pkg_2", "Archive 900M", "Token Package", "org_4", "llama-70b", "700", 900'000'000, false, {});
    buy("plan_1", "Spend 40", "Savings Plan", "org_1", "", "36", 0, true, money("40"));
    for (int i = 0; i < requests_; ++i) request();
    for (FocusHolding& holding : holdings_) expire(holding);
    for (const FocusBuyer& buyer : sample_.buyers) extras(buyer);
    for (auto& [key, charge] : by_hour_) sample_.charges.push_back(std::move(charge));
    for (const FocusBuyer& buyer : sample_.buyers) invoice(buyer);
    return std::move(sample_);
  }

 private:
  static constexpr const char* kMonths[] = {"2026-01", "2026-02", "2026-03"};

  uint64_t below(uint64_t limit) { return random_() % limit; }

  void make_buyers() {
    const auto zone = [](const char* name) { return TimeZone::find(name).value(); };
    sample_.buyers = {
        {"org_1", "东方数据", "CNY", zone("Asia/Shanghai"), {{"VAT", "6"}}, ""},
        {"org_2", "Acme, \"Inc.\"", "USD", zone("America/New_York"), {}, ""},
        {"org_3", "日本データ", "JPY", zone("UTC"), {{"消費税", "10"}}, "EUR"},
        {"org_4", "Gulf AI", "KWD", zone("Europe/Berlin"), {{"VAT", "5"}, {"Levy", "0.25"}}, ""}};
  }

  void make_prices() {
    int64_t id = 0;
    const auto publish = [&](std::string offering, const FocusBuyer& buyer, std::string contract, int base) {
      pricing::PriceVersion version;
      version.id = ++id;
      version.offering = std::move(offering);
      version.currency = buyer.currency;
      version.organisation = std::move(contract);
      const int factors[] = {10, 20, 7, 5};  // default, priority, flex, batch, in tenths
      for (int tier = 0; tier < 4; ++tier) {
        const Money unit = Money::pico(base) * factors[tier];
        version.rows.push_back({static_cast<pricing::ServiceTier>(tier),
                                0,
                                0,
                                {unit, Money::pico(base), unit * 2, unit * 3, unit * 4}});
      }
      sample_.prices[id] = version;
    };
    for (const FocusBuyer& buyer : sample_.buyers) {
      publish("qwen-7b", buyer, "", 30'011);
      publish("llama-70b", buyer, "", 400'003);
    }
    publish("qwen-7b", sample_.buyers[0], "org_1", 21'007);
  }

  /// The version of the list, or of the buyer's contract where there is one.
  const pricing::PriceVersion& price(const std::string& offering, const FocusBuyer& buyer, bool contract) {
    const pricing::PriceVersion* found = nullptr;
    for (const auto& [id, version] : sample_.prices) {
      if (version.offering != offering || version.currency != buyer.currency) continue;
      if (version.organisation.empty() || (contract && version.organisation == buyer.id)) found = &version;
    }
    return *found;
  }

  FocusCharge charge_of(const FocusBuyer& buyer, const char* month) {
    FocusCharge charge;
    charge.organisation_id = buyer.id;
    charge.organisation_name = buyer.name;
    charge.currency = buyer.currency;
    charge.billing_period = charge.charge_period = buyer.zone.period_of(parse_month(month).value());
    if (std::string_view(month) != kMonths[2]) charge.invoice_number = fmt::format("{}-{}", month, buyer.id);
    return charge;
  }

  const FocusBuyer& buyer_of(const std::string& id) {
    return *std::ranges::find(sample_.buyers, id, &FocusBuyer::id);
  }

  void add(FocusCharge charge) {
    sample_.exact += charge.billed;
    sample_.charges.push_back(std::move(charge));
  }

  void buy(std::string id, std::string name, std::string type, const std::string& buyer, std::string offering,
           std::string_view price_text, TokenCount tokens, bool of_spend, Money spend) {
    FocusHolding holding;
    holding.commitment = {std::move(id), std::move(name), std::move(type)};
    holding.commitment.of_spend = of_spend;
    holding.commitment.tokens = tokens;
    holding.commitment.spend = spend;
    holding.organisation_id = buyer;
    holding.offering = std::move(offering);
    holding.price = money(price_text);
    holding.total = of_spend ? static_cast<TokenCount>(spend.pico()) : tokens;
    FocusCharge charge = charge_of(buyer_of(buyer), kMonths[0]);
    charge.category = ChargeCategory::kPurchase;
    charge.offering = "product " + holding.commitment.id;
    charge.list_price_id = charge.price_id = 100 + static_cast<int64_t>(holdings_.size());
    charge.quantity = 1;
    charge.list_unit = charge.contracted_unit = charge.billed = holding.price;
    charge.commitment = holding.commitment;
    sample_.products[charge.offering] = charge.list_price_id;
    holdings_.push_back(holding);
    add(std::move(charge));
  }

  void expire(FocusHolding& holding) {
    if (holding.used == holding.total) return;
    FocusCharge charge = charge_of(buyer_of(holding.organisation_id), kMonths[1]);
    charge.offering = "product " + holding.commitment.id;
    charge.list_price_id = charge.price_id = sample_.products.at(charge.offering);
    charge.list_unit = charge.contracted_unit = holding.price;
    charge.effective = amortised(holding.price, holding.total, holding.used, holding.total);
    charge.commitment = holding.commitment;
    charge.commitment->part = FocusCommitment::Part::kUnused;
    const TokenCount left = holding.total - holding.used;
    if (holding.commitment.of_spend) {
      charge.commitment->spend = Money::pico(left);
    } else {
      charge.commitment->tokens = left;
    }
    add(std::move(charge));
  }

  /// Adds to the hour's row of the same kind.
  void meter(const FocusCharge& charge) {
    sample_.exact += charge.billed;
    const auto key = std::tuple(charge.organisation_id, charge.charge_period.from, charge.project_id,
                                charge.key_id, charge.offering, charge.tier, charge.token_class,
                                charge.commitment ? charge.commitment->id : "", charge.corrects_invoiced,
                                charge.billing_period.from, charge.quantity < 0);
    const auto [found, fresh] = by_hour_.emplace(key, charge);
    if (fresh) return;
    FocusCharge& row = found->second;
    row.quantity += charge.quantity;
    row.billed += charge.billed;
    if (row.effective) *row.effective += *charge.effective;
    if (row.pricing) row.pricing->effective += charge.pricing->effective;
    if (row.commitment) {
      row.commitment->tokens += charge.commitment->tokens;
      row.commitment->spend += charge.commitment->spend;
    }
  }

  /// Meters what a holding pays for; returns what is left to be billed.
  TokenCount cover(FocusCharge charge, TokenCount tokens) {
    for (FocusHolding& holding : holdings_) {
      const bool of_spend = holding.commitment.of_spend;
      if (holding.organisation_id != charge.organisation_id || charge.invoice_number.empty()) continue;
      if (!holding.offering.empty() && holding.offering != charge.offering) continue;
      const TokenCount each = of_spend ? static_cast<TokenCount>(charge.contracted_unit.pico()) : 1;
      const TokenCount covered = std::min(tokens, (holding.total - holding.used) / each);
      if (covered == 0) continue;
      charge.quantity = covered;
      charge.billed = Money();
      charge.effective = amortised(holding.price, holding.total, holding.used, holding.used + covered * each);
      charge.commitment = holding.commitment;
      charge.commitment->part = FocusCommitment::Part::kUsed;
      charge.commitment->tokens = of_spend ? 0 : covered;
      charge.commitment->spend = of_spend ? Money::pico(covered * each) : Money();
      holding.used += covered * each;
      meter(charge);
      tokens -= covered;
    }
    return tokens;
  }

  void bill(FocusCharge charge, const FocusBuyer& buyer, TokenCount tokens) {
    if (tokens == 0) return;
    charge.quantity = tokens;
    charge.billed = charge.contracted_unit * tokens;
    if (!buyer.agreed_in.empty()) {
      const Money list = Money::pico(charge.list_unit.pico() / 160), unit = list;
      charge.pricing = FocusPricingCurrency{buyer.agreed_in, list, unit, unit * tokens};
    }
    meter(charge);
  }

  /// Some requests are taken back in their month, and some of January's on February's invoice.
  void refund(FocusCharge charge, const FocusBuyer& buyer, TokenCount tokens, size_t month) {
    const uint64_t luck = below(100);
    if (luck == 0) bill(charge, buyer, -tokens);
    if (luck == 1 && month == 0) {
      const Period hour = charge.charge_period;
      const FocusCharge later = charge_of(buyer, kMonths[1]);
      charge.billing_period = later.billing_period;
      charge.invoice_number = later.invoice_number;
      charge.charge_period = hour;
      charge.corrects_invoiced = true;
      bill(charge, buyer, -tokens);
    }
  }

  void request() {
    const FocusBuyer& buyer = sample_.buyers[below(sample_.buyers.size())];
    const size_t month = below(20) == 0 ? 2 : below(2);
    FocusCharge charge = charge_of(buyer, kMonths[month]);
    const uint64_t hours_of_days = month == 2 ? 48 : 672;
    charge.charge_period.from += std::chrono::hours(below(hours_of_days));
    charge.charge_period.until = charge.charge_period.from + std::chrono::hours(1);
    const uint64_t project = below(3), key = below(2);
    charge.project_id = fmt::format("prj_{}_{}", buyer.id, project);
    charge.project_name = project == 0 ? "=web" : project == 1 ? "batch, nightly" : "助手";
    charge.key_id = fmt::format("key_{}_{}", charge.project_id, key);
    charge.key_name = key == 0 ? "production" : "";
    charge.offering = below(3) == 0 ? "llama-70b" : "qwen-7b";
    charge.tier = static_cast<pricing::ServiceTier>(below(4));
    const auto tokens = [&](uint64_t limit) { return static_cast<TokenCount>(below(limit)); };
    const TokenCount counts[] = {tokens(8000), below(2) == 0 ? tokens(30000) : 0,
                                 below(4) == 0 ? tokens(2000) : 0, 1 + tokens(3000),
                                 below(3) == 0 ? tokens(4000) : 0};
    const pricing::PriceVersion& list = price(charge.offering, buyer, false);
    const pricing::PriceVersion& charged = price(charge.offering, buyer, true);
    charge.list_row = static_cast<size_t>(charge.tier);
    charge.list_price_id = list.id;
    charge.price_id = charged.id;
    for (int i = 0; i < 5; ++i) {
      charge.token_class = kClasses[i];
      charge.list_unit = unit(list, charge.list_row, i);
      charge.contracted_unit = unit(charged, charge.list_row, i);
      const TokenCount rest = cover(charge, counts[i]);
      bill(charge, buyer, rest);
      if (rest > 0) refund(charge, buyer, rest, month);
    }
  }

  /// Free quota, and for one buyer a true-up.
  void extras(const FocusBuyer& buyer) {
    for (const char* month : {kMonths[0], kMonths[1]}) {
      FocusCharge credit = charge_of(buyer, month);
      credit.category = ChargeCategory::kCredit;
      credit.billed = Money::pico(-1'234'567'890'123);
      credit.description = "Free quota";
      add(credit);
      if (buyer.id != "org_2") continue;
      FocusCharge adjustment = charge_of(buyer, month);
      adjustment.category = ChargeCategory::kAdjustment;
      adjustment.billed = money("12.345678901234");
      adjustment.description = "True-up to the minimum of the month";
      add(adjustment);
    }
  }

  ChargeLine line_of(const FocusCharge& charge) {
    ChargeLine line;
    line.project_id = charge.project_id;
    line.project_name = charge.project_name;
    line.offering = charge.offering;
    line.tier = charge.tier;
    line.token_class = charge.token_class;
    line.price_id = charge.price_id;
    line.unit = charge.contracted_unit;
    line.description = charge.description;
    return line;
  }

  /// The invoices of a buyer's two months, with the rows that they add.
  void invoice(const FocusBuyer& buyer) {
    for (const char* month : {kMonths[0], kMonths[1]}) {
      InvoiceFacts facts = invoice_facts(buyer.currency);
      facts.number = fmt::format("{}-{}", month, buyer.id);
      facts.organisation_id = buyer.id;
      facts.buyer.name = buyer.name;
      facts.zone = buyer.zone;
      facts.period = buyer.zone.period_of(parse_month(month).value());
      facts.taxes = buyer.taxes;
      FocusCosts costs;
      std::map<std::string, ChargeLine> lines;
      for (const FocusCharge& charge : sample_.charges) {
        if (charge.invoice_number != facts.number) continue;
        costs += charge;
        const ChargeLine line = line_of(charge);
        const auto key =
            fmt::format("{}|{}|{}|{}|{}|{}", line.project_id, line.offering, static_cast<int>(line.tier),
                        line.token_class, line.price_id, line.description);
        ChargeLine& sum = lines.emplace(key, line).first->second;
        sum.quantity += charge.quantity;
        sum.amount += charge.billed;
        if (charge.commitment && !charge.token_class.empty()) sum.covered += charge.quantity;
      }
      for (auto& [key, line] : lines) facts.lines.push_back(std::move(line));
      sample_.invoices.push_back(make_invoice(facts).value());
      const auto more = focus_invoice_charges(sample_.invoices.back(), costs).value();
      sample_.charges.insert(sample_.charges.end(), more.begin(), more.end());
    }
  }

 public:
  static constexpr const char* kClasses[] = {"input", "cache_read", "cache_write", "output", "reasoning"};

  static Money unit(const pricing::PriceVersion& version, size_t row, int token_class) {
    const pricing::UnitPrices& units = version.rows[row].units;
    const Money all[] = {units.input_fresh, units.cache_read, units.cache_write, units.output,
                         units.reasoning};
    return all[token_class];
  }

 private:
  int requests_;
  std::mt19937_64 random_{20260201};
  FocusSample sample_;
  std::vector<FocusHolding> holdings_;
  std::map<std::tuple<std::string, WallTime, std::string, std::string, std::string, pricing::ServiceTier,
                      std::string, std::string, bool, WallTime, bool>,
           FocusCharge>
      by_hour_;
};

}  // namespace feilun::ledger
