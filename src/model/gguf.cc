#include "model/gguf.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"

// A GGUF file is: magic, version, counts, key/value pairs, tensor infos, padding, tensor data
// (little-endian throughout). Nothing is trusted: each count is compared with the bytes that are left
// before anything is reserved for it, so that a small file can neither ask for much memory nor for much time.

namespace feilun::model {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kDefaultAlignment = 32;
constexpr size_t kNameBytesMax = 256;
constexpr size_t kPairBytesMin = 8 + 4 + 1;  // an empty key with a one-byte value
constexpr size_t kTensorInfoBytesMin = 8 + 4 + 8 + 4 + 8;

/// Walks through the bytes; every read checks what is left.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}
  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  template <typename T>
  Result<T> read(std::string_view what) {
    const auto raw = TRY(take(sizeof(T), what));
    T value;
    std::memcpy(&value, raw.data(), sizeof value);
    return value;
  }

  Result<std::string_view> read_string(std::string_view what) {
    const auto length = TRY(read<uint64_t>(what));
    const auto raw = TRY(take(length, what));
    return std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
  }

  Result<std::span<const std::byte>> take(uint64_t count, std::string_view what) {
    if (count > left()) {
      return fail(ErrorCode::kCorrupt, "the GGUF file ends inside {} (byte {}, {} more needed, {} left)",
                  what, position_, count, left());
    }
    const auto part = bytes_.subspan(position_, static_cast<size_t>(count));
    position_ += static_cast<size_t>(count);
    return part;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

/// Bytes of a fixed-size type; 0 for strings, arrays and unknown ids.
size_t fixed_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool:
      return 1;
    case GgufType::kU16:
    case GgufType::kI16:
      return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32:
      return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64:
      return 8;
    default:
      return 0;
  }
}

Result<GgufValue> read_array(Cursor& cursor, std::string_view key) {
  const auto type = static_cast<GgufType>(TRY(cursor.read<uint32_t>("an array's type")));
  const auto count = TRY(cursor.read<uint64_t>("an array's length"));
  const size_t each = fixed_bytes(type);
  if (each == 0 && type != GgufType::kString) {
    return fail(ErrorCode::kCorrupt, "{} is an array of elements of the unknown type {}", key,
                static_cast<uint32_t>(type));
  }
  if (count > cursor.left() / std::max<size_t>(each, each == 0 ? 8 : 1)) {
    return fail(ErrorCode::kCorrupt, "{} claims {} elements, more than the file can hold", key, count);
  }
  if (each > 0) return GgufArray{type, count, TRY(cursor.take(count * each, key))};
  Cursor start = cursor;
  for (uint64_t i = 0; i < count; ++i) TRY(cursor.read_string(key));
  return GgufArray{type, count, TRY(start.take(cursor.position() - start.position(), key))};
}

Result<GgufValue> read_value(Cursor& cursor, std::string_view key) {
  const auto type = static_cast<GgufType>(TRY(cursor.read<uint32_t>("a value's type")));
  switch (type) {
    case GgufType::kU8:
      return uint64_t{TRY(cursor.read<uint8_t>(key))};
    case GgufType::kI8:
      return int64_t{TRY(cursor.read<int8_t>(key))};
    case GgufType::kU16:
      return uint64_t{TRY(cursor.read<uint16_t>(key))};
    case GgufType::kI16:
      return int64_t{TRY(cursor.read<int16_t>(key))};
    case GgufType::kU32:
      return uint64_t{TRY(cursor.read<uint32_t>(key))};
    case GgufType::kI32:
      return int64_t{TRY(cursor.read<int32_t>(key))};
    case GgufType::kU64:
      return TRY(cursor.read<uint64_t>(key));
    case GgufType::kI64:
      return TRY(cursor.read<int64_t>(key));
    case GgufType::kF32:
      return double{TRY(cursor.read<float>(key))};
    case GgufType::kF64:
      return TRY(cursor.read<double>(key));
    case GgufType::kBool:
      return TRY(cursor.read<uint8_t>(key)) != 0;
    case GgufType::kString:
      return TRY(cursor.read_string(key));
    case GgufType::kArray:
      return read_array(cursor, key);
  }
  return fail(ErrorCode::kCorrupt, "{} has a value of the unknown type {}", key, static_cast<uint32_t>(type));
}

struct Counts {
  uint32_t version = 0;
  uint64_t tensors = 0;
  uint64_t pairs = 0;
};

