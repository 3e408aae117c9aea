#include "ledger/books.h"

#include <algorithm>

#include "base/check.h"
#include "ledger/audit_log.h"

namespace feilun::ledger {
namespace {

/// Whether the postings sum to zero in each currency.
bool balanced(const std::vector<Posting>& postings) {
  return std::ranges::all_of(postings, [&](const Posting& one) {
    Money sum;
    for (const Posting& posting : postings) {
      if (posting.currency == one.currency) sum += posting.amount;
    }
    return sum.is_zero();
  });
}

}  // namespace

Result<> Books::begin(WallTime now) {
  now_ = now;
  TRY(state_.begin());
  if (state_.forgotten() != forgotten_) {
    forgotten_ = state_.forgotten();
    prices_.clear();
    tenants_ = {};
    // Open holds are few, and every hold asks whether its request has one. Where others write too they are
    // forgotten with each group, and what is needed is read by expect().
    if (!state_.store().is_shared()) TRY(state_.know_whole(kOpenHolds));
  }
  return {};
}

void Books::attempt() {
  actor_ = "local";
  state_.mark();
}

void Books::undo() {
  if (!state_.undo()) return;
  prices_.clear();
  tenants_ = {};
}

Result<bool> Books::leads() {
  const std::string leader = TRY(state_.store().leading_lease());
  return leader.empty() || leader == lease_;
}

Result<int64_t> Books::record(Payload payload, std::vector<Posting> postings) {
  std::erase_if(postings, [](const Posting& posting) { return posting.amount.is_zero(); });
  CHECK(balanced(postings));
  std::vector<State::Row*> accounts;
  accounts.reserve(postings.size());
  for (const Posting& posting : postings) {
    accounts.push_back(TRY(account_row(state_, posting.account, posting.currency)));
    TRY(balance_of(*accounts.back()));
  }
  const LiveLotChanges lots = TRY(live_lot_changes(state_, postings));
  for (size_t i = 0; i < postings.size(); ++i) {
    const Money balance = TRY(balance_of(*accounts[i]));
    put_balance(state_, *accounts[i], balance + postings[i].amount);
  }
  put_live_lots(state_, lots);
  payload.postings(postings);
  return state_.append(now_, payload.take());
}

Result<int64_t> Books::record_act(Payload payload, std::vector<Posting> postings, Act done) {
  done.time = now_;
  done.actor = actor_;
  const std::string whose = TRY(organisation_of_act(state_, done.type, done.id, done.parent));
  done.sequence = TRY(record(std::move(payload), std::move(postings)));
  put_act(state_, whose, done);
  return done.sequence;
}

Result<> Books::act(std::string_view verb, const std::optional<Record>& before, std::optional<Record> after) {
  const Record& subject = after ? *after : *before;
  Payload payload(EntryKind::kAct);
  payload.text(actor_).text(verb).text(subject.type).text(subject.id).text(subject.parent).text(subject.name);
  payload.text(before ? before->json : "").text(after ? after->json : "");
  const int64_t sequence = TRY(record_act(std::move(payload), {},
                                          {.verb = std::string(verb),
                                           .type = subject.type,
                                           .id = subject.id,
                                           .parent = subject.parent,
                                           .name = subject.name,
                                           .before = before ? before->json : "",
                                           .after = after ? after->json : ""}));
  if (after) after->sequence = sequence;
  write_record_rows(state_, before, after);
  // What is derived from it is read again.
  if (subject.type == "project" || subject.type == "organisation") tenants_ = {};
  return {};
}

Result<Balance> payer_balance(State& state, std::string_view payer, std::string_view currency) {
  const Money wallet = TRY(account(state, wallet_of(payer), currency));
  const Money held = TRY(account(state, held_of(payer), currency));
  return Balance{.currency = std::string(currency), .posted = wallet + held, .pending = held};
}

}  // namespace feilun::ledger
