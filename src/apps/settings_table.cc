#include <charconv>
#include <limits>

#include "apps/settings.h"
#include "base/money.h"
#include "ledger/checked_text.h"
#include "pricing/machine_cost.h"

namespace feilun::apps {
namespace {

Result<int64_t> parse_integer(std::string_view text, int64_t least, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a whole number from {} to {}", text, least, most);
  }
  return value;
}

/// "512M", "2G", "1048576".
Result<int64_t> parse_size(std::string_view text) {
  int64_t unit = 1;
  std::string_view number = text;
  if (number.ends_with("iB")) number.remove_suffix(2);
  if (!number.empty()) {
    switch (number.back()) {
      case 'K':
        unit = 1LL << 10;
        break;
      case 'M':
        unit = 1LL << 20;
        break;
      case 'G':
        unit = 1LL << 30;
        break;
      case 'T':
        unit = 1LL << 40;
        break;
      default:
        break;
    }
    if (unit != 1) number.remove_suffix(1);
  }
  auto count = parse_integer(number, 0, std::numeric_limits<int64_t>::max() / unit);
  if (!count) return fail(ErrorCode::kInvalidArgument, "'{}' is not a size: write it like 512M or 2G", text);
  return *count * unit;
}

template <auto Member, int64_t kLeast, int64_t kMost>
Result<> set_integer(Settings& settings, std::string_view text) {
  settings.*Member = static_cast<int>(TRY(parse_integer(text, kLeast, kMost)));
  return {};
}

template <auto Member, int64_t kLeast, int64_t kMost>
Result<> set_engine_integer(Settings& settings, std::string_view text) {
  auto& field = settings.engine.*Member;
  field = static_cast<std::remove_reference_t<decltype(field)>>(TRY(parse_integer(text, kLeast, kMost)));
  return {};
}

template <auto Member>
Result<> set_text(Settings& settings, std::string_view text) {
  settings.*Member = text;
  return {};
}

template <auto Member>
Result<> set_amount(Settings& settings, std::string_view text) {
  if (TRY(Money::parse(text)).is_negative())
    return fail(ErrorCode::kInvalidArgument, "'{}' is negative", text);
  settings.*Member = text;
  return {};
}

Result<> set_currency(Settings& settings, std::string_view text) {
  settings.currency = TRY(parse_currency(text));
  return {};
}

Result<> set_log_level(Settings& settings, std::string_view text) {
  for (std::string_view level : {"trace", "debug", "info", "warn", "error"}) {
    if (text == level) return set_text<&Settings::log_level>(settings, text);
  }
  return fail(ErrorCode::kInvalidArgument, "'{}' is not one of trace, debug, info, warn, error", text);
}

Result<> add_model(Settings& settings, std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == text.npos || equals == 0 || equals + 1 == text.size()) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not NAME=PATH", text);
  }
  const std::string name(text.substr(0, equals));
  TRY(ledger::check_offering(name));
  for (const auto& [other, path] : settings.models) {
    if (other == name) return fail(ErrorCode::kInvalidArgument, "two models are named '{}'", name);
  }
  settings.models.emplace_back(name, text.substr(equals + 1));
  return {};
}

Result<> add_trusted_proxy(Settings& settings, std::string_view text) {
  settings.trusted_proxies.push_back(TRY(ledger::Network::parse(text)));
  return {};
}

Result<> set_kv(Settings& settings, std::string_view text) {
  if (text != "f32" && text != "bf16")
    return fail(ErrorCode::kInvalidArgument, "'{}' is not f32 or bf16", text);
  settings.engine.kv_bf16 = text == "bf16";
  return {};
}

Result<> set_quant(Settings& settings, std::string_view text) {
  using engine::Quantise;
  if (text == "none")
    settings.engine.quantise = Quantise::kAsStored;
  else if (text == "q8_0")
    settings.engine.quantise = Quantise::kQ8_0;
  else if (text == "q4_0")
    settings.engine.quantise = Quantise::kQ4_0;
  else if (text == "w8a8")
    settings.engine.quantise = Quantise::kW8A8;
  else if (text == "f32")
    settings.engine.quantise = Quantise::kF32;
  else
    return fail(ErrorCode::kInvalidArgument, "'{}' is not one of q8_0, q4_0, w8a8, f32, none", text);
  return {};
}

