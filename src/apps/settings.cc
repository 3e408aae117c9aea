#include "apps/settings.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>

namespace feilun::apps {
namespace {

std::string environment_name(std::string_view key) {
  std::string name = "FEILUN_";
  for (char c : key)
    name.push_back(c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  return name;
}

std::string toml_name(std::string_view key) {
  std::string name(key);
  std::ranges::replace(name, '-', '_');
  return name;
}

/// A scalar as the text a flag would have; nullopt for tables, dates and the like.
std::optional<std::string> scalar_text(const toml::node& node) {
  if (auto text = node.value<std::string>(); text && node.is_string()) return text;
  if (node.is_integer()) return std::to_string(*node.value<int64_t>());
  if (node.is_floating_point()) return fmt::format("{}", *node.value<double>());
  return std::nullopt;
}

Result<std::vector<std::string>> toml_values(const toml::node& node, std::string_view key) {
  std::vector<std::string> values;
  if (const auto* table = node.as_table(); table != nullptr && key == "model") {
    for (const auto& [name, path] : *table) {
      auto text = scalar_text(path);
      if (!text)
        return fail(ErrorCode::kInvalidArgument, "the path of model '{}' must be a string", name.str());
      values.push_back(fmt::format("{}={}", name.str(), *text));
    }
    return values;
  }
  if (const auto* array = node.as_array()) {
    for (const auto& element : *array) {
      auto text = scalar_text(element);
      if (!text) return fail(ErrorCode::kInvalidArgument, "its elements must be strings or numbers");
      values.push_back(*text);
    }
    return values;
  }
  auto text = scalar_text(node);
  if (!text) return fail(ErrorCode::kInvalidArgument, "it must be a string or a number");
  values.push_back(*text);
  return values;
}

Result<toml::table> parse_toml(const std::filesystem::path& path) {
  try {
    return toml::parse_file(path.string());
  } catch (const toml::parse_error& error) {
    return fail(ErrorCode::kInvalidArgument, "{}:{}: {}", path.string(), error.source().begin.line,
                error.description());
  }
}

/// Reads the file into the same shape as flags have.
Result<GivenFlags> read_toml(const std::filesystem::path& path) {
  const toml::table parsed = TRY(parse_toml(path));
  GivenFlags values;
  for (const auto& [name, node] : parsed) {
    const auto known = std::ranges::find_if(
        all_settings(), [&](const Setting& setting) { return toml_name(setting.key) == name.str(); });
    if (known == all_settings().end()) {
      return fail(ErrorCode::kInvalidArgument,
                  "{}:{}: there is no setting '{}'; `feilun serve --help` lists them", path.string(),
                  node.source().begin.line, name.str());
    }
    auto texts = toml_values(node, known->key);
    if (!texts) {
      return fail(ErrorCode::kInvalidArgument, "{}:{}: {}: {}", path.string(), node.source().begin.line,
                  name.str(), texts.error().message);
    }
    values[std::string(known->key)] = std::move(*texts);
  }
  return values;
}

Result<> apply(Settings& settings, const Setting& setting, const std::vector<std::string>& texts,
               std::string_view where) {
  if (!setting.repeatable && texts.size() != 1) {
    return fail(ErrorCode::kInvalidArgument, "{}: give it once", where);
  }
  for (const std::string& text : texts) {
    if (auto applied = setting.apply(settings, text); !applied) {
      return fail(applied.error().code, "{}: {}", where, applied.error().message);
    }
  }
  return {};
}

std::vector<std::string> environment_values(const Setting& setting, const char* text) {
  if (!setting.repeatable) return {text};
  std::vector<std::string> values;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t comma = rest.find(',');
    if (comma != 0) values.emplace_back(rest.substr(0, comma));
    rest = comma == rest.npos ? "" : rest.substr(comma + 1);
  }
  return values;
}

/// The data directory decides where the default file lies, so it is found before the file is read.
std::filesystem::path data_directory(const GivenFlags& flags) {
  if (auto given = flags.find("data"); given != flags.end() && !given->second.empty())
    return given->second.back();
  if (const char* text = std::getenv("FEILUN_DATA"); text != nullptr && *text != '\0') return text;
  return Settings().data;
}

/// The gateway that archives is not always the one that reads.
Result<> check_archive(const Settings& settings) {
  if (settings.archive_after == 0 || settings.ledger.empty() || !settings.archive.empty()) return {};
  return fail(ErrorCode::kInvalidArgument,
              "--archive-after with --ledger needs --archive: a directory that all gateways see");
}

}  // namespace

Result<Settings> load_settings(const GivenFlags& flags, const std::optional<std::filesystem::path>& file) {
  const std::filesystem::path path = file.value_or(data_directory(flags) / "feilun.toml");
  GivenFlags from_file;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return fail(ErrorCode::kInvalidArgument, "the settings file {} is a directory", path.string());
  }
  if (std::filesystem::exists(path, ignored)) {
    from_file = TRY(read_toml(path));
  } else if (file) {
    return fail(ErrorCode::kNotFound, "the settings file {} does not exist", path.string());
  }

  Settings settings;
  for (const Setting& setting : all_settings()) {
    const std::string variable = environment_name(setting.key);
    const char* text = std::getenv(variable.c_str());
    if (auto flag = flags.find(setting.key); flag != flags.end()) {
      TRY(apply(settings, setting, flag->second, fmt::format("--{}", setting.key)));
    } else if (text != nullptr && *text != '\0') {
      TRY(apply(settings, setting, environment_values(setting, text), variable));
    } else if (auto value = from_file.find(setting.key); value != from_file.end()) {
      TRY(apply(settings, setting, value->second,
                fmt::format("{}: {}", path.string(), toml_name(setting.key))));
    }
  }
  TRY(check_archive(settings));
  return settings;
}

std::string settings_markdown() {
  std::string text =
      "# Settings of `feilun serve`\n\n"
      "A flag wins over the environment variable, that over the TOML file (`DATA/feilun.toml`, or the one "
      "named\n"
      "with `--config`), that over the default. This page is printed by `feilun serve "
      "--settings-markdown`.\n"
      "Terms are explained in the [glossary](glossary.md).\n\n"
      "| flag | environment | TOML | default | what it does |\n|---|---|---|---|---|\n";
  for (const Setting& setting : all_settings()) {
    text +=
        fmt::format("| `--{} {}` | `{}` | `{}` | {} | {} |\n", setting.key, setting.value,
                    environment_name(setting.key), toml_name(setting.key), setting.fallback, setting.help);
  }
  text +=
      "\nSeveral models: `--model a=/path/a --model b=/path/b`, `FEILUN_MODEL=a=/path/a,b=/path/b`, or in "
      "TOML\n\n"
      "```toml\nlisten = \"0.0.0.0:8080\"\n\n[model]\na = \"/path/a\"\nb = \"/path/b\"\n```\n";
  return text;
}

}  // namespace feilun::apps
