#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace feilun::apps {

/// The GGUF of feilun-nano (docs/feilun-nano.md); lives as long as the process.
std::span<const std::byte> builtin_model();
/// The page at "/".
std::string_view page_html();

inline constexpr std::string_view kBuiltinName = "feilun-nano";
/// `--model NAME=builtin` names the built-in model.
inline constexpr std::string_view kBuiltinPath = "builtin";

}  // namespace feilun::apps
