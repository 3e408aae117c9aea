// /v1/organization/webhooks
#include "gateway/admin_routes.h"
#include "gateway/paid_call.h"
#include "gateway/webhook_call.h"

namespace feilun::gateway {
namespace {

namespace json = boost::json;
using ledger::Books;
using ledger::State;
using ledger::Webhook;

/// Shorter than for what matters: somebody waits for the answer.
constexpr std::chrono::seconds kTestTimeout{5};

json::object webhook_json(const Webhook& webhook, const ledger::Backlog& backlog) {
  return {{"id", webhook.id},
          {"object", "organization.webhook"},
          {"url", webhook.url},
          {"events", json::array(webhook.events.begin(), webhook.events.end())},
          {"waiting", backlog.waiting},
          {"waiting_after_failures", backlog.failed},
          {"next_try_at", unix_seconds(backlog.next_try)}};
}

Result<Webhook> webhook_in_path(const AdminCall& call, State& state) {
  const std::string& id = call.path_values.at(0);
  return only_own(ledger::find_webhook(state, id), "webhook", id,
                  [&](const Webhook& found) { return found.organisation == call.organisation; });
}

Result<std::string> webhook_reply(AdminCall& call, const Webhook& webhook) {
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    return json::serialize(webhook_json(webhook, TRY(ledger::backlogs(state))[webhook.id]));
  });
}

}  // namespace

Result<std::string> list_webhooks(AdminCall& call) {
  const Page page = TRY(read_page(call.request));
  return call.read<std::string>([&](State& state) -> Result<std::string> {
    auto backlogs = TRY(ledger::backlogs(state));
    const auto show = [&](const ledger::Record& record) -> Result<std::optional<json::object>> {
      return webhook_json(TRY(ledger::webhook_from(record)), backlogs[record.id]);
    };
    return list_records(state, "webhook", call.organisation, page, show);
  });
}

Result<std::string> create_webhook(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"url", "events"}));
  Webhook webhook{.organisation = call.organisation, .url = TRY(body.required("url"))};
  webhook.events = TRY(body.texts("events")).value_or(webhook.events);
  const auto made = TRY(call.write<Webhook>([&](Books& books) { return books.set_webhook(webhook); }));
  json::object shown = webhook_json(made, {});
  shown["secret"] = made.secret;
  return json::serialize(shown);
}

Result<std::string> show_webhook(AdminCall& call) {
  const Webhook webhook = TRY(call.read<Webhook>([&](State& state) { return webhook_in_path(call, state); }));
  return webhook_reply(call, webhook);
}

Result<std::string> change_webhook(AdminCall& call) {
  const AdminBody body = TRY(AdminBody::read(call.request, {"url", "events"}));
  const auto url = TRY(body.text("url"));
  const auto events = TRY(body.texts("events"));
  const auto changed = TRY(call.write<Webhook>([&](Books& books) -> Result<Webhook> {
    Webhook webhook = TRY(webhook_in_path(call, books.state()));
    webhook.url = url.value_or(webhook.url);
    webhook.events = events.value_or(webhook.events);
    return books.set_webhook(webhook);
  }));
  return webhook_reply(call, changed);
}

Result<std::string> end_webhook(AdminCall& call) {
  TRY(call.write<void>([&](Books& books) -> Result<> {
    return books.end_webhook(TRY(webhook_in_path(call, books.state())).id);
  }));
  return deleted_reply(call.path_values.at(0), "organization.webhook.deleted");
}

/// It waits for somebody else's server: on the connection's own thread, which meanwhile serves others.
boost::asio::awaitable<void> test_webhook(Visit& visit, AdminCall call) {
  const auto webhook = co_await run_on(visit.services.admin_work, [&] {
    return call.read<Webhook>([&](State& state) { return webhook_in_path(call, state); });
  });
  if (!webhook) {
    co_await visit.reply_error(webhook.error());
    co_return;
  }
  const WebhookCall how{.private_addresses = visit.services.private_webhooks, .timeout = kTestTimeout};
  const auto status =
      co_await net::post(webhook_message(*webhook, webhook_test_body(call.now), call.now, how));
  // Where private addresses are called, why there is no answer tells what listens there.
  const bool hides = how.private_addresses && !call.by_operator();
  json::object shown{{"id", webhook->id},
                     {"object", "organization.webhook.test"},
                     {"delivered", status && took_message(*status)},
                     {"status", nullptr},
                     {"error", nullptr}};
  if (status) {
    shown["status"] = *status;
  } else {
    shown["error"] = hides ? "there was no answer" : status.error().message;
  }
  co_await visit.reply_json(json::serialize(shown));
}

}  // namespace feilun::gateway
