#include "ledger/books.h"

#include "base/check.h"

namespace feilun::ledger {

Result<> Books::begin(WallTime now) {
  now_ = now;
  return state_.begin();
}

Result<int64_t> Books::record(Payload payload, std::vector<Posting> postings) {
  std::erase_if(postings, [](const Posting& posting) { return posting.amount.is_zero(); });
  std::map<std::string, Money> sums;
  for (const Posting& posting : postings) {
    sums[posting.currency] += posting.amount;
    TRY(account(state_, posting.account, posting.currency));
  }
  for (const auto& [currency, sum] : sums) CHECK(sum.is_zero());
  for (const Posting& posting : postings) {
    const Money balance = TRY(account(state_, posting.account, posting.currency));
    put_account(state_, posting.account, posting.currency, balance + posting.amount);
  }
  payload.postings(postings);
  return state_.append(now_, payload.take());
}

Result<> Books::act(std::string_view verb, const std::optional<Record>& before, std::optional<Record> after) {
  const Record& subject = after ? *after : *before;
  Payload payload(EntryKind::kAct);
  payload.text(actor_).text(verb).text(subject.type).text(subject.id).text(subject.parent).text(subject.name);
  payload.text(before ? before->json : "").text(after ? after->json : "");
  const int64_t sequence = TRY(record(std::move(payload), {}));
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
