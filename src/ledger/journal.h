#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "ledger/bytes.h"
#include "ledger/fields.h"

/// The journal's side of the writer: what an entry is, byte for byte (docs/formats/ledger.md), and how
/// entries are chained.
namespace feilun::ledger {

enum class EntryKind : uint8_t {
  kAct = 1,
  kCredit = 2,
  kGrant = 3,
  kExpire = 4,
  kHold = 5,
  kTopUp = 6,
  kMark = 7,
  kSettle = 8,
  kRelease = 9,
  kCost = 10,
  kRefund = 11,
  kTrueUp = 12,
  kInvoice = 13,
  kCreditNote = 14,
  kAlert = 15,
  kNotified = 16,
  kPayment = 18,
  kClaim = 17,
};

/// One leg of a double entry.
struct Posting {
  std::string account;
  std::string currency;
  Money amount;
};

/// An entry's bytes: its kind, its fields in the order the format document lists them, its postings.
class Payload : public FieldWriter {
 public:
  explicit Payload(EntryKind kind) {
    reserve(kUsualBytes);
    byte(static_cast<uint8_t>(kind));
  }
  void postings(const std::vector<Posting>& values);

 private:
  static constexpr size_t kUsualBytes = 384;  ///< more than a request's entries have
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
  std::string payload;
  Hash hash{};
};

/// The entry that follows `head`.
JournalRow chain(const ChainHead& head, WallTime time, std::string payload);

}  // namespace feilun::ledger
