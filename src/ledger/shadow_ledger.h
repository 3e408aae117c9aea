#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "ledger/books.h"
#include "ledger/limits.h"
#include "ledger/shadow_receivables.h"

namespace feilun::ledger {

/// The rules once more in few lines: one thread, no disk, no groups, one currency. With the ledger it shares
/// the plain structs, Money, add_draws() and sum_of(), and the calendar (TimeZone). What an operation answers
/// (of an Error the code), the ledger must answer, and all accounts are the same at any time.
class ShadowLedger {
 public:
  struct Counted {
    SpendLimit limit;
    Money pending;
    std::map<int64_t, Money> used;  ///< by the beginning of the bucket, in seconds
    size_t measure() const { return static_cast<size_t>(limit.measure); }
  };

  WallTime now;
  std::map<int64_t, Counted> limits;  ///< by the entry that made them
  std::map<std::string, Project> projects;
  std::map<std::string, TimeZone> zones;       ///< by payer
  std::map<std::string, Money> credit_limits;  ///< by payer
  std::map<std::string, Money> accounts;       ///< "wallet:proj_1 CNY"
  std::map<std::string, Month> first_open;     ///< months that are neither invoiced nor trued up, by payer
  ShadowReceivables receivables;

  Result<PriceVersion> set_price(PriceVersion price) {
    price.effective_from = std::max(price.effective_from, now);
    if (price.effective_until <= price.effective_from) return no(ErrorCode::kInvalidArgument);
    auto& versions = prices_[{price.offering, price.organisation}];
    const auto next = versions.upper_bound(price.effective_from);
    if (next != versions.end()) price.effective_until = std::min(price.effective_until, next->first);
    price.id = ++last_price_;
    return versions.insert_or_assign(price.effective_from, price).first->second;
  }
  /// Returns what is left of it. `lot.id`: what the ledger called it, if it granted it.
  Result<Money> grant(const Lot& lot) {
    int64_t live = 0;
    for (const auto& [order, known] : lots_)
      live += known.payer_id == lot.payer_id && !at(lot_account(known.id), known.unit).is_zero();
    if (lot.expires <= now || live >= 64) return no(ErrorCode::kInvalidArgument);
    if (lot.paid > wallet_free(lot.payer_id)) return no(ErrorCode::kInsufficientQuota);
    lots_.emplace(std::pair(lot.priority, lot.expires), lot);
    post(lot.unit, "funding", lot_account(lot.id), lot.amount);
    post("CNY", wallet_of(lot.payer_id), "revenue", lot.paid);
    return lot.amount;
  }
  void expire_lots() {
    for (const auto& [order, lot] : lots_) {
      if (lot.expires > now) continue;
      post(lot.unit, lot_account(lot.id), "breakage", at(lot_account(lot.id), lot.unit));
    }
  }
  Result<Hold> hold(const HoldRequest& asked) {
    Request request{.asked = asked, .project = projects.at(asked.project_id)};
    if (requests_.contains(asked.request_id)) return no(ErrorCode::kConflict);
    request.price = TRY(price_now(asked.offering, request.project.organisation));
    request.kind = ShadowReceivables::kind(asked.project_id, asked.offering, asked.tier, request.price.id);
    if (!limits.empty()) request.newest_limit = limits.rbegin()->first;
    const Hold grown = TRY(grow(request, asked.input_tokens, asked.output_slice, true));
    requests_[asked.request_id] = request;
    return grown;
  }
  Result<Hold> top_up(const std::string& id, TokenCount more) { return grow(*TRY(open(id)), 0, more, false); }
  Result<TokenUsage> mark(const std::string& id, const TokenUsage& usage) {
    Request& request = *TRY(open(id));
    TokenUsage& mark = request.mark;
    const bool rises = usage.input() >= mark.input() && usage.total_output() >= mark.total_output() &&
                       cost(request, usage, 0, 0) >= cost(request, mark, 0, 0);
    return rises ? mark = usage : mark;
  }
  Result<Settlement> settle(const std::string& id, const TokenUsage& usage) {
    Request& request = *TRY(open(id));
    const std::string& payer = request.project.payer;
    const Month month = request.month = month_now(payer);
    const TokenCount tokens = usage.input() + usage.total_output();
    TokenCount& volume = volumes_[{payer + ' ' + request.asked.offering, month}];
    const Money due = std::min(cost(request, usage, request.covered, volume), request.held);
    volume += tokens;
    receivables.charge({payer, month}, request.kind, due, tokens);
    return end(request, due, std::min(request.covered, tokens), tokens);
  }
  Result<Settlement> release(const std::string& id) { return end(*TRY(open(id)), Money(), 0, 0); }
  void recover() {
    for (auto& [id, request] : requests_) {
      if (request.open && request.mark == TokenUsage{}) (void)release(id);
      if (request.open) (void)settle(id, request.mark);
    }
  }
  Result<Refund> refund(const RefundRequest& asked) {
    if (!requests_.contains(asked.request_id)) return no(ErrorCode::kNotFound);
    Request& request = requests_.at(asked.request_id);
    const bool whole = !asked.amount && !asked.tokens;
    if (request.open) return no(ErrorCode::kConflict);
    std::map<std::string, Money> left;
    for (const Draw& spent : request.draws) left[spent.currency] += spent.amount;
    Money money = whole ? left["CNY"] : *asked.amount;
    Money tokens = whole ? left["TOK"] : token_amount(*asked.tokens);
    if (money > left["CNY"] || tokens > left["TOK"] || (money + tokens).is_zero())
      return no(ErrorCode::kInvalidArgument);
    const std::pair whose(request.project.payer, request.month);
    const bool may = !request.wallet_paid && receivables.may_refund(whose, request.kind, money);
    if (first_open[whose.first] > whose.second && !may) return no(ErrorCode::kConflict);
    const bool elsewhere = month_now(whose.first) != whose.second;
    const Refund made{.amount = money, .tokens = tokens_in(tokens)};
    for (auto spent = request.draws.rbegin(); spent != request.draws.rend(); ++spent) {
      Money& want = spent->currency == "TOK" ? tokens : money;
      const Money part = std::min(want, spent->amount);
      want -= part;
      spent->amount -= part;
      post(spent->currency, "revenue", returned_to(spent->account), part);
      if (spent->currency != "TOK")
        receivables.refund(whose, request.kind, part, elsewhere && spent->account[0] == 'w');
    }
    return made;
  }
  void post(const std::string& unit, const std::string& from, const std::string& to, Money amount) {
    at(from, unit) -= amount;
    at(to, unit) += amount;
  }

