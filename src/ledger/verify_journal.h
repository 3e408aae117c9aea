#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "ledger/audit_source.h"
#include "ledger/verify_replay.h"

namespace feilun::ledger::audit {

/// What ledger.anchor says was durable: hashes by sequence. Read before the database is opened, so that a
/// server that goes on committing can only be ahead of it.
struct Anchors {
  bool found = false;
  std::map<int64_t, std::string> hashes;
};

/// A damaged slot is a problem; a slot of zeros was never written.
Anchors read_anchors(const std::filesystem::path& file, const Report& problem);

/// Calls `take` with each entry in order: those of the sealed segments, then the rows. `archive`: where the
/// segments lie that are not in the database. A segment that cannot be found or read, or is not what its row
/// says, is a problem.
Result<> each_entry(Source& source, const std::filesystem::path& archive, const Report& problem,
                    const std::function<Result<>(StoredEntry)>& take);

/// Follows the chain of hashes, and the anchors along it.
class Chain {
 public:
  Chain(Anchors anchors, Report problem) : anchors_(std::move(anchors)), problem_(std::move(problem)) {}
  void follow(const StoredEntry& entry);
  /// After the last entry. `required`: whether a ledger of this kind always has an anchor.
  void end(bool required);

 private:
  Anchors anchors_;
  Report problem_;
  int64_t sequence_ = 0;
  std::string hash_ = std::string(32, '\0');
};

}  // namespace feilun::ledger::audit
