#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/civil_time.h"
#include "base/ids.h"
#include "base/json.h"
#include "gateway/request_fields.h"
#include "ledger/books.h"
#include "ledger/record.h"
#include "net/http_message.h"

// What the endpoints of the admin API have in common. Each is a plain function that runs on a thread where it
// may wait for the ledger.

namespace feilun::gateway {

class Deployments;

/// One administrative request: who asks, of which organisation.
struct AdminCall {
  ledger::Ledger& ledger;
  const Deployments& deployments;
  const ledger::Key& key;
  const net::Request& request;
  WallTime now;
  std::string organisation;              ///< whose things are asked for: the key's, or named by an operator
  std::vector<std::string> path_values;  ///< of the route's {…}, in order

  /// The organisation "default" runs the server: it sets prices, credits wallets, sees other organisations.
  bool by_operator() const { return key.organisation == "default"; }
  /// The member whose key this is, where it is one of the organisation asked about; else empty.
  std::string own_member() const { return organisation == key.organisation ? key.owner : std::string(); }
  /// Runs the act in the key's name.
  template <typename T>
  Result<T> write(std::move_only_function<Result<T>(ledger::Books&)> act) {
    return ledger.write<T>([&](ledger::Books& books) {
      books.act_as(key.id);
      return act(books);
    });
  }
  template <typename T>
  Result<T> read(std::move_only_function<Result<T>(ledger::State&)> look) {
    return ledger.read<T>(std::move(look));
  }

  /// The project in the path, if this key may see it. kNotFound, which does not tell whether it exists.
  Result<ledger::Project> project(ledger::State& state) const;
  /// Whose wallets the organisation's are: its own, or, of "default", those of its projects.
  Result<std::vector<std::string>> payers(ledger::State& state) const;
  /// Whether the key has a say in what `owner` (a member, a service account; may be nobody) has in the
  /// project: who is a member of the project, and not an owner of it, has one only in what is their own.
  /// kPermissionDenied.
  Result<> check_owner(ledger::State& state, std::string_view project_id, std::string_view owner) const;
  /// The wallet in the path: the organisation's own, or that of one of its projects which this key may see.
  /// kNotFound.
  Result<std::string> wallet(ledger::State& state) const;
  Result<bool> has_wallet(ledger::State& state, std::string_view id) const;
  /// kPermissionDenied unless the operator asks; `what` is what the operator alone does.
  Result<> check_operator(std::string_view what) const;
  /// kPermissionDenied unless this key's role may give or take the role.
  Result<> check_grant(ledger::Role role) const;
};

/// Whether an administrator's key may do what takes the power: by its role; and one that is no member's, and
/// so of no project in particular, sees every project.
bool has_power(const ledger::Key& key, ledger::Power power);
/// Whether an administrator's key sees a project of its organisation: who has no say in all of them sees
/// those that it is a member of.
Result<bool> sees_project(ledger::State& state, const ledger::Key& key, std::string_view project_id);

/// kNotFound, which does not tell whether it exists elsewhere.
std::unexpected<Error> not_here(std::string_view what, std::string_view id);

/// What was found, where `is_own` says that it is the caller's to see; else what not_here() says.
template <typename T, typename IsOwn>
Result<T> only_own(Result<T> found, std::string_view what, std::string_view id, IsOwn is_own) {
  if (!found && found.error().code != ErrorCode::kNotFound) return found;
  if (found && TRY(Result<bool>(is_own(*found)))) return found;
  return not_here(what, id);
}

/// The end of the year 9999: no time that a client names is later.
constexpr int64_t kSecondsMax = 253'402'300'799;
/// How long a key may last, and an old secret beside its new one.
constexpr int64_t kKeySecondsMax = 10 * 366 * 86'400LL;

/// The JSON object of the request's body; no body is an empty object.
class AdminBody {
 public:
  /// A field that is not among `known`, or stands there twice, is an error: whoever misspells one would
  /// otherwise get something wider than was asked for.
  static Result<AdminBody> read(const net::Request& request, std::initializer_list<std::string_view> known);
  const RequestFields& fields() const { return fields_; }
  Result<std::string> required(std::string_view name) const;
  Result<std::optional<std::string>> text(std::string_view name) const;
  /// nullopt when absent.
  Result<std::optional<std::vector<std::string>>> texts(std::string_view name) const;
  Result<std::optional<std::vector<int64_t>>> numbers(std::string_view name) const;
  /// The array's objects, which have no other fields than the `known`; none where there is no array.
  Result<std::vector<RequestFields>> objects(std::string_view name,
                                             std::initializer_list<std::string_view> known) const;
  /// Under which key something is done once: the field "idempotency_key", or the header; may be empty.
  Result<std::string> idempotency_key() const;
  /// An amount as a string; the error names the field.
  Result<std::optional<Money>> money(std::string_view name) const;
  /// A time in whole seconds since 1970.
  Result<std::optional<WallTime>> moment(std::string_view name) const;
  /// When what lasts "expires_in_seconds" from now ends.
  Result<std::optional<WallTime>> expiry(WallTime now) const;
  /// A month such as "2026-11".
  Result<std::optional<Month>> month(std::string_view name) const;

