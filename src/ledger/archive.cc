#include "ledger/archive.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "base/read_file.h"
#include "ledger/segment.h"
#include "ledger/sync_path.h"

namespace feilun::ledger {
namespace {

namespace fs = std::filesystem;

constexpr char kSums[] = "B2SUMS";

std::unexpected<Error> io_error(const char* doing, const fs::path& path) {
  return fail(ErrorCode::kIo, "{} {}: {}", doing, path.string(), std::strerror(errno));
}

/// None when there is no such file.
Result<std::optional<std::string>> read_if_there(const fs::path& path) {
  auto bytes = read_file(path);
  if (bytes) return *std::move(bytes);
  if (bytes.error().code == ErrorCode::kNotFound) return std::nullopt;
  return std::unexpected(std::move(bytes).error());
}

/// Once this returns the file is there whole, whatever happens; until then it is not there, or as it was.
Result<> write_durably(const fs::path& path, std::string_view bytes) {
  const fs::path unfinished = path.string() + ".tmp";
  std::ofstream file(unfinished, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) return io_error("cannot write", unfinished);
  TRY(sync_path(unfinished));
  if (rename(unfinished.c_str(), path.c_str()) != 0) return io_error("cannot name", path);
  return sync_path(path.parent_path());
}

/// While it lives no other process of this machine archives in the directory.
class Turn {
 public:
  /// kUnavailable while another has it.
  static Result<Turn> take(const fs::path& directory) {
    Turn turn(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (turn.directory_ < 0) return io_error("cannot open", directory);
    if (flock(turn.directory_, LOCK_EX | LOCK_NB) == 0) return turn;
    if (errno != EWOULDBLOCK) return io_error("cannot lock", directory);
    return fail(ErrorCode::kUnavailable, "another run archives in {}: wait for its end", directory.string());
  }
  Turn(Turn&& other) noexcept : directory_(std::exchange(other.directory_, -1)) {}
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (directory_ >= 0) close(directory_);
  }

 private:
  explicit Turn(int directory) : directory_(directory) {}
  int directory_;
};

/// Whether all its entries are older than `before`; every one of them is proved.
Result<bool> is_older(Segment segment, WallTime before) {
  const SegmentReader reader = TRY(SegmentReader::open(std::move(segment)));
  const auto older = [before](const SegmentReader::Frame& frame) { return frame.latest < before; };
  if (!std::ranges::all_of(reader.frames(), older)) return false;
  for (const SegmentReader::Frame& frame : reader.frames()) TRY(reader.read(frame));
  return true;
}

Result<> put_file(const fs::path& path, const std::string& bytes) {
  auto there = TRY(read_if_there(path));
  if (!there) {
    TRY(write_durably(path, bytes));
    there = TRY(read_if_there(path));
  }
  if (there == bytes) return {};
  return fail(ErrorCode::kConflict, "{} is another file: move it away, or name another directory",
              path.string());
}

/// A line for each file, as `b2sum --tag --length=256` writes it.
Result<> put_sum(const fs::path& directory, const std::string& name, std::string_view bytes) {
  std::string sums = TRY(read_if_there(directory / kSums)).value_or("");
  const std::string line = fmt::format("BLAKE2b-256 ({}) = {}\n", name, hex(view(blake2b_256(bytes))));
  if (sums.find(line) != sums.npos) return {};
  return write_durably(directory / kSums, sums + line);
}

Result<> forget_bytes(Store& store, int64_t first) {
  TRY(store.begin(Store::Access::kWrite));
  if (auto archived = store.archive_segment(first); !archived) {
    store.rollback();
    return archived;
  }
  return store.commit();
}

/// What `look` finds in one moment of the store.
template <typename Look>
auto in_one_moment(Store& store, Look look) -> decltype(look()) {
  TRY(store.begin(Store::Access::kRead));
  auto found = look();
  store.rollback();
  return found;
}

}  // namespace

std::string archive_name(const Segment& segment) {
  return fmt::format("journal-{:012}-{:012}-{}.segment", segment.first, segment.last,
                     hex(view(segment.hash).substr(0, 8)));
}

Result<Segment> whole_segment(Store& store, Segment segment) {
  auto bytes = store.segment_bytes(segment.first);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound && !store.archive().empty()) {
    auto file = TRY(read_if_there(store.archive() / archive_name(segment)));
    if (!file) {
      return fail(ErrorCode::kNotFound, "the entries {} to {} were archived, and {} is not in {}",
                  segment.first, segment.last, archive_name(segment), store.archive().string());
    }
    bytes = *std::move(file);
  }
  segment.bytes = TRY(std::move(bytes));
  return segment;
}

Result<Archived> archive_segments(Store& store, const fs::path& directory, WallTime before, int64_t limit) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return fail(ErrorCode::kIo, "cannot make {}: {}", directory.string(), error.message());
  const Turn turn = TRY(Turn::take(directory));
  Archived archived;
  for (Segment& segment : TRY(in_one_moment(store, [&] { return store.segments(); }))) {
    if (archived.segments == limit) break;
    if (segment.archived) continue;
    auto bytes = in_one_moment(store, [&] { return store.segment_bytes(segment.first); });
    if (!bytes && bytes.error().code == ErrorCode::kNotFound) continue;  // to another directory, meanwhile
    segment.bytes = TRY(std::move(bytes));
    if (!TRY(is_older(segment, before))) break;
    const std::string name = archive_name(segment);
    TRY(put_file(directory / name, segment.bytes));
    TRY(put_sum(directory, name, segment.bytes));
    TRY(forget_bytes(store, segment.first));
    archived.segments += 1;
    archived.entries += segment.last - segment.first + 1;
    archived.bytes += std::ssize(segment.bytes);
  }
  return archived;
}

}  // namespace feilun::ledger
