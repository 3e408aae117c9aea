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
  auto known = lookup(hash);
  if (!known) {
    refresh(true);
    known = lookup(hash);
  }
  if (!known) return refused();
  return *std::move(known);
}

std::optional<Result<Key>> KeyCache::lookup(const Hash& hash) const {
  const std::shared_lock lock(map_mutex_);
  const auto place = secrets_.find(hash);
  if (place == secrets_.end()) return std::nullopt;
  return checked(place->second);
}

Result<Key> KeyCache::checked(const Secret& secret) const {
  const Key& known = *secret.key;
  const auto refused = [&](std::string_view what) {
    return fail(ErrorCode::kUnauthorized, "the API key {} {}", known.hint, what);
  };
  if (known.revoked) return refused("was revoked");
  if (known.expires || secret.until) {
    const WallTime now = clock_.wall();
    if (known.expires && now >= *known.expires) return refused("has expired");
    if (secret.until && now >= *secret.until) return refused("has a new secret, and this one has expired");
  }
  Key key = known;
  if (const auto project = projects_.find(key.project_id); project != projects_.end()) {
    if (project->second.archived) return refused("is of a project that is archived");
    key.organisation = project->second.organisation;
  }
  const auto organisation = organisations_.find(key.organisation);
  if (organisation != organisations_.end() && organisation->second.archived) {
    return refused("is of an organisation that is archived");
  }
  return key;
}

void KeyCache::take(KeyChanges changes) {
  for (KeyRow& row : changes.keys) {
    auto& hashes = hashes_[row.key.id];
    for (const Hash& hash : hashes) secrets_.erase(hash);
    hashes.clear();
    const auto key = std::make_shared<const Key>(std::move(row.key));
    secrets_[row.hash] = {key, std::nullopt};
    hashes.push_back(row.hash);
    for (const OldSecret& old : row.previous) {
      secrets_[old.hash] = {key, old.until};
      hashes.push_back(old.hash);
    }
  }
  for (const Project& project : changes.projects) {
    projects_[project.id] = {project.organisation, project.archived.has_value()};
  }
  for (const Organisation& organisation : changes.organisations) {
    organisations_[organisation.id] = {{}, organisation.archived.has_value()};
  }
}

void KeyCache::refresh(bool unknown_key) {
  const std::lock_guard one_at_a_time(refresh_mutex_);
  const MonoTime now = clock_.mono();
  const bool due = stale_ || now >= refreshed_.load() + kRefreshEvery;
  if (!due && !(unknown_key && may_ask_for_unknown(now))) return;
  stale_ = false;
  refreshed_ = now;
  auto changed = changes_(seen_);
  if (!changed) return;
  seen_ = changed->seen;
  const std::unique_lock lock(map_mutex_);
  take(*std::move(changed));
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
