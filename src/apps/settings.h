#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/money.h"
#include "base/result.h"
#include "engine/engine.h"
#include "ledger/key_scopes.h"

namespace feilun::apps {

/// Everything `feilun serve` can be told.
struct Settings {
  std::filesystem::path data = "./data";
  std::string ledger;  ///< URL of a PostgreSQL; empty: SQLite in `data`
  int ledger_lease = 90;
  std::string archive;    ///< of the journal's segments; empty: `archive` in `data`
  int archive_after = 0;  ///< months; 0: never
  std::string listen = "127.0.0.1:8080";
  std::vector<std::pair<std::string, std::string>> models;  ///< public name, path; empty: the built-in model
  std::string currency = "CNY";
  std::string default_input_price = "0.3";  ///< per million tokens, for a model that has no price yet
  std::string default_output_price = "0.6";
  std::string demo_money = "10";  ///< credited once to the default project; 0: none
  std::string cors_origin;
  std::vector<ledger::Network> trusted_proxies;
  std::string log_level = "info";
  int io_threads = 1;
  int mark_interval = 32;
  int stream_window = 2;
  bool priority_tier = false;
  bool invoices = false;               ///< issue them when a month has ended
  bool webhook_private = false;        ///< webhooks may lead to private addresses
  std::optional<Money> machine_price;  ///< per hour, in `currency`
  engine::EngineOptions engine;
};

/// One line of the table from which flags, environment, the TOML file, --help and docs/settings.md come.
struct Setting {
  std::string_view key;       ///< "kv-memory": the flag --kv-memory, FEILUN_KV_MEMORY, kv_memory in TOML
  std::string_view value;     ///< what stands for the value in help: "SIZE"
  std::string_view fallback;  ///< the default, as a person would write it
  std::string_view help;
  Result<> (*apply)(Settings& settings, std::string_view text);
  bool repeatable = false;  ///< each flag or array element is applied in turn
};

std::span<const Setting> all_settings();

/// Texts given on the command line, by key.
using GivenFlags = std::map<std::string, std::vector<std::string>, std::less<>>;

/// Flags win over the environment, the environment over the TOML file, the file over the defaults. `file` is
/// the path given with --config; without one, DATA/feilun.toml is read when it exists. kInvalidArgument names
/// the flag, variable or key at fault; an unknown key in the file is an error.
Result<Settings> load_settings(const GivenFlags& flags, const std::optional<std::filesystem::path>& file);

/// docs/settings.md.
std::string settings_markdown();

}  // namespace feilun::apps
