#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <optional>

#include "apps/command.h"
#include "apps/embedded.h"
#include "engine/engine_options.h"
#include "engine/model_check.h"
#include "model/convert.h"
#include "model/inspect.h"

namespace feilun::apps {
namespace {

struct ModelOptions {
  std::string path;
  std::string tokenizer;
  std::string out;
  std::string quant;
  std::string goldens;
};

Result<model::ModelFile> open(const std::string& path) {
  return path == kBuiltinPath ? model::open_model_bytes(builtin_model()) : model::open_model(path);
}

Result<> inspect(const ModelOptions& options) {
  const bool is_builtin = options.path == kBuiltinPath;
  const model::Inspection found =
      is_builtin ? TRY(model::inspect_model_bytes(builtin_model())) : TRY(model::inspect_model(options.path));
  fmt::print("{}", model::describe(found));
  return {};
}

Result<> check(const ModelOptions& options) {
  const model::ModelFile file = TRY(open(options.path));
  if (file.embeds()) {
    return fail(ErrorCode::kUnsupported, "{} gives vectors; the check is for models that generate text",
                options.path);
  }
  engine::CheckOptions how{.threads = engine::thread_count({})};
  if (!options.goldens.empty())
    how.goldens = TRY(engine::read_goldens(options.goldens, file.shape.vocabulary));
  fmt::print(stderr, "checking {} on {} threads{}\n", file.name, how.threads,
             how.goldens.empty() ? "" : fmt::format(", against {} texts", how.goldens.size()));
  const engine::CheckReport report = TRY(engine::check_model(file, how));
  fmt::print("{}", engine::describe_check(report));
  if (!report.passed()) return fail(ErrorCode::kCorrupt, "{}: the check failed", options.path);
  return {};
}

/// A conversion must not write over what it reads.
Result<> check_output(const ModelOptions& options) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path out = fs::weakly_canonical(options.out, ignored);
  for (const std::string& input : {options.path, options.tokenizer}) {
    const fs::path in = fs::weakly_canonical(input, ignored);
    if (!input.empty() && (in == out || in == out.parent_path())) {
      return fail(ErrorCode::kInvalidArgument,
                  "--out {}: that is where the model is read from; write elsewhere", options.out);
    }
  }
  return {};
}

Result<> convert(const ModelOptions& options) {
  TRY(check_output(options));
  const model::WriteProgress progress = [](int64_t done, int64_t total) {
    if (isatty(STDERR_FILENO) != 0 && total > 0) fmt::print(stderr, "\r{:3}%", done * 100 / total);
  };
  if (!options.tokenizer.empty()) {
    if (!options.quant.empty() && options.quant != "f32") {
      return fail(ErrorCode::kInvalidArgument,
                  "--quant: a llama2.c model is converted in f32; convert its GGUF again");
    }
    TRY(model::convert_llama2c(options.path, options.tokenizer, options.out, progress));
  } else if (std::filesystem::path(options.path).extension() == ".bin") {
    return fail(ErrorCode::kInvalidArgument, "a llama2.c model needs its tokenizer: --tokenizer TOK.bin");
  } else {
    std::optional<compute::DType> type;
    if (!options.quant.empty()) type = TRY(model::parse_quant_name(options.quant));
    TRY(model::convert_model(options.path, type, options.out, progress));
  }
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r");
  fmt::print("wrote {} ({} bytes)\n", options.out, std::filesystem::file_size(options.out));
  return {};
}

}  // namespace

void add_model_commands(CLI::App& app, Run& chosen) {
  CLI::App* group = add_group(app, "model", "Look into and convert model files");
  auto options = std::make_shared<ModelOptions>();

  CLI::App* inspect_command =
      group->add_subcommand("inspect", "Tell what a model is and whether it can be served");
  inspect_command->add_option("path", options->path, "A GGUF file, a Hugging Face directory, or 'builtin'")
      ->required();
  on_chosen(inspect_command, chosen, options, inspect);

  CLI::App* check_command = group->add_subcommand(
      "check", "Load a model and test that its answers do not depend on how they are asked for");
  check_command->add_option("path", options->path, "As for inspect")->required();
  check_command->add_option("--against", options->goldens,
                            "Compare with another implementation's answers too: a goldens.json as "
                            "tools/golden/exact_shapes.py writes it");
  on_chosen(check_command, chosen, options, check);

  CLI::App* convert_command =
      group->add_subcommand("convert", "Write a GGUF from llama2.c or Hugging Face files");
  convert_command->add_option("path", options->path, "A llama2.c .bin, or a Hugging Face directory")
      ->required();
  convert_command->add_option("--tokenizer", options->tokenizer,
                              "The tokenizer .bin that belongs to a llama2.c .bin");
  convert_command->add_option("--out", options->out, "The GGUF to write")->required();
  convert_command->add_option("--quant", options->quant,
                              "f32, f16, bf16, q8_0 or q4_0; as stored if not given");
  on_chosen(convert_command, chosen, options, convert);
}

}  // namespace feilun::apps
