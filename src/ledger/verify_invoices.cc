#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/json.h"
#include "ledger/verify_paper.h"
#include "ledger/verify_replay.h"

// Invoices. What a wallet paid to revenue is counted here posting by posting; an invoice must come to just
// that, whatever its lines say it was for.

namespace feilun::ledger::audit {
namespace {

constexpr std::string_view kTokens = "TOK";
constexpr std::string_view kWallets = "wallet:";
constexpr std::string_view kLots = "lot:";
constexpr std::string_view kClasses[] = {"input", "cache_read", "cache_write", "output", "reasoning"};
constexpr std::string_view kTiers[] = {"default", "priority", "flex", "batch"};
constexpr int kSpent = 0, kBought = 1, kRefunded = 2;

int64_t number_of(Month month) {
  return int64_t{int{month.year()}} * 12 + static_cast<unsigned>(month.month()) - 1;
}

template <size_t size>
int64_t place_of(const std::string_view (&names)[size], std::string_view name) {
  return std::ranges::find(names, name) - names;
}

/// What a billing record says of invoices; a later one fills in what the first does not say.
struct Terms {
  std::optional<std::vector<std::pair<std::string, std::string>>> taxes;
  std::optional<int64_t> due_days;

  void fill_from(std::string_view json) {
    const auto document = JsonDocument::parse(json);
    if (!document) return;
    int64_t days = 0;
    if (!due_days && !document->root()["due_days"].get(days)) due_days = days;
    simdjson::dom::array listed;
    if (taxes || document->root()["taxes"].get(listed)) return;
    taxes.emplace();
    for (const simdjson::dom::element tax : listed) {
      std::string_view name, percent;
      (void)tax["name"].get(name);
      (void)tax["percent"].get(percent);
      taxes->emplace_back(name, percent);
    }
  }
};

}  // namespace

TimeZone Replay::zone_of_payer(const std::string& payer) const {
  const auto project = projects_.find(payer);
  const auto owner = organisations_.find(project == projects_.end() ? payer : project->second.organisation);
  return owner == organisations_.end() ? TimeZone::utc() : owner->second.zone;
}

int64_t Replay::month_of_payer(const std::string& payer) const {
  const WallTime now{std::chrono::microseconds(time_)};
  const int64_t month = number_of(zone_of_payer(payer).month_of(now));
  const auto open = first_open_.find(payer);
  return open == first_open_.end() ? month : std::max(month, open->second);
}

void Replay::close_month(const std::string& payer, int64_t month) {
  int64_t& first_open = first_open_[payer];
  first_open = std::max(first_open, month + 1);
  put(KeyBytes('S').text("open " + payer).take(), ValueBytes().number(first_open).take());
}

void Replay::count_item(const std::string& payer, int64_t month, int item, const std::string& lot,
                        int128 amount) {
  const char kind = static_cast<char>(item);
  const std::string key = KeyBytes('Z').text(payer).number(month).raw({&kind, 1}).text(lot).take();
  Item& sum = items_[key];
  ++sum.count;
  add(sum.amount, amount);
  put(key, ValueBytes().number(sum.count).amount(sum.amount).take());
}

void Replay::count_spent(const std::string& payer, const std::vector<Posting>& spent) {
  const int64_t month = month_of_payer(payer);
  for (const Posting& part : spent) {
    if (part.currency == kTokens) continue;
    if (part.account.starts_with(kWallets)) add(wallet_paid_[{payer, month}], part.amount);
    if (part.account.starts_with(kLots)) {
      count_item(payer, month, kSpent, part.account.substr(kLots.size()), part.amount);
    }
  }
}

void Replay::count_bought(const std::string& payer, const std::string& lot, int128 paid) {
  if (paid == 0) return;
  const int64_t month = month_of_payer(payer);
  add(wallet_paid_[{payer, month}], paid);
  count_item(payer, month, kBought, lot, paid);
}

void Replay::count_refunded(const Spent& spent, const std::vector<Posting>& postings) {
  const auto& [payer, month] = *spent.in;
  const int64_t today = month_of_payer(payer);
  const auto is_of_wallet = [](const Posting& part) { return part.account.starts_with(kWallets); };
  const auto open = first_open_.find(payer);
  if (open != first_open_.end() && month < open->second && std::ranges::any_of(spent.parts, is_of_wallet)) {
    breach("a refund of a month that was invoiced or trued up");
  }
  GivenBack back;
  for (const Posting& part : postings) {
    if (part.account == "revenue" && part.currency != kTokens) add(back.all, -part.amount);
    if (!is_of_wallet(part)) continue;
    add(wallet_paid_[{payer, today}], -part.amount);
    count_item(payer, today, kRefunded, "", part.amount);
    if (today != month) add(back.elsewhere, part.amount);
  }
  if (back.all == 0) return;
  GivenBack& sum = given_back_[{payer, month}][*spent.of];
  add(sum.all, back.all);
  add(sum.elsewhere, back.elsewhere);
  const auto& [project, offering, tier, price] = *spent.of;
  const char byte = static_cast<char>(tier);
  put(KeyBytes('g')
          .text(payer)
          .number(month)
          .text(project)
          .text(offering)
          .raw({&byte, 1})
          .number(price)
          .take(),
      ValueBytes().amount(sum.all).amount(sum.elsewhere).take());
  const auto number = invoiced_.find({payer, month});
  if (number != invoiced_.end() && owed_.contains(number->second)) {
    check_given_once(owed_.at(number->second));
  }
}

void Replay::count_true_up(const std::string& organisation, Month month, int128 shortfall) {
  if (invoiced_.contains({organisation, number_of(month)})) {
    breach("a month is trued up that was invoiced before");
  }
  add(wallet_paid_[{organisation, number_of(month)}], shortfall);
}

void Replay::check_usage_lines(const std::vector<PaperLine>& lines, const std::string& payer, int64_t month) {
  auto left = month_usage_[{payer, month}];
  for (const PaperLine& line : lines) {
    if (line.kind != "usage") continue;
    const int64_t place = place_of(kClasses, line.token_class);
    const auto sums = left.find({line.project, line.offering, place_of(kTiers, line.tier), line.price});
    const bool counted = line.covered >= 0 && line.quantity >= line.covered;
    if (sums == left.end() || place == std::ssize(kClasses) || !counted) {
      return problem("an invoice counts no such usage");
    }
    add(sums->second.usage.tokens[place], -line.quantity);
    add(sums->second.covered.tokens[place], -line.covered);
    int128 cost = 0;
    if (__builtin_mul_overflow(line.unit, int128{line.quantity - line.covered}, &cost) ||
        line.exact != cost) {
      breach("a line is not its tokens at its price");
    }
  }
  for (const auto& [key, sums] : left) {
    if (sums.usage != Classes{} || sums.covered != Classes{}) {
      problem("an invoice counts other tokens than were settled");
    }
  }
}

void Replay::check_item_lines(const std::vector<PaperLine>& lines, const std::string& payer, int64_t month) {
  for (const PaperLine& line : lines) {
    int item = kRefunded;
    if (line.kind == "lot_spent") item = kSpent;
    if (line.kind == "lot_bought") item = kBought;
    if (line.kind == "usage" || line.kind == "uncharged" || line.kind == "true_up") continue;
    const char kind = static_cast<char>(item);
    const std::string key =
        KeyBytes('Z').text(payer).number(month).raw({&kind, 1}).text(line.reference).take();
    const auto sum = items_.find(key);
    if (sum == items_.end() || line.exact != (item == kBought ? sum->second.amount : -sum->second.amount)) {
      problem("a line is not what its lot paid or cost, or what was refunded");
    }
  }
}

void Replay::check_terms(const Paper& paper, const std::string& payer) {
  Terms terms;
  for (const std::string& owner : {payer, std::string("default")}) {
    const auto billing = records_.find({"billing", owner});
    if (billing != records_.end()) terms.fill_from(billing->second.json);
  }
  std::vector<std::pair<std::string, std::string>> taxes;
  for (const PaperTax& tax : paper.taxes) taxes.emplace_back(tax.name, tax.percent);
  if (taxes != terms.taxes.value_or(decltype(taxes)()))
    breach("an invoice has other taxes than are in force");
  constexpr int64_t kUsualDays = 30, kDaysMax = 3650;
  const int64_t days = terms.due_days.value_or(kUsualDays);
  const Day issued = zone_of_payer(payer).day_of(WallTime(std::chrono::microseconds(time_)));
  if (days < 0 || days > kDaysMax || paper.due_on != plus_days(issued, static_cast<int>(days))) {
    breach("an invoice is due on another day than its terms say");
  }
}

void Replay::invoice(const Entry& entry) {
  const std::string& number = entry.text("number");
  const std::string& payer = entry.text("payer");
  const std::string name = entry.text("name").substr(0, 7);
  const int64_t count = ++invoices_[name];
  if (number != fmt::format("{}-{:04}", name, count)) problem("invoices are not numbered in order");
  if (entry.text("name") != name + " " + payer) problem("an invoice's name is not its month and payer");
  make_record("invoice", number, payer, entry.text("name"), entry.text("record"));
  put(KeyBytes('S').text("invoice " + name).take(), ValueBytes().number(count).take());
  const auto month = parse_month(name);
  const auto paper = read_paper(text_of(entry.text("record"), "invoice"));
  if (!month || !paper) return problem("an invoice cannot be read: " + (paper ? "its month" : paper.error()));
  if (const std::string fault = fault_of_sums(*paper); !fault.empty()) problem("an invoice: " + fault);
  if (const std::string fault = fault_of_rounding(*paper); !fault.empty()) breach("an invoice: " + fault);
  log_made(
      entry, "invoice", number, payer, entry.text("name"),
      fmt::format(R"({{"month":"{}","currency":"{}","total":"{}"}})", name, paper->currency, paper->total));
  const int64_t which = number_of(*month);
  const Period period = zone_of_payer(payer).period_of(*month);
  const WallTime now{std::chrono::microseconds(time_)};
  if (paper->number != number || paper->organisation != payer || !paper->corrects.empty() ||
      paper->period != period || paper->issued != to_iso8601(now)) {
    problem("an invoice is another's, or of another time");
  }
  if (now < period.until) problem("a month is invoiced that has not ended");
  if (!invoiced_.emplace(PayerMonth(payer, which), number).second) problem("a month is invoiced twice");
  if (paper->exact != wallet_paid_[{payer, which}]) problem("an invoice is not what the wallet paid");
  check_terms(*paper, payer);
  check_usage_lines(paper->lines, payer, which);
  check_item_lines(paper->lines, payer, which);
  const int128 tax = paper->total - paper->net;
  const std::string& currency = paper->currency;
  expect_postings(entry, {{"rounding", currency, -paper->residue},
                          {"wallet:" + payer, currency, paper->residue},
                          {"wallet:" + payer, currency, -tax},
                          {"tax", currency, tax}});
  if (paper->paid != std::min(paper->total, free_money_[payer])) {
    breach("an invoice takes another sum than what was free of the wallet");
  }
  Owed owed{.payer = payer, .currency = currency, .total = paper->total, .paid = paper->paid};
  owed.kept = paper->paid;
  owed.due_day = std::chrono::local_days(paper->due_on).time_since_epoch().count();
  for (const PaperLine& line : paper->lines) {
    owed.lines.push_back({line.amount, line.exact, {}});
    if (line.kind != "usage" && line.kind != "uncharged") continue;
    owed.lines.back().usage.emplace(line.project, line.offering, place_of(kTiers, line.tier), line.price);
    add(owed.usage[*owed.lines.back().usage].charged, line.exact);
  }
  owed.month = which;
  owed.exact_left = paper->exact;
  for (const PaperTax& each : paper->taxes) owed.percents.push_back(each.percent);
  owed.coin = paper->coin;
  owed_.insert_or_assign(number, std::move(owed));
  put_owed(number);
  add_free_money(payer, -paper->paid);
  close_month(payer, which);
}

void Replay::make_record(const std::string& type, const std::string& id, const std::string& parent,
                         const std::string& name, const std::string& json) {
  if (!JsonDocument::parse(json)) problem("the record's body is no JSON object");
  Record made{sequence_, parent, name, json};
  if (records_.contains({type, id})) return problem("the " + type + " was made before");
  put_record(type, id, nullptr, &made);
  records_.emplace(std::pair(type, id), std::move(made));
}

}  // namespace feilun::ledger::audit
