#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/invoice.h"
#include "ledger/limits.h"
#include "ledger/record.h"
#include "ledger/state.h"

// A credit note takes back lines of an invoice, or parts of them, and of each tax the difference that this
// makes to the tax of what is left; so notes that together take back all lines take back exactly the
// invoice's total, tax and residue. It never takes more of a line than earlier notes left, and never more
// than the invoice still asks for: lines that gave money back have lowered that.

namespace feilun::ledger {

inline constexpr int64_t kNotesMax = 100'000;  ///< of an invoice

/// A line of the invoice, counted from 0; without an amount, all that is left of it.
struct CreditedLine {
  size_t line = 0;
  std::optional<Money> amount = {};
};

/// What a note took back of a line, with the line's sign.
struct TakenBack {
  size_t line = 0;
  Money amount;  ///< rounded, as in the invoice's line
  Money exact;   ///< the last of a line takes what rounding made of it back as well

  friend bool operator==(const TakenBack&, const TakenBack&) = default;
};

struct CreditNoteFacts {
  std::string number;
  std::string reason;
  std::vector<CreditedLine> lines;  ///< none: all that is left of every line
  std::vector<TakenBack> earlier;   ///< by the notes before
  WallTime issued;
};

/// The note is an invoice whose amounts are negative.
struct CreditNote {
  Invoice note;
  std::vector<TakenBack> taken;  ///< line by line of the note
};

/// kInvalidArgument for a line that is not there or more than is left; kConflict for a line of which nothing
/// is left, or a note of a note.
Result<CreditNote> make_credit_note(const Invoice& invoice, CreditNoteFacts facts);

/// The note's record belongs to the invoice; a name makes it one that is made once.
Record record_of(const CreditNote& note, std::string name);
Result<CreditNote> credit_note_from(const Record& record);
/// kNotFound.
Result<CreditNote> find_credit_note(State& state, std::string_view number);
/// Those of an invoice, oldest first.
Result<std::vector<CreditNote>> credit_notes_of(State& state, std::string_view invoice);
/// What they took back; those above `until` (of entries) left aside.
Result<std::vector<TakenBack>> taken_back(State& state, std::string_view invoice,
                                          int64_t until = kSequenceMax);

}  // namespace feilun::ledger
