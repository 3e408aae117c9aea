#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <set>

#include "ledger/commitment.h"
#include "ledger/invoice_formats.h"
#include "ledger/ledger_fixture.h"
#include "ledger/shadow_ledger.h"
#include "ledger/wall_clock.h"

// One seeded run of everything that money can do, against the real ledger and a shadow of it. Operations on
// requests are sent without waiting, so that groups form as they do under load; acts follow in the same
// group; then time passes. Every answer is compared with the shadow's, now and then all accounts, and the
// auditor looks at the whole.
//
// FEILUN_LEDGER_SEED and FEILUN_LEDGER_OPERATIONS ask for another run.

namespace feilun::ledger {
namespace {

using namespace std::chrono_literals;

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr int64_t kOperations = 12'000;  // these take ten times as long
#else
constexpr int64_t kOperations = 120'000;
#endif
constexpr int64_t kRoadOperations = 200;  ///< of a round
constexpr int64_t kActs = 20;             ///< at most, of a round

/// What a run must meet with to be worth its name.
constexpr const char* kSeen[] = {
    "hold done",       "top_up done",      "mark done",         "settle done",
    "release done",    "refund done",      "grant done",        "price done",
    "credit",          "invoice",          "true_up",           "notified",
    "restart",         "grant again",      "credit again",      "refund again",
    "invoice again",   "true_up again",    "payment done",      "payment again",
    "payment error 4", "credit note done", "credit note again", "credit note error 4",
    "hold error 3",    "hold error 4",     "hold error 6",      "hold error 7",
    "settle error 4",  "refund error 4"};

int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

std::string line(const Hold& hold) {
  return fmt::format("{} {} {}", hold.held.to_string(), hold.output_tokens, hold.exhausted);
}
std::string line(const TokenUsage& usage) {
  return fmt::format("{} {} {} {} {}", usage.input_fresh, usage.cache_read, usage.cache_write, usage.output,
                     usage.reasoning);
}
std::string line(const Settlement& done) {
  return done.charged.to_string() + "/" + done.released.to_string();
}
std::string line(const PriceVersion& price) {
  return fmt::format("{} from {} until {}", price.id, price.effective_from.time_since_epoch().count(),
                     price.effective_until.time_since_epoch().count());
}
std::string line(const Refund& refund) {
  return fmt::format("{} {}", refund.amount.to_string(), refund.tokens);
}
std::string line(Money money) {
  return money.to_string();
}

template <typename T>
std::string answer(const Result<T>& result) {
  return result ? line(*result) : fmt::format("error {}", static_cast<int>(result.error().code));
}

struct Run {
  bool postgres = false;
  uint64_t seed = 0;
};

class LedgerProperty : public LedgerTest, public ::testing::WithParamInterface<Run> {
 protected:
  void SetUp() override {
    if (GetParam().postgres) SKIP_WITHOUT_POSTGRES();
    if (GetParam().postgres) move_to_postgres();
    restart(/*serving=*/true);
    set_up_tenants();
  }

  // What is random.
  int64_t below(int64_t bound) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(bound)); }
  template <typename T>
  const T& one_of(const std::vector<T>& all) {
    return all[static_cast<size_t>(below(std::ssize(all)))];
  }
  std::string some_request();
  TokenUsage some_usage();
  PriceVersion some_price();
  Lot some_lot();
  Month some_month(const std::string& payer);
  std::string some_reference(const std::string& invoice);

  // One of each.
  void set_up_tenants();
  void add_project(const Project& project, const char* zone);
  void ask();
  void act(Books& books);
  void act_money(Books& books, int64_t dice);
  void grant(Books& books);
  void refund(Books& books);
  void limit(Books& books);
  void true_up(Books& books, const std::string& payer, Month month);
  void invoice(Books& books);
  void pay(Books& books);
  void credit_note(Books& books);
  /// Of what comes later nothing counts in it.
  void close(const std::string& payer, Month month) {
    Month& first_open = shadow_.first_open[payer];
    first_open = std::max(first_open, month + std::chrono::months(1));
  }
  void notify(Books& books);
  void pass_time();
  void round();
  void be_killed();
  void restart(bool serving);
  void compare_accounts();

