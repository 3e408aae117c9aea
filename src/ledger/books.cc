#include "ledger/books.h"

#include "base/check.h"
#include "ledger/audit_log.h"

namespace feilun::ledger {

Result<> Books::begin(WallTime now) {
  now_ = now;
  TRY(state_.begin());
  if (state_.forgotten() != forgotten_) {
    forgotten_ = state_.forgotten();
    prices_.clear();
    tenants_ = {};
  }
  return {};
}

Result<int64_t> Books::record(Payload payload, std::vector<Posting> postings) {
  std::erase_if(postings, [](const Posting& posting) { return posting.amount.is_zero(); });
  std::map<std::string, Money> sums;
  for (const Posting& posting : postings) {
    sums[posting.currency] += posting.amount;
    TRY(account(state_, posting.account, posting.currency));
  }
  for (const auto& [currency, sum] : sums) CHECK(sum.is_zero());
  const LiveLotChanges lots = TRY(live_lot_changes(state_, postings));
  for (const Posting& posting : postings) {
    const Money balance = TRY(account(state_, posting.account, posting.currency));
    put_account(state_, posting.account, posting.currency, balance + posting.amount);
  }
  put_live_lots(state_, lots);
  payload.postings(postings);
  return state_.append(now_, payload.take());
}

Result<> Books::act(std::string_view verb, const std::optional<Record>& before, std::optional<Record> after) {
  const Record& subject = after ? *after : *before;
  Payload payload(EntryKind::kAct);
  payload.text(actor_).text(verb).text(subject.type).text(subject.id).text(subject.parent).text(subject.name);
  payload.text(before ? before->json : "").text(after ? after->json : "");
  Act entry{.time = now_,
            .actor = actor_,
            .verb = std::string(verb),
            .type = subject.type,
            .id = subject.id,
            .parent = subject.parent,
            .name = subject.name,
            .before = before ? before->json : "",
            .after = after ? after->json : ""};
  const std::string whose = TRY(organisation_of_act(state_, entry.type, entry.id, entry.parent));
  const int64_t sequence = TRY(record(std::move(payload), {}));
  entry.sequence = sequence;
  put_act(state_, whose, entry);
  if (after) after->sequence = sequence;
  write_record_rows(state_, before, after);
  return {};
}

Result<Balance> payer_balance(State& state, std::string_view payer, std::string_view currency) {
  const Money wallet = TRY(account(state, wallet_of(payer), currency));
  const Money held = TRY(account(state, held_of(payer), currency));
  return Balance{.currency = std::string(currency), .posted = wallet + held, .pending = held};
}

}  // namespace feilun::ledger
