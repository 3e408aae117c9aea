// POST /feilun/v1/login: a member's password against an administrator's key that lasts some hours.
//
// Whoever asks learns one thing only: whether organisation, address and password are right together. So what
// is unknown takes as long as what is wrong, and both say the same.
#include "gateway/admin_call.h"
#include "gateway/admin_json.h"
#include "gateway/client_address.h"
#include "gateway/endpoints.h"
#include "gateway/login_guard.h"
#include "gateway/paid_call.h"
#include "ledger/checked_text.h"

namespace feilun::gateway {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

using ledger::Member;
using ledger::State;

constexpr int64_t kKeySeconds = 8 * 3600;
constexpr int64_t kLoginSecondsMax = 24 * 3600;

struct Account {
  std::string name;              ///< what attempts are counted by: the same for all names of one account
  std::optional<Member> member;  ///< none: nobody can log in so
};

std::string in_small_letters(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return text;
}

Result<Account> find_account(State& state, std::string organisation, const std::string& email) {
  bool open = true;
  if (organisation != "default") {  // which has no record
    const auto found = ledger::find_organisation(state, organisation);
    if (!found && found.error().code != ErrorCode::kNotFound) return std::unexpected(found.error());
    open = found && !found->archived;
    if (found) organisation = found->id;
  }
  Account account{.name = organisation + "/" + email};
  if (!open || !email.contains('@')) return account;
  auto member = ledger::find_member(state, organisation, email);
  if (!member && member.error().code != ErrorCode::kNotFound) return std::unexpected(member.error());
  if (member) account.member = *std::move(member);
  return account;
}

std::unexpected<Error> refused() {
  return fail(ErrorCode::kUnauthorized, "organisation, address and password are not right together");
}

/// Where there is no account, or none with a password, it compares with a hash that no password has.
bool may_enter(const Account& account, const std::string& password) {
  static const std::string kNobodys =
      "$argon2id$v=19$m=65536,t=2,p=1$" + std::string(22, 'A') + "$" + std::string(43, 'A');
  const bool known = account.member && !account.member->password.empty();
  return ledger::is_password(known ? account.member->password : kNobodys, password);
}

Result<std::string> log_in(Visit& visit) {
  const AdminBody body =
      TRY(AdminBody::read(visit.request(), {"organization", "email", "password", "expires_in_seconds"}));
  const std::string organisation = TRY(body.text("organization")).value_or("default");
  const std::string email = in_small_letters(TRY(body.required("email")));
  const std::string password = TRY(body.required("password"));
  TRY(ledger::check_text("organization", organisation, false));
  TRY(ledger::check_text("email", email, false));
  const auto seconds = TRY(body.fields().integer("expires_in_seconds", 60, kLoginSecondsMax));
  Services& services = visit.services;
  ledger::Ledger& ledger = services.ledger;
  const Account account =
      TRY(ledger.read<Account>([&](State& state) { return find_account(state, organisation, email); }));
  TRY(services.login_guard.attempt(account.name, client_address(visit.request(), services.trusted_proxies),
                                   services.clock.mono()));
  if (!may_enter(account, password)) {
    return refused();
  }
  services.login_guard.succeeded(account.name);
  const WallTime expires = services.clock.wall() + std::chrono::seconds(seconds.value_or(kKeySeconds));
  const auto made = TRY(ledger.write<ledger::NewKey>([&](ledger::Books& books) -> Result<ledger::NewKey> {
    // As they are now: both may have changed while the password was looked at.
    const auto found = ledger::find_member(books.state(), account.member->organisation, account.member->id);
    if (!found)
      return found.error().code == ErrorCode::kNotFound ? refused() : std::unexpected(found.error());
    const Member& member = *found;
    books.act_as(member.id);
    return books.create_key({.parent = member.organisation,
                             .name = "login",
                             .role = ledger::KeyRole::kAdmin,
                             .organisation_role = member.role,
                             .owner = member.id,
                             .expires = expires});
  }));
  return ledger.read<std::string>([&](State& state) -> Result<std::string> {
    json::object shown = TRY(admin_key_json(state, made.key));
    shown["value"] = made.secret;
    return json::serialize(shown);
  });
}

}  // namespace

asio::awaitable<void> login(Visit& visit) {
  const auto place = visit.services.login_guard.place();
  if (!place) {
    Error busy{ErrorCode::kRateLimited, "too many log in at the moment: try again in a few seconds"};
    busy.retry_after_s = 5;
    co_await visit.reply_error(busy);
    co_return;
  }
  auto body = co_await run_on(visit.services.login_work, [&] { return log_in(visit); });
  if (body) {
    co_await visit.reply_json(*std::move(body));
  } else {
    co_await visit.reply_error(body.error());
  }
}

}  // namespace feilun::gateway
