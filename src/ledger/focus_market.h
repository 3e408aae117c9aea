#pragma once

/// Two months and a day at a small model cloud, through the real ledger, for tests of what comes out of it:
/// an organisation that pays in yuan with a contract and a tax, one that pays in dollars with a commitment,
/// and the default project; prices by tier and length; cache reads; credits, quotas, packages and plans that
/// are used up or expire; requests that are cancelled, cut off, topped up, left open over the end of an hour
/// or a month; refunds in and after their month; invoices and a credit note. All of it is drawn from a fixed
/// seed.

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ledger/accounts_fixture.h"
#include "ledger/focus_export.h"
#include "ledger/focus_fixture.h"

namespace feilun::ledger {

class FocusMarket : public LedgerTest {
 protected:
  struct Buying {
    std::string id, currency;
    std::vector<std::string> projects;
    Money credited;
  };

  static constexpr const char* kMonths[] = {"2024-02", "2024-03", "2024-04"};

  template <typename T>
  T act(std::move_only_function<Result<T>(Books&)> what) {
    auto done = ledger_->write<T>(std::move(what));
    EXPECT_TRUE(done) << done.error().message;
    return std::move(done).value();
  }
  void go_to(const char* time) { clock_.advance(time_at(time) - clock_.wall()); }
  uint64_t below(uint64_t limit) { return random_() % limit; }

  /// `requests` of them, and all that happens around them.
  void trade(int requests) {
    go_to("2024-02-01T06:00:00Z");
    open_accounts();
    publish_prices();
    grant_lots();
    constexpr int kAtOnce = 20;
    const int batches = requests / kAtOnce;
    const auto step = (time_at("2024-04-01T16:00:00Z") - clock_.wall()) / batches;
    for (int batch = 0; batch < batches; ++batch) {
      serve_some(kAtOnce);
      const WallTime before = clock_.wall();
      clock_.advance(step);
      if (before < change_ && clock_.wall() >= change_) raise_prices();
      if (before < first_end_ && clock_.wall() >= first_end_) invoice(kMonths[0]);
    }
    serve_some(0);
    go_to("2024-04-02T00:00:00Z");
    act<int64_t>([](Books& books) { return books.expire_lots(1000); });
    invoice(kMonths[1]);
  }

  /// The rows of a month as they come out, piece by piece.
  Result<std::vector<FocusCharge>> exported(const char* month, const std::string& owner = "") {
    auto begun = TRY(ledger_->read<FocusExport>(
        [&](State& state) { return FocusExport::begin(state, parse_month(month).value(), owner); }));
    std::vector<FocusCharge> rows;
    while (TRY(ledger_->read<bool>([&](State& state) { return begun.next(state, rows); }))) {
    }
    return rows;
  }
  std::vector<FocusCharge> exported_all() {
    std::vector<FocusCharge> all;
    for (const char* month : kMonths) {
      auto rows = exported(month);
      EXPECT_TRUE(rows) << rows.error().message;
      if (rows) std::ranges::move(*rows, std::back_inserter(all));
    }
    return all;
  }
  Money of(const std::string& name, const std::string& currency) {
    return ledger_->read<Money>([&](State& state) { return account(state, name, currency); }).value();
  }

  void open_accounts() {
    add_buyer("acme", "CNY", "Asia/Shanghai", 2);
    add_buyer("globex", "USD", "America/New_York", 2);
    buyers_["default"] = {.id = project_id(), .currency = "CNY", .projects = {project_id()}};
    for (auto& [name, buyer] : buyers_) {
      buyer.credited = yuan("100000");
      ASSERT_TRUE(ledger_->credit(buyer.id, buyer.credited, buyer.currency, "", ""));
    }
    act<Billing>([&](Books& books) {
      return books.set_billing({.owner_id = buyers_["acme"].id, .taxes = {{{"VAT", "6"}}}});
    });
    act<Commitment>([&](Books& books) {
      Commitment asked{
          .organisation = buyers_["globex"].id, .currency = "USD", .amount = yuan("5000.123456789012")};
      asked.from = parse_month(kMonths[0]).value();
      return books.commit(asked);
    });
  }
  void add_buyer(const std::string& name, const std::string& currency, const char* zone, int projects) {
    Buying& buyer = buyers_[name];
    buyer.currency = currency;
    buyer.id = act<Organisation>([&](Books& books) {
                 return books.create_organisation({.name = name, .currency = currency, .time_zone = zone});
               }).id;
    for (int i = 0; i < projects; ++i) {
      const std::string project = i == 0 ? "=web, \"1\"" : "助手";
      buyer.projects.push_back(
          act<Project>([&](Books& books) { return books.create_project(project, currency, name); }).id);
    }
    for (const std::string& project : buyer.projects) {
      for (const char* key : {"production", ""}) {
        keys_[project].push_back(act<NewKey>([&](Books& books) {
                                   return books.create_key(project, key, KeyRole::kProject);
                                 }).key.id);
      }
    }
  }

