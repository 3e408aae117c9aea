#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/gguf.h"
#include "model/mapped_file.h"

/// The GGUF files of one model: usually one, but large models come in parts, name-00001-of-00003.gguf and so
/// on. The first part holds the values; every part is a GGUF of its own with some of the tensors, its place
/// in split.no (from 0), the number of parts in split.count, and that of all tensors in split.tensors.count.

namespace feilun::model {

/// What a part's file name says: "name-00002-of-00003.gguf" has the stem "name", number 2, count 3.
struct GgufPartName {
  std::string stem;
  int number = 0;  ///< from 1
  int count = 0;
  /// The name of another part.
  std::string of(int other) const;
};

/// nullopt for a name that is not a part's. Numbers have five digits; 1 ≤ number ≤ count.
std::optional<GgufPartName> parse_gguf_part_name(std::string_view file_name);

/// One part, read, and its name for sentences.
struct GgufPart {
  std::string file_name;
  Gguf gguf;
};

/// How many files the model of `gguf` has, 1 when it is not split. kCorrupt for an absurd number.
Result<int> gguf_part_count(const Gguf& gguf);

/// One head of all parts, which are in order. kCorrupt, naming the file, for a part that is out of place, of
/// another split or of another model, and when tensors are missing or doubled.
Result<Gguf> join_gguf_parts(std::vector<GgufPart> parts);

/// A model's head and the maps that it points into.
struct GgufFiles {
  Gguf gguf;
  std::vector<std::shared_ptr<const MappedFile>> files;
};

/// Maps and reads the file at `path`, and when it is any part of a split model, the other parts beside it.
/// kNotFound or kCorrupt with a sentence that names the part at fault.
Result<GgufFiles> open_gguf_files(const std::filesystem::path& path);

/// The same for bytes in memory, which must outlive the result: kUnsupported for a part of a split model.
Result<GgufFiles> read_gguf_bytes(std::span<const std::byte> bytes);

}  // namespace feilun::model
