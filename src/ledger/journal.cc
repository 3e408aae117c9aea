#include "ledger/journal.h"

#include "base/check.h"

namespace feilun::ledger {
namespace {

constexpr char kFormat = 1;

void append_big_endian(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

PayloadWriter::PayloadWriter(EntryKind kind) : kind_(kind) {
  bytes_.push_back(kFormat);
  bytes_.push_back(static_cast<char>(kind));
}

PayloadWriter& PayloadWriter::number(int64_t value) {
  CHECK(value >= 0);
  auto rest = static_cast<uint64_t>(value);
  for (; rest >= 0x80; rest >>= 7) bytes_.push_back(static_cast<char>(rest | 0x80));
  bytes_.push_back(static_cast<char>(rest));
  return *this;
}

PayloadWriter& PayloadWriter::byte(uint8_t value) {
  bytes_.push_back(static_cast<char>(value));
  return *this;
}

PayloadWriter& PayloadWriter::text(std::string_view value) {
  number(static_cast<int64_t>(value.size()));
  return raw(value);
}

PayloadWriter& PayloadWriter::raw(std::string_view bytes) {
  bytes_.append(bytes);
  return *this;
}

PayloadWriter& PayloadWriter::time(WallTime value) {
  append_big_endian(bytes_, static_cast<uint64_t>(value.time_since_epoch().count()), 8);
  return *this;
}

PayloadWriter& PayloadWriter::amount(Money value) {
  return raw(view(amount_bytes(value)));
}

PayloadWriter& PayloadWriter::usage(const TokenUsage& value) {
  return number(value.input_fresh)
      .number(value.cache_read)
      .number(value.cache_write)
      .number(value.output)
      .number(value.reasoning);
}

PayloadWriter& PayloadWriter::postings(const std::vector<Posting>& values) {
  number(static_cast<int64_t>(values.size()));
  for (const Posting& posting : values) text(posting.account).raw(posting.currency).amount(posting.amount);
  return *this;
}

JournalRow chain(const ChainHead& head, WallTime time, EntryKind kind, std::string payload) {
  JournalRow row{.sequence = head.sequence + 1, .time = time, .kind = kind, .previous = head.hash};
  row.payload = std::move(payload);
  std::string sealed(view(head.hash));
  append_big_endian(sealed, static_cast<uint64_t>(row.sequence), 8);
  append_big_endian(sealed, static_cast<uint64_t>(time.time_since_epoch().count()), 8);
  sealed.push_back(static_cast<char>(kind));
  sealed.append(row.payload);
  row.hash = blake2b_256(sealed);
  return row;
}

}  // namespace feilun::ledger
