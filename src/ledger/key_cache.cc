#include "ledger/key_cache.h"

#include <algorithm>

namespace feilun::ledger {
namespace {

constexpr auto kRefreshEvery = std::chrono::milliseconds(500);
constexpr double kUnknownPerSecond = 20;
constexpr size_t kSecretBytesMax = 256;

bool looks_like_key(std::string_view secret) {
  const auto printable = [](char c) { return c > 0x20 && c < 0x7f; };
  return secret.starts_with("sk-fl-") && secret.size() <= kSecretBytesMax &&
         std::ranges::all_of(secret, printable);
}

}  // namespace

Result<Key> KeyCache::find(std::string_view secret) {
  const auto refused = [] { return fail(ErrorCode::kUnauthorized, "the API key is not valid"); };
  if (!looks_like_key(secret)) return refused();
  const Hash hash = blake2b_256(secret);
  if (stale_ || clock_.mono() >= refreshed_.load() + kRefreshEvery) refresh(false);
  Key key;
  bool known = lookup(hash, key);
  if (!known) {
    refresh(true);
    known = lookup(hash, key);
  }
  if (!known) return refused();
  if (key.revoked) return fail(ErrorCode::kUnauthorized, "the API key {} was revoked", key.hint);
  return key;
}

bool KeyCache::lookup(const Hash& hash, Key& key) const {
  const std::shared_lock lock(map_mutex_);
  const auto place = keys_.find(hash);
  if (place == keys_.end()) return false;
  key = place->second;
  return true;
}

void KeyCache::refresh(bool unknown_key) {
  const std::lock_guard one_at_a_time(refresh_mutex_);
  const MonoTime now = clock_.mono();
  const bool due = stale_ || now >= refreshed_.load() + kRefreshEvery;
  if (!due && !(unknown_key && may_ask_for_unknown(now))) return;
  stale_ = false;
  refreshed_ = now;
  const auto changed = changes_(seen_);
  if (!changed) return;
  const std::unique_lock lock(map_mutex_);
  for (const KeyRow& row : *changed) {
    keys_.insert_or_assign(row.hash, row.key);
    seen_ = std::max(seen_, row.changed);
  }
}

bool KeyCache::may_ask_for_unknown(MonoTime now) {
  const double seconds = std::chrono::duration<double>(now - unknown_counted_).count();
  unknown_counted_ = now;
  unknown_tokens_ = std::min(kUnknownPerSecond, unknown_tokens_ + seconds * kUnknownPerSecond);
  if (unknown_tokens_ < 1) return false;
  unknown_tokens_ -= 1;
  return true;
}

}  // namespace feilun::ledger
