#include <algorithm>
#include <tuple>

#include "base/json.h"
#include "ledger/verify_replay.h"

// Lots: what a payer may spend beside its wallet. A lot is a record that never changes, and an account.

namespace feilun::ledger::audit {
namespace {

constexpr std::string_view kAccounts = "lot:";
constexpr std::string_view kTokens = "TOK";

}  // namespace

void Replay::lot(const std::string& id, const std::string& parent, const Record* before,
                 const Record* after) {
  if (before != nullptr || after == nullptr) return problem("a lot is changed");
  Lot made{.payer = parent, .sequence = sequence_};
  std::string_view unit, amount, paid;
  simdjson::dom::array offerings;
  const auto body = JsonDocument::parse(after->json);
  if (!body || body->root()["unit"].get(unit) || body->root()["amount"].get(amount) ||
      body->root()["paid"].get(paid) || body->root()["priority"].get(made.priority) ||
      body->root()["offerings"].get(offerings)) {
    return problem("a lot's body cannot be read");
  }
  (void)body->root()["expires"].get(made.expires);
  for (const simdjson::dom::element offering : offerings) {
    std::string_view name;
    if (offering.get(name)) return problem("a lot's body cannot be read");
    made.offerings.emplace_back(name);
  }
  made.unit = unit;
  if (!read_pico(amount, made.amount) || !read_pico(paid, made.paid) || made.amount <= 0 || made.paid < 0 ||
      made.priority < 0 || made.expires < 0) {
    return problem("a lot's body cannot be read");
  }
  lots_.insert_or_assign(id, std::move(made));
}

void Replay::grant(const Entry& entry) {
  const auto place = lots_.find(entry.text("lot"));
  if (place == lots_.end()) return problem("a grant of an unknown lot");
  Lot& lot = place->second;
  if (std::exchange(lot.granted, true)) problem("the lot was granted before");
  if (lot.payer != entry.text("payer")) problem("a grant to another than the lot's payer");
  std::string currency;
  for (const Posting& posting : entry.postings) {
    if (posting.account == "revenue") currency = posting.currency;
  }
  expect_postings(entry, {{"funding", lot.unit, -lot.amount},
                          {"lot:" + place->first, lot.unit, lot.amount},
                          {"wallet:" + lot.payer, currency, -lot.paid},
                          {"revenue", currency, lot.paid}});
  count_bought(lot.payer, place->first, lot.paid);
}

void Replay::expire(const Entry& entry) {
  const auto place = lots_.find(entry.text("lot"));
  if (place == lots_.end()) return problem("an unknown lot expires");
  const Lot& lot = place->second;
  if (lot.payer != entry.text("payer")) problem("the lot is another payer's");
  if (time_ < lot.expires) breach("a lot expires before its time");
  const std::string account = "lot:" + place->first;
  const int128 left = balance(account, lot.unit);
  expect_postings(entry, {{account, lot.unit, -left}, {"breakage", lot.unit, left}});
}

void Replay::note_lot(const std::string& account) {
  if (!account.starts_with(kAccounts)) return;
  const std::string id = account.substr(kAccounts.size());
  const auto place = lots_.find(id);
  if (place == lots_.end()) return problem("a posting to an unknown lot");
  Lot& lot = place->second;
  const bool live = balance(account, lot.unit) != 0;
  if (std::exchange(lot.live, live) == live) return;
  auto& list = live_lots_[lot.payer];
  const auto order = [this](const std::string& each) {
    const Lot& of = lots_.at(each);
    return std::tuple(of.unit != kTokens, of.priority, of.expires, of.sequence);
  };
  const std::string expiry = KeyBytes('X').number(lot.expires).text(id).take();
  if (live) {
    list.insert(std::ranges::upper_bound(list, order(id), {}, order), id);
    if (lot.expires != INT64_MAX) put(expiry, "");
  } else {
    std::erase(list, id);
    erase(expiry);
  }
  const std::string key = KeyBytes('D').text(lot.payer).take();
  if (list.empty()) return erase(key);
  ValueBytes value;
  for (const std::string& each : list) {
    const Lot& of = lots_.at(each);
    value.text(each).raw(of.unit).number(of.priority).time(of.expires).number(of.sequence);
    value.number(std::ssize(of.offerings));
    for (const std::string& offering : of.offerings) value.text(offering);
  }
  put(key, value.take());
}

std::string Replay::returned_to(const std::string& account) const {
  if (!account.starts_with(kAccounts)) return account;
  const auto lot = lots_.find(account.substr(kAccounts.size()));
  return lot != lots_.end() && lot->second.expires <= time_ ? "breakage" : account;
}

}  // namespace feilun::ledger::audit
