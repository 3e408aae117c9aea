// The journal holds every act; this index finds an organisation's, newest first, without walking the rest.
#include "ledger/audit_log.h"

#include <algorithm>
#include <boost/json.hpp>
#include <deque>
#include <iterator>

#include "ledger/fields.h"
#include "ledger/record.h"

namespace feilun::ledger {
namespace {

namespace json = boost::json;

constexpr int64_t kRowsAtOnce = 200;
constexpr int kParentsMax = 4;  ///< key → project → organisation, and one to spare

/// Rows sort by key, and the newest act comes first.
int64_t mirrored(int64_t sequence) {
  return INT64_MAX - sequence;
}

std::string prefix_of(std::string_view organisation) {
  return KeyWriter('T').text(organisation).take();
}

std::string act_key(std::string_view organisation, int64_t sequence) {
  return KeyWriter('T').text(organisation).number(mirrored(sequence)).take();
}

int64_t sequence_in(std::string_view key) {
  uint64_t number = 0;
  for (const char byte : key.substr(key.size() - 8)) number = number << 8 | static_cast<uint8_t>(byte);
  return mirrored(static_cast<int64_t>(number));
}

Result<Act> read_act(const StateRow& row) {
  FieldReader fields(row.value);
  Act act{.sequence = sequence_in(row.key), .time = fields.time()};
  for (std::string* text :
       {&act.actor, &act.verb, &act.type, &act.id, &act.parent, &act.name, &act.before, &act.after}) {
    *text = fields.text();
  }
  if (!fields.ok() || !fields.at_end()) return fail(ErrorCode::kCorrupt, "an act cannot be read");
  return act;
}

bool names(const std::vector<std::string>& wanted, std::string_view value) {
  return wanted.empty() || std::ranges::find(wanted, value) != wanted.end();
}

bool passes(const ActFilter& filter, const Act& act) {
  if (filter.from && act.time < *filter.from) return false;
  if (filter.until && act.time >= *filter.until) return false;
  const bool in_project = names(filter.projects, act.type == "project" ? act.id : act.parent);
  return in_project && names(filter.actors, act.actor) && names(filter.ids, act.id) &&
         (filter.events.empty() || names(filter.events, act.event()));
}

struct EventName {
  std::string_view type;
  std::string_view verb;
  std::string_view event;
};

constexpr EventName kEventNames[] = {
    {"key", "create", "api_key.created"},
    {"key", "change", "api_key.updated"},
    {"key", "rotate", "api_key.updated"},
    {"key", "revoke", "api_key.deleted"},
    {"invite", "create", "invite.sent"},
    {"invite", "accept", "invite.accepted"},
    {"invite", "revoke", "invite.deleted"},
    {"member", "create", "user.added"},
    {"member", "change", "user.updated"},
    {"member", "remove", "user.deleted"},
    {"project_member", "create", "project.user.added"},
    {"project_member", "change", "project.user.updated"},
    {"project_member", "remove", "project.user.deleted"},
    {"organisation", "create", "organization.created"},
    {"organisation", "change", "organization.updated"},
    {"organisation", "archive", "organization.archived"},
    {"organisation", "restore", "organization.restored"},
};

std::string participle(std::string_view verb) {
  if (verb == "change") return "updated";
  if (verb == "remove" || verb == "revoke") return "deleted";
  return std::string(verb) + (verb.ends_with('e') ? "d" : "ed");
}

/// Hands the acts that pass to `take`, newest first, until it says false.
template <typename Take>
Result<> walk_acts(State& state, std::string_view organisation, const ActFilter& filter, Take take) {
  if (organisation.find('\0') != organisation.npos) return {};
  const std::string prefix = prefix_of(organisation);
  std::string last = filter.before > 0 ? act_key(organisation, filter.before) : prefix;
  for (;;) {
    const auto rows = TRY(state.scan_after(prefix, last, kRowsAtOnce));
    for (const StateRow& row : rows) {
      Act act = TRY(read_act(row));
      if (act.sequence <= filter.after) return {};
      if (passes(filter, act) && !take(std::move(act))) return {};
    }
    if (std::ssize(rows) < kRowsAtOnce) return {};
    last = rows.back().key;
  }
}

}  // namespace

std::string Act::event() const {
  for (const EventName& name : kEventNames) {
    if (name.type == type && name.verb == verb) return std::string(name.event);
  }
  return type + "." + participle(verb);
}

Result<std::string> organisation_of_act(State& state, std::string_view type, std::string_view id,
                                        std::string_view parent) {
  if (type == "organisation") return std::string(id);
  std::string above(parent);
  for (int i = 0; i < kParentsMax; ++i) {
    auto record = TRY(find_record(state, "project", above));
    if (!record) record = TRY(find_record(state, "key", above));
    if (!record) break;
    above = record->parent;
  }
  if (TRY(find_record(state, "organisation", above))) return above;
  return std::string("default");
}

void put_act(State& state, std::string_view organisation, const Act& act) {
  FieldWriter value;
  value.time(act.time).text(act.actor).text(act.verb).text(act.type).text(act.id).text(act.parent);
  value.text(act.name).text(act.before).text(act.after);
  state.put(act_key(organisation, act.sequence), value.take());
}

Result<bool> has_act(State& state, std::string_view organisation, int64_t sequence) {
  if (organisation.find('\0') != organisation.npos) return false;
  return TRY(state.get(act_key(organisation, sequence))) != nullptr;
}

Result<std::vector<Act>> acts_of(State& state, std::string_view organisation, const ActFilter& filter,
                                 int64_t limit) {
  std::deque<Act> acts;
  // Going back from an entry, the last ones before it are wanted, not the newest of all.
  const bool back = filter.after > 0;
  const auto take = [&](Act act) {
    acts.push_back(std::move(act));
    if (back && std::ssize(acts) > limit) acts.pop_front();
    return back || std::ssize(acts) < limit;
  };
  TRY(walk_acts(state, organisation, filter, take));
  std::vector<Act> shown(std::make_move_iterator(acts.begin()), std::make_move_iterator(acts.end()));
  for (Act& act : shown) {
    act.before = without_secrets(act.before);
    act.after = without_secrets(act.after);
  }
  return shown;
}

std::string without_secrets(std::string_view text) {
  if (text.empty()) return {};
  boost::system::error_code error;
  json::value body = json::parse(text, error);
  if (error || !body.is_object()) return "{}";
  erase_secrets(body.as_object());
  return json::serialize(body);
}

void erase_secrets(json::object& record) {
  for (const char* secret : {"hash", "previous", "password", "secret"}) record.erase(secret);
}

}  // namespace feilun::ledger
