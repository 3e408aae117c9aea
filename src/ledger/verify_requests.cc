#include <fmt/format.h>

#include <algorithm>

#include "ledger/verify_replay.h"

// The road of one request: hold, top-ups and marks, then exactly one settle or release.

namespace feilun::ledger::audit {
namespace {

constexpr int64_t kRecovered = 4;
constexpr int64_t kTokensMax = 1'000'000'000'000;
constexpr size_t kDrawsMax = 200;
constexpr int128 kOneToken = 1'000'000'000'000;
const std::string kTokens = "TOK";

/// Only a journal that is wrong already gets to where it does not fit.
int128 capped_sum(int128 a, int128 b) {
  int128 sum = 0;
  constexpr int128 kMost = int128{1} << 126;
  return __builtin_add_overflow(a, b, &sum) ? (a < 0 ? -kMost : kMost) : sum;
}

std::string ended_key(const std::string& request) {
  return KeyBytes('E').text(request).take();
}

}  // namespace

int128 Replay::Request::held() const {
  int128 sum = 0;
  for (const Posting& draw : draws) {
    if (draw.currency == currency) sum = capped_sum(sum, draw.amount);
  }
  return sum;
}

void Replay::put_open(const std::string& id, const Request& request) {
  ValueBytes value;
  value.text(request.key).text(request.project).text(request.payer).text(request.offering);
  value.raw(request.currency).byte(request.tier).number(request.price).number(request.input_tokens);
  value.number(request.output_tokens).number(request.covered_tokens).postings(request.draws);
  value.usage(request.mark).number(request.opened).text(request.lease);
  put(KeyBytes('H').text(id).take(), value.take());
}

const Price* Replay::price_of(int64_t number) {
  const auto place = prices_.find(number);
  if (place != prices_.end() && !place->second.rows.empty()) return &place->second;
  problem(fmt::format("it is priced by version {}, which there is not", number));
  return nullptr;
}

const Price* Replay::price_in_force(const Project& project, const std::string& offering, int64_t number) {
  for (const std::string& organisation : {project.organisation, std::string()}) {
    const auto place = versions_.find({offering, project.currency, organisation});
    if (place == versions_.end()) continue;
    for (const Interval& version : place->second) {
      if (time_ < version.from || time_ >= version.until) continue;
      const Price* price = price_of(number);
      if (version.number == number || price == nullptr) return price;
      const std::string what =
          fmt::format("it is priced by version {} when {} was in force", number, version.number);
      const bool alike = price->offering == offering && price->currency == project.currency;
      alike ? breach(what) : problem(what);
      return price;
    }
  }
  problem("the offering had no price");
  return nullptr;
}

Replay::Purses Replay::purses(const Request& request) const {
  Purses all;
  const auto live = live_lots_.find(request.payer);
  for (const std::string& id : live == live_lots_.end() ? std::vector<std::string>() : live->second) {
    const Lot& lot = lots_.at(id);
    const bool serves =
        lot.offerings.empty() || std::ranges::find(lot.offerings, request.offering) != lot.offerings.end();
    if (time_ >= lot.expires || !serves) continue;
    if (lot.unit == kTokens) all.packages.push_back("lot:" + id);
    if (lot.unit == request.currency) all.money.push_back("lot:" + id);
  }
  all.money.push_back("wallet:" + request.payer);
  const auto is_new = [&](const std::string& account) {
    return std::ranges::find(request.draws, account, &Posting::account) == request.draws.end();
  };
  for (auto* some : {&all.packages, &all.money}) {
    if (request.draws.size() + all.packages.size() + all.money.size() > kDrawsMax)
      std::erase_if(*some, is_new);
  }
  return all;
}

int128 Replay::available(const Request& request, const std::string& account, const std::string& unit) const {
  const bool wallet = account.starts_with("wallet:");
  return std::max<int128>(0, capped_sum(balance(account, unit), wallet ? credit_limit(request.payer) : 0));
}

int64_t Replay::package_tokens(const Request& request, const Purses& purses) const {
  int128 sum = 0;
  for (const std::string& account : purses.packages)
    sum = capped_sum(sum, available(request, account, kTokens));
  return static_cast<int64_t>(std::min<int128>(sum / kOneToken, INT64_MAX));
}

void Replay::draw(const Entry& entry, Request& request, const Purses& from, int128 amount, int64_t tokens) {
  std::vector<Posting> expected;
  int128 left[] = {kOneToken * tokens, amount};
  const std::string units[] = {kTokens, request.currency};
  for (int i = 0; i < 2; ++i) {
    for (const std::string& account : i == 0 ? from.packages : from.money) {
      const int128 part = std::min(left[i], available(request, account, units[i]));
      if (part == 0) continue;
      left[i] -= part;
      expected.push_back({account, units[i], -part});
      const auto before = std::ranges::find(request.draws, account, &Posting::account);
      if (before == request.draws.end()) {
        request.draws.push_back({account, units[i], part});
      } else {
        add(before->amount, part);
      }
    }
  }
  if (left[0] != 0 || left[1] != 0) problem("it holds more than may be spent");
  expected.push_back({"hold:" + request.payer, request.currency, amount - left[1]});
  expected.push_back({"hold:" + request.payer, kTokens, kOneToken * tokens - left[0]});
  expect_postings(entry, std::move(expected));
}

void Replay::hold(const Entry& entry) {
  const std::string& id = entry.text("request");
  if (open_.contains(id) || state_.contains(ended_key(id))) {
    return problem("a second hold of the request " + shown(id));
  }
  const auto owner = projects_.find(entry.text("project"));
  if (owner == projects_.end()) return problem("a hold for an unknown project");
  if (entry.text("payer") != owner->second.payer) problem("another than the project's payer pays");
  const Price* price = price_in_force(owner->second, entry.text("offering"), entry.number("price"));
  if (price == nullptr) return;
  Request request{.key = entry.text("key"), .project = owner->first, .payer = entry.text("payer")};
  request.offering = entry.text("offering");
  request.currency = owner->second.currency;
  request.lease = entry.text("lease");
  request.tier = entry.number("tier");
  request.price = entry.number("price");
  request.input_tokens = entry.number("input_tokens");
  request.output_tokens = entry.number("output_tokens");
  request.covered_tokens = entry.number("covered_tokens");
  request.opened = sequence_;
  // The input is covered before the output.
  const Purses from = purses(request);
  const int64_t in = request.input_tokens;
  const int64_t covered = std::min(package_tokens(request, from), in + request.output_tokens);
  if (request.covered_tokens != covered) problem("packages cover another number of tokens");
  draw(entry, request, from,
       price->worst_input(request.tier, in) * (in - std::min(in, covered)) +
           price->worst_output(request.tier, in) *
               (request.output_tokens - std::max<int64_t>(0, covered - in)),
       covered);
  put_open(id, request);
  count_limits(request, {0, in + request.output_tokens, request.held()}, {1, 0, 0}, true);
  open_.emplace(id, std::move(request));
}

Replay::Requests::iterator Replay::open_request(const Entry& entry) {
  const std::string& id = entry.text("request");
  const auto place = open_.find(id);
  if (place == open_.end()) {
    problem(fmt::format("the request {} {}", shown(id),
                        state_.contains(ended_key(id)) ? "has ended already" : "has no hold"));
  }
  return place;
}

void Replay::top_up(const Entry& entry) {
  const auto place = open_request(entry);
  if (place == open_.end()) return;
  Request& request = place->second;
  const Price* price = price_of(request.price);
  if (price == nullptr) return;
  const int64_t added = entry.number("output_tokens");
  add(request.output_tokens, added);
  if (request.output_tokens > kTokensMax) problem("the request holds an impossible count of tokens");
  const Purses from = purses(request);
  const bool input_covered = request.covered_tokens >= request.input_tokens;
  const int64_t covered = input_covered ? std::min(package_tokens(request, from), added) : 0;
  add(request.covered_tokens, covered);
  const int128 held = request.held();
  draw(entry, request, from, price->worst_output(request.tier, request.input_tokens) * (added - covered),
       covered);
  put_open(place->first, request);
  count_limits(request, {0, added, request.held() - held}, {}, false);
}

void Replay::mark(const Entry& entry) {
  expect_postings(entry, {});
  const auto place = open_request(entry);
  if (place == open_.end()) return;
  Classes& mark = place->second.mark;
  if (entry.usage().input() < mark.input() || entry.usage().output() < mark.output()) breach("a mark falls");
  mark = entry.usage();
  put_open(place->first, place->second);
}

std::vector<Posting> Replay::spend(const Request& request, int128 charged, int64_t tokens) {
  std::vector<Posting> spent;
  int128 covered = kOneToken * tokens;
  for (const Posting& draw : request.draws) {
    int128& left = draw.currency == kTokens ? covered : charged;
    const int128 part = std::min(draw.amount, left);
    left -= part;
    if (part != 0) spent.push_back({draw.account, draw.currency, part});
  }
  return spent;
}

void Replay::finish(const Entry& entry, Requests::iterator place, const std::vector<Posting>& spent) {
  const Request& request = place->second;
  std::vector<Posting> expected;
  for (const std::string& unit : {request.currency, kTokens}) {
    int128 held = 0;
    int128 charged = 0;
    for (const Posting& draw : request.draws)
      held = capped_sum(held, draw.currency == unit ? draw.amount : 0);
    for (const Posting& part : spent) charged = capped_sum(charged, part.currency == unit ? part.amount : 0);
    expected.push_back({"hold:" + request.payer, unit, -held});
    expected.push_back({"revenue", unit, charged});
  }
  for (const Posting& draw : request.draws) {
    const auto part = std::ranges::find(spent, draw.account, &Posting::account);
    const int128 left = draw.amount - (part == spent.end() ? 0 : part->amount);
    if (left != 0) expected.push_back({returned_to(draw.account), draw.currency, left});
  }
  expect_postings(entry, std::move(expected));
  put(ended_key(place->first), ValueBytes().number(sequence_).take());
  erase(KeyBytes('H').text(place->first).take());
  if (!spent.empty()) note_spent(place->first, request, spent);
  open_.erase(place);
  ++ended_requests_;
}

void Replay::note_spent(const std::string& id, const Request& request, const std::vector<Posting>& spent) {
  const auto month = month_usage_.find({request.payer, month_of_payer(request.payer)});
  const auto of = month->second.find({request.project, request.offering, request.tier, request.price});
  spent_.emplace(id, Spent{spent, &month->first, &of->first});
}

void Replay::settle(const Entry& entry) {
  const auto place = open_request(entry);
  if (place == open_.end()) return;
  const Request& request = place->second;
  const Price* price = price_of(request.price);
  if (price == nullptr) return;
  if (entry.number("outcome") == kRecovered && entry.usage() != request.mark) {
    breach("a recovered request is not charged its last mark");
  }
  const auto volume = volumes_.find(volume_key(request));
  const int64_t row =
      price->row_of(request.tier, request.input_tokens, volume == volumes_.end() ? 0 : volume->second);
  if (entry.number("row") != row) {
    problem(fmt::format("it is priced by row {} where row {} applies", entry.number("row"), row));
  }
  Classes paid = entry.usage();
  int64_t left = request.covered_tokens;
  for (const int i : {0, 2, 1, 3, 4}) {
    const int64_t part = std::min(paid.tokens[i], left);
    paid.tokens[i] -= part;
    left -= part;
  }
  Classes covered;
  for (int i = 0; i < 5; ++i) covered.tokens[i] = entry.usage().tokens[i] - paid.tokens[i];
  const int128 cost = cost_of(price->rows[static_cast<size_t>(row)], paid);
  const int128 charged = std::min(cost, request.held());
  const auto spent = spend(request, charged, covered.input() + covered.output());
  if (entry.fields.postings("spent") != spent) problem("it names other draws than were spent");
  count(request, entry, covered, charged);
  const int64_t tokens = entry.usage().input() + entry.usage().output();
  count_limits(request, {0, -request.input_tokens - request.output_tokens, -request.held()},
               {0, tokens, charged}, true);
  count_spent(request.payer, spent);
  finish(entry, place, spent);
}

void Replay::release(const Entry& entry) {
  const auto place = open_request(entry);
  if (place == open_.end()) return;
  if (entry.number("outcome") == kRecovered && place->second.mark != Classes{}) {
    breach("a recovered request is not charged its last mark");
  }
  const Request& request = place->second;
  count_limits(request, {0, -request.input_tokens - request.output_tokens, -request.held()}, {}, false);
  finish(entry, place, {});
}

void Replay::request_cost(const Entry& entry) {
  expect_postings(entry, {});
  if (just_settled_ != entry.text("request")) breach("a cost does not follow the settle of its request");
  constexpr int128 kHour = 3'600'000'000'000;
  const int128 off = entry.amount("cost") * kHour - entry.number("attributed_ns") * entry.amount("per_hour");
  if (off <= -kHour || off >= kHour) breach("a cost is not its time at the machine's price");
}

void Replay::claim(const Entry& entry) {
  expect_postings(entry, {});
  const auto place = open_request(entry);
  if (place == open_.end()) return;
  const std::string& key = entry.text("key");
  const std::string& claimed = entry.text("idempotency_key");
  if (place->second.opened != sequence_ - 1) problem("a claim does not follow the hold of its request");
  if (place->second.key != key) problem("a claim is of another key than its request");
  std::string& request = claims_[{key, claimed}];
  if (open_.contains(request) || spent_.contains(request)) {
    breach("an idempotency key is claimed while another request has it");
  }
  request = place->first;
  put(KeyBytes('I').text(key).text(claimed).take(),
      ValueBytes().text(request).text(entry.text("body")).time(time_).take());
}

}  // namespace feilun::ledger::audit
