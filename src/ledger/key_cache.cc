#include "ledger/key_cache.h"

#include <algorithm>
#include <utility>

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

KeyCache::KeyCache(Changes changes, const Clock& clock, std::optional<std::chrono::milliseconds> patience)
    : changes_(std::move(changes)), clock_(clock), patience_(patience) {
  if (patience_) thread_ = std::thread([this] { run(); });
}

void KeyCache::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(asked_mutex_);
    stopping_ = true;
  }
  asked_changed_.notify_all();
  thread_.join();
}

Result<Key> KeyCache::find(std::string_view secret) {
  const auto refused = [] {
    return fail(ErrorCode::kUnauthorized,
                "the API key is not known here: see that all of it is there, or have one made");
  };
  if (!looks_like_key(secret)) return refused();
  const Hash hash = blake2b_256(secret);
  if (stale_ || clock_.mono() >= refreshed_.load() + kRefreshEvery) refresh(false);
  auto known = lookup(hash);
  if (!known) {
    refresh(true);
    known = lookup(hash);
  }
  if (!known && unreadable_) {
    return fail(ErrorCode::kUnavailable,
                "the API key is not known here, and the ledger's database is away: it may be a new one");
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
    return fail(ErrorCode::kUnauthorized, "the API key {} {}: use another", known.hint, what);
  };
  if (known.revoked) return refused("was revoked");
  if (known.expires || secret.until) {
    const WallTime now = clock_.wall();
    if (known.expires && now >= *known.expires) return refused("has expired");
    if (secret.until && now >= *secret.until)
      return refused("has a new secret, and this one is not good any more");
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
  if (!patience_) return read_changes(unknown_key);
  std::unique_lock lock(asked_mutex_);
  if (stuck_ || stopping_) return;
  const int64_t mine = ++asked_;
  for_unknown_ = for_unknown_ || unknown_key;
  asked_changed_.notify_all();
  const auto done = [&] { return read_ >= mine || stuck_ || stopping_; };
  if (asked_changed_.wait_for(lock, *patience_, done)) return;
  stuck_ = true;
  unreadable_ = true;
  asked_changed_.notify_all();
}

void KeyCache::run() {
  std::unique_lock lock(asked_mutex_);
  for (;;) {
    asked_changed_.wait(lock, [this] { return stopping_ || read_ < asked_; });
    if (stopping_) return;
    const int64_t all = asked_;
    const bool unknown_key = std::exchange(for_unknown_, false);
    lock.unlock();
    read_changes(unknown_key);
    lock.lock();
    read_ = all;
    stuck_ = false;
    asked_changed_.notify_all();
  }
}

void KeyCache::read_changes(bool unknown_key) {
  const std::lock_guard one_at_a_time(refresh_mutex_);
  const MonoTime now = clock_.mono();
  const bool due = stale_ || now >= refreshed_.load() + kRefreshEvery;
  if (!due && !(unknown_key && may_ask_for_unknown(now))) return;
  stale_ = false;
  refreshed_ = now;
  auto changed = changes_(seen_);
  unreadable_ = !changed.has_value();
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
