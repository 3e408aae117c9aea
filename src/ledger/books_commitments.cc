#include <algorithm>
#include <boost/json.hpp>

#include "base/ids.h"
#include "ledger/books.h"
#include "ledger/checked_amount.h"
#include "ledger/checked_text.h"
#include "ledger/closed_months.h"
#include "ledger/fields.h"
#include "ledger/invoicing.h"
#include "ledger/json_fields.h"
#include "ledger/rollups.h"

namespace feilun::ledger {
namespace {

constexpr int64_t kCommitmentsMax = 1000;
constexpr int64_t kTrueUpsMax = 12 * 9999;
constexpr size_t kMonthBytes = std::string_view("2026-02").size();

std::string true_up_key(std::string_view commitment_id, Month month) {
  return KeyWriter('J').text(commitment_id).text(to_string(month)).take();
}

void put_true_up(State& state, const TrueUp& done) {
  FieldWriter value;
  value.amount(done.charged).amount(done.shortfall).number(done.sequence);
  state.put(true_up_key(done.commitment_id, done.month), value.take());
}

Result<TrueUp> read_true_up(std::string_view commitment_id, Month month, std::string_view value) {
  FieldReader fields(value);
  TrueUp done{.commitment_id = std::string(commitment_id), .month = month};
  done.charged = fields.amount();
  done.shortfall = fields.amount();
  done.sequence = fields.number();
  if (!fields.ok() || !fields.at_end()) {
    return fail(ErrorCode::kCorrupt, "the true-up of {} cannot be read", commitment_id);
  }
  return done;
}

/// An invoice has what its month came to: nothing can be added to it.
Result<> check_not_invoiced(State& state, const Organisation& organisation, const Commitment& commitment,
                            WallTime now) {
  const TimeZone zone = TRY(TimeZone::find(organisation.time_zone));
  const Month current = zone.month_of(now);
  Month month = std::max(commitment.from, zone.month_of(organisation.created));
  for (; month < current && commitment.covers(month); month += std::chrono::months(1)) {
    if (!TRY(find_record_named(state, "invoice", invoice_name(organisation.id, month)))) {
      continue;
    }
    return fail(ErrorCode::kConflict, "'{}' has an invoice for {} already", organisation.name,
                to_string(month));
  }
  return {};
}

/// Whether it is the commitment that was asked for; it may have been ended since.
bool same_terms(const Commitment& made, const Commitment& asked) {
  const bool ended = made.until && (!asked.until || *asked.until > *made.until);
  return made.organisation == asked.organisation && made.currency == asked.currency &&
         made.amount == asked.amount && made.from == asked.from && (ended || made.until == asked.until);
}

bool overlap(const Commitment& a, const Commitment& b) {
  return (!a.until || b.from < *a.until) && (!b.until || a.from < *b.until);
}

}  // namespace

Record record_of(const Commitment& commitment) {
  boost::json::object body = {{"currency", commitment.currency},
                              {"amount", commitment.amount.to_pico_string()},
                              {"from", to_string(commitment.from)}};
  if (commitment.until) body["until"] = to_string(*commitment.until);
  return {.type = "commitment",
          .id = commitment.id,
          .parent = commitment.organisation,
          .name = commitment.idempotency_key,
          .json = boost::json::serialize(body)};
}

Result<Commitment> commitment_from(const Record& record) {
  JsonFields body(record.json);
  Commitment commitment{.id = record.id, .organisation = record.parent};
  commitment.currency = body.text("currency");
  commitment.amount = body.money("amount");
  const auto from = parse_month(body.text("from"));
  const std::string until = body.text("until");
  const auto end = parse_month(until);
  if (!body.ok() || !from || (!until.empty() && !end)) {
    return fail(ErrorCode::kCorrupt, "the commitment {} cannot be read", record.id);
  }
  commitment.from = *from;
  if (!until.empty()) commitment.until = *end;
  commitment.idempotency_key = record.name;
  return commitment;
}

Result<std::vector<Commitment>> commitments_of(State& state, std::string_view organisation) {
  std::vector<Commitment> commitments;
  for (const Record& record : TRY(records_of(state, "commitment", organisation, kCommitmentsMax))) {
    commitments.push_back(TRY(commitment_from(record)));
  }
  return commitments;
}

Result<std::optional<Commitment>> commitment_of(State& state, std::string_view organisation, Month month) {
  for (Commitment& each : TRY(commitments_of(state, organisation))) {
    if (each.covers(month)) return std::move(each);
  }
  return std::nullopt;
}

Result<Commitment> find_commitment(State& state, std::string_view id) {
  const auto record = TRY(find_record(state, "commitment", id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no commitment '{}'", id);
  return commitment_from(*record);
}

Result<std::vector<TrueUp>> true_ups_of(State& state, std::string_view commitment_id) {
  std::vector<TrueUp> all;
  const std::string prefix = KeyWriter('J').text(commitment_id).take();
  for (const StateRow& row : TRY(state.scan(prefix, kTrueUpsMax))) {
    const auto month = parse_month(std::string_view(row.key).substr(prefix.size(), kMonthBytes));
    if (!month) return fail(ErrorCode::kCorrupt, "a true-up of {} cannot be read", commitment_id);
    all.push_back(TRY(read_true_up(commitment_id, *month, row.value)));
  }
  return all;
}

Result<std::optional<TrueUp>> find_true_up(State& state, std::string_view commitment_id, Month month) {
  const std::string* value = TRY(state.get(true_up_key(commitment_id, month)));
  if (value == nullptr) return std::nullopt;
  return TRY(read_true_up(commitment_id, month, *value));
}

Result<Commitment> Books::commit(Commitment commitment) {
  const Organisation organisation = TRY(find_organisation(state_, commitment.organisation));
  commitment.organisation = organisation.id;
  TRY(check_text("idempotency key", commitment.idempotency_key, true));
  if (const auto before = TRY(find_record_named(state_, "commitment", commitment.idempotency_key))) {
    Commitment made = TRY(commitment_from(*before));
    if (same_terms(made, commitment)) return made;
    return fail(ErrorCode::kConflict, "the idempotency key '{}' was used for another commitment",
                commitment.idempotency_key);
  }
  if (commitment.currency != organisation.currency) {
    return fail(ErrorCode::kInvalidArgument, "the wallet of '{}' is in {}, not {}", organisation.name,
                organisation.currency, commitment.currency);
  }
  TRY(check_amount("commitment", commitment.amount, kLeastAmount));
  if (!commitment.from.ok() || (commitment.until && *commitment.until <= commitment.from)) {
    return fail(ErrorCode::kInvalidArgument, "the commitment would end before it begins");
  }
  const Month current = TRY(TimeZone::find(organisation.time_zone)).month_of(now_);
  // Every month that is over is charged at once: not years for a slip of the pen.
  const Month earliest = current - std::chrono::months(1);
  if (commitment.from < earliest) {
    return fail(ErrorCode::kInvalidArgument, "a commitment begins last month, {}, or later",
                to_string(earliest));
  }
  const auto others = TRY(commitments_of(state_, organisation.id));
  const auto overlaps = [&](const Commitment& other) { return overlap(other, commitment); };
  if (std::ssize(others) >= kCommitmentsMax || std::ranges::any_of(others, overlaps)) {
    return fail(ErrorCode::kConflict, "'{}' has a commitment for some of these months", organisation.name);
  }
  TRY(check_not_invoiced(state_, organisation, commitment, now_));
  commitment.id = new_id("cmt");
  TRY(act("create", std::nullopt, record_of(commitment)));
  return commitment;
}

Result<Commitment> Books::end_commitment(std::string_view commitment_id, Month until) {
  const auto before = TRY(find_record(state_, "commitment", commitment_id));
  if (!before) return fail(ErrorCode::kNotFound, "there is no commitment '{}'", commitment_id);
  Commitment commitment = TRY(commitment_from(*before));
  const Organisation organisation = TRY(find_organisation(state_, commitment.organisation));
  const Month current = TRY(TimeZone::find(organisation.time_zone)).month_of(now_);
  if (!until.ok() || until < current || (commitment.until && until > *commitment.until)) {
    return fail(ErrorCode::kInvalidArgument, "a commitment can end from this month on, {}, and not be longer",
                to_string(current));
  }
  commitment.until = until;
  TRY(act("change", before, record_of(commitment)));
  return commitment;
}

Result<std::optional<TrueUp>> Books::true_up(std::string_view organisation, Month month) {
  const Organisation owner = TRY(find_organisation(state_, organisation));
  const auto commitment = TRY(commitment_of(state_, owner.id, month));
  if (!commitment) return std::nullopt;
  if (const auto done = TRY(find_true_up(state_, commitment->id, month))) return done;
  const TimeZone zone = TRY(TimeZone::find(owner.time_zone));
  if (now_ < zone.period_of(month).until) {
    return fail(ErrorCode::kConflict, "the month {} of '{}' is not over yet", to_string(month), owner.name);
  }
  TrueUp done{.commitment_id = commitment->id, .month = month};
  done.charged = TRY(charged_in(state_, owner.id, month));
  done.shortfall = std::max(commitment->amount - done.charged, Money());
  Payload payload(EntryKind::kTrueUp);
  payload.text(commitment->id).text(owner.id).text(to_string(month)).amount(commitment->amount);
  payload.amount(done.charged);
  done.sequence = TRY(record(std::move(payload), {{wallet_of(owner.id), owner.currency, -done.shortfall},
                                                  {"revenue", owner.currency, done.shortfall}}));
  put_true_up(state_, done);
  TRY(close_month(state_, owner.id, month));
  return done;
}

}  // namespace feilun::ledger
