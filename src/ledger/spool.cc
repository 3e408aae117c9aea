// ledger.spool is eight bytes that say what it is, and then records: a length, so many bytes, and a check
// over both. A record whose check fails ends the file: it is the one that a crash cut off, and nobody was
// told that it was written.
#include "ledger/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "ledger/fields.h"
#include "ledger/limits.h"
#include "ledger/sync_path.h"

namespace feilun::ledger {
namespace {

constexpr std::string_view kMagic = "fllgspl1";
constexpr size_t kLengthBytes = 4;
constexpr size_t kCheckBytes = 16;
constexpr size_t kRecordBytesMax = 1024;
constexpr auto kAnyWay = O_RDWR | O_CREAT | O_CLOEXEC;

using Kind = SpoolRecord::Kind;

std::unexpected<Error> io_error(const char* doing) {
  return fail(ErrorCode::kIo, "ledger.spool: {} failed: {}", doing, std::strerror(errno));
}

std::string_view check_of(const Hash& hash) {
  return view(hash).substr(0, kCheckBytes);
}

std::string length_bytes(size_t length) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(length >> shift));
  return bytes;
}

size_t length_at(std::string_view bytes) {
  size_t length = 0;
  for (const char byte : bytes.substr(0, kLengthBytes)) length = length << 8 | static_cast<uint8_t>(byte);
  return length;
}

void write_cost(FieldWriter& out, const RequestCost& cost) {
  out.number(cost.attributed.count()).number(cost.saved.count()).number(cost.kv_byte_seconds);
  out.number(cost.cost_model).text(cost.currency).amount(cost.per_hour).amount(cost.cost);
}

RequestCost read_cost(FieldReader& in) {
  RequestCost cost;
  cost.attributed = std::chrono::nanoseconds(in.number());
  cost.saved = std::chrono::nanoseconds(in.number());
  cost.kv_byte_seconds = in.number();
  cost.cost_model = in.number();
  cost.currency = in.text();
  cost.per_hour = in.amount();
  cost.cost = in.amount();
  return cost;
}

std::string payload_of(const SpoolRecord& record) {
  FieldWriter out;
  out.byte(static_cast<uint8_t>(record.kind)).text(record.request_id);
  if (record.kind != Kind::kMark) out.byte(static_cast<uint8_t>(record.outcome));
  if (record.kind != Kind::kRelease) out.usage(record.usage);
  if (record.kind == Kind::kSettle) out.byte(record.cost ? 1 : 0);
  if (record.cost) write_cost(out, *record.cost);
  return out.take();
}

std::optional<SpoolRecord> read_payload(std::string_view payload) {
  FieldReader in(payload);
  SpoolRecord record{.kind = static_cast<Kind>(in.byte())};
  if (record.kind < Kind::kMark || record.kind > Kind::kRelease) return std::nullopt;
  record.request_id = in.text();
  if (record.kind != Kind::kMark) record.outcome = static_cast<Outcome>(in.byte());
  if (record.kind != Kind::kRelease) record.usage = in.usage();
  const uint8_t has_cost = record.kind == Kind::kSettle ? in.byte() : 0;
  if (has_cost == 1) record.cost = read_cost(in);
  if (!in.ok() || !in.at_end() || has_cost > 1 || record.outcome > Outcome::kRecovered) return std::nullopt;
  return record;
}

Result<> put(int file, std::string_view bytes, size_t at) {
  while (!bytes.empty()) {
    const ssize_t put = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return io_error("writing");
    bytes.remove_prefix(static_cast<size_t>(put));
    at += static_cast<size_t>(put);
  }
  return {};
}

