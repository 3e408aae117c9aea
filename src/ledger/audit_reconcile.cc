#include "ledger/audit_reconcile.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace feilun::ledger::audit {
namespace {

/// A request that ended here.
struct Ended {
  int64_t input_tokens = 0;
  int64_t output_tokens = 0;
  std::string currency;
  int128 charged = 0;
  bool released = false;
  bool in_range = false;
  bool seen_there = false;
};

struct Here {
  std::unordered_map<std::string, Ended> ended;
  std::unordered_map<std::string, std::string> open;  ///< currency by request
};

constexpr std::string_view kTokens = "TOK";

/// The currency of a hold: of what it sets aside in money.
std::string currency_of(const Entry& hold) {
  for (const Posting& posting : hold.postings) {
    if (posting.currency != kTokens) return posting.currency;
  }
  return {};
}

void take(Here& here, const ReadEntry& read, const ExportRange& range) {
  const Entry& entry = read.entry;
  if (entry.kind() == Kind::kHold) here.open[entry.text("request")] = currency_of(entry);
  if (entry.kind() != Kind::kSettle && entry.kind() != Kind::kRelease) return;
  Ended ended{.currency = here.open[entry.text("request")]};
  here.open.erase(entry.text("request"));
  ended.released = entry.kind() == Kind::kRelease;
  ended.in_range = range.from <= read.time && read.time < range.until;
  if (!ended.released) {
    ended.input_tokens = entry.usage().input();
    ended.output_tokens = entry.usage().output();
  }
  for (const Posting& posting : entry.postings) {
    if (posting.account != "revenue" || posting.currency == kTokens) continue;
    ended.charged += posting.amount;
    ended.currency = posting.currency;
  }
  here.ended.insert_or_assign(entry.text("request"), std::move(ended));
}

/// What differs, in words; empty when nothing does.
std::string differences(const Ended& here, const OutsideRow& there, int128 tolerance) {
  std::string all;
  const auto add = [&all](std::string words) { all += (all.empty() ? "" : "; ") + std::move(words); };
  if (there.input_tokens && *there.input_tokens != here.input_tokens) {
    add(fmt::format("{} input tokens here, {} there", here.input_tokens, *there.input_tokens));
  }
  if (there.output_tokens && *there.output_tokens != here.output_tokens) {
    add(fmt::format("{} output tokens here, {} there", here.output_tokens, *there.output_tokens));
  }
  if (!there.currency.empty() && !here.currency.empty() && there.currency != here.currency) {
    add(fmt::format("in {} here, in {} there", here.currency, there.currency));
  }
  if (there.amount) {
    const int128 off = *there.amount - here.charged;
    if (off > tolerance || -off > tolerance) {
      add(fmt::format("{} here, {} there", Money::pico(here.charged).to_string(),
                      Money::pico(*there.amount).to_string()));
    }
  }
  return all;
}

void compare(Here& here, const OutsideRow& there, int128 tolerance, Reconciled& result) {
  const auto place = here.ended.find(there.request);
  const bool found = place != here.ended.end() && place->second.in_range;
  std::string currency = there.currency;
  if (found && currency.empty()) currency = place->second.currency;
  int128& sum = result.sums[currency].there;
  if (__builtin_add_overflow(sum, there.amount.value_or(0), &sum)) sum = INT64_MAX;
  if (!found) {
    result.missing_here.push_back(there.request + (here.open.contains(there.request) ? " (still open)"
                                                   : place != here.ended.end() ? " (ended at another time)"
                                                                               : ""));
    return;
  }
  if (std::exchange(place->second.seen_there, true)) {
    result.different.push_back(there.request + ": more than once there");
    return;
  }
  const std::string words = differences(place->second, there, tolerance);
  if (words.empty()) {
    ++result.equal;
  } else {
    result.different.push_back(there.request + ": " + words);
  }
}

}  // namespace

Result<Reconciled> reconcile(const Place& place, const std::vector<OutsideRow>& outside,
                             const ExportRange& range, int128 tolerance) {
  Here here;
  TRY(read_journal(place, [&](const ReadEntry& read) -> Result<> {
    take(here, read, range);
    return {};
  }));
  Reconciled result{.there = std::ssize(outside)};
  for (const OutsideRow& there : outside) compare(here, there, tolerance, result);
  for (const auto& [request, ended] : here.ended) {
    if (!ended.in_range) continue;
    ++result.here;
    result.sums[ended.currency].here += ended.charged;
    if (!ended.seen_there && !ended.released) result.missing_there.push_back(request);
  }
  std::ranges::sort(result.missing_there);
  return result;
}

}  // namespace feilun::ledger::audit
