#include "ledger/verify_replay.h"

#include <fmt/format.h>

#include <algorithm>

// The rules a second time, from the format document, in the plainest form. Nothing here overflows:
// read_payload bounds units to 10^24, tokens to 10^12 a class and postings to 10^37; balances are checked as
// they move.

namespace feilun::ledger::audit {
namespace {

int128 cost(const int128 (&units)[5], const Classes& usage) {
  int128 sum = 0;
  for (int i = 0; i < 5; ++i) sum += units[i] * usage.tokens[i];
  return sum;
}

int128 dearest_input(const int128 (&units)[5]) {
  return std::max({units[0], units[1], units[2]});
}
int128 dearest_output(const int128 (&units)[5]) {
  return std::max(units[3], units[4]);
}

constexpr uint8_t kRecoveredOutcome = 4;

}  // namespace

void Replay::problem(const std::string& what) {
  report_(fmt::format("entry {}: {}", sequence_, what));
}

void Replay::apply(int64_t sequence, int64_t time, const Entry& entry) {
  sequence_ = sequence;
  time_ = time;
  switch (entry.kind) {
    case Kind::kProject:
      project(entry);
      break;
    case Kind::kKey:
      key(entry);
      break;
    case Kind::kKeyRevoked:
      key_revoked(entry);
      break;
    case Kind::kPrice:
      price(entry);
      break;
    case Kind::kCredit:
      credit(entry);
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
  }
  just_settled_ = entry.kind == Kind::kSettle ? entry.request : std::string();
  post(entry);
}

void Replay::post(const Entry& entry) {
  std::map<std::string, int128> sums;
  for (const Leg& leg : entry.legs) {
    sums[leg.currency] += leg.amount;
    Account& account = accounts_[{leg.account, leg.currency}];
    account.sequence = sequence_;
    add(account.balance, leg.amount);
    if (account.balance < 0 && leg.account != "funding") problem(leg.account + " falls below zero");
  }
  for (const auto& [currency, sum] : sums) {
    if (sum != 0) problem("its postings in " + currency + " do not sum to zero");
  }
}

void Replay::expect_legs(const Entry& entry, std::vector<Leg> expected) {
  std::erase_if(expected, [](const Leg& leg) { return leg.amount == 0; });
  if (entry.legs != expected) problem("its postings are not what its fields ask for");
}

void Replay::project(const Entry& entry) {
  expect_legs(entry, {});
  if (!project_names_.insert(entry.name).second) problem("a project's name is taken");
  Project made{entry.name, entry.organisation, entry.currency, sequence_};
  if (!projects_.emplace(entry.project, std::move(made)).second) problem("the project exists already");
}

void Replay::key(const Entry& entry) {
  expect_legs(entry, {});
  if (!projects_.contains(entry.project)) problem("a key of an unknown project");
  Key made{entry.project, entry.name, entry.hint, entry.secret_hash, entry.role, time_, 0, sequence_, false};
  if (!keys_.emplace(entry.key, std::move(made)).second) problem("the key exists already");
}

void Replay::key_revoked(const Entry& entry) {
  expect_legs(entry, {});
  const auto place = keys_.find(entry.key);
  if (place == keys_.end()) return problem("it revokes an unknown key");
  if (place->second.is_revoked) return problem("the key was revoked before");
  place->second.is_revoked = true;
  place->second.revoked = time_;
  place->second.sequence = sequence_;
}

void Replay::price(const Entry& entry) {
  expect_legs(entry, {});
  if (entry.price != static_cast<int64_t>(prices_.size()) + 1)
    problem("price versions are not numbered in order");
  if (entry.from >= entry.until) problem("a price ends before it begins");
  Price made{
      .offering = entry.offering, .currency = entry.currency, .from = entry.from, .until = entry.until};
  std::copy_n(entry.units, 5, made.units);
  made.sequence = sequence_;
  if (entry.ended_price != 0) {
    const auto ended = prices_.find(entry.ended_price);
    if (ended == prices_.end()) {
      problem("it ends an unknown price");
    } else {
      const bool in_force = ended->second.from <= entry.from && entry.from < ended->second.until;
      if (!in_force) problem("it ends a price that was not in force");
      ended->second.until = entry.from;
      ended->second.sequence = sequence_;
    }
  }
  for (const auto& [id, other] : prices_) {
    const bool same =
        other.offering == made.offering && other.currency == made.currency && other.from < other.until;
    if (same && other.from < made.until && made.from < other.until) {
      problem(fmt::format("the price overlaps with version {}", id));
    }
  }
  prices_.insert_or_assign(entry.price, std::move(made));
}

void Replay::credit(const Entry& entry) {
  const auto owner = projects_.find(entry.project);
  if (owner == projects_.end()) return problem("a credit for an unknown project");
  const std::string& currency = owner->second.currency;
  const int128 amount = entry.legs.empty() ? 0 : -entry.legs[0].amount;
  if (amount <= 0) problem("a credit of nothing");
  expect_legs(entry, {{"funding", currency, -amount}, {"wallet:" + entry.project, currency, amount}});
  if (entry.idempotency_key.empty()) return;
  const bool first =
      credits_.emplace(entry.idempotency_key, Credit{entry.project, currency, amount, sequence_}).second;
  if (!first) problem("an idempotency key is credited a second time");
}

const Replay::Price* Replay::price_of(int64_t id) {
  const auto place = prices_.find(id);
  if (place != prices_.end()) return &place->second;
  problem("it names an unknown price");
  return nullptr;
}

void Replay::hold(const Entry& entry) {
  if (open_.contains(entry.request) || ended_.contains(entry.request)) {
    return problem("a second hold of the request " + entry.request);
  }
  const auto owner = projects_.find(entry.project);
  if (owner == projects_.end()) return problem("a hold for an unknown project");
  const Price* price = price_of(entry.price);
  if (price == nullptr) return;
  if (price->offering != entry.offering || price->currency != owner->second.currency) {
    problem("the price is another offering's or currency's");
  }
  if (time_ < price->from || time_ >= price->until) problem("the price was not in force");
  Request request{.key = entry.key, .project = entry.project, .tier = entry.tier, .price = entry.price};
  request.input_tokens = entry.input_tokens;
  request.output_tokens = entry.output_tokens;
  request.held =
      dearest_input(price->units) * entry.input_tokens + dearest_output(price->units) * entry.output_tokens;
  request.opened = request.sequence = sequence_;
  expect_legs(entry, {{"wallet:" + entry.project, price->currency, -request.held},
                      {"hold:" + entry.project, price->currency, request.held}});
  open_.emplace(entry.request, std::move(request));
}

Replay::Request* Replay::open_request(const Entry& entry) {
  const auto place = open_.find(entry.request);
  if (place == open_.end()) {
    problem(ended_.contains(entry.request) ? "the request " + entry.request + " has ended already"
                                           : "the request " + entry.request + " has no hold");
    return nullptr;
  }
  place->second.sequence = sequence_;
  return &place->second;
}

void Replay::top_up(const Entry& entry) {
  Request* request = open_request(entry);
  const Price* price = request == nullptr ? nullptr : price_of(request->price);
  if (price == nullptr) return;
  const int128 added = dearest_output(price->units) * entry.output_tokens;
  add(request->output_tokens, entry.output_tokens);
  add(request->held, added);
  expect_legs(entry, {{"wallet:" + request->project, price->currency, -added},
                      {"hold:" + request->project, price->currency, added}});
}

void Replay::mark(const Entry& entry) {
  expect_legs(entry, {});
  Request* request = open_request(entry);
  if (request == nullptr) return;
  if (entry.usage.input() < request->mark.input() || entry.usage.output() < request->mark.output()) {
    problem("a mark falls");
  }
  request->mark = entry.usage;
}

void Replay::end(const std::string& request) {
  ended_.emplace(request, sequence_);
  open_.erase(request);
}

void Replay::settle(const Entry& entry) {
  const Request* request = open_request(entry);
  const Price* price = request == nullptr ? nullptr : price_of(request->price);
  if (price == nullptr) return;
  if (request->key != entry.key || request->project != entry.project || request->tier != entry.tier ||
      request->price != entry.price) {
    problem("it settles for another key, project, tier or price than the hold's");
  }
  if (entry.outcome == kRecoveredOutcome && entry.usage != request->mark) {
    problem("a recovered request is not charged its last mark");
  }
  const int128 charged = std::min(cost(price->units, entry.usage), request->held);
  expect_legs(entry, {{"hold:" + request->project, price->currency, -request->held},
                      {"revenue", price->currency, charged},
                      {"wallet:" + request->project, price->currency, request->held - charged}});
  Usage& usage = usage_[request->project];
  usage.requests += 1;
  add(usage.charged, charged);
  usage.sequence = sequence_;
  for (int i = 0; i < 5; ++i) add(usage.classes.tokens[i], entry.usage.tokens[i]);
  end(entry.request);
}

void Replay::release(const Entry& entry) {
  const Request* request = open_request(entry);
  const Price* price = request == nullptr ? nullptr : price_of(request->price);
  if (price == nullptr) return;
  if (entry.outcome == kRecoveredOutcome && request->mark != Classes{}) {
    problem("a recovered request is not charged its last mark");
  }
  expect_legs(entry, {{"hold:" + request->project, price->currency, -request->held},
                      {"wallet:" + request->project, price->currency, request->held}});
  end(entry.request);
}

void Replay::request_cost(const Entry& entry) {
  expect_legs(entry, {});
  if (just_settled_ != entry.request) problem("a cost does not follow the settle of its request");
  constexpr int128 kHour = 3'600'000'000'000;
  const int128 off = entry.cost * kHour - entry.attributed_ns * entry.per_hour;
  if (off <= -kHour || off >= kHour) problem("a cost is not its time at the machine's price");
}

}  // namespace feilun::ledger::audit
