#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"

namespace feilun::ledger {

/// What a request has come to, told to this machine's disk because the database is away. Telling the database
/// the same twice changes nothing.
struct SpoolRecord {
  enum class Kind : uint8_t { kMark = 1, kSettle = 2, kRelease = 3 };
  Kind kind = Kind::kMark;
  std::string request_id;
  TokenUsage usage;                       ///< of a release nothing
  Outcome outcome = Outcome::kCompleted;  ///< of a mark nothing
  std::optional<RequestCost> cost;        ///< of a settle
};

/// The bytes of the record as they stand in the file.
std::string spool_bytes(const SpoolRecord& record);

struct SpoolContents {
  std::vector<SpoolRecord> records;
  size_t read = 0;  ///< how many of the bytes they are; what follows is damaged, or was never whole
};

/// What a file's bytes behind its first eight say, as far as they can be read.
SpoolContents read_spool(std::string_view bytes);

/// The file ledger.spool: records appended and synced in groups. One that was cut off in the middle of a
/// record is what it was before that record. After a failed sync it takes nothing more.
/// Used by one thread at a time.
class Spool {
 public:
  /// Makes the file when absent, and cuts off what cannot be read. kCorrupt for a file of another kind.
  static Result<Spool> open(const std::filesystem::path& path);
  Spool(Spool&& other) noexcept;
  Spool& operator=(Spool&&) = delete;
  ~Spool();

  /// What an earlier process has left, in order.
  const std::vector<SpoolRecord>& found() const { return found_; }
  /// Durable when it returns.
  Result<> append(std::span<const SpoolRecord> records);
  /// The database knows everything that is in it.
  Result<> clear();
  /// Keeps only these, in a file made anew: that one is trusted again.
  Result<> replace(std::span<const SpoolRecord> records);
  /// Of the file, without its first eight.
  size_t bytes() const { return bytes_; }
  bool is_broken() const { return broken_; }

 private:
  Spool(std::filesystem::path path, int file) : path_(std::move(path)), file_(file) {}
  Result<> load();
  Result<> write(std::string_view bytes);

  std::filesystem::path path_;
  int file_;
  std::vector<SpoolRecord> found_;
  size_t bytes_ = 0;
  bool broken_ = false;
};

}  // namespace feilun::ledger
