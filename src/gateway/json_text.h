#pragma once

#include <string>
#include <string_view>

namespace feilun::gateway {

/// `text` with every byte that is not part of valid UTF-8 replaced by U+FFFD, so that no reply can be
/// unreadable as JSON whatever a model or a client brought.
std::string valid_utf8(std::string_view text);

/// Appends `text` as a JSON string with its quotes; invalid UTF-8 is replaced as above.
void append_json_string(std::string& out, std::string_view text);

}  // namespace feilun::gateway