 private:
  struct Request {
    HoldRequest asked;
    Project project;
    PriceVersion price;
    std::string kind;          ///< of its charges
    int64_t newest_limit = 0;  ///< of those there when it was held
    TokenCount output = 0, covered = 0;
    Money held;
    std::vector<Draw> draws;  ///< once it has ended: what is spent of each
    TokenUsage mark;
    bool open = true, wallet_paid = false;
    Month month{};  ///< in which its charge counts
  };
  static std::unexpected<Error> no(ErrorCode code) { return std::unexpected(Error{code, "refused"}); }
  Money& at(const std::string& account, const std::string& unit) { return accounts[account + ' ' + unit]; }
  Month month_now(const std::string& payer) {
    return std::max(zones.at(payer).month_of(now), first_open[payer]);
  }
  Money wallet_free(const std::string& payer) {
    return std::max(Money(), at(wallet_of(payer), "CNY") + credit_limits[payer]);
  }
  Result<Request*> open(const std::string& id) {
    if (!requests_.contains(id)) return no(ErrorCode::kNotFound);
    return requests_.at(id).open ? &requests_.at(id) : Result<Request*>(no(ErrorCode::kConflict));
  }
  Result<PriceVersion> price_now(const std::string& offering, const std::string& organisation) {
    for (const std::string& whose : {organisation, std::string()}) {
      const auto& versions = prices_[{offering, whose}];
      auto next = versions.upper_bound(now);
      if (next != versions.begin() && now < (--next)->second.effective_until) return next->second;
    }
    return no(ErrorCode::kNotFound);
  }
  /// The rows that its length leaves, of its tier or, where that has none, of the default.
  static std::vector<pricing::PriceRow> rows_for(const Request& request) {
    const HoldRequest& asked = request.asked;
    std::vector<pricing::PriceRow> rows = request.price.rows;
    const bool own = std::ranges::count(rows, asked.tier, &pricing::PriceRow::tier) > 0;
    std::erase_if(rows, [&](const pricing::PriceRow& row) {
      return row.tier != (own ? asked.tier : ServiceTier::kDefault) || row.input_from > asked.input_tokens;
    });
    return rows;
  }
  static Money cost(const Request& request, TokenUsage usage, TokenCount covered, TokenCount volume) {
    for (auto* tokens :
         {&usage.input_fresh, &usage.cache_write, &usage.cache_read, &usage.output, &usage.reasoning})
      for (; *tokens > 0 && covered > 0; --covered) --*tokens;
    auto rows = rows_for(request);
    std::erase_if(rows, [&](const auto& row) { return row.volume_from > volume; });
    const auto from = [](const auto& row) { return std::pair(row.input_from, row.volume_from); };
    const pricing::UnitPrices unit = std::ranges::max(rows, {}, from).units;
    return unit.input_fresh * usage.input_fresh + unit.cache_read * usage.cache_read +
           unit.cache_write * usage.cache_write + unit.output * usage.output +
           unit.reasoning * usage.reasoning;
  }
  /// What the request may draw on, in the order in which it is spent.
  std::vector<Source> sources(const Request& request, const std::string& unit) {
    const std::string& payer = request.project.payer;
    std::vector<Source> all;
    for (const auto& [order, lot] : lots_) {
      const bool serves =
          lot.offerings.empty() || std::ranges::count(lot.offerings, request.asked.offering) > 0;
      if (lot.unit != unit || lot.payer_id != payer || !serves || lot.expires <= now) continue;
      all.push_back({lot_account(lot.id), at(lot_account(lot.id), unit)});
    }
    if (unit == "CNY") all.push_back({wallet_of(payer), wallet_free(payer)});
    return all;
  }
  void draw(Request& request, const std::string& unit, Money amount) {
    for (const Source& source : sources(request, unit)) {
      const Money part = std::min(amount, source.available);
      amount -= part;
      post(unit, source.account, held_of(request.project.payer), part);
      if (!part.is_zero()) add_draws(request.draws, {{source.account, unit, part}});
    }
  }
  /// Token by token; packages go to output only behind all input. Below zero: not even the input is paid.
  Coverage cover(const Request& request, TokenCount input, TokenCount more, Money money) {
    Money units[2];
    for (const pricing::PriceRow& row : rows_for(request)) {
      const pricing::UnitPrices& unit = row.units;
      units[0] = std::max({units[0], unit.input_fresh, unit.cache_read, unit.cache_write});
      units[1] = std::max({units[1], unit.output, unit.reasoning});
    }
    const bool whole = input > 0 || request.covered >= request.asked.input_tokens;
    const TokenCount packages = whole ? tokens_in(sum_of(sources(request, "TOK"))) : 0;
    Coverage found{.output_tokens = -input};
    for (; found.output_tokens < more; ++found.output_tokens) {
      const Money unit = units[found.output_tokens >= 0];
      const bool is_covered = found.covered < packages;
      if (!is_covered && found.money + unit > money) break;
      found.covered += is_covered;
      if (!is_covered) found.money += unit;
    }
    return found;
  }
  /// Holds `input` and at most `more` output tokens, as many as are paid for and hard limits leave.
  Result<Hold> grow(Request& request, TokenCount input, TokenCount more, bool is_new) {
    const TokenCount least = is_new ? std::min<TokenCount>(more, 1) : 0;
    const Money needs[] = {Money::pico(is_new), Money::pico(input + least),
                           cover(request, input, least, kAmountMax).money};
    TokenCount most = more;
    Money money = sum_of(sources(request, "CNY"));
    for (const Counted* each : limits_on(request)) {
      const Money left = left_of(*each, request);
      const bool spend = each->limit.measure == Measure::kSpend;
      if (!each->limit.hard) continue;
      if (is_new && needs[each->measure()] > left)
        return no(spend ? ErrorCode::kInsufficientQuota : ErrorCode::kRateLimited);
      if (spend) money = std::min(money, std::max(left, Money()));
      if (each->limit.measure == Measure::kTokens) most = std::min(most, TokenCount(left.pico()) - input);
    }
    const Coverage found = cover(request, input, most, money);
    if (is_new && found.output_tokens < least) return no(ErrorCode::kInsufficientQuota);
    draw(request, "TOK", token_amount(found.covered));
    draw(request, "CNY", found.money);
    request.held += found.money;
    request.output += found.output_tokens;
    request.covered += found.covered;
    const Money tokens = Money::pico(input + found.output_tokens);
    if (is_new || !tokens.is_zero()) count(request, {Money(), tokens, found.money}, {needs[0], {}, {}});
    return Hold{
        .held = request.held, .output_tokens = request.output, .exhausted = found.output_tokens < more};
  }
  std::string returned_to(const std::string& account) const {
    for (const auto& [order, lot] : lots_)
      if (lot_account(lot.id) == account && lot.expires <= now) return "breakage";
    return account;
  }
  Settlement end(Request& request, Money money, TokenCount covered, TokenCount tokens) {
    const Settlement done{.charged = money, .released = request.held - money};
    const Money slice = Money::pico(request.asked.input_tokens + request.output);
    count(request, {Money(), -slice, -request.held}, {Money(), Money::pico(tokens), money});
    Money covering = token_amount(covered);
    for (Draw& draw : request.draws) {
      Money& due = draw.currency == "TOK" ? covering : money;
      const Money spent = std::min(due, draw.amount);
      due -= spent;
      post(draw.currency, held_of(request.project.payer), "revenue", spent);
      post(draw.currency, held_of(request.project.payer), returned_to(draw.account), draw.amount - spent);
      draw.amount = spent;
      request.wallet_paid |= draw.account[0] == 'w' && !spent.is_zero();
    }
    request.open = false;
    return done;
  }
  /// The limits that count it, those of its key first.
  std::vector<Counted*> limits_on(const Request& request) {
    std::vector<Counted*> on;
    for (const auto& scope : {request.asked.key_id, request.project.id, request.project.organisation})
      for (auto& [since, each] : limits)
        if (each.limit.scope == scope && since <= request.newest_limit) on.push_back(&each);
    return on;
  }
  /// What still counts, by bucket; the last is where it goes on.
  std::map<int64_t, Money> window(const Counted& counted, const Request& request) const {
    const auto seconds = [](WallTime at) { return at.time_since_epoch().count() / 1'000'000; };
    const TimeZone& zone = zones.at(request.project.payer);
    const int64_t length = counted.limit.window_s;
    const int64_t bucket = (length + 299) / 300;
    const Period month = zone.period_of(zone.month_of(now));
    const int64_t start = length == 0 ? seconds(month.from) : seconds(now) / bucket * bucket;
    const WallTime ahead = length == 0 ? month.until : now + std::chrono::seconds(length);
    std::map<int64_t, Money> kept = {{start, Money()}};
    for (const auto& [at, used] : counted.used) {
      const bool over = length == 0 ? at < start : at + bucket + length <= seconds(now);
      if (!over && !used.is_zero() && WallTime(std::chrono::seconds(at)) <= ahead) kept[at] += used;
    }
    return kept;
  }
  Money left_of(const Counted& counted, const Request& request) const {
    Money left = counted.limit.bound - counted.pending;
    for (const auto& [at, used] : window(counted, request)) left -= used;
    return left;
  }
  void count(const Request& request, const Money (&held)[3], const Money (&used)[3]) {
    for (Counted* each : limits_on(request)) {
      each->used = window(*each, request);
      each->used.rbegin()->second += used[each->measure()];
      each->pending += held[each->measure()];
    }
  }
  std::map<std::pair<std::string, std::string>, std::map<WallTime, PriceVersion>> prices_;
  int64_t last_price_ = 0;
  std::multimap<std::pair<int64_t, WallTime>, Lot> lots_;  ///< by priority and expiry, then creation
  std::map<std::string, Request> requests_;
  std::map<std::pair<std::string, Month>, TokenCount> volumes_;  ///< by payer and offering
};

}  // namespace feilun::ledger
