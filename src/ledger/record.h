#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/state.h"

namespace feilun::ledger {

/// One administrative object: a project, a key, a price, a limit … Its body is JSON; what every kind of
/// object needs (to be found, listed and watched) stands beside it and works the same for all.
struct Record {
  std::string type;    ///< "project"
  std::string id;      ///< unique within the type
  std::string parent;  ///< the object it belongs to, for lists; may be empty
  std::string name;    ///< unique within the type; may be empty
  std::string json;
  int64_t sequence = 0;  ///< the entry that last changed it
};

Result<std::optional<Record>> find_record(State& state, std::string_view type, std::string_view id);
Result<std::optional<Record>> find_record_named(State& state, std::string_view type, std::string_view name);
/// By id, at most `limit`, after the id `after`.
Result<std::vector<Record>> records_of(State& state, std::string_view type, std::string_view parent,
                                       int64_t limit, std::string_view after = {});
/// Of every parent, by id.
Result<std::vector<Record>> all_records(State& state, std::string_view type, int64_t limit,
                                        std::string_view after = {});
/// Those changed by an entry after `sequence`, oldest change first, at most `limit`.
Result<std::vector<Record>> records_changed_after(State& state, std::string_view type, int64_t sequence,
                                                  int64_t limit);

/// Writes the rows of a record in the place of those of `before`; either may be absent.
void write_record_rows(State& state, const std::optional<Record>& before, const std::optional<Record>& after);

}  // namespace feilun::ledger
