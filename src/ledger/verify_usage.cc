#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "ledger/verify_replay.h"

// What settles add up to by hour, day and month, and what comes back of them.

namespace feilun::ledger::audit {
namespace {

constexpr std::string_view kTokens = "TOK";
constexpr int128 kOneToken = 1'000'000'000'000;
constexpr int64_t kMicrosPerHour = 3'600'000'000;

int64_t number_of(Month month) {
  return int64_t{int{month.year()}} * 12 + static_cast<unsigned>(month.month()) - 1;
}

/// Of postings in money, and of those in tokens.
struct Two {
  int128 money = 0;
  int128 tokens = 0;
  int128& of(const std::string& currency) { return currency == kTokens ? tokens : money; }
};

}  // namespace

std::string Replay::volume_key(const Request& request) const {
  return KeyBytes('V')
      .text(request.payer)
      .number(month_of_payer(request.payer))
      .text(request.offering)
      .take();
}

void Replay::count(const Request& request, const Entry& settle, const Classes& covered, int128 charged) {
  const int64_t month = month_of_payer(request.payer);
  const auto key = [&](char table, int64_t period, bool with_key) {
    KeyBytes bytes(table);
    bytes.text(request.payer).number(period).text(request.project);
    if (with_key) bytes.text(request.key);
    const char tier = static_cast<char>(request.tier);
    bytes.text(request.offering).raw({&tier, 1}).number(request.price).number(settle.number("row"));
    return bytes.take();
  };
  const int64_t hour = std::max<int64_t>(0, time_ / kMicrosPerHour);
  for (const std::string& row : {key('B', hour, true), key('b', hour / 24, true), key('M', month, false)}) {
    Sums& sums = sums_[row];
    sums.requests += 1;
    add(sums.charged, charged);
    sums.usage += settle.usage();
    sums.covered += covered;
    put(row,
        ValueBytes().number(sums.requests).usage(sums.usage).usage(sums.covered).amount(sums.charged).take());
  }
  Sums& of_lines =
      month_usage_[{request.payer, month}][{request.project, request.offering, request.tier, request.price}];
  of_lines.usage += settle.usage();
  of_lines.covered += covered;
  int64_t& volume = volumes_[volume_key(request)];
  volume = token_sum(volume, settle.usage().input() + settle.usage().output());
  put(volume_key(request), ValueBytes().number(volume).take());
  add(month_charged_[{request.payer, month}], charged);
  Usage& usage = usage_[request.project];
  usage.requests += 1;
  add(usage.charged, charged);
  usage.classes += settle.usage();
  put(KeyBytes('U').text(request.project).take(),
      ValueBytes().number(usage.requests).usage(usage.classes).amount(usage.charged).take());
}

void Replay::refund(const Entry& entry) {
  const std::string& request = entry.text("request");
  const auto place = spent_.find(request);
  if (place == spent_.end()) return problem("a refund of a request that was charged nothing");
  Two back;
  for (const Posting& posting : entry.postings) {
    if (posting.account == "revenue") add(back.of(posting.currency), -posting.amount);
  }
  if (back.money == 0 && back.tokens == 0) breach("a refund of nothing");
  // What was spent last comes back first, and each part to where it came from.
  std::vector<Posting> expected;
  Two left = back;
  for (Posting& spent : place->second.parts | std::views::reverse) {
    int128& want = left.of(spent.currency);
    const int128 part = std::min(want, spent.amount);
    if (part <= 0) continue;
    want -= part;
    spent.amount -= part;
    expected.push_back({"revenue", spent.currency, -part});
    expected.push_back({returned_to(spent.account), spent.currency, part});
  }
  if (left.money != 0 || left.tokens != 0) problem("it refunds more than was charged");
  count_refunded(place->second, expected);
  expect_postings(entry, std::move(expected));
  const int64_t tokens = static_cast<int64_t>(std::max<int128>(0, back.tokens / kOneToken));
  const std::string& project = std::get<0>(*place->second.of);
  const auto owner = projects_.find(project);
  log_made(entry, "refund", request, project, entry.text("idempotency_key"),
           fmt::format(R"({{"currency":"{}","amount":"{}","tokens":{},"reason":{}}})",
                       owner == projects_.end() ? "" : owner->second.currency, back.money, tokens,
                       in_json(entry.text("reason"))));
  const std::string key = KeyBytes('F').text(request).take();
  const auto before = state_.find(key);
  std::string value = before == state_.end() ? "" : before->second.value;
  value += ValueBytes()
               .text(entry.text("idempotency_key"))
               .amount(back.money)
               .number(tokens)
               .number(sequence_)
               .take();
  put(key, std::move(value));
}

void Replay::true_up(const Entry& entry) {
  const std::string& organisation = entry.text("organisation");
  const auto month = parse_month(entry.text("month"));
  if (!month) return problem("a true-up of no month");
  const std::string key = KeyBytes('J').text(entry.text("commitment")).text(entry.text("month")).take();
  if (state_.contains(key)) problem("the month was trued up before");
  const int128 charged = entry.amount("charged");
  const auto known = month_charged_.find({organisation, number_of(*month)});
  if (charged != (known == month_charged_.end() ? 0 : known->second)) {
    problem("a true-up counts other charges than the month's");
  }
  const int128 shortfall = std::max<int128>(0, entry.amount("committed") - charged);
  const std::string currency = entry.postings.empty() ? "" : entry.postings[0].currency;
  expect_postings(entry,
                  {{"wallet:" + organisation, currency, -shortfall}, {"revenue", currency, shortfall}});
  count_true_up(organisation, *month, shortfall);
  close_month(organisation, number_of(*month));
  put(key, ValueBytes().amount(charged).amount(shortfall).number(sequence_).take());
}

}  // namespace feilun::ledger::audit
