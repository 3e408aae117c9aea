#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/tenant_records.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::Invite;
using ledger::Member;
using ledger::State;

constexpr int64_t kListMax = 1'000'000;

struct MemberOptions : LedgerAccess {
  std::string organisation = "default";
  std::string who;
  std::string name;
  std::string role = "developer";
  std::string token;
  std::vector<std::string> projects;
  int64_t days = 7;
};

Result<std::string> organisation_id(State& state, const MemberOptions& options) {
  return TRY(ledger::organisation_of(state, options.organisation)).id;
}

Result<Member> member_of(State& state, const MemberOptions& options) {
  const std::string organisation = TRY(organisation_id(state, options));
  return ledger::find_member(state, organisation, options.who);
}

Result<> add(const MemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  const Member member{.organisation = options.organisation,
                      .email = options.who,
                      .name = options.name,
                      .role = TRY(ledger::parse_role(options.role))};
  const auto made = TRY(ledger->write<Member>([&](Books& books) { return books.add_member(member); }));
  fmt::print("{}\n", made.id);
  return {};
}

Result<> list(const MemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto members =
      TRY(ledger->read<std::vector<Member>>([&](State& state) -> Result<std::vector<Member>> {
        const std::string organisation = TRY(organisation_id(state, options));
        return ledger::members_of(state, organisation);
      }));
  fmt::print("{:<33} {:<31} {:<10} {:<25} {}\n", "ID", "E-MAIL", "ROLE", "ADDED", "NAME");
  for (const Member& member : members) {
    fmt::print("{:<33} {:<31} {:<10} {:<25} {}\n", member.id, member.email, name_of(member.role),
               format_time(member.added), member.name);
  }
  return {};
}

Result<> change(const MemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const ledger::Role role = TRY(ledger::parse_role(options.role));
  const auto changed = TRY(ledger->write<Member>([&](Books& books) -> Result<Member> {
    const Member member = TRY(member_of(books.state(), options));
    return books.change_member(member.id, role);
  }));
  fmt::print("{} has the role {}\n", changed.email, name_of(changed.role));
  return {};
}

Result<> remove(const MemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  TRY(ledger->write<void>([&](Books& books) -> Result<> {
    const Member member = TRY(member_of(books.state(), options));
    return books.remove_member(member.id);
  }));
  fmt::print("removed {}, and revoked the keys that were theirs\n", options.who);
  return {};
}

Result<> invite(const MemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kCreate));
  Invite invite{.organisation = options.organisation, .email = options.who};
  invite.role = TRY(ledger::parse_role(options.role));
  invite.expires = SystemClock().wall() + std::chrono::days(options.days);
  for (const std::string& project : options.projects) {
    invite.projects.push_back({TRY(ledger->find_project(project)).id, ledger::ProjectRole::kMember});
  }
  const auto made = TRY(ledger->write<ledger::NewInvite>([&](Books& books) { return books.invite(invite); }));
  fmt::print("{}\n", made.token);
  return {};
}

Result<> list_invites(const MemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const WallTime now = SystemClock().wall();
  return ledger->read<void>([&](State& state) -> Result<> {
    const std::string organisation = TRY(organisation_id(state, options));
    fmt::print("{:<35} {:<31} {:<10} {:<9} {}\n", "ID", "E-MAIL", "ROLE", "STATUS", "EXPIRES");
    for (const auto& record : TRY(ledger::records_of(state, "invite", organisation, kListMax))) {
      const Invite each = TRY(ledger::invite_from(record)).invite;
      fmt::print("{:<35} {:<31} {:<10} {:<9} {}\n", each.id, each.email, name_of(each.role), each.status(now),
                 format_time(each.expires));
    }
    return {};
  });
}

Result<> accept(const MemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto member = TRY(ledger->write<Member>(
      [&](Books& books) { return books.accept_invite(options.token, options.name, ""); }));
  fmt::print("{}\n", member.id);
  return {};
}

Result<> revoke_invite(const MemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  TRY(ledger->write<void>([&](Books& books) { return books.revoke_invite(options.who); }));
  fmt::print("revoked {}\n", options.who);
  return {};
}

constexpr const char* kRoleHelp = "owner, admin, developer, billing or auditor";

CLI::App* add_command(CLI::App* group, const char* name, const char* help,
                      const std::shared_ptr<MemberOptions>& options) {
  CLI::App* command = group->add_subcommand(name, help);
  add_data_option(command, *options);
  command->add_option("--organisation", options->organisation, "Its name or id")->capture_default_str();
  return command;
}

}  // namespace

void add_member_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "member", "People of an organisation and what they may do");
  auto options = std::make_shared<MemberOptions>();

  CLI::App* add_one = add_command(group, "add", "Add a member without an invitation; print the id", options);
  add_one->add_option("email", options->who, "The member's address")->required();
  add_one->add_option("--name", options->name, "The member's name");
  add_one->add_option("--role", options->role, kRoleHelp)->capture_default_str();
  on_chosen(add_one, chosen, options, add);

  on_chosen(add_command(group, "list", "List an organisation's members", options), chosen, options, list);

  CLI::App* change_one = add_command(group, "change", "Give a member another role", options);
  change_one->add_option("member", options->who, "E-mail address or id")->required();
  change_one->add_option("--role", options->role, kRoleHelp)->required();
  on_chosen(change_one, chosen, options, change);

  CLI::App* remove_one = add_command(group, "remove", "Remove a member and revoke their keys", options);
  remove_one->add_option("member", options->who, "E-mail address or id")->required();
  on_chosen(remove_one, chosen, options, remove);
}

void add_invite_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "invite", "Invitations into an organisation, good for one person once");
  auto options = std::make_shared<MemberOptions>();

  CLI::App* create = add_command(group, "create", "Make an invitation and print its token, once", options);
  create->add_option("email", options->who, "Whom to invite")->required();
  create->add_option("--role", options->role, kRoleHelp)->capture_default_str();
  create->add_option("--project", options->projects, "Make them a member of this project; again for more");
  create->add_option("--days", options->days, "How long it is good")
      ->check(CLI::Range(1, 90))
      ->capture_default_str();
  on_chosen(create, chosen, options, invite);

  on_chosen(add_command(group, "list", "List an organisation's invitations", options), chosen, options,
            list_invites);

  CLI::App* accept_one = add_command(group, "accept", "Become a member by an invitation's token", options);
  accept_one->add_option("token", options->token, "As `feilun invite create` printed it")->required();
  accept_one->add_option("--name", options->name, "The new member's name");
  on_chosen(accept_one, chosen, options, accept);

  CLI::App* revoke = add_command(group, "revoke", "Take an invitation back", options);
  revoke->add_option("id", options->who, "As `feilun invite list` shows it")->required();
  on_chosen(revoke, chosen, options, revoke_invite);
}

}  // namespace feilun::apps
