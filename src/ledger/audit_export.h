#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "ledger/audit.h"

namespace feilun::ledger::audit {

enum class ExportFormat : uint8_t { kJsonLines, kCsv, kCloudEvents };

/// from ≤ an entry's time < until, in microseconds since 1970.
struct ExportRange {
  int64_t from = INT64_MIN;
  int64_t until = INT64_MAX;
};

/// Gives `write` the journal's entries in order, as text that other programs read; returns how many.
///   JSON lines: an entry a line, with its fields by the document's names and `postings`.
///   CloudEvents: an event (CloudEvents 1.0) a line, whose `data` is what JSON lines say of the entry.
///   CSV: a posting a line (an entry without postings has one line too); the entry's fields are JSON in the
///   column `fields`.
/// Amounts are exact: a decimal, and beside it pico-units under a name that ends in `_pico`, both as text.
Result<int64_t> export_journal(const Place& place, ExportFormat format, const ExportRange& range,
                               const std::function<Result<>(std::string_view)>& write);

}  // namespace feilun::ledger::audit
