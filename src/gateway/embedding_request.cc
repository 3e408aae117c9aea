#include "gateway/embedding_request.h"

namespace feilun::gateway {
namespace {

Result<bool> read_format(const RequestFields& fields) {
  const std::string_view format = TRY(fields.string("encoding_format")).value_or("float");
  if (format == "float" || format == "base64") return format == "base64";
  return std::unexpected(fields.error(ErrorCode::kInvalidArgument, "encoding_format",
                                      "'encoding_format' must be \"float\" or \"base64\""));
}

}  // namespace

Result<EmbeddingRequest> parse_embedding_request(std::string_view body) {
  const JsonDocument document = TRY(JsonDocument::parse(body));
  const RequestFields fields = TRY(RequestFields::of(document.root(), {}, "the request"));
  EmbeddingRequest out;
  const auto model = TRY(fields.string("model"));
  if (!model || model->empty()) {
    return std::unexpected(fields.error(ErrorCode::kInvalidArgument, "model", "'model' is required"));
  }
  out.model = *model;
  out.base64 = TRY(read_format(fields));
  if (const auto dimensions = TRY(fields.integer("dimensions", 1, INT32_MAX))) {
    out.dimensions = static_cast<int>(*dimensions);
  }
  TRY(fields.string("user"));
  out.inputs = TRY(read_texts(fields, "input", kEmbeddingInputsMax,
                              fmt::format("at most {} inputs in one request", kEmbeddingInputsMax)));
  for (size_t i = 0; i < out.inputs.size(); ++i) {
    const auto* text = std::get_if<std::string>(&out.inputs[i]);
    if (text == nullptr || !text->empty()) continue;
    const std::string path = out.inputs.size() == 1 ? "input" : fmt::format("input[{}]", i);
    return std::unexpected(fields.error(ErrorCode::kInvalidArgument, path,
                                        fmt::format("'{}' must not be an empty string", path)));
  }
  return out;
}

}  // namespace feilun::gateway