  /// By tier, and dearer for long inputs.
  static PriceVersion sheet(const char* offering, const std::string& currency, int64_t pico) {
    PriceVersion version;
    version.offering = offering;
    version.currency = currency;
    const auto add = [&](ServiceTier tier, TokenCount from, int64_t unit) {
      const Money each = Money::pico(unit);
      version.rows.push_back({tier, from, 0, {each, Money::pico(unit / 10), each * 2, each * 4, each * 5}});
    };
    add(ServiceTier::kDefault, 0, pico);
    add(ServiceTier::kDefault, 2000, pico * 2 + 1);
    add(ServiceTier::kPriority, 0, pico * 3);
    add(ServiceTier::kFlex, 0, pico / 2);
    add(ServiceTier::kBatch, 0, pico / 3);
    return version;
  }
  void publish_prices() {
    for (const char* currency : {"CNY", "USD"}) {
      ASSERT_TRUE(ledger_->set_price(sheet("nano", currency, 20'000'011)));
      ASSERT_TRUE(ledger_->set_price(sheet("mini", currency, 90'000'007)));
    }
    PriceVersion contract = sheet("nano", "CNY", 15'000'013);
    contract.organisation = buyers_["acme"].id;
    ASSERT_TRUE(ledger_->set_price(contract));
  }
  void raise_prices() { ASSERT_TRUE(ledger_->set_price(sheet("mini", "CNY", 99'000'001))); }

  void grant_lot(const std::string& buyer, LotKind kind, const char* amount, const char* paid,
                 const char* expires, std::vector<std::string> offerings = {}) {
    const bool package = kind == LotKind::kPackage;
    Lot lot{.kind = kind, .unit = package ? "TOK" : buyers_[buyer].currency, .amount = yuan(amount)};
    lot.paid = yuan(paid);
    lot.offerings = std::move(offerings);
    lot.expires = time_at(expires);
    granted_.push_back(
        act<LotBalance>([&](Books& books) { return books.grant(buyers_[buyer].id, lot, "test"); }).lot);
  }
  void grant_lots() {
    grant_lot("acme", LotKind::kCredit, "7.000000000003", "0", "2024-02-20T10:30:00Z");
    grant_lot("acme", LotKind::kPackage, "900000", "11.77", "2024-02-25T00:00:00Z", {"nano"});
    grant_lot("acme", LotKind::kPlan, "60", "48.5", "2024-03-20T00:00:00Z");
    grant_lot("acme", LotKind::kPackage, "100000000", "1234.56", "2024-04-01T20:00:00Z", {"mini"});
    grant_lot("globex", LotKind::kPlan, "33.333333333333", "30", "2024-03-31T00:00:00Z", {"mini"});
    grant_lot("globex", LotKind::kPackage, "400000", "0", "2024-03-31T00:00:00Z", {"nano"});
    grant_lot("globex", LotKind::kQuota, "4", "0", "2024-03-01T05:00:00Z");
    grant_lot("default", LotKind::kQuota, "1", "0", "2024-02-02T00:00:00Z");
  }

  void serve_some(int count) {
    act<int64_t>([&](Books& books) -> Result<int64_t> {
      for (auto& [id, usage] : std::exchange(open_, {})) TRY(settle(books, id, usage, Outcome::kCompleted));
      for (int i = 0; i < count; ++i) TRY(serve_one(books));
      for (int i = 0; i < count / 10; ++i) refund_one(books);
      return books.expire_lots(1000);
    });
  }

