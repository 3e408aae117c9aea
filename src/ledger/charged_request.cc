#include "ledger/charged_request.h"

#include <algorithm>
#include <array>

#include "ledger/coverage.h"
#include "ledger/draws.h"
#include "ledger/journal_walk.h"
#include "ledger/limits.h"

namespace feilun::ledger {
namespace {

using pricing::TokenUsage;
using pricing::UnitPrices;

constexpr auto kTokenClasses = std::to_array<TokenClass>({
    {"input", &TokenUsage::input_fresh, &UnitPrices::input_fresh},
    {"cache_write", &TokenUsage::cache_write, &UnitPrices::cache_write},
    {"cache_read", &TokenUsage::cache_read, &UnitPrices::cache_read},
    {"output", &TokenUsage::output, &UnitPrices::output},
    {"reasoning", &TokenUsage::reasoning, &UnitPrices::reasoning},
});

Money sum_spent(const ChargedRequest& request, bool tokens) {
  Money sum;
  for (const Posting& each : request.spent) {
    if ((each.currency == kTokenUnit) == tokens) sum += each.amount;
  }
  return sum;
}

/// The sources of one of the two lines.
std::vector<Posting> sources_of(const ChargedRequest& request, bool tokens) {
  std::vector<Posting> sources = request.spent;
  std::erase_if(sources, [&](const Posting& each) { return (each.currency == kTokenUnit) != tokens; });
  return sources;
}

/// Calls take(class, source, from, until) for each place between `from` and `until` where a class and a
/// source meet; the two numbers it gets are counted from the beginning of the class.
template <typename Take>
void meet(const std::array<int128, kTokenClasses.size()>& classes, const std::vector<Posting>& sources,
          int128 from, int128 until, Take take) {
  int128 class_from = 0;
  for (size_t i = 0; i < classes.size(); ++i) {
    const int128 class_until = class_from + classes[i];
    int128 source_from = 0;
    for (const Posting& source : sources) {
      const int128 source_until = source_from + source.amount.pico();
      const int128 begin = std::max({from, class_from, source_from});
      const int128 end = std::min({until, class_until, source_until});
      if (begin < end) take(kTokenClasses[i], source, begin - class_from, end - class_from);
      source_from = source_until;
    }
    class_from = class_until;
  }
}

}  // namespace

std::span<const TokenClass> token_classes() {
  return kTokenClasses;
}

Money ChargedRequest::charged() const {
  return sum_spent(*this, false);
}

TokenCount ChargedRequest::covered() const {
  return tokens_in(sum_spent(*this, true));
}

Result<ChargedRequest> request_from_hold(const JournalRow& row) {
  FieldReader fields(row.payload);
  const bool is_hold = fields.byte() == static_cast<uint8_t>(EntryKind::kHold);
  ChargedRequest request{.id = fields.text()};
  request.key_id = fields.text();
  request.project_id = fields.text();
  request.payer_id = fields.text();
  request.offering = fields.text();
  request.tier = static_cast<pricing::ServiceTier>(fields.byte() & 3);
  request.price_id = fields.number();
  request.input_tokens = fields.number();
  request.held = row.time;
  if (is_hold && fields.ok()) return request;
  return fail(ErrorCode::kCorrupt, "the journal's entry {} is not a hold", row.sequence);
}

Result<> read_settle(const JournalRow& row, ChargedRequest& request) {
  FieldReader fields(row.payload);
  const bool is_settle = fields.byte() == static_cast<uint8_t>(EntryKind::kSettle);
  fields.text();
  fields.byte();
  request.settled = row.time;
  request.sequence = row.sequence;
  request.price_row = static_cast<size_t>(fields.number());
  request.usage = fields.usage();
  request.spent = read_postings(fields);
  for (Posting& posting : read_postings(fields)) {
    if (posting.currency != kTokenUnit) request.currency = std::move(posting.currency);
  }
  if (is_settle && fields.ok()) return {};
  return fail(ErrorCode::kCorrupt, "the journal's entry {} is not a settle", row.sequence);
}

std::vector<ChargePart> parts_of(const ChargedRequest& request, const UnitPrices& units,
                                 const ChargeStretch& stretch) {
  const TokenUsage paid = uncovered(request.usage, request.covered());
  std::array<int128, kTokenClasses.size()> tokens{};
  std::array<int128, kTokenClasses.size()> money{};
  for (size_t i = 0; i < kTokenClasses.size(); ++i) {
    const TokenClass& each = kTokenClasses[i];
    tokens[i] = token_amount(request.usage.*each.tokens - paid.*each.tokens).pico();
    money[i] = (units.*each.unit * (paid.*each.tokens)).pico();
  }
  std::vector<ChargePart> parts;
  const auto by_package = [&](const TokenClass& of, const Posting& source, int128 from, int128 until) {
    parts.push_back({&of, source.account, tokens_in(Money::pico(until - from)), Money()});
  };
  const auto by_money = [&](const TokenClass& of, const Posting& source, int128 from, int128 until) {
    const int128 unit = (units.*of.unit).pico();
    const auto count = static_cast<TokenCount>(until / unit - from / unit);
    parts.push_back({&of, source.account, count, Money::pico(until - from)});
  };
  meet(tokens, sources_of(request, true), token_amount(stretch.tokens_from).pico(),
       token_amount(stretch.tokens_until).pico(), by_package);
  meet(money, sources_of(request, false), stretch.money_from.pico(), stretch.money_until.pico(), by_money);
  return parts;
}

std::vector<ChargePart> parts_of(const ChargedRequest& request, const UnitPrices& units) {
  auto parts =
      parts_of(request, units, {.tokens_until = request.covered(), .money_until = request.charged()});
  for (const TokenClass& each : kTokenClasses) {
    ChargePart rest{.token_class = &each, .account = {}, .tokens = request.usage.*each.tokens};
    rest.cost = units.*each.unit * (uncovered(request.usage, request.covered()).*each.tokens);
    for (const ChargePart& part : parts) {
      if (part.token_class != &each) continue;
      rest.tokens -= part.tokens;
      rest.cost -= part.cost;
    }
    if (rest.tokens != 0 || !rest.cost.is_zero()) parts.push_back(std::move(rest));
  }
  return parts;
}

}  // namespace feilun::ledger
