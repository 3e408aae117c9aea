#include "compute/dtype.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace feilun::compute {
namespace {

struct Stored {
  DType type;
  std::string_view name;
  BlockLayout layout;
};

constexpr Stored kStored[] = {
    {DType::kF32, "F32", {1, 4}},       {DType::kF16, "F16", {1, 2}},
    {DType::kBF16, "BF16", {1, 2}},     {DType::kQ8_0, "Q8_0", {32, 34}},
    {DType::kQ4_0, "Q4_0", {32, 18}},   {DType::kQ4_1, "Q4_1", {32, 20}},
    {DType::kQ5_0, "Q5_0", {32, 22}},   {DType::kQ5_1, "Q5_1", {32, 24}},
    {DType::kQ4_K, "Q4_K", {256, 144}}, {DType::kQ5_K, "Q5_K", {256, 176}},
    {DType::kQ6_K, "Q6_K", {256, 210}},
};

struct Known {
  uint32_t id;
  std::string_view name;
};

/// Types that files hold and that are not read here: their names belong into the refusal.
constexpr Known kUnread[] = {
    {9, "Q8_1"},      {10, "Q2_K"},     {11, "Q3_K"},     {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"},
    {18, "IQ3_XXS"},  {19, "IQ1_S"},    {20, "IQ4_NL"},   {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"},
    {24, "I8"},       {25, "I16"},      {26, "I32"},      {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},
    {31, "Q4_0_4_4"}, {32, "Q4_0_4_8"}, {33, "Q4_0_8_8"}, {34, "TQ1_0"}, {35, "TQ2_0"},   {36, "IQ4_NL_4_4"},
    {39, "MXFP4"},    {40, "NVFP4"},    {41, "Q1_0"},
};

const Stored* find(DType type) {
  const auto* found = std::ranges::find(kStored, type, &Stored::type);
  return found == std::end(kStored) ? nullptr : found;
}

}  // namespace

BlockLayout block_layout(DType type) {
  const Stored* stored = find(type);
  return stored == nullptr ? BlockLayout{0, 0} : stored->layout;
}

size_t stored_bytes(DType type, int64_t elements) {
  const BlockLayout layout = block_layout(type);
  CHECK(layout.elements > 0 && elements >= 0 && elements % layout.elements == 0);
  return static_cast<size_t>(elements / layout.elements) * layout.bytes;
}

std::string_view dtype_name(DType type) {
  if (type == DType::kW8) return "W8";
  const Stored* stored = find(type);
  return stored == nullptr ? "unknown" : stored->name;
}

std::string type_id_name(uint32_t id) {
  if (const Stored* stored = find(static_cast<DType>(id))) return std::string(stored->name);
  const auto* known = std::ranges::find(kUnread, id, &Known::id);
  return known == std::end(kUnread) ? fmt::format("type {}", id) : std::string(known->name);
}

std::string supported_type_names() {
  std::string names;
  for (const Stored& stored : kStored) {
    if (!names.empty()) names += ", ";
    names += stored.name;
  }
  return names;
}

}  // namespace feilun::compute
