#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/verify_fields.h"

/// Prices once more: the bodies of price records and what follows from them for holds and charges.
namespace feilun::ledger::audit {

struct PriceRow {
  int64_t tier = 0;
  int64_t input_from = 0;
  int64_t volume_from = 0;
  int128 units[5] = {};  ///< of the Classes, in their order; each from 0 to 10²⁴
};

struct Price {
  std::string offering;
  std::string currency;
  std::string organisation;  ///< empty: the list price
  int64_t from = 0;
  int64_t until = INT64_MAX;
  std::vector<PriceRow> rows;

  /// What a request of the tier with at most `input_tokens` may pay at most for an input or output token.
  int128 worst_input(int64_t tier, int64_t input_tokens) const;
  int128 worst_output(int64_t tier, int64_t input_tokens) const;
  /// The row that prices the request.
  int64_t row_of(int64_t tier, int64_t input_tokens, int64_t volume) const;

 private:
  int64_t priced_as(int64_t tier) const;
  int128 worst(int64_t tier, int64_t input_tokens, int first_class, int last_class) const;
};

int128 cost_of(const PriceRow& row, const Classes& usage);

/// A price record's body, or what is wrong with it.
std::expected<Price, std::string> read_price(std::string_view json);

/// Puts a version among the others of its offering, currency and organisation, by the document's rule. What
/// is wrong with it, or nothing.
std::string insert_version(std::vector<Interval>& versions, const Interval& version);

}  // namespace feilun::ledger::audit
