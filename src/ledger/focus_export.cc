#include "ledger/focus_export.h"

#include <algorithm>
#include <ranges>

#include "ledger/billing.h"
#include "ledger/books.h"
#include "ledger/credit_note.h"
#include "ledger/draws.h"
#include "ledger/focus.h"
#include "ledger/ledger.h"
#include "ledger/rollups.h"

namespace feilun::ledger {
namespace {

using std::chrono::hours;

constexpr auto kLongestRequest = hours(24);  ///< an older hold is looked for in the journal
constexpr int64_t kRecordsMax = 10'000'000;
constexpr size_t kRowsWaitingMax = 100'000;
constexpr std::string_view kService = "Model API";

bool is_lot(const Posting& posting) {
  return posting.account.starts_with(kLotAccounts);
}

/// What a settle's draws of an account spent.
Money spent_of(const std::vector<Posting>& spent, std::string_view account) {
  Money sum;
  for (const Posting& each : spent) {
    if (each.account == account) sum += each.amount;
  }
  return sum;
}

/// The part of a request's charge that one of its refunds gave back.
ChargeStretch stretch_of(const ChargedRequest& request, const std::vector<Refund>& refunds,
                         int64_t sequence) {
  ChargeStretch stretch{.tokens_until = request.covered(), .money_until = request.charged()};
  for (const Refund& refund : refunds) {
    stretch.tokens_from = stretch.tokens_until - refund.tokens;
    stretch.money_from = stretch.money_until - refund.amount;
    if (refund.sequence == sequence) return stretch;
    stretch.tokens_until = stretch.tokens_from;
    stretch.money_until = stretch.money_from;
  }
  return {};
}

/// A request that ended with the entry `ended`, from its two entries.
Result<ChargedRequest> request_of(State& state, std::string_view request_id, int64_t ended) {
  const JournalRow held = TRY(hold_entry(state, request_id, ended));
  const JournalRow settled = TRY(journal_entry(state.store(), ended));
  ChargedRequest request = TRY(request_from_hold(held));
  TRY(read_settle(settled, request));
  return request;
}

}  // namespace

Result<FocusProvider> focus_provider(State& state) {
  const std::string said = TRY(find_billing(state, kSeller)).party.name;
  const std::string seller = said.empty() ? "feilun" : said;
  return FocusProvider{seller, seller, seller, std::string(kService)};
}

FocusExport::FocusExport(Month month, std::string scope)
    : month_(month), scope_(std::move(scope)), rows_(month, scope_) {
  const Period utc = TimeZone::utc().period_of(month);
  around_ = {utc.from - kZonesSpan, utc.until + kZonesSpan};
}

Result<FocusExport> FocusExport::begin(State& state, Month month, std::string_view owner) {
  std::string scope(owner);
  if (!owner.empty() && owner != "default") scope = TRY(find_buyer(state, owner)).id;
  FocusExport exported(month, std::move(scope));
  TRY(exported.find_beginning(state));
  return exported;
}

/// How far a package was used before the month its own entries tell: reading begins where the oldest of those
/// that the month may know was bought. And once the month before was closed for someone, what is charged
/// counts in this one, whatever the clock says.
Result<> FocusExport::find_beginning(State& state) {
  JournalRange range{.from = around_.from - kLongestRequest, .until = around_.until};
  for (const Record& record : TRY(all_records(state, "lot", kRecordsMax))) {
    const Lot lot = TRY(lot_from(record));
    const bool is_bought = lot.kind == LotKind::kPackage || lot.kind == LotKind::kPlan;
    if (!is_bought || lot.expires < range.from) continue;
    if (TRY(rows_.account(state, lot.payer_id)) == nullptr) continue;
    range.thorough_from = std::min(range.thorough_from, lot.sequence);
  }
  const Month before = month_ - std::chrono::months(1);
  const auto first = TRY(find_record(state, "invoice", fmt::format("{}-0001", to_string(before))));
  if (first) opened_ = first->sequence;
  for (const Record& record : TRY(all_records(state, "commitment", kRecordsMax))) {
    const auto done = TRY(find_true_up(state, record.id, before));
    if (done) opened_ = std::min(opened_, done->sequence);
  }
  range.thorough_from = std::min(range.thorough_from, opened_);
  walk_ = JournalWalk(range);
  return {};
}

Result<bool> FocusExport::next(State& state, std::vector<FocusCharge>& rows) {
  const auto entries = TRY(walk_.next(state.store()));
  for (const JournalRow& row : entries) {
    const WallTime hour = std::chrono::floor<hours>(row.time);
    if (hour != hour_ || rows_.waiting() > kRowsWaitingMax) rows_.flush(rows);
    hour_ = hour;
    TRY(entry(state, row));
  }
  if (!entries.empty()) return true;
  TRY(finish(state, rows));
  rows_.flush(rows);
  return false;
}

Result<> FocusExport::entry(State& state, const JournalRow& row) {
  if (row.time >= around_.until) return {};
  FieldReader fields(row.payload);
  switch (static_cast<EntryKind>(fields.byte())) {
    case EntryKind::kHold:
      return hold(state, row);
    case EntryKind::kTopUp:
      return top_up(fields);
    case EntryKind::kSettle:
      return settle(state, row, fields.text());
    case EntryKind::kRelease:
      return release(state, row, fields.text());
    case EntryKind::kGrant:
      return grant(state, row, fields.text());
    case EntryKind::kExpire:
      return expire(state, row, fields.text());
    case EntryKind::kRefund:
      return refund(state, row, fields.text());
    case EntryKind::kCreditNote:
      return credit_note(state, row, fields);
    default:
      return {};
  }
}

bool FocusExport::may_count(const JournalRow& row) const {
  return row.time < around_.until && (row.time >= around_.from || row.sequence > opened_);
}

Result<FocusAccount*> FocusExport::account_at(State& state, std::string_view payer, const JournalRow& row) {
  if (!may_count(row)) return nullptr;
  FocusAccount* account = TRY(rows_.account(state, payer));
  return account != nullptr && account->months.at(row.sequence, row.time) == month_ ? account : nullptr;
}

Result<> FocusExport::hold(State& state, const JournalRow& row) {
  ChargedRequest request = TRY(request_from_hold(row));
  OpenRequest& open = open_[request.id];
  open = {};
  FieldReader fields(row.payload);
  fields.byte();
  for (int i = 0; i < 5; ++i) fields.text();
  fields.byte();
  for (int i = 0; i < 4; ++i) fields.number();
  fields.byte();
  fields.text();
  for (const Posting& posting : read_postings(fields)) {
    if (is_lot(posting)) open.lots.emplace_back(posting.account, -posting.amount);
  }
  const bool asked_for = TRY(rows_.account(state, request.payer_id)) != nullptr;
  if (asked_for) open.request = std::move(request);
  if (fields.ok()) return {};
  return fail(ErrorCode::kCorrupt, "the journal's entry {} cannot be read", row.sequence);
}

Result<> FocusExport::top_up(FieldReader& fields) {
  const auto open = open_.find(fields.text());
  if (open == open_.end()) return {};
  fields.number();
  fields.byte();
  for (const Posting& posting : read_postings(fields)) {
    if (is_lot(posting)) open->second.lots.emplace_back(posting.account, -posting.amount);
  }
  return {};
}

Result<> FocusExport::settle(State& state, const JournalRow& row, std::string_view request_id) {
  const auto place = open_.find(std::string(request_id));
  OpenRequest open;
  if (place != open_.end()) {
    open = std::move(place->second);
    open_.erase(place);
    if (!open.request) return {};
    TRY(read_settle(row, *open.request));
  } else if (may_count(row)) {
    open.request = TRY(request_of(state, request_id, row.sequence));
  } else {
    open.request.emplace();
    TRY(read_settle(row, *open.request));
  }
  const ChargedRequest& request = *open.request;
  FocusAccount* account = TRY(account_at(state, request.payer_id, row));
  if (account != nullptr) {
    const auto parts = parts_of(request, *TRY(rows_.units_of(state, request)));
    TRY(rows_.add_request(state, *account, request, parts, /*gives_back=*/false, lots_));
  } else {
    TRY(use_lots(state, request.spent));
  }
  return leave_rest(state, open, request.spent, row);
}

Result<> FocusExport::release(State& state, const JournalRow& row, std::string_view request_id) {
  const auto place = open_.find(std::string(request_id));
  if (place == open_.end()) return {};
  const OpenRequest open = std::move(place->second);
  open_.erase(place);
  return open.request ? leave_rest(state, open, {}, row) : Result<>();
}

Result<> FocusExport::use_lots(State& state, const std::vector<Posting>& spent) {
  for (const Posting& each : spent) {
    if (FocusLots::Known* known = TRY(lots_.of_account(state, each.account))) {
      FocusLots::use(*known, each.amount);
    }
  }
  return {};
}

Result<> FocusExport::leave_rest(State& state, const OpenRequest& open, const std::vector<Posting>& spent,
                                 const JournalRow& row) {
  std::map<std::string, Money> drawn;
  for (const auto& [account, amount] : open.lots) drawn[account] += amount;
  for (const auto& [account, amount] : drawn) {
    FocusLots::Known* known = TRY(lots_.of_account(state, account));
    if (known->lot.expires > row.time) continue;
    TRY(leave(state, *known, amount - spent_of(spent, account), row));
  }
  return {};
}

Result<> FocusExport::leave(State& state, FocusLots::Known& known, Money amount, const JournalRow& row) {
  if (amount.is_zero()) return {};
  const Money share = FocusLots::leave(known, amount);
  if (!known.is_bought()) return {};
  FocusAccount* account = TRY(account_at(state, known.lot.payer_id, row));
  if (account == nullptr) return {};
  rows_.add_lot(*account, known.lot, FocusCommitment::Part::kUnused, row.time, amount, share);
  return {};
}

Result<> FocusExport::grant(State& state, const JournalRow& row, std::string_view lot_id) {
  FocusLots::Known& known = *TRY(lots_.find(state, lot_id));
  if (!known.is_bought()) return {};
  FocusAccount* account = TRY(account_at(state, known.lot.payer_id, row));
  if (account == nullptr) return {};
  rows_.add_lot(*account, known.lot, FocusCommitment::Part::kBought, row.time, known.lot.amount,
                known.lot.paid);
  return {};
}

Result<> FocusExport::expire(State& state, const JournalRow& row, std::string_view lot_id) {
  FieldReader fields(row.payload);
  fields.byte();
  fields.text();
  fields.text();
  Money left;
  for (const Posting& posting : read_postings(fields)) {
    if (is_lot(posting)) left -= posting.amount;
  }
  return leave(state, *TRY(lots_.find(state, lot_id)), left, row);
}

Result<> FocusExport::refund(State& state, const JournalRow& row, std::string_view request_id) {
  const auto ended = TRY(ended_by(state, request_id));
  if (!ended) return fail(ErrorCode::kCorrupt, "the refunded request {} has not ended", request_id);
  const ChargedRequest request = TRY(request_of(state, request_id, *ended));
  if (TRY(rows_.account(state, request.payer_id)) == nullptr) return {};
  const auto refunds = TRY(refunds_of(state, request_id));
  const auto parts =
      parts_of(request, *TRY(rows_.units_of(state, request)), stretch_of(request, refunds, row.sequence));
  FocusAccount* account = TRY(account_at(state, request.payer_id, row));
  if (account != nullptr) {
    TRY(rows_.add_request(state, *account, request, parts, /*gives_back=*/true, lots_));
  }
  for (const ChargePart& part : parts) {
    FocusLots::Known* known = TRY(lots_.of_account(state, part.account));
    if (known == nullptr) continue;
    const Money amount = part.cost.is_zero() ? token_amount(part.tokens) : part.cost;
    if (account == nullptr) FocusLots::give_back(*known, amount);
    if (known->lot.expires <= row.time) TRY(leave(state, *known, amount, row));
  }
  return {};
}

Result<> FocusExport::credit_note(State& state, const JournalRow& row, FieldReader& fields) {
  fields.text();  // who acted
  const CreditNote credited = TRY(find_credit_note(state, fields.text()));
  const Invoice& note = credited.note;
  FocusAccount* account = TRY(account_at(state, note.facts.organisation_id, row));
  if (account == nullptr) return {};
  FocusCosts costs;
  std::vector<FocusCharge> charges;
  for (const InvoiceLine& line : note.lines) {
    FocusCharge charge = FocusRows::charge_of(*account);
    charge.category = ChargeCategory::kAdjustment;
    charge.project_id = line.charge.project_id;
    charge.project_name = line.charge.project_name;
    charge.billed = line.charge.amount;
    charge.description = fmt::format("Credit note on the invoice {}", note.corrects);
    costs += charge;
    charges.push_back(std::move(charge));
  }
  std::ranges::move(TRY(focus_invoice_charges(note, costs)), std::back_inserter(charges));
  for (FocusCharge& charge : charges) {
    charge.invoice_number = note.facts.number;
    charge.corrects_invoiced = true;
    charge.billing_period = account->period;
    charge.charge_period = note.facts.period;
    rows_.add(std::move(charge));
  }
  return {};
}

Result<> FocusExport::true_ups(State& state) {
  for (const Record& record : TRY(all_records(state, "commitment", kRecordsMax))) {
    const Commitment commitment = TRY(commitment_from(record));
    const auto done = TRY(find_true_up(state, commitment.id, month_));
    if (!done || done->shortfall.is_zero()) continue;
    FocusAccount* account = TRY(rows_.account(state, commitment.organisation));
    if (account == nullptr) continue;
    FocusCharge charge = FocusRows::charge_of(*account);
    charge.category = ChargeCategory::kAdjustment;
    charge.billed = done->shortfall;
    charge.description =
        fmt::format("True-up to the commitment of {} {}", commitment.amount.to_string(), commitment.currency);
    rows_.add(std::move(charge));
  }
  return {};
}

Result<> FocusExport::invoice(State& state, FocusAccount& account) {
  if (account.invoice_number.empty()) return {};
  const Invoice invoice = TRY(issued_invoice(state, account.invoice_number));
  for (FocusCharge& charge : TRY(focus_invoice_charges(invoice, account.costs))) {
    charge.organisation_name = account.buyer.name;
    rows_.add(std::move(charge));
  }
  return {};
}

Result<> FocusExport::finish(State& state, std::vector<FocusCharge>& rows) {
  for (const std::string& payer : TRY(payers_with_usage(state))) TRY(rows_.account(state, payer));
  TRY(true_ups(state));
  rows_.flush(rows);  // so that the accounts have all their costs
  for (FocusAccount* account : rows_.accounts()) {
    Money charged;
    for (const UsageRow& row : TRY(monthly_usage(state, account->buyer.id, month_)))
      charged += row.sums.charged;
    if (charged != account->charged) {
      return fail(ErrorCode::kCorrupt, "the journal charges {} {} {} in {}, the month's sums {}",
                  account->buyer.name, account->charged.to_string(), account->buyer.currency,
                  to_string(month_), charged.to_string());
    }
    TRY(invoice(state, *account));
  }
  return {};
}

Result<FocusCsv> FocusCsv::begin(Ledger& ledger, Month month, const std::string& owner) {
  auto provider = TRY(ledger.read<FocusProvider>(focus_provider));
  auto exported =
      TRY(ledger.read<FocusExport>([&](State& state) { return FocusExport::begin(state, month, owner); }));
  return FocusCsv(ledger, std::move(provider), std::move(exported));
}

Result<std::string> FocusCsv::next() {
  std::string csv;
  while (more_ && csv.empty()) {
    std::vector<FocusCharge> rows;
    more_ = TRY(ledger_->read<bool>([&](State& state) { return exported_.next(state, rows); }));
    for (const FocusCharge& row : rows) append_focus_row(csv, provider_, row);
    rows_ += std::ssize(rows);
  }
  return std::exchange(begun_, true) ? csv : focus_csv_header() + csv;
}

}  // namespace feilun::ledger
