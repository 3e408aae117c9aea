#include <simdjson.h>
#include <sodium.h>

#include <algorithm>

#include "base/ids.h"
#include "ledger/books.h"
#include "ledger/limits.h"

// Tenants, wallets and prices: the operations that happen rarely and by hand.

namespace feilun::ledger {
namespace {

/// 48 random characters of base 62: 285 bits.
constexpr size_t kSecretCharacters = 48;

Result<> check_text(std::string_view what, std::string_view text, bool may_be_empty) {
  if (text.empty() && !may_be_empty) return fail(ErrorCode::kInvalidArgument, "the {} is empty", what);
  if (text.size() > kTextBytesMax) {
    return fail(ErrorCode::kInvalidArgument, "the {} is longer than {} bytes", what, kTextBytesMax);
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return fail(ErrorCode::kInvalidArgument, "the {} is not UTF-8", what);
  }
  const auto is_control = [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(text, is_control)) {
    return fail(ErrorCode::kInvalidArgument, "the {} has a control character", what);
  }
  return {};
}

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

Result<> check_price(const PriceVersion& price) {
  TRY(check_text("offering", price.offering, false));
  TRY(parse_currency(price.currency));
  for (const Money unit :
       {price.input_fresh, price.cache_read, price.cache_write, price.output, price.reasoning}) {
    if (unit.is_negative()) return fail(ErrorCode::kInvalidArgument, "a price is negative");
    if (unit > kUnitPriceMax) return fail(ErrorCode::kInvalidArgument, "a price per token is absurdly large");
  }
  return {};
}

}  // namespace

Result<Project> Books::create_project(const std::string& name, const std::string& currency) {
  TRY(check_text("project's name", name, false));
  if (name.starts_with("proj_")) {
    return fail(ErrorCode::kInvalidArgument, "a project's name must not look like an id ('proj_…')");
  }
  Project project{.id = new_id("proj"), .name = name, .organisation = "default"};
  project.currency = TRY(parse_currency(currency));
  if (TRY(store_.project(name))) return fail(ErrorCode::kConflict, "there is a project '{}' already", name);
  PayloadWriter payload(EntryKind::kProject);
  payload.text(project.id).text(project.name).text(project.organisation).raw(project.currency);
  TRY(record(std::move(payload), {}));
  TRY(store_.insert_project(project));
  return project;
}

Result<Project> Books::ensure_project(const std::string& name, const std::string& currency) {
  if (auto project = TRY(store_.project(name))) return *std::move(project);
  return create_project(name, currency);
}

Result<NewKey> Books::create_key(std::string_view project, const std::string& name, KeyRole role) {
  TRY(check_text("key's name", name, true));
  const Project owner = TRY(known_project(project));
  NewKey made;
  made.secret = new_secret(role);
  made.key = {.id = new_id("key"), .project_id = owner.id, .name = name, .role = role, .created = now_};
  made.key.hint = hint_of(made.secret, role);
  const Hash hash = blake2b_256(made.secret);
  PayloadWriter payload(EntryKind::kKey);
  payload.text(made.key.id).text(owner.id).text(name).text(made.key.hint).byte(static_cast<uint8_t>(role));
  payload.raw(view(hash));
  const int64_t sequence = TRY(record(std::move(payload), {}));
  TRY(store_.insert_key({.key = made.key, .hash = hash, .changed = sequence}));
  return made;
}

Result<> Books::revoke_key(std::string_view key_id) {
  const auto key = TRY(store_.key(key_id));
  if (!key) return fail(ErrorCode::kNotFound, "there is no key '{}'", key_id);
  if (key->revoked) return {};
  const int64_t sequence = TRY(record(std::move(PayloadWriter(EntryKind::kKeyRevoked).text(key_id)), {}));
  return store_.revoke_key(key_id, now_, sequence);
}

Result<Balance> Books::credit(std::string_view project, Money amount, std::string_view currency,
                              std::string_view reason, std::string_view idempotency_key) {
  TRY(check_text("reason", reason, true));
  TRY(check_text("idempotency key", idempotency_key, true));
  const Project owner = TRY(known_project(project));
  if (amount.is_negative() || amount.is_zero()) {
    return fail(ErrorCode::kInvalidArgument, "a credit must be more than zero, not {}", amount.to_string());
  }
  if (currency != owner.currency) {
    return fail(ErrorCode::kInvalidArgument, "the wallet of '{}' is in {}, not {}", owner.name,
                owner.currency, currency);
  }
  const std::string wallet = wallet_of(owner.id);
  bool again = false;
  if (!idempotency_key.empty()) {
    const auto before = TRY(store_.credit(idempotency_key));
    again = before.has_value();
    if (before &&
        (before->project_id != owner.id || before->amount != amount || before->currency != currency)) {
      return fail(ErrorCode::kConflict, "the idempotency key '{}' was used for another credit",
                  idempotency_key);
    }
  }
  if (!again) {
    const Money funding = TRY(balance_of("funding", owner.currency));
    if (amount > kFundingMax || -(funding - amount) > kFundingMax) {
      return fail(ErrorCode::kInvalidArgument, "{} is more than a ledger can hold", amount.to_string());
    }
    PayloadWriter payload(EntryKind::kCredit);
    payload.text(owner.id).text(reason).text(idempotency_key);
    const std::vector<Posting> postings = {{"funding", owner.currency, -amount},
                                           {wallet, owner.currency, amount}};
    const int64_t sequence = TRY(record(std::move(payload), postings));
    if (!idempotency_key.empty()) {
      TRY(store_.insert_credit({std::string(idempotency_key), owner.id, owner.currency, amount, sequence}));
    }
  }
  const Money free = TRY(balance_of(wallet, owner.currency));
  const Money held = TRY(balance_of(held_of(owner.id), owner.currency));
  return Balance{.currency = owner.currency, .posted = free + held, .pending = held};
}

Result<PriceVersion> Books::set_price(PriceVersion price) {
  TRY(check_price(price));
  price.effective_from = std::max(price.effective_from, now_);
  const auto before = TRY(store_.price_at(price.offering, price.currency, price.effective_from));
  const WallTime next = TRY(store_.next_price_from(price.offering, price.currency, price.effective_from));
  price.effective_until = std::min(price.effective_until, next);
  if (price.effective_until <= price.effective_from) {
    return fail(ErrorCode::kInvalidArgument, "the price would end before it begins");
  }
  price.id = TRY(store_.last_price_id()) + 1;
  const int64_t ended = before ? before->id : 0;
  PayloadWriter payload(EntryKind::kPrice);
  payload.number(price.id).text(price.offering).raw(price.currency);
  payload.amount(price.input_fresh).amount(price.cache_read).amount(price.cache_write);
  payload.amount(price.output).amount(price.reasoning);
  payload.time(price.effective_from).time(price.effective_until).number(ended);
  TRY(record(std::move(payload), {}));
  if (before) TRY(store_.end_price(ended, price.effective_from));
  TRY(store_.insert_price(price));
  return price;
}

}  // namespace feilun::ledger
