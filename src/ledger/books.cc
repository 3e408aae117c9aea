#include "ledger/books.h"

#include "base/check.h"

namespace feilun::ledger {

Result<> Books::begin(WallTime now) {
  now_ = now;
  accounts_.clear();
  usage_.clear();
  head_ = TRY(store_.head());
  return {};
}

Result<> Books::finish() {
  for (const auto& [name, account] : accounts_) {
    if (account.changed) TRY(store_.put_account(name.first, name.second, account.balance));
  }
  for (const auto& [project, totals] : usage_) TRY(store_.put_usage(project, totals));
  return {};
}

Result<Project> Books::known_project(std::string_view name_or_id) {
  auto project = TRY(store_.project(name_or_id));
  if (!project) return fail(ErrorCode::kNotFound, "there is no project '{}'", name_or_id);
  return *std::move(project);
}

Result<Books::Account*> Books::account(const std::string& name, const std::string& currency) {
  const auto [place, fresh] = accounts_.try_emplace({name, currency});
  if (fresh) {
    auto balance = store_.account(name, currency);
    if (!balance) {
      accounts_.erase(place);
      return std::unexpected(balance.error());
    }
    place->second.balance = *balance;
  }
  return &place->second;
}

Result<Money> Books::balance_of(const std::string& name, const std::string& currency) {
  return TRY(account(name, currency))->balance;
}

Result<> Books::count_usage(const std::string& project_id, const TokenUsage& usage, Money charged) {
  auto place = usage_.find(project_id);
  if (place == usage_.end()) place = usage_.emplace(project_id, TRY(store_.usage(project_id))).first;
  UsageTotals& totals = place->second;
  totals.requests += 1;
  totals.usage.input_fresh += usage.input_fresh;
  totals.usage.cache_read += usage.cache_read;
  totals.usage.cache_write += usage.cache_write;
  totals.usage.output += usage.output;
  totals.usage.reasoning += usage.reasoning;
  totals.charged += charged;
  return {};
}

Result<int64_t> Books::record(PayloadWriter payload, std::vector<Posting> postings) {
  std::erase_if(postings, [](const Posting& posting) { return posting.amount.is_zero(); });
  std::map<std::string, Money> sums;
  for (const Posting& posting : postings) {
    sums[posting.currency] += posting.amount;
    Account* moved = TRY(account(posting.account, posting.currency));
    moved->balance += posting.amount;
    moved->changed = true;
  }
  for (const auto& [currency, sum] : sums) CHECK(sum.is_zero());
  payload.postings(postings);
  const JournalRow row = chain(head_, now_, payload.kind(), payload.bytes());
  TRY(store_.append(row));
  head_ = {row.sequence, row.hash};
  return row.sequence;
}

Result<Balance> read_balance(Store& store, const Project& project) {
  const Money wallet = TRY(store.account(wallet_of(project.id), project.currency));
  const Money held = TRY(store.account(held_of(project.id), project.currency));
  return Balance{.currency = project.currency, .posted = wallet + held, .pending = held};
}

}  // namespace feilun::ledger
