#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/tenant_records.h"

namespace feilun::ledger {

/// What changed of the keys and of what they belong to.
struct KeyChanges {
  std::vector<KeyRow> keys;
  std::vector<Project> projects;
  std::vector<Organisation> organisations;
  int64_t seen = 0;  ///< the journal's last entry by then
};

/// Keys by the hash of their secret, in memory, with what decides whether they are good: their expiry, the
/// overlap of a rotation, and whether their project or organisation is archived. Other processes make and
/// revoke keys too, so the map asks the store what changed: twice a second at most while keys are used, and
/// at once for a secret it does not know, at most 20 times a second, so that guessing secrets costs no reads.
/// Where the store may keep its readers waiting, a thread of the cache's own asks it, and nobody waits for
/// that one longer than `patience`; while it is out, nobody waits at all. All methods may be called from any
/// thread.
class KeyCache {
 public:
  /// Reads what an entry after the given one touched.
  using Changes = std::function<Result<KeyChanges>(int64_t sequence)>;

  KeyCache(Changes changes, const Clock& clock,
           std::optional<std::chrono::milliseconds> patience = std::nullopt);
  ~KeyCache() { stop(); }
  /// Ends the thread; nothing is read any more.
  void stop();

  /// kUnauthorized for a secret that is malformed, unknown, revoked, expired, or of an archived project or
  /// organisation. When the store cannot be read, what is known counts, and what is unknown may be a key that
  /// was made elsewhere: kUnavailable.
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

  struct Secret {
    std::shared_ptr<const Key> key;
    std::optional<WallTime> until;  ///< of one that was replaced
  };
  struct Home {
    std::string organisation;  ///< of a project
    bool archived = false;
  };
  using Homes = std::unordered_map<std::string, Home>;

  /// nullopt for a hash that is unknown.
  std::optional<Result<Key>> lookup(const Hash& hash) const;
  Result<Key> checked(const Secret& secret) const;
  void take(KeyChanges changes);
  /// Reads what changed when that is due, or has it read.
  void refresh(bool unknown_key);
  void read_changes(bool unknown_key);
  void run();
  bool may_ask_for_unknown(MonoTime now);

  Changes changes_;
  const Clock& clock_;
  mutable std::shared_mutex map_mutex_;
  std::unordered_map<Hash, Secret, HashOfHash> secrets_;
  std::unordered_map<std::string, std::vector<Hash>> hashes_;  ///< by key's id
  Homes projects_;
  Homes organisations_;

  std::mutex refresh_mutex_;
  int64_t seen_ = 0;
  double unknown_tokens_ = 20;
  MonoTime unknown_counted_{};
  std::atomic<MonoTime> refreshed_{MonoTime::min()};
  std::atomic<bool> stale_{true};
  std::atomic<bool> unreadable_{false};  ///< the last try found the store away

  const std::optional<std::chrono::milliseconds> patience_;
  std::mutex asked_mutex_;
  std::condition_variable asked_changed_;
  int64_t asked_ = 0;  ///< refreshes asked for
  int64_t read_ = 0;   ///< of these, done
  bool for_unknown_ = false;
  bool stuck_ = false;  ///< somebody has waited for the one under way in vain
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace feilun::ledger