Result<std::string> whole(int file) {
  std::string bytes;
  char some[65536];
  for (;;) {
    const ssize_t got = pread(file, some, sizeof some, static_cast<off_t>(bytes.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error("reading");
    if (got == 0) return bytes;
    bytes.append(some, static_cast<size_t>(got));
  }
}

}  // namespace

std::string spool_bytes(const SpoolRecord& record) {
  const std::string payload = payload_of(record);
  std::string bytes = length_bytes(payload.size()) + payload;
  const Hash hash = blake2b_256(bytes);
  bytes += check_of(hash);
  return bytes;
}

SpoolContents read_spool(std::string_view bytes) {
  SpoolContents contents;
  for (;;) {
    const std::string_view rest = bytes.substr(contents.read);
    if (rest.size() < kLengthBytes) return contents;
    const size_t length = length_at(rest);
    const size_t size = kLengthBytes + length + kCheckBytes;
    if (length > kRecordBytesMax || rest.size() < size) return contents;
    const Hash hash = blake2b_256(rest.substr(0, kLengthBytes + length));
    if (check_of(hash) != rest.substr(kLengthBytes + length, kCheckBytes)) return contents;
    auto record = read_payload(rest.substr(kLengthBytes, length));
    if (!record) return contents;
    contents.records.push_back(*std::move(record));
    contents.read += size;
  }
}

Result<Spool> Spool::open(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), kAnyWay, 0600);
  if (file < 0) return io_error("opening");
  Spool spool(path, file);
  TRY(spool.load());
  return spool;
}

Result<> Spool::load() {
  const std::string bytes = TRY(whole(file_));
  const std::string_view magic = std::string_view(bytes).substr(0, kMagic.size());
  if (!kMagic.starts_with(magic)) return fail(ErrorCode::kCorrupt, "{} is no spool", path_.string());
  const std::string_view rest = std::string_view(bytes).substr(magic.size());
  SpoolContents contents = read_spool(rest);
  found_ = std::move(contents.records);
  bytes_ = contents.read;
  if (contents.read < rest.size()) {
    spdlog::warn("ledger.spool: the last {} bytes are of a record that was not written whole",
                 rest.size() - contents.read);
  }
  TRY(put(file_, kMagic, 0));
  if (ftruncate(file_, static_cast<off_t>(kMagic.size() + bytes_)) != 0) return io_error("cutting");
  if (fsync(file_) != 0) return io_error("syncing");
  return sync_path(path_.parent_path());
}

Spool::Spool(Spool&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      found_(std::move(other.found_)),
      bytes_(other.bytes_),
      broken_(other.broken_) {}

Spool::~Spool() {
  if (file_ >= 0) close(file_);
}

Result<> Spool::append(std::span<const SpoolRecord> records) {
  std::string bytes;
  for (const SpoolRecord& record : records) bytes += spool_bytes(record);
  return write(bytes);
}

Result<> Spool::write(std::string_view bytes) {
  if (broken_) return fail(ErrorCode::kUnavailable, "ledger.spool could not be written, and is not trusted");
  TRY(put(file_, bytes, kMagic.size() + bytes_));
  broken_ = fdatasync(file_) != 0;
  if (broken_) return io_error("syncing");
  bytes_ += bytes.size();
  return {};
}

Result<> Spool::clear() {
  found_.clear();
  if (broken_) return replace({});
  if (bytes_ == 0) return {};
  // Not synced: should the records come back, they are told again, which changes nothing.
  if (ftruncate(file_, static_cast<off_t>(kMagic.size())) != 0) return io_error("cutting");
  bytes_ = 0;
  return {};
}

Result<> Spool::replace(std::span<const SpoolRecord> records) {
  const std::filesystem::path next = path_.string() + ".new";
  const int file = ::open(next.c_str(), kAnyWay | O_TRUNC, 0600);
  if (file < 0) return io_error("opening");
  Spool spool(next, file);
  TRY(put(file, kMagic, 0));
  TRY(spool.append(records));
  if (rename(next.c_str(), path_.c_str()) != 0) return io_error("renaming");
  // What is written to the old one from now on nobody would find, nor, without its name, what is in this.
  std::swap(file_, spool.file_);
  bytes_ = spool.bytes_;
  found_.clear();
  broken_ = true;
  TRY(sync_path(path_.parent_path()));
  broken_ = false;
  return {};
}

}  // namespace feilun::ledger
