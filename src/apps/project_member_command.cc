#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "ledger/books.h"
#include "ledger/tenant_records.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::Member;
using ledger::Project;
using ledger::ProjectMember;
using ledger::State;

constexpr int64_t kListMax = 1'000'000;

struct ProjectMemberOptions : LedgerAccess {
  std::string who;
  std::string role = "member";
};

Result<> add(const ProjectMemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto role = TRY(ledger::parse_project_role(options.role));
  TRY(ledger->write<ProjectMember>(
      [&](Books& books) { return books.put_project_member(options.project, options.who, role); }));
  fmt::print("{} is {} of {}\n", options.who, name_of(role), options.project);
  return {};
}

Result<> list(const ProjectMemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  return ledger->read<void>([&](State& state) -> Result<> {
    const Project project = TRY(ledger::find_project(state, options.project));
    fmt::print("{:<33} {:<31} {:<7} {:<25} {}\n", "ID", "E-MAIL", "ROLE", "ADDED", "NAME");
    for (const auto& record : TRY(ledger::records_of(state, "project_member", project.id, kListMax))) {
      const ProjectMember belongs = TRY(ledger::project_member_from(record));
      const Member member = TRY(ledger::find_member(state, project.organisation, belongs.member_id));
      fmt::print("{:<33} {:<31} {:<7} {:<25} {}\n", member.id, member.email, name_of(belongs.role),
                 format_time(belongs.added), member.name);
    }
    return {};
  });
}

Result<> remove(const ProjectMemberOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  TRY(ledger->write<void>([&](Books& books) -> Result<> {
    const Project project = TRY(ledger::find_project(books.state(), options.project));
    const Member member = TRY(ledger::find_member(books.state(), project.organisation, options.who));
    return books.remove_project_member(project.id, member.id);
  }));
  fmt::print("{} is no member of {} any more, and the keys of it that were theirs are revoked\n", options.who,
             options.project);
  return {};
}

}  // namespace

void add_project_member_commands(CLI::App& project_group, Run& chosen) {
  CLI::App* group =
      add_group(project_group, "member", "Which members of the organisation belong to a project");
  auto options = std::make_shared<ProjectMemberOptions>();
  const auto add_command = [&](const char* name, const char* help) {
    CLI::App* command = group->add_subcommand(name, help);
    add_data_option(command, *options);
    command->add_option("project", options->project, "Its id, or ORGANISATION/NAME")->required();
    return command;
  };

  CLI::App* add_one =
      add_command("add", "Make a member of the organisation one of the project, or change their role there");
  add_one->add_option("member", options->who, "E-mail address or id")->required();
  add_one
      ->add_option("--role", options->role,
                   "owner manages all keys of the project, member those that are their own")
      ->check(CLI::IsMember({"owner", "member"}))
      ->capture_default_str();
  add_one->footer("  feilun project member add acme/web ann@example.com --role owner");
  on_chosen(add_one, chosen, options, add);

  on_chosen(add_command("list", "List a project's members"), chosen, options, list);

  CLI::App* remove_one = add_command("remove", "Take a member out of a project and revoke their keys of it");
  remove_one->add_option("member", options->who, "E-mail address or id")->required();
  on_chosen(remove_one, chosen, options, remove);
}

}  // namespace feilun::apps
