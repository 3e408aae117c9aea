#include "ledger/closed_months.h"

#include <algorithm>
#include <ranges>
#include <string>

#include "ledger/audit_log.h"
#include "ledger/commitment.h"
#include "ledger/fields.h"
#include "ledger/invoicing.h"
#include "ledger/json_fields.h"
#include "ledger/paying_tenant.h"
#include "ledger/record.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kActsMax = 1'000'000;
constexpr int64_t kRecordsMax = 1'000'000;

KeyWriter first_open_key(std::string_view payer_id) {
  KeyWriter key('S');
  key.raw("open ").text(payer_id);
  return key;
}

/// By the acts that changed it, and before them as the first of those found it.
Result<std::vector<std::pair<int64_t, TimeZone>>> zones_of(State& state, const Buyer& buyer) {
  std::vector<std::pair<int64_t, TimeZone>> zones;
  for (const Act& act : TRY(acts_of(state, buyer.id, {.ids = {buyer.id}}, kActsMax)) | std::views::reverse) {
    if (act.type != "organisation" || act.before.empty() || act.after.empty()) continue;
    const std::string before = JsonFields(act.before).text("time_zone");
    const std::string after = JsonFields(act.after).text("time_zone");
    if (before == after) continue;
    if (zones.empty()) zones.emplace_back(0, TRY(TimeZone::find(before)));
    zones.emplace_back(act.sequence, TRY(TimeZone::find(after)));
  }
  if (zones.empty()) zones.emplace_back(0, buyer.zone);
  return zones;
}

Result<std::vector<std::pair<int64_t, Month>>> first_open_of(State& state, const Buyer& buyer) {
  constexpr auto kNext = std::chrono::months(1);
  std::vector<std::pair<int64_t, Month>> open;
  for (const Record& invoice : TRY(records_of(state, "invoice", buyer.id, kRecordsMax))) {
    const Month month = TRY(parse_month(std::string_view(invoice.name).substr(0, invoice.name.find(' '))));
    open.emplace_back(invoice.sequence, month + kNext);
  }
  if (!buyer.is_organisation) return open;
  for (const Commitment& commitment : TRY(commitments_of(state, buyer.id))) {
    for (const TrueUp& done : TRY(true_ups_of(state, commitment.id))) {
      open.emplace_back(done.sequence, done.month + kNext);
    }
  }
  return open;
}

/// By which the organisation's months went when the entry was written.
Result<TimeZone> zone_at(State& state, std::string_view organisation, int64_t sequence) {
  std::string zone = TRY(organisation_of(state, organisation)).time_zone;
  const auto record = TRY(find_record(state, "organisation", organisation));
  if (!record || record->sequence < sequence) return TimeZone::find(zone);
  const ActFilter since{
      .ids = {std::string(organisation)}, .before = record->sequence + 1, .after = sequence};
  // Newest first.
  for (const Act& act : TRY(acts_of(state, organisation, since, kActsMax))) {
    if (act.type != "organisation" || act.before.empty()) continue;
    zone = JsonFields(act.before).text("time_zone");
  }
  return TimeZone::find(zone);
}

/// Whether the month was invoiced or trued up before the entry.
Result<bool> was_closed(State& state, std::string_view payer_id, Month month, int64_t sequence) {
  const auto invoice = TRY(find_record_named(state, "invoice", invoice_name(payer_id, month)));
  if (invoice && invoice->sequence < sequence) return true;
  for (const Commitment& commitment : TRY(commitments_of(state, payer_id))) {
    const auto done = TRY(find_true_up(state, commitment.id, month));
    if (done && done->sequence < sequence) return true;
  }
  return false;
}

}  // namespace

Result<CountingMonths> CountingMonths::of(State& state, const Buyer& buyer) {
  CountingMonths months;
  months.zones_ = TRY(zones_of(state, buyer));
  months.first_open_ = TRY(first_open_of(state, buyer));
  return months;
}

Month CountingMonths::at(int64_t sequence, WallTime time) const {
  const auto since = [&](const auto& each) { return each.first <= sequence; };
  Month month = std::ranges::find_if(zones_ | std::views::reverse, since)->second.month_of(time);
  for (const auto& each : first_open_) {
    if (since(each)) month = std::max(month, each.second);
  }
  return month;
}

Result<Month> counting_month(State& state, std::string_view payer_id, Month month) {
  const std::string* value = TRY(state.get(first_open_key(payer_id).view()));
  const int64_t number = number_of(month);
  const int64_t first_open = value == nullptr ? number : FieldReader(*value).number();
  return month + std::chrono::months(std::max(first_open, number) - number);
}

Result<Month> month_counted(State& state, const Project& project, int64_t sequence, WallTime time) {
  const Month month = TRY(zone_at(state, project.organisation, sequence)).month_of(time);
  Month counted = TRY(counting_month(state, project.payer, month));
  while (counted > month &&
         !TRY(was_closed(state, project.payer, counted - std::chrono::months(1), sequence))) {
    counted -= std::chrono::months(1);
  }
  return counted;
}

Result<> close_month(State& state, std::string_view payer_id, Month month) {
  const Month first_open = TRY(counting_month(state, payer_id, month + std::chrono::months(1)));
  state.put(first_open_key(payer_id).view(), FieldWriter().number(number_of(first_open)).take());
  return {};
}

}  // namespace feilun::ledger
