#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/civil_time.h"
#include "base/money.h"

/// What an invoice or a credit note says, read from its JSON (docs/formats/invoice.md) and held against the
/// rules that need nothing but the paper itself.
namespace feilun::ledger::audit {

struct PaperLine {
  std::string kind, project, offering, tier, token_class, reference;
  int64_t price = 0, quantity = 0, covered = 0;
  int128 unit = 0, exact = 0, amount = 0, tax = 0;
};

struct PaperTax {
  std::string name, percent;
  int128 amount = 0;
};

struct Paper {
  std::string number, corrects, organisation, currency, issued;
  Period period;
  Day due_on{};
  std::vector<PaperLine> lines;
  std::vector<PaperTax> taxes;
  int128 net = 0, total = 0, paid = 0, due = 0, exact = 0, residue = 0;
  int128 coin = 1;
};

/// A text that is a member of a record's body, or nothing.
std::string text_of(std::string_view json, std::string_view name);

/// The paper, or what is wrong with the text.
std::expected<Paper, std::string> read_paper(std::string_view json);

/// What does not add up, in words; empty when all does. Notes are not rounded: they take back what was.
std::string fault_of_sums(const Paper& paper);
std::string fault_of_rounding(const Paper& paper);

/// So many percent of `net`, in whole coins, halves away from zero. Below zero for no percentage.
int128 tax_on(int128 net, std::string_view percent, int128 coin);

}  // namespace feilun::ledger::audit
