#include "ledger/verify_replay.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

// The rules a second time, from the format document, in the plainest form. Nothing here overflows: the reader
// bounds units to 10²⁴, tokens to 10¹² a class and postings to 10³⁷; sums are checked as they grow.

namespace feilun::ledger::audit {
namespace {

constexpr std::string_view kWallets = "wallet:";

bool is_object(std::string_view json) {
  const auto document = JsonDocument::parse(json);
  return document && document->root().is_object();
}

}  // namespace

std::string Replay::located(const std::string& what) const {
  return fmt::format("entry {}: {}", sequence_, what);
}

void Replay::put(std::string key, std::string value) {
  state_.insert_or_assign(std::move(key), ExpectedRow{std::move(value), sequence_});
}

void Replay::apply(int64_t sequence, int64_t time, const Entry& entry) {
  sequence_ = sequence;
  time_ = time;
  const bool is_beside =
      entry.kind() == Kind::kCost || entry.kind() == Kind::kClaim || entry.kind() == Kind::kAlert;
  if (!is_beside) expect_no_alert();
  switch (entry.kind()) {
    case Kind::kAct:
      act(entry);
      break;
    case Kind::kCredit:
      credit(entry);
      break;
    case Kind::kGrant:
      grant(entry);
      break;
    case Kind::kExpire:
      expire(entry);
      break;
    case Kind::kHold:
      hold(entry);
      break;
    case Kind::kTopUp:
      top_up(entry);
      break;
    case Kind::kMark:
      mark(entry);
      break;
    case Kind::kSettle:
      settle(entry);
      break;
    case Kind::kRelease:
      release(entry);
      break;
    case Kind::kCost:
      request_cost(entry);
      break;
    case Kind::kClaim:
      claim(entry);
      break;
    case Kind::kRefund:
      refund(entry);
      break;
    case Kind::kTrueUp:
      true_up(entry);
      break;
    case Kind::kInvoice:
      invoice(entry);
      break;
    case Kind::kCreditNote:
      credit_note(entry);
      break;
    case Kind::kPayment:
      payment(entry);
      break;
    case Kind::kAlert:
      alert(entry);
      break;
    case Kind::kNotified:
      notified(entry);
      break;
  }
  just_settled_ = entry.kind() == Kind::kSettle ? entry.text("request") : std::string();
  post(entry);
}

void Replay::post(const Entry& entry) {
  std::map<std::string, int128> sums;
  for (const Posting& posting : entry.postings) {
    add(sums[posting.currency], posting.amount);
    int128& balance = balances_[{posting.account, posting.currency}];
    add(balance, posting.amount);
    put(KeyBytes('A').text(posting.account).raw(posting.currency).take(),
        ValueBytes().amount(balance).take());
    if (posting.amount < 0 && balance < lowest(posting.account, entry.kind())) {
      // A wallet's bound is a rule; no other account is ever below zero.
      const std::string what = shown(posting.account) + " falls lower than it may";
      posting.account.starts_with(kWallets) ? breach(what) : problem(what);
    }
    note_lot(posting.account);
  }
  for (const auto& [currency, sum] : sums) {
    if (sum != 0) problem("its postings in " + currency + " do not sum to zero");
  }
}

int128 Replay::lowest(const std::string& account, Kind kind) const {
  constexpr int128 kAny = -(int128{1} << 126);
  if (account == "funding" || account == "rounding" || account == "tax") return kAny;
  if (!account.starts_with(kWallets)) return 0;
  const bool bounded = kind == Kind::kHold || kind == Kind::kTopUp || kind == Kind::kGrant;
  return bounded ? -credit_limit(account.substr(kWallets.size())) : kAny;
}

int128 Replay::credit_limit(const std::string& payer) const {
  const auto owner = organisations_.find(payer);
  return owner == organisations_.end() ? 0 : owner->second.credit_limit;
}

int128 Replay::balance(const std::string& account, const std::string& currency) const {
  const auto place = balances_.find({account, currency});
  return place == balances_.end() ? 0 : place->second;
}

void Replay::expect_postings(const Entry& entry, std::vector<Posting> expected) {
  std::erase_if(expected, [](const Posting& posting) { return posting.amount == 0; });
  if (entry.postings != expected) problem("its postings are not what its fields ask for");
}

void Replay::act(const Entry& entry) {
  expect_postings(entry, {});
  const std::string& type = entry.text("type");
  const std::string& id = entry.text("id");
  const auto place = records_.find({type, id});
  const Record* before = place == records_.end() ? nullptr : &place->second;
  const std::string& json = entry.text("after");
  if (entry.text("before") != (before == nullptr ? "" : before->json)) {
    problem("it does not begin with what the act before left");
  }
  if (entry.text("before").empty() && json.empty()) problem("it changes nothing");
  if (!json.empty() && !is_object(json)) problem("the record's body is no JSON object");
  Record made{sequence_, entry.text("parent"), entry.text("name"), json};
  if (json.empty() && before != nullptr && (made.parent != before->parent || made.name != before->name)) {
    problem("it ends a record of another name or parent");
  }
  const Record* after = json.empty() ? nullptr : &made;
  std::vector<std::string> line;
  for (const Value& value : entry.fields.all()) line.push_back(value.text);
  log(organisation_of(type, id, made.parent), line);
  if (type == "price") price(id, made.parent, before, after);
  if (type == "project") project(id, after);
  if (type == "organisation") organisation(id, after);
  if (type == "lot") lot(id, made.parent, before, after);
  if (type == "limit") limit(id, made.parent, before, after);
  if (type == "webhook") webhook(id, made.parent, after);
  put_record(type, id, before, after);
  if (after == nullptr) {
    records_.erase({type, id});
  } else {
    records_.insert_or_assign({type, id}, std::move(made));
  }
}

void Replay::put_record(const std::string& type, const std::string& id, const Record* before,
                        const Record* after) {
  const auto name_key = [&](const Record& of) { return KeyBytes('N').text(type).text(of.name).take(); };
  if (before != nullptr) {
    erase(KeyBytes('R').text(type).text(id).take());
    erase(KeyBytes('L').text(type).text(before->parent).text(id).take());
    erase(KeyBytes('C').text(type).number(before->sequence).take());
    if (!before->name.empty()) erase(name_key(*before));
  }
  if (after == nullptr) return;
  put(KeyBytes('R').text(type).text(id).take(),
      ValueBytes().number(sequence_).text(after->parent).text(after->name).raw(after->json).take());
  put(KeyBytes('L').text(type).text(after->parent).text(id).take(), "");
  put(KeyBytes('C').text(type).number(sequence_).take(), id);
  if (after->name.empty()) return;
  if (state_.contains(name_key(*after))) problem("the name " + shown(after->name) + " is taken");
  put(name_key(*after), id);
}

void Replay::price(const std::string& id, const std::string& parent, const Record* before,
                   const Record* after) {
  if (before != nullptr || after == nullptr) return problem("a price version is changed");
  const int64_t number = std::ssize(prices_) + 1;
  if (id != std::to_string(number)) problem("price versions are not numbered in order");
  auto read = read_price(after->json);
  if (!read) problem("a price: " + read.error());
  const Price& made = prices_[number] = read ? *std::move(read) : Price();
  if (made.rows.empty()) return;
  if (made.offering != parent) problem("the price is of another offering than its parent");
  auto& versions = versions_[{made.offering, made.currency, made.organisation}];
  const std::string fault = insert_version(versions, {made.from, made.until, number});
  if (!fault.empty()) problem("a price: " + fault);
  ValueBytes value;
  for (const Interval& version : versions)
    value.time(version.from).time(version.until).number(version.number);
  put(KeyBytes('P').text(made.offering).text(made.currency).text(made.organisation).take(), value.take());
  put(KeyBytes('S').text("price").take(), ValueBytes().number(number).take());
}

void Replay::project(const std::string& id, const Record* after) {
  if (after == nullptr) {
    projects_.erase(id);
    return;
  }
  std::string_view currency, payer;
  const auto body = JsonDocument::parse(after->json);
  if (!body || body->root()["currency"].get(currency) || body->root()["payer"].get(payer)) {
    return problem("a project's body cannot be read");
  }
  if (payer != id && payer != after->parent) problem("a stranger pays for the project");
  projects_[id] = {after->parent, std::string(currency), std::string(payer)};
}

void Replay::organisation(const std::string& id, const Record* after) {
  if (after == nullptr) {
    organisations_.erase(id);
    return;
  }
  std::string_view limit, zone;
  int128 pico = 0;
  const auto body = JsonDocument::parse(after->json);
  if (!body || body->root()["credit_limit"].get(limit) || !read_pico(limit, pico) || pico < 0) {
    return problem("an organisation's body cannot be read");
  }
  (void)body->root()["time_zone"].get(zone);
  const auto known = TimeZone::find(zone);
  if (!known) problem("an organisation's time zone is unknown");
  organisations_[id] = {pico, known ? *known : TimeZone::utc()};
}

std::string Replay::organisation_of(const std::string& type, const std::string& id,
                                    const std::string& parent) const {
  if (type == "organisation") return id;
  std::string above = parent;
  constexpr int kLevelsMax = 4;
  for (int i = 0; i < kLevelsMax; ++i) {
    auto place = records_.find({"project", above});
    if (place == records_.end()) place = records_.find({"key", above});
    if (place == records_.end()) break;
    above = place->second.parent;
  }
  return records_.contains({"organisation", above}) ? above : "default";
}

void Replay::log(const std::string& organisation, const std::vector<std::string>& act) {
  ValueBytes line;
  line.time(time_);
  for (const std::string& field : act) line.text(field);
  put(KeyBytes('T').text(organisation).number(INT64_MAX - std::max<int64_t>(0, sequence_)).take(),
      line.take());
}

void Replay::log_made(const Entry& entry, const std::string& type, const std::string& id,
                      const std::string& parent, const std::string& name, const std::string& after) {
  log(organisation_of(type, id, parent), {entry.text("actor"), "create", type, id, parent, name, "", after});
}

void Replay::credit(const Entry& entry) {
  const std::string& payer = entry.text("payer");
  if (entry.postings.empty()) return problem("a credit of nothing");
  const std::string& currency = entry.postings[0].currency;
  const int128 amount = -entry.postings[0].amount;
  if (amount <= 0) problem("a credit of nothing");
  if (!organisations_.contains(payer) && !projects_.contains(payer)) problem("a credit to nobody");
  expect_postings(entry, {{"funding", currency, -amount}, {"wallet:" + payer, currency, amount}});
  add_free_money(payer, amount);
  const std::string& idempotency_key = entry.text("idempotency_key");
  log_made(entry, "credit", std::to_string(sequence_), payer, idempotency_key,
           fmt::format(R"({{"currency":"{}","amount":"{}","reason":{}}})", currency, amount,
                       in_json(entry.text("reason"))));
  if (idempotency_key.empty()) return;
  const std::string key = KeyBytes('K').text(idempotency_key).take();
  if (state_.contains(key)) problem("an idempotency key is credited a second time");
  put(key, ValueBytes().text(payer).raw(currency).amount(amount).number(sequence_).take());
}

}  // namespace feilun::ledger::audit