Result<Counts> read_counts(Cursor& cursor) {
  const auto magic = TRY(cursor.take(4, "its first four bytes"));
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) {
    return fail(ErrorCode::kCorrupt, "this is not a GGUF file: it does not start with GGUF");
  }
  const auto version = TRY(cursor.read<uint32_t>("the version"));
  // Version 3 brought big-endian files and changed nothing else.
  if (version != 2 && version != 3) {
    const bool swapped = std::byteswap(version) == 3;
    return fail(ErrorCode::kUnsupported,
                "this GGUF file is {}; versions 2 and 3, little-endian, are read: convert the model again",
                swapped ? "big-endian" : fmt::format("of version {}", version));
  }
  Counts counts;
  counts.version = version;
  counts.tensors = TRY(cursor.read<uint64_t>("the tensor count"));
  counts.pairs = TRY(cursor.read<uint64_t>("the key count"));
  if (counts.tensors > cursor.left() / kTensorInfoBytesMin || counts.pairs > cursor.left() / kPairBytesMin) {
    return fail(ErrorCode::kCorrupt, "the GGUF file claims {} tensors and {} keys, more than it can hold",
                counts.tensors, counts.pairs);
  }
  return counts;
}

/// A tensor info; `offset` is relative to the start of the data.
struct Info {
  TensorView view;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

Result<uint64_t> checked_bytes(const TensorView& view) {
  const auto layout = compute::block_layout(view.type);
  if (view.dims[0] % layout.elements != 0) {
    return fail(ErrorCode::kCorrupt, "tensor {} has rows of {} elements, no multiple of {}'s block of {}",
                view.name, view.dims[0], compute::dtype_name(view.type), layout.elements);
  }
  uint64_t bytes = static_cast<uint64_t>(view.dims[0] / layout.elements);
  const uint64_t factors[] = {layout.bytes, static_cast<uint64_t>(view.dims[1]),
                              static_cast<uint64_t>(view.dims[2]), static_cast<uint64_t>(view.dims[3])};
  for (const uint64_t factor : factors) {
    // 2⁵⁶ bytes is beyond any file, and leaves room for the sum with an offset.
    if (__builtin_mul_overflow(bytes, factor, &bytes) || bytes >> 56 != 0) {
      return fail(ErrorCode::kCorrupt, "tensor {} has more elements than can be counted", view.name);
    }
  }
  return bytes;
}

Result<Info> read_info(Cursor& cursor) {
  Info info;
  const auto name = TRY(cursor.read_string("a tensor's name"));
  if (name.empty() || name.size() > kNameBytesMax) {
    return fail(ErrorCode::kCorrupt, "a tensor's name has {} bytes", name.size());
  }
  info.view.name = name;
  const auto rank = TRY(cursor.read<uint32_t>(name));
  if (rank < 1 || rank > 4) return fail(ErrorCode::kCorrupt, "tensor {} has {} dimensions", name, rank);
  info.view.rank = static_cast<int>(rank);
  for (uint32_t i = 0; i < rank; ++i) {
    const auto dim = TRY(cursor.read<uint64_t>(name));
    if (dim < 1 || dim >> 48 != 0) {
      return fail(ErrorCode::kCorrupt, "dimension {} of tensor {} is {}", i, name, dim);
    }
    info.view.dims[i] = static_cast<int64_t>(dim);
  }
  const auto type = TRY(cursor.read<uint32_t>(name));
  info.view.type = static_cast<compute::DType>(type);
  if (compute::block_layout(info.view.type).elements == 0) {
    return fail(ErrorCode::kUnsupported,
                "tensor {} is stored as {}, which this version does not read; it reads {}", name,
                compute::type_id_name(type), compute::supported_type_names());
  }
  info.offset = TRY(cursor.read<uint64_t>(name));
  info.bytes = TRY(checked_bytes(info.view));
  return info;
}

/// Names are unique and no two tensors share a byte.
Result<> check_disjoint(const std::vector<Info>& infos) {
  std::vector<const Info*> order;
  for (const Info& info : infos) order.push_back(&info);
  std::ranges::sort(order, {}, [](const Info* info) { return std::string_view(info->view.name); });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->view.name == order[i - 1]->view.name) {
      return fail(ErrorCode::kCorrupt, "two tensors are named {}", order[i]->view.name);
    }
  }
  std::ranges::sort(order, {}, &Info::offset);
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->offset < order[i - 1]->offset + order[i - 1]->bytes) {
      return fail(ErrorCode::kCorrupt, "tensors {} and {} overlap", order[i - 1]->view.name,
                  order[i]->view.name);
    }
  }
  return {};
}

Result<> place(Info& info, std::span<const std::byte> data, uint64_t alignment) {
  if (info.offset % alignment != 0) {
    return fail(ErrorCode::kCorrupt, "tensor {} starts at {}, no multiple of {}", info.view.name, info.offset,
                alignment);
  }
  if (info.offset > data.size() || info.bytes > data.size() - info.offset) {
    return fail(ErrorCode::kCorrupt, "tensor {} reaches past the end of the file: is the download complete?",
                info.view.name);
  }
  info.view.data = data.subspan(static_cast<size_t>(info.offset), static_cast<size_t>(info.bytes));
  return {};
}

Result<uint64_t> read_alignment(const Gguf& file) {
  const auto alignment = TRY(file.integer("general.alignment"));
  if (!alignment) return kDefaultAlignment;
  if (*alignment < 8 || *alignment > 1 << 20 || !std::has_single_bit(static_cast<unsigned>(*alignment))) {
    return fail(ErrorCode::kCorrupt, "general.alignment is {}, not a power of two from 8", *alignment);
  }
  return static_cast<uint64_t>(*alignment);
}

