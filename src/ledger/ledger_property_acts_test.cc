#include <memory>

#include "ledger/commitment.h"
#include "ledger/ledger_property.h"

// The acts of a run: whoever administers money, prices, limits and invoices. An act that is asked for twice
// is done once.

namespace feilun::ledger {

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
  const Invoice& paper = unpaid != papers_.end() && below(4) != 0 ? unpaid->first : one_of(papers_).first;
  PaymentRequest asked{.invoice = paper.facts.number, .reference = std::to_string(below(12))};
  const Money coin = Money::pico(10'000'000'000);
  asked.amount = below(4) == 0 ? paper.total : coin * (1 + below(2));
  if (*asked.amount <= Money()) asked.amount = coin;
  asked.from_wallet = below(3) == 0;
  const auto some_payment = [&]() -> const PaymentRequest& {
    return std::next(payments_.begin(), below(std::ssize(payments_)))->second.first;
  };
  if (!asked.from_wallet && below(2) == 0) {
    if (!payments_.empty()) asked.invoice = some_payment().invoice;
    asked.amount = -*asked.amount;
    asked.returns = some_reference(asked.invoice);
  }
  if (below(4) == 0 && !payments_.empty()) {
    const PaymentRequest& was = some_payment();
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
  same(asked.returns.empty() ? "payment" : "payment back", applied, shadow_.receivables.pay(asked));
  if (!paid) return;
  const auto number = [](const auto& each) { return each.first.facts.number; };
  const std::string& payer = std::ranges::find(papers_, asked.invoice, number)->second;
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

}  // namespace feilun::ledger