  Result<> serve_one(Books& books) {
    const std::string name = std::next(buyers_.begin(), static_cast<int64_t>(below(buyers_.size())))->first;
    Buying& buyer = buyers_[name];
    HoldRequest asked{.request_id = fmt::format("req_{}", ++requests_)};
    asked.project_id = buyer.projects[below(buyer.projects.size())];
    const auto& keys = keys_[asked.project_id];
    if (!keys.empty()) asked.key_id = keys[below(keys.size())];
    asked.offering = below(3) == 0 ? "mini" : "nano";
    asked.tier = static_cast<ServiceTier>(below(4));
    asked.input_tokens = static_cast<TokenCount>(below(4000));
    asked.output_slice = static_cast<TokenCount>(1 + below(1500));
    const Hold hold = TRY(books.hold(asked));
    TokenUsage usage;
    usage.cache_read = below(2) == 0 ? static_cast<TokenCount>(below(uint64_t(asked.input_tokens) + 1)) : 0;
    usage.cache_write = below(4) == 0 ? (asked.input_tokens - usage.cache_read) / 3 : 0;
    usage.input_fresh = asked.input_tokens - usage.cache_read - usage.cache_write;
    usage.reasoning = below(3) == 0 ? hold.output_tokens / 3 : 0;
    usage.output = hold.output_tokens - usage.reasoning;
    const uint64_t luck = below(20);
    if (luck == 0) return released(books.release(asked.request_id, Outcome::kCancelled));
    if (luck == 1) usage.output *= 30;  // more than was held: not all is charged
    if (luck == 2) {
      usage = {.input_fresh = usage.input_fresh / 2};
      return settle(books, asked.request_id, usage, Outcome::kCancelled);
    }
    if (luck == 3) {
      TRY(books.top_up(asked.request_id, 700));
      usage.output += 650;
    }
    if (luck < 6) {
      open_.emplace_back(asked.request_id, usage);
      return {};
    }
    return settle(books, asked.request_id, usage, Outcome::kCompleted);
  }
  static Result<> released(const Result<Settlement>& done) {
    return done ? Result<>() : std::unexpected(done.error());
  }
  Result<> settle(Books& books, const std::string& id, const TokenUsage& usage, Outcome outcome) {
    TRY(books.settle(id, usage, outcome));
    settled_.push_back(id);
    tokens_ += usage.input() + usage.total_output();
    return {};
  }

  /// Of anything that was ever settled, all that is left or a part.
  void refund_one(Books& books) {
    if (settled_.empty()) return;
    const std::string& id = settled_[below(settled_.size())];
    const auto left = charge_left(books.state(), id);
    if (!left) return;
    RefundRequest asked{.request_id = id};
    if (below(2) == 0) asked.amount = Money::pico((left->charged - left->refunded).pico() / 3);
    if (below(2) == 0) asked.tokens = (left->tokens - left->tokens_refunded) / 2;
    if (books.refund(asked)) ++refunds_;
  }

  bool would_be_noted(const CreditRequest& asked) {
    const auto tried = ledger_->write<Invoice>([&](Books& books) -> Result<Invoice> {
      TRY(books.credit_invoice(asked));
      return fail(ErrorCode::kInternal, "tried, and undone");
    });
    return tried.error().code == ErrorCode::kInternal;
  }
  void invoice(const char* month) {
    for (const auto& [name, buyer] : buyers_) {
      invoices_.push_back(act<Invoice>(
          [&](Books& books) { return books.issue_invoice(buyer.id, parse_month(month).value()); }));
    }
    if (std::string_view(month) != kMonths[0]) return;
    const Invoice& paper = invoices_.front();
    CreditRequest asked{.invoice = paper.facts.number, .lines = {}, .reason = "a mistake"};
    for (size_t line = 0; line < paper.lines.size() && asked.lines.size() < 3; ++line) {
      if (paper.lines[line].amount <= Money()) continue;
      asked.lines.push_back({.line = line});
      if (!would_be_noted(asked)) asked.lines.pop_back();  // too much of it was refunded
    }
    notes_.push_back(act<Invoice>([&](Books& books) { return books.credit_invoice(asked); }));
  }

  const WallTime change_ = time_at("2024-03-10T12:34:56Z");
  const WallTime first_end_ = time_at("2024-03-01T05:00:00Z");
  std::mt19937_64 random_{20240201};
  std::map<std::string, Buying> buyers_;
  std::map<std::string, std::vector<std::string>> keys_;
  std::vector<Lot> granted_;
  std::vector<std::pair<std::string, TokenUsage>> open_;
  std::vector<std::string> settled_;
  std::vector<Invoice> invoices_, notes_;
  int requests_ = 0;
  int refunds_ = 0;
  TokenCount tokens_ = 0;
};

}  // namespace feilun::ledger
