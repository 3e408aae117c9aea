#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.h"
#include "model/model_file.h"

namespace feilun::model {

/// The type ids of GGUF's key/value pairs.
enum class GgufType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

/// An array as it lies in the file: `count` checked elements, one after the other.
struct GgufArray {
  GgufType type = GgufType::kU8;
  uint64_t count = 0;
  std::span<const std::byte> bytes;
};

/// Unsigned integers of any width are uint64_t, signed ones int64_t, both floats double.
using GgufValue = std::variant<uint64_t, int64_t, double, bool, std::string_view, GgufArray>;

/// The parsed head of a GGUF file of version 2 or 3. Everything in it points into the bytes it was read from.
///
/// A value that is absent is nullopt; one that has another type than asked for is an Error that names it.
class Gguf {
 public:
  /// Reads and checks all of `file`: kCorrupt with the place, or kUnsupported for another version. The data
  /// of every tensor lies inside `file`, aligned, and overlaps no other's. `file` starts at a multiple of 8.
  static Result<Gguf> parse(std::span<const std::byte> file);

  /// The head of a model whose files are split: the values of the first part and the tensors of all. A name
  /// that two parts hold is left for whoever looks tensors up by name.
  static Gguf join(std::vector<Gguf> parts);

  uint32_t version() const { return version_; }
  std::span<const TensorView> tensors() const { return tensors_; }
  const std::map<std::string_view, GgufValue>& values() const { return values_; }

  Result<std::optional<std::string_view>> string(std::string_view key) const;
  Result<std::optional<bool>> boolean(std::string_view key) const;
  /// An integer of any width in [0, 2³¹).
  Result<std::optional<int>> integer(std::string_view key) const;
  Result<std::optional<float>> number(std::string_view key) const;
  Result<std::optional<std::vector<std::string_view>>> strings(std::string_view key) const;
  Result<std::optional<std::vector<float>>> floats(std::string_view key) const;
  /// Elements of an array of 32-bit integers.
  Result<std::optional<std::vector<int32_t>>> integers(std::string_view key) const;

 private:
  const GgufValue* find(std::string_view key) const;
  Result<std::optional<GgufArray>> array(std::string_view key, GgufType type, GgufType other) const;

  uint32_t version_ = 3;
  std::map<std::string_view, GgufValue> values_;
  std::vector<TensorView> tensors_;
};

}  // namespace feilun::model
