#pragma once

#include "base/money.h"
#include "ledger/rows.h"

// Which tokens of a request packages pay for, and what the others may cost.
//
// A package covers the input first and then the output, at hold as at settlement; what it does not cover is
// held at the dearest unit prices that the request can meet. At settlement the covered tokens are taken from
// the classes in the order fresh input, cache write, cache read, output, reasoning. So covered input can only
// push coverage on to the output, never the reverse, and what remains to be paid is never more than was held:
// packages that cover less than the whole input leave all output to money, and a top-up draws on packages
// only where they cover the whole input already.

namespace feilun::ledger {

/// The dearest that a token of a request can be.
struct WorstUnits {
  Money input;
  Money output;
};

struct Coverage {
  bool payable = false;          ///< the input, and one token of output if any is asked for
  TokenCount output_tokens = 0;  ///< that can be paid, of those asked for
  TokenCount covered = 0;        ///< of input and output, by packages
  Money money;                   ///< for the rest
};

/// What `packages` tokens and `money` pay of a hold of `input` tokens and a slice of output.
Coverage cover_hold(TokenCount input, TokenCount slice, const WorstUnits& worst, TokenCount packages,
                    Money money);
/// What they pay of `more` output tokens of an open request.
Coverage cover_top_up(const OpenHold& open, TokenCount more, const WorstUnits& worst, TokenCount packages,
                      Money money);

/// How many tokens of the usage `covered` package tokens pay for: at most all.
TokenCount covered_of(const pricing::TokenUsage& usage, TokenCount covered);
/// What is left of the usage to be paid with money.
pricing::TokenUsage uncovered(pricing::TokenUsage usage, TokenCount covered);
/// What packages pay of it: each class less what is paid with money.
pricing::TokenUsage without(pricing::TokenUsage usage, const pricing::TokenUsage& paid);

}  // namespace feilun::ledger
