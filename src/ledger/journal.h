#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "ledger/bytes.h"
#include "ledger/ledger.h"

/// The journal's side of the writer: what an entry is, byte for byte (docs/formats/ledger.md), and how
/// entries are chained. There is no reader here on purpose: the only code that reads entries back is
/// verify's, written against the document alone, so that one mistake cannot hide in both.
namespace feilun::ledger {

enum class EntryKind : uint8_t {
  kProject = 1,
  kKey = 2,
  kKeyRevoked = 3,
  kPrice = 4,
  kCredit = 5,
  kHold = 6,
  kTopUp = 7,
  kMark = 8,
  kSettle = 9,
  kRelease = 10,
  kCost = 11,
};

/// One leg of a double entry. Accounts: "wallet:PROJECT", "hold:PROJECT", "revenue", "funding".
struct Posting {
  std::string account;
  std::string currency;
  Money amount;
};

/// Appends an entry's fields in the order the format document lists them.
class PayloadWriter {
 public:
  explicit PayloadWriter(EntryKind kind);
  PayloadWriter& number(int64_t value);  ///< ≥ 0, base-128 varint
  PayloadWriter& byte(uint8_t value);
  PayloadWriter& text(std::string_view value);
  PayloadWriter& raw(std::string_view bytes);
  PayloadWriter& time(WallTime value);
  PayloadWriter& amount(Money value);
  PayloadWriter& usage(const TokenUsage& value);
  PayloadWriter& postings(const std::vector<Posting>& values);
  EntryKind kind() const { return kind_; }
  const std::string& bytes() const { return bytes_; }

 private:
  EntryKind kind_;
  std::string bytes_;
};

/// The last entry of the chain; sequence 0 and a hash of zeros before the first.
struct ChainHead {
  int64_t sequence = 0;
  Hash hash{};
  friend bool operator==(const ChainHead&, const ChainHead&) = default;
};

struct JournalRow {
  int64_t sequence = 0;
  WallTime time;
  EntryKind kind = EntryKind::kMark;
  std::string payload;
  Hash previous{};
  Hash hash{};
};

/// The entry that follows `head`.
JournalRow chain(const ChainHead& head, WallTime time, EntryKind kind, std::string payload);

}  // namespace feilun::ledger
