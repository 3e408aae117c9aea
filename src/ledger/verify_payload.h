#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.h"

/// verify's own reader of journal payloads, written against docs/formats/ledger.md and not against the
/// writer.
namespace feilun::ledger::audit {

struct Leg {
  std::string account;
  std::string currency;
  int128 amount = 0;
  friend bool operator==(const Leg&, const Leg&) = default;
};

/// Fresh input, cache read, cache write, output, reasoning.
struct Classes {
  int64_t tokens[5] = {};
  int64_t input() const { return tokens[0] + tokens[1] + tokens[2]; }
  int64_t output() const { return tokens[3] + tokens[4]; }
  friend bool operator==(const Classes&, const Classes&) = default;
};

enum class Kind : uint8_t {
  kProject = 1,
  kKey,
  kKeyRevoked,
  kPrice,
  kCredit,
  kHold,
  kTopUp,
  kMark,
  kSettle,
  kRelease,
  kCost,
};

/// Every field any kind of entry has; a kind fills its own.
struct Entry {
  Kind kind = Kind::kMark;
  std::string request, key, project, name, organisation, currency, hint, offering, reason, idempotency_key;
  std::string secret_hash;
  uint8_t role = 0, tier = 0, outcome = 0, exhausted = 0;
  int64_t price = 0, ended_price = 0, input_tokens = 0, output_tokens = 0;
  int64_t from = 0, until = 0;
  int128 units[5] = {};
  int64_t attributed_ns = 0, saved_ns = 0, kv_byte_seconds = 0, cost_model = 0;
  int128 per_hour = 0, cost = 0;
  Classes usage;
  std::vector<Leg> legs;
};

/// The entry, or what is wrong with the bytes. Accepts only what the writer may write: shortest numbers,
/// known kinds, counts and amounts within the documented bounds, nothing after the end.
std::expected<Entry, std::string> read_payload(std::string_view bytes);

/// 16 bytes as the format keeps an amount.
int128 read_amount(std::string_view sixteen_bytes);

}  // namespace feilun::ledger::audit
