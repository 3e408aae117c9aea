#include "model/gguf_files.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "base/check.h"

namespace feilun::model {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDigits = 5;
constexpr int kPartsMax = 99999;
constexpr std::string_view kBetween = "-of-";
constexpr std::string_view kEnding = ".gguf";

/// Takes "-00002" or "-of-00003" off the end of `text`.
std::optional<int> take_number(std::string_view& text, std::string_view mark) {
  if (text.size() < mark.size() + kDigits) return std::nullopt;
  const std::string_view digits = text.substr(text.size() - kDigits);
  const std::string_view before = text.substr(0, text.size() - kDigits);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + kDigits, number);
  if (error != std::errc() || end != digits.data() + kDigits || number < 1) return std::nullopt;
  if (!before.ends_with(mark)) return std::nullopt;
  text = before.substr(0, before.size() - mark.size());
  return number;
}

std::unexpected<Error> in_file(std::string_view name, Error error) {
  error.message = fmt::format("{}: {}", name, error.message);
  return std::unexpected(std::move(error));
}

/// The place and the split that a part claims are those of its name.
Result<> check_place(const GgufPart& part, int index, int count) {
  const int number = TRY(part.gguf.integer("split.no")).value_or(0) + 1;
  const int of = TRY(gguf_part_count(part.gguf));
  if (of == count && number == index + 1) return {};
  return fail(ErrorCode::kCorrupt,
              "{} holds part {} of {}, but its name makes it part {} of {}: is it a copy under a wrong name?",
              part.file_name, number, of, index + 1, count);
}

Result<> check_tensor_count(const std::vector<GgufPart>& parts) {
  const auto whole = TRY(parts.front().gguf.integer("split.tensors.count"));
  size_t held = 0;
  for (const GgufPart& part : parts) {
    if (TRY(part.gguf.integer("split.tensors.count")) != whole) {
      return fail(ErrorCode::kCorrupt,
                  "{} and {} count the model's tensors differently: they are not of one model",
                  parts.front().file_name, part.file_name);
    }
    held += part.gguf.tensors().size();
  }
  if (whole && held != static_cast<size_t>(*whole)) {
    return fail(ErrorCode::kCorrupt, "the {} parts from {} on hold {} tensors, but the model has {}",
                parts.size(), parts.front().file_name, held, *whole);
  }
  return {};
}

Result<> check_names(const std::vector<GgufPart>& parts) {
  std::unordered_map<std::string_view, const GgufPart*> holders;
  for (const GgufPart& part : parts) {
    for (const TensorView& tensor : part.gguf.tensors()) {
      const auto [at, fresh] = holders.emplace(tensor.name, &part);
      if (fresh) continue;
      return fail(ErrorCode::kCorrupt, "{} and {} both hold the tensor {}: they are not parts of one model",
                  at->second->file_name, part.file_name, tensor.name);
    }
  }
  return {};
}

/// The sentence for a part that is not there.
std::unexpected<Error> missing_part(const fs::path& folder, const GgufPartName& name, int number) {
  int missing = 0;
  for (int i = 1; i <= name.count; ++i) {
    std::error_code ignored;
    if (!fs::exists(folder / name.of(i), ignored)) ++missing;
  }
  return fail(ErrorCode::kNotFound, "part {} of {}, {}, is missing{}: all parts must lie in one folder",
              number, name.count, name.of(number),
              missing > 1 ? fmt::format(" (and {} more)", missing - 1) : "");
}

Result<GgufFiles> open_parts(const fs::path& folder, const GgufPartName& name) {
  GgufFiles opened;
  std::vector<GgufPart> parts;
  for (int number = 1; number <= name.count; ++number) {
    const std::string file_name = name.of(number);
    auto file = MappedFile::open(folder / file_name);
    if (!file && file.error().code == ErrorCode::kNotFound) return missing_part(folder, name, number);
    if (!file) return std::unexpected(std::move(file).error());
    auto gguf = Gguf::parse((*file)->bytes());
    if (!gguf) return in_file(file_name, std::move(gguf).error());
    parts.push_back({file_name, std::move(*gguf)});
    opened.files.push_back(std::move(*file));
  }
  opened.gguf = TRY(join_gguf_parts(std::move(parts)));
  return opened;
}

}  // namespace

std::string GgufPartName::of(int other) const {
  return fmt::format("{}-{:05}-of-{:05}.gguf", stem, other, count);
}

std::optional<GgufPartName> parse_gguf_part_name(std::string_view file_name) {
  if (!file_name.ends_with(kEnding)) return std::nullopt;
  std::string_view rest = file_name.substr(0, file_name.size() - kEnding.size());
  const auto count = take_number(rest, kBetween);
  if (!count) return std::nullopt;
  const auto number = take_number(rest, "-");
  if (!number || *number > *count) return std::nullopt;
  return GgufPartName{std::string(rest), *number, *count};
}

Result<int> gguf_part_count(const Gguf& gguf) {
  const int count = std::max(1, TRY(gguf.integer("split.count")).value_or(1));
  if (count > kPartsMax) return fail(ErrorCode::kCorrupt, "split.count is {}", count);
  return count;
}

Result<Gguf> join_gguf_parts(std::vector<GgufPart> parts) {
  CHECK(!parts.empty());
  for (size_t i = 0; i < parts.size(); ++i) {
    TRY(check_place(parts[i], static_cast<int>(i), static_cast<int>(parts.size())));
  }
  TRY(check_names(parts));
  TRY(check_tensor_count(parts));
  std::vector<Gguf> heads;
  for (GgufPart& part : parts) heads.push_back(std::move(part.gguf));
  return Gguf::join(std::move(heads));
}

Result<GgufFiles> open_gguf_files(const fs::path& path) {
  auto file = TRY(MappedFile::open(path));
  Gguf gguf = TRY(Gguf::parse(file->bytes()));
  const int count = TRY(gguf_part_count(gguf));
  if (count == 1) return GgufFiles{std::move(gguf), {std::move(file)}};
  const std::string file_name = path.filename().string();
  const auto name = parse_gguf_part_name(file_name);
  if (!name || name->count != count) {
    return fail(
        ErrorCode::kInvalidArgument,
        "this is one of {} parts of a model, but its name does not end with -00001-of-{:05}.gguf or the "
        "like, by which the others are found",
        count, count);
  }
  return open_parts(path.parent_path(), *name);
}

Result<GgufFiles> read_gguf_bytes(std::span<const std::byte> bytes) {
  Gguf gguf = TRY(Gguf::parse(bytes));
  if (const int count = TRY(gguf_part_count(gguf)); count > 1) {
    return fail(ErrorCode::kUnsupported,
                "this is one of {} parts of a model: open it as a file beside the others", count);
  }
  return GgufFiles{std::move(gguf), {}};
}

}  // namespace feilun::model