 private:
  AdminBody(JsonDocument document, RequestFields fields, std::string header)
      : document_(std::move(document)), fields_(std::move(fields)), header_(std::move(header)) {}
  template <typename T, typename Json>
  Result<std::optional<std::vector<T>>> array_of(std::string_view name, std::string_view expected) const;

  JsonDocument document_;
  RequestFields fields_;
  std::string header_;  ///< idempotency-key
};

/// All values of a query parameter: "name", "name[]" and "name=a,b" alike.
std::vector<std::string> query_values(const net::Request& request, std::string_view name);

/// Where a list begins and how long it may be.
struct Page {
  int64_t limit = 20;
  std::string after;
};
Result<Page> read_page(const net::Request& request);
/// For a list that has nothing of the id behind which the page should begin. kInvalidArgument.
std::unexpected<Error> unknown_cursor(const Page& page);

/// {"object":"list","data":[…],"first_id","last_id","has_more"}; of the items, which may be one more than the
/// page holds.
std::string list_reply(boost::json::array items, const Page& page);
/// The same, where something is added.
boost::json::object list_json(boost::json::array items, const Page& page);
/// What follows the page's cursor in a short list that was read whole. kInvalidArgument where it has none
/// such.
Result<boost::json::array> behind_cursor(boost::json::array all, const Page& page);

/// What the ids of a type begin with whose records can be deleted; empty of types whose records stay.
std::string_view deletable_id_prefix(std::string_view type);

/// A page of the records of a parent, or of all parents, behind the id `page.after`, whether or not there is
/// a record with it; `show` gives nothing for one that is left out.
template <typename Show>
Result<std::string> list_records_behind(ledger::State& state, std::string_view type,
                                        std::optional<std::string_view> parent, const Page& page, Show show) {
  boost::json::array items;
  std::string after = page.after;
  while (std::ssize(items) <= page.limit) {
    const auto records = TRY(parent ? ledger::records_of(state, type, *parent, page.limit + 1, after)
                                    : ledger::all_records(state, type, page.limit + 1, after));
    for (const ledger::Record& record : records) {
      std::optional<boost::json::object> item = TRY(show(record));
      if (item) items.push_back(*std::move(item));
    }
    if (std::ssize(records) <= page.limit) break;
    after = records.back().id;
  }
  return list_reply(std::move(items), page);
}

/// The same. Its cursor is a record of the parent, shown or not. Where records can be deleted it is any id of
/// the type: lists are in the order of ids, and whoever deletes what a page shows can go on behind it.
template <typename Show>
Result<std::string> list_records(ledger::State& state, std::string_view type,
                                 std::optional<std::string_view> parent, const Page& page, Show show) {
  const std::string_view prefix = deletable_id_prefix(type);
  bool listed = page.after.empty() || (!prefix.empty() && is_id(page.after, prefix));
  if (!listed && prefix.empty()) {
    const auto at = TRY(ledger::find_record(state, type, page.after));
    listed = at && parent == at->parent;
  }
  if (!listed) return unknown_cursor(page);
  return list_records_behind(state, type, parent, page, show);
}

/// Seconds since 1970, as OpenAI's API has times; null for none.
boost::json::value unix_seconds(const std::optional<WallTime>& time);
/// {"id","object","deleted":true}
std::string deleted_reply(std::string_view id, std::string_view object);

}  // namespace feilun::gateway
