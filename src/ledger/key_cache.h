#pragma once

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <mutex>
#include <shared_mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/tenant_records.h"

namespace feilun::ledger {

/// Keys by the hash of their secret, in memory. Other processes make and revoke keys too, so the map asks the
/// store what changed: twice a second at most while keys are used, and at once for a secret it does not know,
/// at most 20 times a second, so that guessing secrets costs no reads. All methods may be called from any
/// thread.
class KeyCache {
 public:
  /// Reads the keys that an entry after the given one touched.
  using Changes = std::function<Result<std::vector<KeyRow>>(int64_t sequence)>;

  KeyCache(Changes changes, const Clock& clock) : changes_(std::move(changes)), clock_(clock) {}

  /// kUnauthorized for a malformed, unknown or revoked secret. When the store cannot be read, what is known
  /// counts.
  Result<Key> find(std::string_view secret);
  /// Reads the changes before the next answer: this process made one.
  void expire() { stale_ = true; }

 private:
  struct HashOfHash {
    size_t operator()(const Hash& hash) const {
      size_t value;
      std::memcpy(&value, hash.data(), sizeof value);
      return value;
    }
  };

  bool lookup(const Hash& hash, Key& key) const;
  /// Reads what changed when `due`; one thread at a time.
  void refresh(bool unknown_key);
  bool may_ask_for_unknown(MonoTime now);

  Changes changes_;
  const Clock& clock_;
  mutable std::shared_mutex map_mutex_;
  std::unordered_map<Hash, Key, HashOfHash> keys_;

  std::mutex refresh_mutex_;
  int64_t seen_ = 0;
  double unknown_tokens_ = 20;
  MonoTime unknown_counted_{};
  std::atomic<MonoTime> refreshed_{MonoTime::min()};
  std::atomic<bool> stale_{true};
};

}  // namespace feilun::ledger
