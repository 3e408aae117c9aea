#pragma once

#include <string>
#include <string_view>

namespace feilun::model {

/// A token's bytes written in GPT-2's printable alphabet of 256 characters ("Ġthe" for " the") and back.
/// Characters outside the alphabet stay as they are.
std::string to_printable_bytes(std::string_view bytes);
std::string from_printable_bytes(std::string_view text);

}  // namespace feilun::model
