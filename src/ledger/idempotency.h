#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/state.h"

// Idempotency keys of requests that cost money. A claim is journalled behind the hold of the request that
// makes it, in the same transaction, so there is no moment in which one is there without the other: what
// becomes of the request, after a crash too, is what becomes of the claim. A request that ended without a
// charge gives its claim free; one that was charged has it for ever.
//
// The reply is kept beside the journal, for a day: losing it costs nobody money.

namespace feilun::ledger {

/// How long a reply can be asked for again, counted from the claim.
inline constexpr auto kReplyKeptFor = std::chrono::hours(24);
/// A longer reply is not kept; the claim holds all the same.
inline constexpr size_t kReplyBytesMax = size_t{4} << 20;

/// A reply with status 200 as it was sent.
struct KeptReply {
  bool events = false;  ///< a stream of server-sent events; else JSON
  std::string body;
};

/// Who has an idempotency key.
struct ClaimHolder {
  enum class Phase : uint8_t { kRunning, kCharged };
  std::string request_id;
  Hash body{};
  WallTime time;
  Phase phase = Phase::kRunning;
  std::optional<KeptReply> reply;
};

/// None when the key is free. An API key's claims are its own.
Result<std::optional<ClaimHolder>> find_claim(State& state, std::string_view key_id,
                                              std::string_view idempotency_key, WallTime now);

/// kConflict with the param "idempotency-key" when another request has the claim.
Result<> check_claim(State& state, const HoldRequest& request);
/// Journals the claim of the hold that was recorded just now.
void put_claim(State& state, const HoldRequest& request, WallTime now);

/// Keeps the reply of the request that has the claim; of another one nothing. Forgets some that are older
/// than kReplyKeptFor.
Result<> keep_reply(State& state, std::string_view key_id, std::string_view idempotency_key,
                    std::string_view request_id, const KeptReply& reply, WallTime now);
/// Returns how many of at most `limit` were forgotten.
Result<int64_t> forget_old_replies(State& state, WallTime now, int64_t limit);

}  // namespace feilun::ledger
