#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace feilun::model {

/// Bytes of the well-formed UTF-8 code point that `text` starts with; 0 when it starts with none.
size_t code_point_bytes(std::string_view text);

/// The longest start of `text` that is well-formed UTF-8.
std::string_view well_formed_start(std::string_view text);

/// Unicode's Normalization Form C of `text`; bytes that are not UTF-8 stay as they are. O(n log n).
std::string normalise_nfc(std::string_view text);

}  // namespace feilun::model
