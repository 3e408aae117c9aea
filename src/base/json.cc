#include "base/json.h"

namespace feilun {

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  JsonDocument document;
  document.parser_ = std::make_unique<simdjson::dom::parser>();
  if (auto error = document.parser_->allocate(text.size(), kJsonDepthMax)) {
    return fail(ErrorCode::kInvalidArgument, "not readable as JSON: {}", simdjson::error_message(error));
  }
  if (auto error = document.parser_->parse(text.data(), text.size()).get(document.root_)) {
    if (error == simdjson::NUMBER_ERROR) {
      return fail(ErrorCode::kInvalidArgument,
                  "a number is out of the range this server reads, or not written as JSON wants it");
    }
    return fail(ErrorCode::kInvalidArgument, "not valid JSON: {}", simdjson::error_message(error));
  }
  return document;
}

}  // namespace feilun
