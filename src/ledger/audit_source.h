#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"

namespace feilun::ledger::audit {

/// An entry as its row has it; nothing about it is checked yet.
struct StoredEntry {
  int64_t sequence = 0;
  int64_t time = 0;
  std::string payload;
  std::string hash;
};

struct StoredSegment {
  int64_t first = 0;
  int64_t last = 0;
  std::string hash;
  std::optional<std::string> bytes;  ///< none: it was archived to a file
};

enum class Access { kRead, kRepair };

/// A ledger's database as the auditor sees it: one moment of it, in one transaction that begins when it is
/// opened. kRead works beside running servers and writes nothing. kRepair keeps all other writers out;
/// nothing that is put, erased or executed counts before commit().
class Source {
 public:
  virtual ~Source() = default;

  /// Calls `problem` for each thing wrong with the database as such. Only when there is none may be read on.
  virtual Result<> check(const std::function<void(std::string)>& problem) = 0;
  /// How many formats ago the program was that made it, which knew fewer rows of the state: an upgrade
  /// brings them.
  virtual Result<int64_t> steps_behind() = 0;
  /// In order. An error of `take` ends the reading and is returned.
  virtual Result<> segments(const std::function<Result<>(StoredSegment)>& take) = 0;
  virtual Result<> entries(const std::function<Result<>(StoredEntry)>& take) = 0;
  /// In the order of the keys' bytes.
  virtual Result<> state(const std::function<Result<>(std::string key, std::string value)>& take) = 0;

  virtual Result<> put(const std::string& key, const std::string& value) = 0;
  virtual Result<> erase(const std::string& key) = 0;
  virtual Result<> execute(const std::string& sql) = 0;
  virtual Result<> commit() = 0;
};

/// kNotFound when there is no file, kCorrupt when it is no database.
Result<std::unique_ptr<Source>> open_sqlite_source(const std::filesystem::path& database, Access access);
/// kUnavailable when the server cannot be reached, kConflict when kRepair is asked for while other programs
/// work on the ledger, and go on for two seconds.
Result<std::unique_ptr<Source>> open_postgres_source(const std::string& url, Access access,
                                                     const std::string& schema = "feilun");

}  // namespace feilun::ledger::audit