Result<bool> parse_switch(std::string_view text) {
  if (text != "on" && text != "off") {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not on or off", text);
  }
  return text == "on";
}

template <auto Member>
Result<> set_switch(Settings& settings, std::string_view text) {
  settings.*Member = TRY(parse_switch(text));
  return {};
}

template <auto Member>
Result<> set_engine_switch(Settings& settings, std::string_view text) {
  settings.engine.*Member = TRY(parse_switch(text));
  return {};
}

Result<double> parse_number(std::string_view text, double least, double most) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most)) {
    return fail(ErrorCode::kInvalidArgument, "'{}' is not a number from {} to {}", text, least, most);
  }
  return value;
}

Result<> set_prefill_stretch(Settings& settings, std::string_view text) {
  settings.engine.prefill_stretch = TRY(parse_number(text, 1, 1000));
  return {};
}

Result<> set_max_ttft(Settings& settings, std::string_view text) {
  const double seconds = TRY(parse_number(text, 0.001, 86'400));
  settings.engine.first_token_within = std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
  return {};
}

Result<> set_prefix_cache(Settings& settings, std::string_view text) {
  using engine::CachePolicy;
  if (text == "gittins")
    settings.engine.prefix_cache = CachePolicy::kGittins;
  else if (text == "lru")
    settings.engine.prefix_cache = CachePolicy::kLru;
  else if (text == "off")
    settings.engine.prefix_cache = CachePolicy::kOff;
  else
    return fail(ErrorCode::kInvalidArgument, "'{}' is not one of gittins, lru, off", text);
  return {};
}

Result<> set_invoices(Settings& settings, std::string_view text) {
  if (text != "monthly" && text != "off")
    return fail(ErrorCode::kInvalidArgument, "'{}' is not monthly or off", text);
  settings.invoices = text == "monthly";
  return {};
}

Result<> set_archive_after(Settings& settings, std::string_view text) {
  settings.archive_after = text == "off" ? 0 : static_cast<int>(TRY(parse_integer(text, 1, 1200)));
  return {};
}

Result<> set_machine_price(Settings& settings, std::string_view text) {
  settings.machine_price = TRY(pricing::parse_price_per_hour(text));
  return {};
}

Result<> set_kv_memory(Settings& settings, std::string_view text) {
  settings.engine.kv_memory_bytes = TRY(parse_size(text));
  return {};
}

using engine::EngineOptions;

constexpr Setting kSettings[] = {
    {"data", "DIR", "./data", "Where the ledger and everything else that lasts is kept.",
     set_text<&Settings::data>},
    {"ledger", "URL", "SQLite in the data directory",
     "postgres://USER:PASSWORD@HOST/DATABASE keeps the ledger in PostgreSQL 15 or newer, where several "
     "gateways "
     "share it. Each has a data directory of its own.",
     set_text<&Settings::ledger>},
    {"ledger-lease", "SECONDS", "90",
     "How long a gateway that shares its ledger may be out of reach before the others end its requests and "
     "free "
     "what it held.",
     set_integer<&Settings::ledger_lease, 2, 3600>},
    {"archive", "DIR", "archive in the data directory",
     "Where archived segments of the journal lie. Gateways that share a ledger need one that all see.",
     set_text<&Settings::archive>},
    {"archive-after", "MONTHS", "off",
     "Move segments of the journal to the archive when all their entries are older than this month and so "
     "many before it, as `feilun ledger archive` does: 1 to 1200.",
     set_archive_after},
    {"listen", "ADDR:PORT", "127.0.0.1:8080", "Where to answer. 0.0.0.0:8080 answers other machines too.",
     set_text<&Settings::listen>},
    {"model", "NAME=PATH", "the built-in feilun-nano",
     "Serve the GGUF file or Hugging Face directory at PATH as NAME. Repeat for more models. PATH may be "
     "'builtin'.",
     add_model, true},
    {"ctx", "TOKENS", "the model's own", "How many tokens prompt and answer may have together.",
     set_engine_integer<&EngineOptions::context, 0, 16'777'216>},
    {"kv-memory", "SIZE", "what ctx needs, at most 1G",
     "Memory for the KV cache of each model, such as 512M or 2G.", set_kv_memory},
    {"kv", "TYPE", "bf16", "How the KV cache is stored: bf16 or f32.", set_kv},
    {"quant", "TYPE", "none",
     "Quantise weights while loading: q8_0, q4_0, w8a8 (fastest prompts), f32 (dequantise), none (as "
     "stored).",
     set_quant},
    {"threads", "N", "all cores", "Threads that compute.",
     set_engine_integer<&EngineOptions::threads, 0, 1024>},
    {"prefill-chunk", "TOKENS", "256", "Prompt tokens in one step at most.",
     set_engine_integer<&EngineOptions::prefill_chunk, 1, 65'536>},
    {"prefill-stretch", "FACTOR", "1.75",
     "Beside streams, prompts may make a step at most this many times as long: 1 to 1000.",
     set_prefill_stretch},
    {"prefix-cache", "POLICY", "gittins",
     "What becomes of computed prompts and answers: gittins or lru (which goes first when memory ends), off.",
     set_prefix_cache},
    {"share-prefix", "SWITCH", "off",
     "on: projects use each other's cached prefixes. Response times then tell who has asked the same before.",
     set_engine_switch<&EngineOptions::share_prefixes>},
    {"speculate", "SWITCH", "on",
     "on: guess tokens from what followed the same words before, and check them in one pass where that pays. "
     "No answer changes.",
     set_engine_switch<&EngineOptions::speculate>},
    {"max-ttft", "SECONDS", "none",
     "Refuse requests whose first token is predicted to take longer, with 503 and an honest Retry-After; "
     "service_tier flex waits.",
     set_max_ttft},
    {"priority-tier", "SWITCH", "off",
     "on: serve service_tier priority before all others. At the same price: for projects that you trust.",
     set_switch<&Settings::priority_tier>},
    {"invoices", "WHEN", "off",
     "monthly: issue the invoices of a month once it has ended where the buyer lives, as `feilun invoice "
     "run` "
     "does.",
     set_invoices},
    {"webhook-private", "SWITCH", "off",
     "on: webhooks may lead to this machine and to private networks. Customers choose their URLs: leave it "
     "off "
     "where they must not reach what lies behind the server.",
     set_switch<&Settings::webhook_private>},
    {"machine-price", "AMOUNT/h", "none",
     "What this machine costs, such as 0.50/h: the journal then tells each request's cost beside its charge.",
     set_machine_price},
    {"max-sequences", "N", "64", "Sequences in one step at most.",
     set_engine_integer<&EngineOptions::max_sequences, 1, 4096>},
    {"max-waiting", "N", "1024", "Requests that may queue; more are refused with 503 and Retry-After.",
     set_engine_integer<&EngineOptions::max_waiting, 1, 1'000'000>},
    {"mark-interval", "TOKENS", "32",
     "A crash loses at most this many tokens of each running request: the high-water mark in the journal "
     "follows at least this closely.",
     set_integer<&Settings::mark_interval, 1, 4096>},
    {"stream-window", "TOKENS", "2", "How far the engine may run ahead of what a streaming client has taken.",
     set_integer<&Settings::stream_window, 1, 4096>},
    {"io-threads", "N", "1", "Threads that serve sockets.", set_integer<&Settings::io_threads, 1, 256>},
    {"currency", "CODE", "CNY", "Currency of the default project's wallet, fixed at the first start.",
     set_currency},
    {"default-input-price", "AMOUNT", "0.3",
     "Price per million input tokens published for a model that has none. `feilun price set` changes it.",
     set_amount<&Settings::default_input_price>},
    {"default-output-price", "AMOUNT", "0.6", "The same for output tokens.",
     set_amount<&Settings::default_output_price>},
    {"demo-money", "AMOUNT", "10", "Credited once to the default project at the first start; 0 for none.",
     set_amount<&Settings::demo_money>},
    {"cors-origin", "ORIGIN", "none", "Let pages of this origin call the API from a browser; * for any.",
     set_text<&Settings::cors_origin>},
    {"trusted-proxies", "CIDR", "none",
     "Proxies in front of this server, such as 10.0.0.0/8; may be given several times. From these alone "
     "X-Forwarded-For is read, for keys that are bound to addresses.",
     add_trusted_proxy, true},
    {"log-level", "LEVEL", "info", "trace, debug, info, warn or error.", set_log_level},
};

}  // namespace

std::span<const Setting> all_settings() {
  return kSettings;
}

}  // namespace feilun::apps
