#include <fmt/format.h>

#include "apps/command.h"
#include "apps/ledger_access.h"
#include "gateway/webhook_call.h"
#include "ledger/books.h"
#include "ledger/paying_tenant.h"

namespace feilun::apps {
namespace {

using ledger::Books;
using ledger::State;
using ledger::Webhook;

constexpr int64_t kListMax = 1'000'000;

struct WebhookOptions : LedgerAccess {
  std::string id;
  std::string url;
  std::string organisation = "default";
  bool private_addresses = false;
};

Result<> set(const WebhookOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto made = TRY(ledger->write<Webhook>([&](Books& books) -> Result<Webhook> {
    Webhook webhook{.url = options.url};
    if (!options.id.empty()) webhook = TRY(ledger::find_webhook(books.state(), options.id));
    if (options.id.empty()) {
      webhook.organisation = TRY(ledger::organisation_of(books.state(), options.organisation)).id;
    }
    webhook.url = options.url;
    return books.set_webhook(webhook);
  }));
  fmt::print("{}\n", made.id);
  if (!options.id.empty()) return {};
  fmt::print("{}\n", made.secret);
  fmt::print(stderr, "the second line is its secret, with which messages are signed: it is shown only now\n");
  return {};
}

Result<> list(const WebhookOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  return ledger->read<void>([&](State& state) -> Result<> {
    const std::string organisation = TRY(ledger::organisation_of(state, options.organisation)).id;
    auto backlogs = TRY(ledger::backlogs(state));
    fmt::print("{:<31} {:>8} {:>7}  {:<25} {}\n", "ID", "WAITING", "FAILED", "NEXT TRY", "URL");
    for (const Webhook& webhook : TRY(ledger::webhooks_of(state, organisation, kListMax))) {
      const ledger::Backlog& backlog = backlogs[webhook.id];
      fmt::print("{:<31} {:>8} {:>7}  {:<25} {}\n", webhook.id, backlog.waiting, backlog.failed,
                 backlog.next_try ? format_time(*backlog.next_try) : "-", webhook.url);
    }
    return {};
  });
}

Result<> end(const WebhookOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  TRY(ledger->write<void>([&](Books& books) { return books.end_webhook(options.id); }));
  fmt::print("ended {}: what waited for it is given up\n", options.id);
  return {};
}

Result<> test(const WebhookOptions& options) {
  auto ledger = TRY(open_ledger(options, WhenAbsent::kRefuse));
  const auto webhook =
      TRY(ledger->read<Webhook>([&](State& state) { return ledger::find_webhook(state, options.id); }));
  const WallTime now = SystemClock().wall();
  const int status = TRY(net::post_now(gateway::webhook_message(
      webhook, gateway::webhook_test_body(now), now, {.private_addresses = options.private_addresses})));
  if (!gateway::took_message(status)) {
    return fail(ErrorCode::kUnavailable, "it answered {}: a message is taken with a status from 200 to 299",
                status);
  }
  fmt::print("delivered: it answered {}\n", status);
  return {};
}

CLI::App* add_id_command(CLI::App* group, const char* name, const char* help, WebhookOptions& options) {
  CLI::App* command = group->add_subcommand(name, help);
  add_data_option(command, options);
  command->add_option("id", options.id, "The webhook's id, as `feilun webhook list` shows it")->required();
  return command;
}

}  // namespace

void add_webhook_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "webhook", "Who is told when a limit's use reaches a threshold");
  auto options = std::make_shared<WebhookOptions>();
  CLI::App* command = group->add_subcommand("set", "Make a webhook and print its id and its secret");
  add_data_option(command, *options);
  command->add_option("url", options->url, "Where to post: https://example.com/hook")->required();
  command->add_option("--organisation", options->organisation, "Whose alerts")->capture_default_str();
  command->add_option("--id", options->id, "Change the url of this webhook instead; its secret stays");
  command->footer(
      "`feilun serve` posts JSON with the header feilun-signature: t=SECONDS,v1=HMAC-SHA256 of "
      "\"SECONDS.BODY\" "
      "with the secret.\nUnanswered or not answered with 2xx, it is tried again for a day and a half.\n"
      "  feilun webhook set https://example.com/hook --organisation acme");
  on_chosen(command, chosen, options, set);

  options = std::make_shared<WebhookOptions>();
  command = group->add_subcommand("list", "Webhooks with what waits to be delivered");
  add_data_option(command, *options);
  command->add_option("--organisation", options->organisation, "Whose")->capture_default_str();
  on_chosen(command, chosen, options, list);

  options = std::make_shared<WebhookOptions>();
  on_chosen(add_id_command(group, "end", "End a webhook; what waits for it is given up", *options), chosen,
            options, end);

  options = std::make_shared<WebhookOptions>();
  command = add_id_command(group, "test", "Post a signed test message from here, now", *options);
  command->add_flag("--private", options->private_addresses,
                    "To private addresses too, as `feilun serve --webhook-private on` does");
  on_chosen(command, chosen, options, test);
}

}  // namespace feilun::apps