template <typename T>
std::vector<T> copy_elements(const GgufArray& array) {
  std::vector<T> values(static_cast<size_t>(array.count));
  if (!values.empty()) std::memcpy(values.data(), array.bytes.data(), array.bytes.size());
  return values;
}

}  // namespace

Result<Gguf> Gguf::parse(std::span<const std::byte> file) {
  if (reinterpret_cast<uintptr_t>(file.data()) % 8 != 0) {
    return fail(ErrorCode::kInvalidArgument, "a GGUF in memory must start at a multiple of 8");
  }
  Gguf gguf;
  Cursor cursor(file);
  const Counts counts = TRY(read_counts(cursor));
  gguf.version_ = counts.version;
  for (uint64_t i = 0; i < counts.pairs; ++i) {
    const auto key = TRY(cursor.read_string("a key"));
    if (key.empty() || key.size() > kNameBytesMax) {
      return fail(ErrorCode::kCorrupt, "a key has {} bytes", key.size());
    }
    const auto value = TRY(read_value(cursor, key));
    if (!gguf.values_.emplace(key, value).second) {
      return fail(ErrorCode::kCorrupt, "the key {} stands twice", key);
    }
  }
  std::vector<Info> infos;
  infos.reserve(static_cast<size_t>(counts.tensors));
  for (uint64_t i = 0; i < counts.tensors; ++i) infos.push_back(TRY(read_info(cursor)));
  TRY(check_disjoint(infos));

  const uint64_t alignment = TRY(read_alignment(gguf));
  const uint64_t begin = (cursor.position() + alignment - 1) / alignment * alignment;
  const auto data = file.subspan(std::min<size_t>(begin, file.size()));
  for (Info& info : infos) {
    TRY(place(info, data, alignment));
    gguf.tensors_.push_back(std::move(info.view));
  }
  return gguf;
}

Gguf Gguf::join(std::vector<Gguf> parts) {
  Gguf joined;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i == 0) {
      joined.version_ = parts[i].version_;
      joined.values_ = std::move(parts[i].values_);
    }
    std::ranges::move(parts[i].tensors_, std::back_inserter(joined.tensors_));
  }
  return joined;
}

const GgufValue* Gguf::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

Result<std::optional<std::string_view>> Gguf::string(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* text = std::get_if<std::string_view>(value)) return *text;
  return fail(ErrorCode::kCorrupt, "{} is not a string", key);
}

Result<std::optional<bool>> Gguf::boolean(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* flag = std::get_if<bool>(value)) return *flag;
  return fail(ErrorCode::kCorrupt, "{} is neither true nor false", key);
}

Result<std::optional<int>> Gguf::integer(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  constexpr int kMax = std::numeric_limits<int>::max();
  if (const auto* u = std::get_if<uint64_t>(value); u != nullptr && *u <= kMax) return static_cast<int>(*u);
  if (const auto* i = std::get_if<int64_t>(value); i != nullptr && *i >= 0 && *i <= kMax) {
    return static_cast<int>(*i);
  }
  return fail(ErrorCode::kCorrupt, "{} is not a whole number from 0 to {}", key, kMax);
}

Result<std::optional<float>> Gguf::number(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* number = std::get_if<double>(value);
  // The comparison is made first: a double outside float's range must not be cast.
  if (number == nullptr || !(std::fabs(*number) <= std::numeric_limits<float>::max())) {
    return fail(ErrorCode::kCorrupt, "{} is not a finite number", key);
  }
  return static_cast<float>(*number);
}

Result<std::optional<GgufArray>> Gguf::array(std::string_view key, GgufType type, GgufType other) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* found = std::get_if<GgufArray>(value);
  if (found == nullptr || (found->type != type && found->type != other)) {
    return fail(ErrorCode::kCorrupt, "{} is not an array of the expected type", key);
  }
  return *found;
}

Result<std::optional<std::vector<std::string_view>>> Gguf::strings(std::string_view key) const {
  const auto found = TRY(array(key, GgufType::kString, GgufType::kString));
  if (!found) return std::nullopt;
  Cursor cursor(found->bytes);
  std::vector<std::string_view> values;
  values.reserve(static_cast<size_t>(found->count));
  for (uint64_t i = 0; i < found->count; ++i) values.push_back(TRY(cursor.read_string(key)));
  return values;
}

Result<std::optional<std::vector<float>>> Gguf::floats(std::string_view key) const {
  const auto found = TRY(array(key, GgufType::kF32, GgufType::kF32));
  if (!found) return std::nullopt;
  return copy_elements<float>(*found);
}

Result<std::optional<std::vector<int32_t>>> Gguf::integers(std::string_view key) const {
  const auto found = TRY(array(key, GgufType::kI32, GgufType::kU32));
  if (!found) return std::nullopt;
  return copy_elements<int32_t>(*found);
}

}  // namespace feilun::model