  template <typename T>
  Done<T> expect(const std::string& what, const std::string& expected) {
    ++operations_;
    ++seen_[what + ' ' + (expected.starts_with("error") ? expected : "done")];
    return [what, expected](Result<T> result) {
      const std::string got = answer(result);
      if (got != expected) ADD_FAILURE() << what << ": " << got << ", not " << expected;
    };
  }
  template <typename T>
  void same(const std::string& what, const Result<T>& result, const Result<T>& expected) {
    expect<T>(what, answer(expected))(result);
  }

  std::mt19937_64 random_{GetParam().seed};
  WallClock wall_clock_;
  ShadowLedger shadow_;
  std::vector<std::string> projects_, payers_, keys_, scopes_;
  std::string acme_;
  Month first_month_{};
  const Money committed_ = Money::pico(40'000'000'000);
  std::vector<SpendLimit> limits_;
  std::vector<WallTime> boundaries_;                                           ///< of prices, lots and months
  std::map<std::string, std::pair<Lot, std::string>> granted_;                 ///< by idempotency key
  std::map<std::string, std::pair<RefundRequest, std::string>> refunded_;      ///< the same
  std::map<std::string, std::pair<std::string, Money>> credited_;              ///< the same
  std::map<std::pair<std::string, Month>, std::pair<Money, Money>> true_ups_;  ///< charged, shortfall
  std::map<std::pair<std::string, Month>, std::string> invoices_;              ///< as printed
  std::vector<std::pair<Invoice, std::string>> papers_;                        ///< with their payers
  std::map<std::string, std::pair<PaymentRequest, std::string>> payments_;     ///< by invoice and reference
  std::map<std::string, std::pair<CreditRequest, std::string>> notes_;         ///< by invoice and key
  std::set<std::string> topped_up_;                                            ///< in this round
  std::vector<std::string> settled_;
  int64_t next_request_ = 0;
  int64_t operations_ = 0;
  std::map<std::string, int64_t> seen_;
};

std::string LedgerProperty::some_request() {
  // Mostly near the newest, so that requests are met again while open; sometimes one long ended, or unknown.
  const int64_t back = below(10) == 0 ? below(next_request_ + 1) - 5 : below(40);
  return "req_" + std::to_string(std::max<int64_t>(0, next_request_ - back));
}

TokenUsage LedgerProperty::some_usage() {
  return {.input_fresh = below(60),
          .cache_read = below(40),
          .cache_write = below(20),
          .output = below(80),
          .reasoning = below(20)};
}

PriceVersion LedgerProperty::some_price() {
  const auto units = [&] {
    const auto unit = [&] { return Money::pico(below(8) == 0 ? 0 : below(1'000'000)); };
    return pricing::UnitPrices{unit(), unit(), unit(), unit(), unit()};
  };
  PriceVersion price{.offering = below(3) == 0 ? "mega" : "nano", .currency = "CNY"};
  if (below(4) == 0) price.organisation = acme_;
  price.rows = pricing::flat_rows(units());
  if (below(2) == 0) price.rows.push_back({.volume_from = 1 + below(30'000), .units = units()});
  if (below(2) == 0) price.rows.push_back({.input_from = 1 + below(100), .units = units()});
  if (below(3) == 0) price.rows.push_back({.tier = ServiceTier::kFlex, .units = units()});
  if (below(2) == 0) price.effective_from = wall_clock_.wall() + std::chrono::milliseconds(below(10'000'000));
  if (below(6) == 0)
    price.effective_until = wall_clock_.wall() + std::chrono::milliseconds(below(20'000'000));
  return price;
}

Lot LedgerProperty::some_lot() {
  Lot lot{.payer_id = one_of(payers_), .kind = static_cast<LotKind>(below(4)), .unit = "CNY"};
  lot.priority = below(3);
  if (lot.kind == LotKind::kPackage) {
    lot.unit = "TOK";
    lot.amount = token_amount(1 + below(1500));
    lot.paid = Money::pico(below(2) * below(100'000'000));
  } else {
    lot.amount = Money::pico(2 + below(400'000'000));
    if (lot.kind == LotKind::kPlan) lot.paid = Money::pico(1 + below(int64_t(lot.amount.pico()) - 1));
  }
  if (below(4) != 0)
    lot.offerings =
        below(4) == 0 ? std::vector<std::string>{"mega"} : std::vector<std::string>{"nano", "mega"};
  if (below(2) == 0) lot.expires = wall_clock_.wall() + std::chrono::milliseconds(below(40'000'000));
  return lot;
}

Month LedgerProperty::some_month(const std::string& payer) {
  const Month month = shadow_.zones.at(payer).month_of(wall_clock_.wall()) - std::chrono::months(below(3));
  return std::max(month, first_month_);
}

void LedgerProperty::add_project(const Project& project, const char* zone) {
  projects_.push_back(project.id);
  scopes_.push_back(project.id);
  shadow_.projects[project.id] = project;
  shadow_.zones.insert_or_assign(project.payer, TimeZone::find(zone).value());
  if (std::ranges::find(payers_, project.payer) == payers_.end()) payers_.push_back(project.payer);
  keys_.push_back(ledger_->create_key(project.id, "key", KeyRole::kProject)->key.id);
  scopes_.push_back(keys_.back());
}

void LedgerProperty::set_up_tenants() {
  const auto set_up = [&](Books& books) -> Result<> {
    acme_ =
        TRY(books.create_organisation({.name = "acme", .currency = "CNY", .time_zone = "Asia/Shanghai"})).id;
    TRY(books.create_project("red", "CNY"));
    TRY(books.create_project("one", "CNY", "acme"));
    TRY(books.create_project("two", "CNY", "acme"));
    for (const std::string& whose : {acme_, std::string("default")}) {
      TRY(books.set_webhook({.organisation = whose, .url = "https://example.com/" + whose}));
    }
    first_month_ = TimeZone::find("Asia/Shanghai")->month_of(wall_clock_.wall());
    TRY(books.commit(
        {.organisation = "acme", .currency = "CNY", .amount = committed_, .from = first_month_}));
    return {};
  };
  ASSERT_TRUE(ledger_->write<void>(set_up));
  for (const char* name : {"default", "red"}) add_project(ledger_->find_project(name).value(), "UTC");
  for (const char* name : {"acme/one", "acme/two"}) {
    add_project(ledger_->find_project(name).value(), "Asia/Shanghai");
  }
  scopes_.push_back(acme_);
  shadow_.now = wall_clock_.wall();
}

void LedgerProperty::ask() {
  const int64_t dice = below(100);
  const std::string id = some_request();
  if (dice < 38) {
    HoldRequest asked{.request_id = dice < 34 ? "req_" + std::to_string(++next_request_) : id};
    const auto project = static_cast<size_t>(below(std::ssize(projects_)));
    asked.key_id = below(8) == 0 ? "" : keys_[project];
    asked.project_id = projects_[project];
    asked.offering = below(4) == 0 ? "mega" : "nano";
    asked.tier = below(4) == 0 ? ServiceTier::kFlex : ServiceTier::kDefault;
    asked.input_tokens = below(5) == 0 ? 0 : below(110);
    asked.output_slice = below(64);
    ledger_->hold(asked, expect<Hold>("hold", answer(shadow_.hold(asked))));
  } else if (dice < 54) {
    const TokenCount more = below(64);
    topped_up_.insert(id);
    ledger_->top_up(id, more, expect<Hold>("top_up", answer(shadow_.top_up(id, more))));
  } else if (dice < 68 || (GetParam().postgres && topped_up_.contains(id))) {
    // Over PostgreSQL a top-up is given up when its request ends before it is answered.
    const TokenUsage usage = some_usage();
    ledger_->mark(id, usage, expect<TokenUsage>("mark", answer(shadow_.mark(id, usage))));
  } else if (dice < 92) {
    const TokenUsage usage = some_usage();
    const auto settled = shadow_.settle(id, usage);
    if (settled) settled_.push_back(id);
    ledger_->settle(id, usage, Outcome::kCompleted, expect<Settlement>("settle", answer(settled)));
  } else {
    ledger_->release(id, Outcome::kCancelled, expect<Settlement>("release", answer(shadow_.release(id))));
  }
}

void LedgerProperty::grant(Books& books) {
  Lot lot = some_lot();
  const bool again = below(3) == 0 && !granted_.empty();
  const std::string key = again           ? std::next(granted_.begin(), below(std::ssize(granted_)))->first
                          : below(2) == 0 ? "lot " + std::to_string(operations_)
                                          : "";
  lot.idempotency_key = key;
  if (again) {
    const bool same_terms = below(2) == 0;
    const auto& [asked, id] = granted_.at(key);
    if (same_terms) lot = asked;
    const auto granted = books.grant(lot.payer_id, lot, "");
    ++seen_["grant again"];
    EXPECT_EQ(granted.has_value(), same_terms) << key;
    if (same_terms && granted) EXPECT_EQ(granted->lot.id, id);
    return;
  }
  const auto granted = books.grant(lot.payer_id, lot, "");
  if (granted) lot.id = granted->lot.id;
  const Result<Money> left =
      granted ? Result<Money>(granted->left) : Result<Money>(std::unexpected(granted.error()));
  same("grant", left, shadow_.grant(lot));
  if (!granted) return;
  if (lot.expires != WallTime::max()) boundaries_.push_back(lot.expires);
  const std::string id = std::exchange(lot.id, "");
  if (!key.empty()) granted_[key] = {lot, id};
}

void LedgerProperty::refund(Books& books) {
  RefundRequest asked{.request_id = some_request()};
  if (below(2) == 0) {
    asked.amount = Money::pico(below(40'000'000));
    asked.tokens = below(3) == 0 ? below(60) : 0;
  }
  if (below(2) == 0) asked.idempotency_key = "refund " + std::to_string(below(3));
  if (below(3) != 0 && !settled_.empty()) asked.request_id = one_of(settled_);
  if (below(4) == 0 && !refunded_.empty()) {
    const RefundRequest& before = std::next(refunded_.begin(), below(std::ssize(refunded_)))->second.first;
    asked.request_id = before.request_id;
    asked.idempotency_key = before.idempotency_key;
  }
  const std::string key = asked.request_id + asked.idempotency_key;
  const auto before = refunded_.find(key);
  if (!asked.idempotency_key.empty() && before != refunded_.end()) {
    // The request may ask for what it asked for before, and nothing happens; or for something else.
    const auto& [was, answered] = before->second;
    if (below(2) == 0) asked = was;
    const bool the_same = asked.amount == was.amount && asked.tokens == was.tokens;
    const auto refunded = books.refund(asked);
    ++seen_["refund again"];
    if (the_same || refunded) {
      EXPECT_EQ(answer(refunded), answered);
    } else {
      EXPECT_EQ(refunded.error().code, ErrorCode::kConflict);
    }
    return;
  }
  const auto refunded = books.refund(asked);
  same("refund", refunded, shadow_.refund(asked));
  if (refunded) refunded_[key] = {asked, answer(refunded)};
}

void LedgerProperty::limit(Books& books) {
  if (limits_.size() > 12 || (!limits_.empty() && below(4) == 0)) {
    const auto place = limits_.begin() + below(std::ssize(limits_));
    ASSERT_TRUE(books.end_limit(place->id));
    shadow_.limits.erase(place->since);
    limits_.erase(place);
    return;
  }
  const bool change = !limits_.empty() && below(3) == 0;
  SpendLimit asked{.scope = one_of(scopes_), .measure = static_cast<Measure>(below(3))};
  asked.window_s = one_of<int64_t>({0, 60, 301, 5 * 3600, 7 * 86'400});
  if (change) asked = one_of(limits_);
  const int64_t most = asked.measure == Measure::kRequests ? 150
                       : asked.measure == Measure::kTokens ? 20'000
                                                           : 9'000'000'000;
  asked.bound = Quantity::pico(below(asked.window_s < 1000 ? most : most * 10));
  asked.hard = below(3) != 0;
  if (below(2) == 0) asked.alerts = {50, 80, 100};
  const auto made = books.set_limit(asked);
  ASSERT_TRUE(made) << made.error().message;
  shadow_.limits[made->since].limit = *made;
  std::erase_if(limits_, [&](const SpendLimit& each) { return each.id == made->id; });
  limits_.push_back(*made);
}

void LedgerProperty::true_up(Books& books, const std::string& payer, Month month) {
  const auto done = books.true_up(payer, month);
  const bool over = wall_clock_.wall() >= shadow_.zones.at(payer).period_of(month).until;
  const auto before = true_ups_.find({payer, month});
  if (!over && before == true_ups_.end()) {
    EXPECT_EQ(done.error().code, ErrorCode::kConflict);
    return;
  }
  ASSERT_TRUE(done && *done);
  ++seen_[before == true_ups_.end() ? "true_up" : "true_up again"];
  const std::pair is((*done)->charged, (*done)->shortfall);
  if (before != true_ups_.end()) {
    EXPECT_EQ(is, before->second);
    return;
  }
  EXPECT_EQ(is.first, shadow_.receivables.charged({payer, month}));
  EXPECT_EQ(is.second, std::max(committed_ - is.first, Money()));
  shadow_.post("CNY", wallet_of(payer), "revenue", is.second);
  true_ups_[{payer, month}] = is;
  close(payer, month);
}

void LedgerProperty::invoice(Books& books) {
  const std::string payer = one_of(payers_);
  const Month month = some_month(payer);
  const bool over = wall_clock_.wall() >= shadow_.zones.at(payer).period_of(month).until;
  const auto before = invoices_.find({payer, month});
  if (over && before == invoices_.end() && payer == acme_) true_up(books, payer, month);
  const auto issued = books.issue_invoice(payer, month);
  if (!over && before == invoices_.end()) {
    EXPECT_EQ(issued.error().code, ErrorCode::kInvalidArgument);
    return;
  }
  if (!issued && shadow_.receivables.charged({payer, month}).is_zero()) {
    EXPECT_EQ(issued.error().code, ErrorCode::kInvalidArgument) << "nothing is owed";
    return;
  }
  ASSERT_TRUE(issued) << issued.error().message;
  const std::string printed = invoice_json(*issued);
  ++seen_[before == invoices_.end() ? "invoice" : "invoice again"];
  if (before != invoices_.end()) {
    EXPECT_EQ(printed, before->second);
    return;
  }
  Money usage;
  Money lines;
  for (const InvoiceLine& each : issued->lines) {
    if (each.charge.price_id != 0) usage += each.charge.amount;
    lines += each.amount;
  }
  EXPECT_EQ(usage, shadow_.receivables.charged({payer, month})) << printed;
  EXPECT_EQ(lines, issued->net) << printed;
  EXPECT_EQ(issued->net.pico() % 10'000'000'000, 0) << printed;
  EXPECT_EQ(issued->exact - issued->net, issued->residue) << printed;
  shadow_.post("CNY", "rounding", wallet_of(payer), issued->residue);
  EXPECT_EQ(issued->paid, (shadow_.receivables.issue({payer, month}, *issued))) << printed;
  invoices_[{payer, month}] = printed;
  papers_.emplace_back(*issued, payer);
  close(payer, month);
}

/// Of a payment of the invoice, whatever it was, or of none.
std::string LedgerProperty::some_reference(const std::string& invoice) {
  std::vector<std::string> references = {"none"};
  for (auto each = payments_.lower_bound(invoice + " "); each != payments_.end(); ++each) {
    if (each->second.first.invoice != invoice) break;
    references.push_back(each->second.first.reference);
  }
  return one_of(references);
}

void LedgerProperty::pay(Books& books) {
  if (papers_.empty()) return;
  const auto is_open = [&](const auto& each) {
    return shadow_.receivables.open(each.first.facts.number) > Money();
  };
  const auto unpaid = std::ranges::find_if(papers_, is_open);
  const auto& [paper, payer] = unpaid != papers_.end() && below(4) != 0 ? *unpaid : one_of(papers_);
  PaymentRequest asked{.invoice = paper.facts.number, .reference = std::to_string(below(12))};
  const Money coin = Money::pico(10'000'000'000);
  asked.amount = below(4) == 0 ? paper.total : coin * (1 + below(2));
  if (*asked.amount <= Money()) asked.amount = coin;
  asked.from_wallet = below(3) == 0;
  if (!asked.from_wallet && below(4) == 0) {
    asked.amount = -*asked.amount;
    asked.returns = some_reference(asked.invoice);
  }
  if (below(4) == 0 && !payments_.empty()) {
    const PaymentRequest& was = std::next(payments_.begin(), below(std::ssize(payments_)))->second.first;
    asked.invoice = was.invoice;
    asked.reference = was.reference;
  }
  const auto before = payments_.find(asked.invoice + " " + asked.reference);
  if (before != payments_.end()) {
    const auto& [was, answered] = before->second;
    if (below(2) == 0) asked = was;
    const bool same_terms =
        asked.amount == was.amount && asked.from_wallet == was.from_wallet && asked.returns == was.returns;
    const auto again = books.pay_invoice(asked);
    ++seen_["payment again"];
    const std::string expected = same_terms ? answered : answer<Money>(fail(ErrorCode::kConflict, "other"));
    EXPECT_EQ(again ? line(again->applied) : answer<Money>(std::unexpected(again.error())), expected);
    return;
  }
  const auto paid = books.pay_invoice(asked);
  const auto applied = paid ? Result<Money>(paid->applied) : std::unexpected(paid.error());
  same("payment", applied, shadow_.receivables.pay(asked));
  if (!paid) return;
  if (!asked.from_wallet) shadow_.post("CNY", "funding", wallet_of(payer), *asked.amount);
  payments_[asked.invoice + " " + asked.reference] = {asked, answer(applied)};
}

void LedgerProperty::credit_note(Books& books) {
  if (papers_.empty()) return;
  const auto& [paper, payer] = one_of(papers_);
  CreditRequest asked{.invoice = paper.facts.number, .reason = "slow"};
  const auto place = static_cast<size_t>(below(std::ssize(paper.lines)));
  if (below(3) != 0) asked.lines = {{.line = place}};
  if (below(2) == 0 && !asked.lines.empty() && paper.lines[place].amount > Money()) {
    asked.lines[0].amount = Money::pico(10'000'000'000 * (1 + below(3)));
  }
  if (below(2) == 0) asked.idempotency_key = "note " + std::to_string(below(4));
  const std::string key = asked.invoice + " " + asked.idempotency_key;
  if (const auto before = notes_.find(key); !asked.idempotency_key.empty() && before != notes_.end()) {
    const auto& [was, answered] = before->second;
    const bool other = !was.lines.empty() && below(2) == 0;
    if (!other) asked = was;
    if (other) asked.lines = {{.line = was.lines[0].line, .amount = Money::pico(1)}};
    const auto again = books.credit_invoice(asked);
    ++seen_["credit note again"];
    EXPECT_EQ(again ? line(again->total) : fmt::format("error {}", static_cast<int>(again.error().code)),
              other ? answer<Money>(fail(ErrorCode::kConflict, "other")) : answered);
    return;
  }
  const auto issued = books.credit_invoice(asked);
  const auto total = issued ? Result<Money>(issued->total) : std::unexpected(issued.error());
  const auto noted = shadow_.receivables.note(asked, shadow_.accounts["revenue CNY"]);
  same("credit note", total, noted ? Result<Money>(-noted->net) : std::unexpected(noted.error()));
  if (!noted || !issued) return;
  shadow_.post("CNY", "revenue", wallet_of(payer), noted->exact);
  shadow_.post("CNY", wallet_of(payer), "rounding", noted->exact - noted->net);
  if (!asked.idempotency_key.empty()) notes_[key] = {asked, answer(total)};
}

void LedgerProperty::notify(Books& books) {
  for (const Notification& one : read_outbox(books.state(), wall_clock_.wall(), {.due = 5}).value().due) {
    EXPECT_TRUE(books.notified(one, below(3) != 0));
    ++seen_["notified"];
  }
}

void LedgerProperty::act_money(Books& books, int64_t dice) {
  const std::string payer = one_of(payers_);
  if (dice < 10) {
    // The organisation mostly pays by invoice.
    const int64_t most = payer == acme_ && below(4) != 0 ? 1 : 3;
    const Money amount = Money::pico(1 + below(most) * 3'000'000'000 + below(100));
    const std::string key = below(2) == 0 ? "" : "credit " + std::to_string(below(500));
    const auto before = credited_.find(key);
    const bool first = key.empty() || before == credited_.end();
    const bool same = !first && before->second == std::pair(payer, amount);
    const auto done = books.credit(payer, amount, "CNY", "", key);
    ++seen_[first ? "credit" : "credit again"];
    EXPECT_EQ(done.has_value(), first || same) << key;
    if (first) shadow_.post("CNY", "funding", wallet_of(payer), amount);
    if (first) shadow_.receivables.free[payer] += amount;
    if (first && !key.empty()) credited_[key] = {payer, amount};
    if (done) EXPECT_EQ(done->available(), shadow_.accounts[wallet_of(payer) + " CNY"]);
  } else {
    const Money most = Money::pico(below(3) * below(5'000'000'000));
    ASSERT_TRUE(books.set_credit_limit(acme_, most));
    shadow_.credit_limits[acme_] = most;
  }
}

void LedgerProperty::act(Books& books) {
  ++operations_;
  const int64_t dice = below(66);
  if (dice < 12) return act_money(books, dice);
  if (dice < 20) return grant(books);
  if (dice < 40) return refund(books);
  if (dice < 44) return limit(books);
  if (dice < 48) return notify(books);
  if (dice < 50) return invoice(books);
  if (dice < 51) return true_up(books, acme_, some_month(acme_));
  if (dice < 54) return pay(books);
  if (dice < 57) return credit_note(books);
  if (dice < 61) {
    const PriceVersion price = some_price();
    boundaries_.push_back(price.effective_from);
    boundaries_.push_back(price.effective_until);
    same("price", books.set_price(price), shadow_.set_price(price));
    return;
  }
  ASSERT_TRUE(books.expire_lots(1000));
  shadow_.expire_lots();
}

void LedgerProperty::pass_time() {
  auto by = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::milliseconds(below(30'000)));
  const int64_t dice = below(100);
  if (dice < 40) {
    // To a boundary, or a moment before or after it.
    const Period month = shadow_.zones.at(one_of(payers_)).period_of(some_month(payers_[0]));
    boundaries_.push_back(month.until);
    const WallTime now = wall_clock_.wall();
    std::erase_if(boundaries_, [&](WallTime each) { return each < now - 1s || each == WallTime::max(); });
    if (!boundaries_.empty()) {
      const WallTime next = below(4) == 0 ? one_of(boundaries_) : std::ranges::min(boundaries_);
      by = next - now + std::chrono::milliseconds(below(3) - 1);
    }
  } else if (dice < 45) {
    by = std::chrono::hours(1 + below(24 * 8));
  } else if (dice < 50) {
    by = -std::chrono::microseconds(below(2'000'000));  // the clock is set back
  }
  wall_clock_.set_by(by);
  shadow_.now = wall_clock_.wall();
}

/// Goes on with the files as a kill leaves them: nothing is closed, the log is not folded in. (What was not
/// synced, and power that goes in the middle of an operation, are in tests/crash.)
void LedgerProperty::be_killed() {
  if (!schema_.empty()) return;
  const TemporaryDirectory left;
  // First the database: what a checkpoint has not put there by then is in the log, which is copied behind it.
  constexpr const char* kFiles[] = {"ledger.db", "ledger.db-wal", "ledger.anchor"};
  for (const char* file : kFiles) std::filesystem::copy_file(directory_.path() / file, left.path() / file);
  ledger_.reset();
  for (const char* file : kFiles) {
    std::filesystem::copy_file(left.path() / file, directory_.path() / file,
                               std::filesystem::copy_options::overwrite_existing);
  }
  ++seen_["kill"];
}

void LedgerProperty::restart(bool serving) {
  ledger_.reset();
  LedgerOptions patient = options(serving);
  patient.clock = &wall_clock_;
  // Nothing is spooled, and no lease runs out, because the machine is busy.
  patient.lease = patient.patience = std::chrono::minutes(10);
  auto opened = Ledger::open(patient);
  ASSERT_TRUE(opened) << opened.error().message;
  ledger_ = *std::move(opened);
  ++seen_["restart"];
  if (!serving) return;
  shadow_.recover();
  // A gateway on PostgreSQL ends what was left open a thousand at a time.
  while (ledger_->write<int64_t>([](Books& books) { return books.recover({}, 1000); }).value() > 0) {
  }
}

void LedgerProperty::round() {
  topped_up_.clear();
  for (int64_t i = 0; i < kRoadOperations; ++i) ask();
  // What was asked before is answered when this is done.
  ASSERT_TRUE(ledger_->write<void>([&](Books& books) -> Result<> {
    for (int64_t acts = below(kActs); acts > 0 && !HasFailure(); --acts) act(books);
    return {};
  }));
}

void LedgerProperty::compare_accounts() {
  const auto rows =
      ledger_->read<std::vector<StateRow>>([](State& state) { return state.scan("A", 1'000'000); }).value();
  std::map<std::string, Money> accounts;
  for (const StateRow& row : rows) {
    std::string name = row.key.substr(1);
    name[name.find('\0')] = ' ';
    const Money balance = FieldReader(row.value).amount();
    if (!balance.is_zero()) accounts[name] = balance;
  }
  std::erase_if(shadow_.accounts, [](const auto& each) { return each.second.is_zero(); });
  for (const auto& [name, balance] : shadow_.accounts) EXPECT_EQ(accounts[name], balance) << name;
  EXPECT_EQ(accounts.size(), shadow_.accounts.size());
}

TEST_P(LedgerProperty, AnswersAsItsShadowWhateverHappens) {
  const int64_t operations = from_environment("FEILUN_LEDGER_OPERATIONS", kOperations);
  std::printf("seed %llu, %lld operations\n", static_cast<unsigned long long>(GetParam().seed),
              static_cast<long long>(operations));
  int64_t verified = 0;
  for (int64_t rounds = 1; operations_ < operations; ++rounds) {
    round();
    if (rounds % 20 == 0 || HasFailure()) compare_accounts();
    if (HasFailure()) FAIL() << "in round " << rounds << ", at " << to_iso8601(wall_clock_.wall());
    if (below(15) == 0) {
      if (below(2) == 0) be_killed();
      restart(/*serving=*/below(3) != 0);
    }
    if (operations_ - verified > operations / 3) {
      expect_verified();
      verified = operations_;
    }
    pass_time();
  }
  restart(/*serving=*/true);
  compare_accounts();
  expect_verified();
  if (operations >= 100'000) {
    for (const char* what : kSeen) EXPECT_GT(seen_[what], 0) << what;
    EXPECT_EQ(seen_["kill"] > 0, schema_.empty());
  }
  for (const auto& [what, times] : seen_)
    std::printf("%8lld %s\n", static_cast<long long>(times), what.c_str());
}

std::vector<Run> runs() {
  std::vector<Run> all;
  for (const bool postgres : {false, true}) {
    all.push_back({postgres, static_cast<uint64_t>(from_environment("FEILUN_LEDGER_SEED", 1))});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Stores, LedgerProperty, ::testing::ValuesIn(runs()), [](const auto& each) {
  return std::string(each.param.postgres ? "Postgres" : "Sqlite");
});

}  // namespace
}  // namespace feilun::ledger
