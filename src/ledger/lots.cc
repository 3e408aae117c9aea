#include "ledger/lots.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <tuple>

#include "ledger/fields.h"
#include "ledger/json_fields.h"
#include "ledger/limits.h"
#include "ledger/rows.h"

namespace feilun::ledger {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 4> kKindNames = {"credit", "quota", "package", "plan"};

KeyWriter live_key(std::string_view payer_id) {
  KeyWriter key('D');
  key.text(payer_id);
  return key;
}
std::string expiry_key(WallTime expires, std::string_view lot_id) {
  return KeyWriter('X').number(expires.time_since_epoch().count()).text(lot_id).take();
}

auto burn_order(const LiveLot& lot) {
  return std::tuple(lot.unit != kTokenUnit, lot.priority, lot.expires, lot.sequence);
}

LiveLot live(const Lot& lot) {
  return {lot.id, lot.unit, lot.priority, lot.expires, lot.sequence, lot.offerings};
}

void put_list(State& state, std::string_view payer_id, const std::vector<LiveLot>& lots) {
  if (lots.empty()) return state.erase(live_key(payer_id).view());
  FieldWriter value;
  for (const LiveLot& lot : lots) {
    value.text(lot.id).raw(lot.unit).number(lot.priority).time(lot.expires).number(lot.sequence);
    value.number(std::ssize(lot.offerings));
    for (const std::string& offering : lot.offerings) value.text(offering);
  }
  state.put(live_key(payer_id).view(), value.take());
}

}  // namespace

std::string_view name_of(LotKind kind) {
  return kKindNames.at(static_cast<size_t>(kind));
}

Result<LotKind> parse_lot_kind(std::string_view name) {
  const auto found = std::ranges::find(kKindNames, name);
  if (found == kKindNames.end()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a lot: write credit, quota, package or plan", name);
  }
  return static_cast<LotKind>(found - kKindNames.begin());
}

Record record_of(const Lot& lot) {
  json::object body = {{"kind", name_of(lot.kind)},
                       {"unit", lot.unit},
                       {"amount", lot.amount.to_pico_string()},
                       {"paid", lot.paid.to_pico_string()},
                       {"offerings", json::array(lot.offerings.begin(), lot.offerings.end())},
                       {"priority", lot.priority}};
  if (lot.expires != WallTime::max()) body["expires"] = lot.expires.time_since_epoch().count();
  return {.type = "lot",
          .id = lot.id,
          .parent = lot.payer_id,
          .name = lot.idempotency_key,
          .json = json::serialize(body)};
}

Result<Lot> lot_from(const Record& record) {
  JsonFields body(record.json);
  Lot lot{.id = record.id, .payer_id = record.parent};
  const auto kind = parse_lot_kind(body.text("kind"));
  lot.unit = body.text("unit");
  lot.amount = body.money("amount");
  lot.paid = body.money("paid");
  lot.offerings = body.texts("offerings");
  lot.priority = body.number("priority");
  lot.expires = body.time("expires").value_or(WallTime::max());
  lot.idempotency_key = record.name;
  lot.sequence = record.sequence;
  if (!body.ok() || !kind) return fail(ErrorCode::kCorrupt, "the lot {} cannot be read", record.id);
  lot.kind = *kind;
  return lot;
}

Result<Lot> find_lot(State& state, std::string_view id) {
  const auto record = TRY(find_record(state, "lot", id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no lot '{}'", id);
  return lot_from(*record);
}

Result<std::vector<LotBalance>> lots_of(State& state, std::string_view payer_id, int64_t limit,
                                        std::string_view after) {
  std::vector<LotBalance> lots;
  for (const Record& record : TRY(records_of(state, "lot", payer_id, limit, after))) {
    Lot lot = TRY(lot_from(record));
    const Money left = TRY(account(state, lot_account(lot.id), lot.unit));
    lots.push_back({std::move(lot), left});
  }
  return lots;
}

bool LiveLot::serves(std::string_view offering) const {
  return offerings.empty() || std::ranges::find(offerings, offering) != offerings.end();
}

Result<std::vector<LiveLot>> live_lots(State& state, std::string_view payer_id) {
  std::vector<LiveLot> lots;
  const std::string* value = TRY(state.get(live_key(payer_id).view()));
  if (value == nullptr) return lots;
  FieldReader fields(*value);
  while (fields.ok() && !fields.at_end()) {
    LiveLot lot{.id = fields.text(), .unit = std::string(fields.raw(3))};
    lot.priority = fields.number();
    lot.expires = fields.time();
    lot.sequence = fields.number();
    const int64_t offerings = fields.number();
    for (int64_t i = 0; i < offerings && fields.ok(); ++i) lot.offerings.push_back(fields.text());
    lots.push_back(std::move(lot));
  }
  if (!fields.ok()) return fail(ErrorCode::kCorrupt, "the row of the lots of {} cannot be read", payer_id);
  return lots;
}

Result<LiveLotChanges> live_lot_changes(State& state, const std::vector<Posting>& postings) {
  LiveLotChanges changes;
  for (const Posting& posting : postings) {
    if (!posting.account.starts_with(kLotAccounts)) continue;
    const Money before = TRY(account(state, posting.account, posting.currency));
    const Money after = before + posting.amount;
    if (before.is_zero() == after.is_zero()) continue;
    const Lot lot = TRY(find_lot(state, std::string_view(posting.account).substr(kLotAccounts.size())));
    const auto known = changes.lists.find(lot.payer_id);
    auto& list = known != changes.lists.end()
                     ? known->second
                     : changes.lists.emplace(lot.payer_id, TRY(live_lots(state, lot.payer_id))).first->second;
    if (after.is_zero()) {
      std::erase_if(list, [&](const LiveLot& each) { return each.id == lot.id; });
      changes.emptied.push_back(live(lot));
    } else {
      list.insert(std::ranges::upper_bound(list, burn_order(live(lot)), {}, burn_order), live(lot));
      changes.filled.push_back(live(lot));
    }
  }
  return changes;
}

void put_live_lots(State& state, const LiveLotChanges& changes) {
  for (const auto& [payer_id, list] : changes.lists) put_list(state, payer_id, list);
  for (const LiveLot& lot : changes.filled) {
    if (lot.expires != WallTime::max()) state.put(expiry_key(lot.expires, lot.id), "");
  }
  for (const LiveLot& lot : changes.emptied) {
    if (lot.expires != WallTime::max()) state.erase(expiry_key(lot.expires, lot.id));
  }
}

Result<std::vector<std::string>> expired_lots(State& state, WallTime now, int64_t limit) {
  std::vector<std::string> ids;
  const std::string end = KeyWriter('X').number(now.time_since_epoch().count() + 1).take();
  for (const StateRow& row : TRY(state.scan("X", limit))) {
    if (row.key >= end) break;
    ids.push_back(row.key.substr(9, row.key.size() - 10));
  }
  return ids;
}

}  // namespace feilun::ledger
