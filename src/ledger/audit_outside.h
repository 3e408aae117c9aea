#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"
#include "base/result.h"

namespace feilun::ledger::audit {

/// One request as somebody else's record has it. What the record does not say is absent.
struct OutsideRow {
  std::string request;
  std::optional<int64_t> input_tokens;
  std::optional<int64_t> output_tokens;
  std::optional<int128> amount;  ///< pico-units
  std::string currency = {};
};

/// How the record calls its columns; empty: by one of the usual names (request_id, id, request; input_tokens,
/// prompt_tokens; output_tokens, completion_tokens; amount, cost, spend; currency). In JSON a dot leads into
/// an object: usage.prompt_tokens. An amount column whose name ends in _pico counts pico-units.
struct OutsideColumns {
  std::string request, input, output, amount, currency;
};

/// Reads CSV with a line of names, or JSON lines, as the first character tells. kInvalidArgument with the
/// number of the line that cannot be read, or when no column names the requests. Amounts are decimals of any
/// length, rounded half up to a pico-unit.
Result<std::vector<OutsideRow>> read_outside(std::string_view text, const OutsideColumns& columns = {});

/// "0.0012", "-3", "1.2e-05" → pico-units.
std::optional<int128> read_decimal(std::string_view text);

}  // namespace feilun::ledger::audit
