#include <sodium.h>

#include <algorithm>

#include "base/ids.h"
#include "ledger/books.h"
#include "ledger/checked_text.h"
#include "ledger/limits.h"
#include "ledger/tenant_records.h"

// Tenants and their wallets: the operations that happen rarely and by hand.

namespace feilun::ledger {
namespace {

constexpr std::string_view kDefaultOrganisation = "default";
constexpr int64_t kListMax = 1'000'000;

/// 48 random characters of base 62: 285 bits.
constexpr size_t kSecretCharacters = 48;

std::string new_secret(KeyRole role) {
  static constexpr char kAlphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string secret = role == KeyRole::kAdmin ? "sk-fl-admin-" : "sk-fl-";
  for (size_t i = 0; i < kSecretCharacters; ++i) secret.push_back(kAlphabet[randombytes_uniform(62)]);
  return secret;
}

std::string hint_of(std::string_view secret, KeyRole role) {
  const size_t shown = role == KeyRole::kAdmin ? 14 : 8;
  return std::string(secret.substr(0, shown)) + "…" + std::string(secret.substr(secret.size() - 2));
}

/// A record by its id, else by its name.
Result<std::optional<Record>> find_by_either(State& state, std::string_view type,
                                             std::string_view name_or_id) {
  if (auto record = TRY(find_record(state, type, name_or_id))) return record;
  return find_record_named(state, type, name_or_id);
}

}  // namespace

Result<Organisation> find_organisation(State& state, std::string_view name_or_id) {
  const auto record = TRY(find_by_either(state, "organisation", name_or_id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no organisation '{}'", name_or_id);
  return organisation_from(*record);
}

Result<Project> find_project(State& state, std::string_view name_or_id) {
  const auto record = TRY(find_by_either(state, "project", name_or_id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no project '{}'", name_or_id);
  return project_from(*record);
}

Result<std::vector<Project>> all_projects(State& state) {
  std::vector<Project> projects;
  for (const Record& record : TRY(all_records(state, "project", kListMax))) {
    projects.push_back(TRY(project_from(record)));
  }
  return projects;
}

Result<std::vector<Key>> keys_of(State& state, std::string_view project_id) {
  std::vector<Key> keys;
  for (const Record& record : TRY(records_of(state, "key", project_id, kListMax))) {
    keys.push_back(TRY(key_from(record)).key);
  }
  return keys;
}

Result<Organisation> Books::create_organisation(Organisation organisation) {
  TRY(check_text("organisation's name", organisation.name, false));
  if (organisation.name.starts_with("org_") || organisation.name == kDefaultOrganisation) {
    return fail(ErrorCode::kInvalidArgument, "an organisation's name must not look like an id ('org_…')");
  }
  organisation.currency = TRY(parse_currency(organisation.currency));
  if (organisation.credit_limit.is_negative() || organisation.credit_limit > kFundingMax) {
    return fail(ErrorCode::kInvalidArgument, "a credit limit is an amount from zero");
  }
  if (TRY(find_record_named(state_, "organisation", organisation.name))) {
    return fail(ErrorCode::kConflict, "there is an organisation '{}' already", organisation.name);
  }
  organisation.id = new_id("org");
  TRY(act("create", std::nullopt, record_of(organisation)));
  return organisation;
}

Result<Project> Books::create_project(const std::string& name, const std::string& currency,
                                      std::string_view organisation) {
  TRY(check_text("project's name", name, false));
  if (name.starts_with("proj_")) {
    return fail(ErrorCode::kInvalidArgument, "a project's name must not look like an id ('proj_…')");
  }
  Project project{.id = new_id("proj"), .name = name, .organisation = std::string(organisation)};
  project.currency = TRY(parse_currency(currency));
  project.payer = project.id;
  if (organisation != kDefaultOrganisation) {
    const Organisation owner = TRY(find_organisation(state_, organisation));
    if (owner.currency != project.currency) {
      return fail(ErrorCode::kInvalidArgument, "the wallet of '{}' is in {}, not {}", owner.name,
                  owner.currency, project.currency);
    }
    project.organisation = project.payer = owner.id;
  }
  if (TRY(find_record_named(state_, "project", name))) {
    return fail(ErrorCode::kConflict, "there is a project '{}' already", name);
  }
  TRY(act("create", std::nullopt, record_of(project)));
  return project;
}

Result<Project> Books::ensure_project(const std::string& name, const std::string& currency) {
  if (const auto there = TRY(find_record_named(state_, "project", name))) return project_from(*there);
  return create_project(name, currency);
}

Result<NewKey> Books::create_key(std::string_view project, const std::string& name, KeyRole role) {
  TRY(check_text("key's name", name, true));
  const Project owner = TRY(find_project(state_, project));
  NewKey made;
  made.secret = new_secret(role);
  made.key = {.id = new_id("key"), .project_id = owner.id, .name = name, .role = role, .created = now_};
  made.key.hint = hint_of(made.secret, role);
  TRY(act("create", std::nullopt, record_of(KeyRow{.key = made.key, .hash = blake2b_256(made.secret)})));
  return made;
}

Result<> Books::revoke_key(std::string_view key_id) {
  const auto record = TRY(find_record(state_, "key", key_id));
  if (!record) return fail(ErrorCode::kNotFound, "there is no key '{}'", key_id);
  KeyRow row = TRY(key_from(*record));
  if (row.key.revoked) return {};
  row.key.revoked = now_;
  return act("revoke", record, record_of(row));
}

}  // namespace feilun::ledger
