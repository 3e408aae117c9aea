#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/audit_source.h"
#include "ledger/verify_format.h"

/// What the auditor does with a ledger. Its code was written from docs/formats/ledger.md and shares with the
/// ledger's own the hash function, the definitions of the tables, the JSON parser, the calendar (TimeZone)
/// and Money; tests/tidy/tidy.py has the list and holds it to that.
namespace feilun::ledger::audit {

/// Where a ledger lies.
struct Place {
  std::filesystem::path directory;     ///< of ledger.db and ledger.anchor
  std::string url = {};                ///< postgres://…, in the place of ledger.db
  std::string schema = "feilun";       ///< of the tables in PostgreSQL
  std::filesystem::path archive = {};  ///< of archived segments; empty: `archive` in the directory

  Result<std::unique_ptr<Source>> open(Access access) const;
};

/// What verify() found; ok() when nothing is wrong.
struct VerifyReport {
  int64_t entries = 0;
  int64_t requests = 0;
  int64_t open_holds = 0;
  std::vector<std::string> problems;  ///< the journal cannot be followed, or the state is not what it gives
  std::vector<std::string> breaches;  ///< entries break a rule of the books; what follows from them is known
  bool ok() const { return problems.empty() && breaches.empty(); }
  /// Both.
  std::vector<std::string> findings() const {
    std::vector<std::string> all = problems;
    all.insert(all.end(), breaches.begin(), breaches.end());
    return all;
  }
};

/// Problems: where the journal cannot be followed, and rows of the state that are not what it gives (of an
/// older format: without those that upgrade() brings).
/// Breaches: entries that break a rule of the books, but from which the state follows all the same; an older
/// program, which did not know the rule, may have written them lawfully. Of each at most the first hundred.
/// Read-only; works beside servers. Errors are for what kept it from looking at all; a damaged ledger is a
/// report.
Result<VerifyReport> verify(const Place& place);

/// What rebuild() did, or would do.
struct Rebuilt {
  int64_t entries = 0;
  int64_t rows = 0;                      ///< of the state, when it is right
  std::vector<std::string> differences;  ///< one for each row that was not as the journal gives it
  std::vector<std::string> breaches;     ///< as verify() reports them
};

/// Makes the state what the journal gives, in one transaction; a dry run only compares. kCorrupt, naming the
/// first problem, when the journal cannot be followed: then nothing would be right that follows from it.
/// kConflict when a server works on the ledger (not in a dry run). `then`: statements that the transaction
/// does behind that, if it is no dry run.
Result<Rebuilt> rebuild(const Place& place, bool dry_run, std::span<const std::string> then = {});

/// An entry of the journal that can be read.
struct ReadEntry {
  int64_t sequence = 0;
  int64_t time = 0;  ///< microseconds since 1970
  std::string hash;
  Entry entry;
};

/// Calls `take` with each entry in order, of the sealed segments too. Its error ends the reading. kCorrupt
/// when an entry cannot be read; the chain is not checked.
Result<> read_journal(const Place& place, const std::function<Result<>(const ReadEntry&)>& take);

}  // namespace feilun::ledger::audit

namespace feilun::ledger {

/// Of a ledger in SQLite, its archive beside it.
Result<audit::VerifyReport> verify(const std::filesystem::path& directory);

}  // namespace feilun::ledger
