#pragma once

#include <simdjson.h>

#include <memory>
#include <string_view>

#include "base/result.h"

namespace feilun {

/// A parsed JSON text (strict RFC 8259, UTF-8, whole input, at most `kJsonDepthMax` levels deep) that owns
/// its memory. Elements point into it. Duplicate keys: the first is found.
class JsonDocument {
 public:
  static constexpr size_t kJsonDepthMax = 64;
  /// kInvalidArgument with the reason when the text is not JSON.
  static Result<JsonDocument> parse(std::string_view text);
  simdjson::dom::element root() const { return root_; }

 private:
  std::unique_ptr<simdjson::dom::parser> parser_;
  simdjson::dom::element root_;
};

}  // namespace feilun
