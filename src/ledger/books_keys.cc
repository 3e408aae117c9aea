#include <algorithm>

#include "base/ids.h"
#include "ledger/books.h"
#include "ledger/checked_text.h"
#include "ledger/secrets.h"
#include "ledger/tenant_records.h"

// Keys: a secret is shown once, and only its hash is kept.

namespace feilun::ledger {
namespace {

constexpr int64_t kListMax = 1'000'000;

std::string secret_for(KeyRole role) {
  return new_secret(role == KeyRole::kAdmin ? "sk-fl-admin-" : "sk-fl-");
}

std::string hint_of(std::string_view secret, KeyRole role) {
  const size_t shown = role == KeyRole::kAdmin ? 14 : 8;
  return std::string(secret.substr(0, shown)) + "…" + std::string(secret.substr(secret.size() - 2));
}

struct KnownKey {
  std::optional<Record> before;
  KeyRow row;
};

Result<KnownKey> known_key(State& state, std::string_view id) {
  KnownKey known{.before = TRY(find_record(state, "key", id))};
  if (!known.before) return fail(ErrorCode::kNotFound, "there is no key '{}'", id);
  known.row = TRY(key_from(*known.before));
  return known;
}

Result<KnownKey> living_key(State& state, std::string_view id) {
  KnownKey known = TRY(known_key(state, id));
  if (known.row.key.revoked) return fail(ErrorCode::kConflict, "the key {} is revoked", id);
  return known;
}

Result<> check_expiry(const std::optional<WallTime>& expires, WallTime now) {
  if (expires && *expires <= now)
    return fail(ErrorCode::kInvalidArgument, "the key would expire in the past");
  return {};
}

Result<std::shared_ptr<const KeyScope>> checked_scope(const KeyScope& scope) {
  TRY(scope.check());
  if (scope.empty()) return nullptr;
  return std::make_shared<const KeyScope>(scope);
}

}  // namespace

Result<std::vector<Key>> keys_under(State& state, std::string_view parent) {
  std::vector<Key> keys;
  for (const Record& record : TRY(records_of(state, "key", parent, kListMax))) {
    keys.push_back(TRY(key_from(record)).key);
  }
  return keys;
}

Result<std::vector<Key>> keys_of(State& state, std::string_view project_id) {
  return keys_under(state, project_id);
}

Result<Key> find_key(State& state, std::string_view id) {
  return TRY(known_key(state, id)).row.key;
}

Result<NewKey> Books::create_key(const KeyRequest& request) {
  TRY(check_text("key's name", request.name, true));
  TRY(check_expiry(request.expires, now_));
  NewKey made;
  Key& key = made.key;
  if (request.role == KeyRole::kAdmin) {
    const Organisation owner = TRY(organisation_of(state_, request.parent));
    if (owner.archived) return fail(ErrorCode::kConflict, "the organisation '{}' is archived", owner.name);
    key.organisation = owner.id;
  } else {
    const Project owner = TRY(find_project(state_, request.parent));
    if (owner.archived) return fail(ErrorCode::kConflict, "the project '{}' is archived", owner.name);
    key.project_id = owner.id;
  }
  key.scope = TRY(checked_scope(request.scope));
  made.secret = secret_for(request.role);
  key.id = new_id("key");
  key.name = request.name;
  key.role = request.role;
  key.created = now_;
  key.organisation_role = request.organisation_role;
  key.owner = request.owner;
  key.expires = request.expires;
  key.hint = hint_of(made.secret, request.role);
  TRY(act("create", std::nullopt, record_of(KeyRow{.key = key, .hash = blake2b_256(made.secret)})));
  return made;
}

Result<NewKey> Books::create_key(std::string_view project, const std::string& name, KeyRole role) {
  const Project owner = TRY(find_project(state_, project));
  return create_key(
      {.parent = role == KeyRole::kAdmin ? owner.organisation : owner.id, .name = name, .role = role});
}

Result<Key> Books::change_key(std::string_view key_id, const KeyChange& change) {
  KnownKey known = TRY(living_key(state_, key_id));
  Key& key = known.row.key;
  if (change.name) {
    TRY(check_text("key's name", *change.name, true));
    key.name = *change.name;
  }
  if (change.expires) {
    TRY(check_expiry(*change.expires, now_));
    key.expires = *change.expires;
  }
  if (change.scope) key.scope = TRY(checked_scope(*change.scope));
  TRY(act("change", known.before, record_of(known.row)));
  return key;
}

Result<NewKey> Books::rotate_key(std::string_view key_id, WallTime old_until) {
  KnownKey known = TRY(living_key(state_, key_id));
  KeyRow& row = known.row;
  std::erase_if(row.previous, [&](const OldSecret& old) { return old.until <= now_; });
  // A rotation may cut an earlier overlap short, never lengthen it: whoever rotates twice has a reason.
  for (OldSecret& old : row.previous) old.until = std::min(old.until, old_until);
  if (old_until > now_) row.previous.push_back({row.hash, old_until});
  if (row.previous.size() > kPreviousMax) {
    return fail(ErrorCode::kConflict, "{} old secrets of the key {} are good still: wait, or make a new key",
                kPreviousMax, key_id);
  }
  NewKey made{.secret = secret_for(row.key.role)};
  row.hash = blake2b_256(made.secret);
  row.key.hint = hint_of(made.secret, row.key.role);
  made.key = row.key;
  TRY(act("rotate", known.before, record_of(row)));
  return made;
}

Result<> Books::revoke_key(std::string_view key_id) {
  KnownKey known = TRY(known_key(state_, key_id));
  if (known.row.key.revoked) return {};
  known.row.key.revoked = now_;
  known.row.previous.clear();
  return act("revoke", known.before, record_of(known.row));
}

Result<> Books::revoke_keys_of(std::string_view parent, std::string_view owner) {
  for (const Key& key : TRY(keys_under(state_, parent))) {
    if (key.owner == owner) TRY(revoke_key(key.id));
  }
  return {};
}

}  // namespace feilun::ledger
