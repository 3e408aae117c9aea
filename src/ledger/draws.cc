#include "ledger/draws.h"

#include <algorithm>

#include "base/check.h"
#include "ledger/books.h"
#include "ledger/limits.h"

namespace feilun::ledger {

Money sum_of(const std::vector<Source>& sources) {
  Money sum;
  for (const Source& source : sources) sum += std::max(source.available, Money());
  return sum;
}

std::vector<Draw> draws_of(Money amount, const std::vector<Source>& sources, std::string_view unit) {
  std::vector<Draw> draws;
  for (const Source& source : sources) {
    const Money part = std::min(amount, std::max(source.available, Money()));
    if (!part.is_zero()) draws.push_back({source.account, std::string(unit), part});
    amount -= part;
  }
  CHECK(amount.is_zero());
  return draws;
}

void add_draws(std::vector<Draw>& draws, const std::vector<Draw>& more) {
  for (const Draw& draw : more) {
    const auto known = std::ranges::find(draws, draw.account, &Draw::account);
    if (known == draws.end()) {
      draws.push_back(draw);
    } else {
      known->amount += draw.amount;
    }
  }
}

std::vector<Posting> holding(const OpenHold& hold, const std::vector<Draw>& draws) {
  std::vector<Posting> postings;
  postings.reserve(draws.size() + 2);
  Money money;
  Money tokens;
  for (const Draw& draw : draws) {
    postings.push_back({draw.account, draw.currency, -draw.amount});
    (draw.currency == kTokenUnit ? tokens : money) += draw.amount;
  }
  postings.push_back({held_of(hold.payer_id), hold.currency, money});
  if (!tokens.is_zero()) postings.push_back({held_of(hold.payer_id), std::string(kTokenUnit), tokens});
  return postings;
}

std::vector<EndedDraw> end_draws(const OpenHold& hold, Money charged, TokenCount covered) {
  Money tokens = token_amount(covered);
  std::vector<EndedDraw> ended;
  ended.reserve(hold.draws.size());
  for (const Draw& draw : hold.draws) {
    Money& due = draw.currency == kTokenUnit ? tokens : charged;
    const Money spent = std::min(draw.amount, due);
    due -= spent;
    ended.push_back({{draw.account, draw.currency, spent}, draw.amount - spent});
  }
  CHECK(charged.is_zero() && tokens.is_zero());
  return ended;
}

std::vector<Posting> spent_of(const std::vector<EndedDraw>& draws) {
  std::vector<Posting> spent;
  spent.reserve(draws.size());
  for (const EndedDraw& draw : draws) {
    if (!draw.spent.amount.is_zero())
      spent.push_back({draw.spent.account, draw.spent.currency, draw.spent.amount});
  }
  return spent;
}

}  // namespace feilun::ledger
