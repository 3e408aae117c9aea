#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/state.h"

namespace feilun::ledger {

/// An administrative act, from its entry of the journal: who made what it is. What moves money has entries of
/// other kinds than `act`, and is here as something that came to be: a credit, a refund, an invoice, a
/// payment, a credit note.
struct Act {
  int64_t sequence = 0;
  WallTime time;
  std::string actor;
  std::string verb;  ///< "create"
  std::string type;  ///< of the record, or "credit", "refund"
  std::string id;
  std::string parent;
  std::string name;
  std::string before;  ///< JSON bodies; empty: there was, or is, no record
  std::string after;

  /// "project.created": what OpenAI's audit log calls such an act; of our own types the same way.
  std::string event() const;
};

/// Whose acts to list. What is empty does not narrow.
struct ActFilter {
  std::vector<std::string> events;
  std::vector<std::string> actors;
  std::vector<std::string> ids;       ///< of the records
  std::vector<std::string> projects;  ///< acts on these, or on what belongs to them
  std::optional<WallTime> from;
  std::optional<WallTime> until;  ///< excluded
  int64_t before = 0;             ///< only entries below this sequence; 0: all
  int64_t after = 0;              ///< the oldest ones above this sequence; 0: the newest of all
};

/// The organisation whose audit log an act belongs to: of the organisation or project that the record is or
/// belongs to, through a key where it belongs to one; else "default".
Result<std::string> organisation_of_act(State& state, std::string_view type, std::string_view id,
                                        std::string_view parent);
void put_act(State& state, std::string_view organisation, const Act& act);
/// Whether the entry is an act of the organisation's log.
Result<bool> has_act(State& state, std::string_view organisation, int64_t sequence);
/// Newest first, at most `limit`, with what is secret taken out of the bodies.
Result<std::vector<Act>> acts_of(State& state, std::string_view organisation, const ActFilter& filter,
                                 int64_t limit);

/// A record's body without its secrets' hashes.
std::string without_secrets(std::string_view json);
/// The same in the body itself.
void erase_secrets(boost::json::object& record);

}  // namespace feilun::ledger
