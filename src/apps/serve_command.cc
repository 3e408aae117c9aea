#include <fmt/format.h>

#include <ranges>

#include "apps/command.h"
#include "apps/embedded.h"
#include "apps/first_start.h"
#include "apps/served_model.h"
#include "apps/settings.h"
#include "base/log.h"
#include "gateway/gateway.h"

namespace feilun::apps {
namespace {

struct ServeOptions {
  std::map<std::string, std::vector<std::string>> given;  ///< by flag; empty: not given
  std::string config;
  bool settings_markdown = false;
};

Result<Settings> settings_of(const ServeOptions& options) {
  GivenFlags flags;
  for (const auto& [key, texts] : options.given) {
    if (!texts.empty()) flags[key] = texts;
  }
  std::optional<std::filesystem::path> file;
  if (!options.config.empty()) file = options.config;
  return load_settings(flags, file);
}

gateway::GatewayOptions gateway_options(const Settings& settings, net::ListenAddress listen) {
  gateway::GatewayOptions options;
  options.listen = std::move(listen);
  options.io_threads = settings.io_threads;
  options.meter.mark_interval = settings.mark_interval;
  options.meter.stream_window = settings.stream_window;
  options.meter.priority_tier = settings.priority_tier;
  if (settings.machine_price) {
    options.meter.machine = std::make_shared<pricing::MachineCost>(
        pricing::MachinePrice{.per_hour = *settings.machine_price, .currency = settings.currency});
  }
  options.page = page_html();
  options.cors_origin = settings.cors_origin;
  options.trusted_proxies = settings.trusted_proxies;
  options.clockwork = gateway::ClockworkOptions{.invoices = settings.invoices,
                                                .archive_after = settings.archive_after,
                                                .private_webhooks = settings.webhook_private};
  return options;
}

/// A first request to the endpoint that a model answers: the path, and the body after the model's name.
std::pair<std::string_view, std::string_view> first_request(const ServedModel& model) {
  if (model.embeds()) return {"embeddings", R"("input":"What is feilun?")"};
  if (model.chats())
    return {"chat/completions", R"("messages":[{"role":"user","content":"What is feilun?"}])"};
  return {"completions", R"("prompt":"Once upon a time","max_tokens":60)"};
}

/// Tells a newcomer everything that the first request needs.
void print_banner(const net::ListenAddress& address, const std::optional<FirstKeys>& keys,
                  const ServedModel& first) {
  const std::string url = "http://" + address.to_string();
  fmt::print("\n{} is ready on {}\n\n", first.name(), url);
  if (keys) {
    fmt::print("  admin key      {}\n  project key    {}\n", keys->admin, keys->project);
    fmt::print("  demo money     {} {} in the wallet of project 'default'\n\n",
               keys->balance.available().to_string(), keys->balance.currency);
    fmt::print("  The keys are shown only now: their hashes alone are kept.\n\n");
  } else {
    fmt::print(
        "  The keys were shown at the first start; `feilun key create` makes another (--admin: an "
        "administrator's).\n\n");
  }
  const auto [endpoint, body] = first_request(first);
  fmt::print("curl {}/v1/{} -H 'Authorization: Bearer {}' \\\n", url, endpoint,
             keys ? keys->project : "YOUR_PROJECT_KEY");
  fmt::print("  -H 'Content-Type: application/json' \\\n  -d '{{\"model\":\"{}\",{}}}'\n\n", first.name(),
             body);
  std::fflush(stdout);
}

ledger::LedgerOptions ledger_options(const Settings& settings) {
  return {.directory = settings.data,
          .default_currency = settings.currency,
          .serving = true,
          .url = settings.ledger,
          .archive = settings.archive,
          .lease = std::chrono::seconds(settings.ledger_lease)};
}

Result<> serve(const ServeOptions& options) {
  if (options.settings_markdown) {
    fmt::print("{}", settings_markdown());
    return {};
  }
  const Settings settings = TRY(settings_of(options));
  start_logging(settings.log_level);
  net::ListenAddress listen = TRY(net::parse_listen_address(settings.listen));
  std::vector<NamedModel> opened = TRY(open_models(settings));
  auto ledger = TRY(ledger::Ledger::open(ledger_options(settings)));

  std::vector<std::string> names;
  std::vector<ServedModel> models;  // outlive the gateway, which is declared after them
  gateway::Deployments deployments;
  for (NamedModel& model : opened) {
    models.emplace_back(std::move(model));
    names.push_back(models.back().name());
    deployments.add(models.back().deployment());
  }
  auto gateway = TRY(gateway::Gateway::open(gateway_options(settings, listen), deployments, *ledger));
  listen.port = gateway->port();
  gateway->start();

  // The first model answers while the others are loaded. Keys are made once it can: they are shown only once.
  TRY(models.front().load(settings.engine));
  TRY(publish_missing_prices(*ledger, settings, names));
  const std::optional<FirstKeys> keys = TRY(prepare_first_start(*ledger, settings));
  models.front().become_ready(settings.engine);
  print_banner(listen, keys, models.front());
  for (ServedModel& model : models | std::views::drop(1)) {
    TRY(model.load(settings.engine));
    model.become_ready(settings.engine);
    spdlog::info("{} is ready", model.name());
  }
  gateway->run_until_signal();
  spdlog::info("stopped: every request is settled");
  return {};
}

}  // namespace

void add_serve_command(CLI::App& app, Run& chosen) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve models over HTTP; needs no settings to start");
  for (const Setting& setting : all_settings()) {
    command
        ->add_option(fmt::format("--{}", setting.key), options->given[std::string(setting.key)],
                     fmt::format("{} [{}]", setting.help, setting.fallback))
        ->type_name(std::string(setting.value))
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  command->add_option("--config", options->config, "A TOML file with these settings [DATA/feilun.toml]")
      ->type_name("FILE");
  command->add_flag("--settings-markdown", options->settings_markdown, "Print docs/settings.md and end");
  command->footer(
      "Each flag is also an environment variable (--kv-memory: FEILUN_KV_MEMORY) and a key of the TOML "
      "file (kv_memory).");
  on_chosen(command, chosen, options, serve);
}

}  // namespace feilun::apps
