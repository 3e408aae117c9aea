#include "ledger/credit_note.h"

#include <algorithm>
#include <boost/json.hpp>

#include "ledger/currency.h"
#include "ledger/invoice_formats.h"
#include "ledger/json_fields.h"

namespace feilun::ledger {
namespace {

struct LineLeft {
  Money amount;
  Money exact;
  bool touched = false;

  bool nothing() const { return amount.is_zero() && exact.is_zero(); }
};

Result<std::vector<LineLeft>> lines_left(const Invoice& invoice, const std::vector<TakenBack>& earlier) {
  std::vector<LineLeft> left;
  for (const InvoiceLine& line : invoice.lines) left.push_back({line.amount, line.charge.amount});
  for (const TakenBack& taken : earlier) {
    if (taken.line >= left.size()) return fail(ErrorCode::kCorrupt, "a credit note is of no line");
    LineLeft& line = left[taken.line];
    line = {line.amount - taken.amount, line.exact - taken.exact, true};
  }
  return left;
}

std::vector<CreditedLine> all_of(const std::vector<LineLeft>& left) {
  std::vector<CreditedLine> lines;
  for (size_t i = 0; i < left.size(); ++i) {
    if (!left[i].nothing()) lines.push_back({.line = i});
  }
  return lines;
}

/// What the credited line takes of what is left; takes it off.
Result<TakenBack> take(const CreditedLine& asked, std::vector<LineLeft>& left, Money unit) {
  if (asked.line >= left.size()) {
    return fail(ErrorCode::kInvalidArgument, "the invoice has no line {}: it has {}, from 0", asked.line,
                left.size());
  }
  LineLeft& line = left[asked.line];
  if (line.nothing()) return fail(ErrorCode::kConflict, "line {} is already taken back", asked.line);
  TakenBack taken{asked.line, asked.amount.value_or(line.amount), line.exact};
  const bool less = line.amount.is_negative() ? taken.amount >= line.amount && taken.amount < Money()
                                              : taken.amount <= line.amount && taken.amount > Money();
  if (asked.amount && (!less || taken.amount.pico() % unit.pico() != 0)) {
    return fail(ErrorCode::kInvalidArgument, "{} is not an amount of the {} that are left of line {}",
                taken.amount.to_string(), line.amount.to_string(), asked.line);
  }
  if (taken.amount != line.amount) taken.exact = taken.amount;
  line = {line.amount - taken.amount, line.exact - taken.exact, true};
  return taken;
}

/// The note's line. Of part of a line nobody can say which tokens it is of.
InvoiceLine reversed(const InvoiceLine& line, const TakenBack& taken) {
  InvoiceLine back{line.charge, -taken.amount, Money()};
  const bool whole = taken.amount == line.amount && taken.exact == line.charge.amount;
  back.charge.quantity = whole ? -line.charge.quantity : 0;
  back.charge.covered = whole ? -line.charge.covered : 0;
  back.charge.amount = -taken.exact;
  if (!whole) back.charge.description += back.charge.description.empty() ? "in part" : ", in part";
  return back;
}

/// Reverses the taxes line by line, each time by the difference that the line makes to what is left.
Result<> reverse_taxes(const Invoice& invoice, Money net_left, Invoice& note, Money unit) {
  for (const TaxLine& tax : invoice.taxes) {
    Money net = net_left;
    TaxLine back{tax.rate, Money()};
    for (InvoiceLine& line : note.lines) {
      const Money before = TRY(tax_of(net, tax.rate.percent, unit));
      net += line.amount;
      const Money difference = TRY(tax_of(net, tax.rate.percent, unit)) - before;
      line.tax += difference;
      back.amount += difference;
    }
    note.taxes.push_back(back);
  }
  return {};
}

}  // namespace

Result<CreditNote> make_credit_note(const Invoice& invoice, CreditNoteFacts facts) {
  if (!invoice.corrects.empty()) {
    return fail(ErrorCode::kConflict, "{} is a credit note: it cannot be taken back", invoice.facts.number);
  }
  const Money unit = smallest_unit(invoice.digits);
  std::vector<LineLeft> left = TRY(lines_left(invoice, facts.earlier));
  Money net_left;
  for (const LineLeft& line : left) net_left += line.amount;
  if (facts.lines.empty()) facts.lines = all_of(left);
  if (facts.lines.empty()) return fail(ErrorCode::kConflict, "{} is taken back", invoice.facts.number);
  CreditNote made{.note = {.facts = invoice.facts}};
  Invoice& note = made.note;
  note.facts.number = std::move(facts.number);
  note.facts.issued = facts.issued;
  note.facts.due_days = 0;
  note.facts.payments.clear();
  note.corrects = invoice.facts.number;
  note.reason = std::move(facts.reason);
  note.digits = invoice.digits;
  std::ranges::sort(facts.lines, {}, &CreditedLine::line);
  for (const CreditedLine& line : facts.lines) {
    made.taken.push_back(TRY(take(line, left, unit)));
    note.lines.push_back(reversed(invoice.lines[line.line], made.taken.back()));
  }
  TRY(reverse_taxes(invoice, net_left, note, unit));
  close_sums(note);
  if (note.net > Money() || net_left + note.net < Money()) {
    return fail(ErrorCode::kInvalidArgument, "the invoice asks for {} still, and these lines are {}",
                net_left.to_string(), (-note.net).to_string());
  }
  return made;
}

Record record_of(const CreditNote& made, std::string name) {
  boost::json::array lines;
  for (const TakenBack& taken : made.taken) {
    lines.push_back(boost::json::object{{"line", taken.line},
                                        {"amount", taken.amount.to_pico_string()},
                                        {"exact", taken.exact.to_pico_string()}});
  }
  const boost::json::object body = {{"lines", std::move(lines)}, {"note", invoice_json(made.note)}};
  return {.type = "credit_note",
          .id = made.note.facts.number,
          .parent = made.note.corrects,
          .name = std::move(name),
          .json = boost::json::serialize(body)};
}

Result<CreditNote> credit_note_from(const Record& record) {
  JsonFields body(record.json);
  CreditNote read;
  const std::string note = body.text("note");
  for (JsonFields& line : body.objects("lines")) {
    read.taken.push_back(
        {static_cast<size_t>(line.number("line")), line.money("amount"), line.money("exact")});
  }
  if (!body.ok()) return fail(ErrorCode::kCorrupt, "the credit note {} cannot be read", record.id);
  read.note = TRY(invoice_from_json(note));
  return read;
}

Result<CreditNote> find_credit_note(State& state, std::string_view number) {
  const auto record = TRY(find_record(state, "credit_note", number));
  if (!record) return fail(ErrorCode::kNotFound, "there is no credit note '{}'", number);
  return credit_note_from(*record);
}

Result<std::vector<CreditNote>> credit_notes_of(State& state, std::string_view invoice) {
  std::vector<Record> records = TRY(records_of(state, "credit_note", invoice, kNotesMax));
  std::ranges::sort(records, {}, &Record::sequence);
  std::vector<CreditNote> notes;
  for (const Record& record : records) notes.push_back(TRY(credit_note_from(record)));
  return notes;
}

Result<std::vector<TakenBack>> taken_back(State& state, std::string_view invoice, int64_t until) {
  std::vector<TakenBack> taken;
  for (const Record& record : TRY(records_of(state, "credit_note", invoice, kNotesMax))) {
    if (record.sequence > until) continue;
    const auto note = TRY(credit_note_from(record));
    taken.insert(taken.end(), note.taken.begin(), note.taken.end());
  }
  return taken;
}

}  // namespace feilun::ledger
