#include "model/encoder.h"

#include "model/bert.h"

namespace feilun::model {

Result<std::unique_ptr<Encoder>> load_encoder(const ModelFile& file, const EncoderOptions& options) {
  if (file.shape.architecture == "bert") return BertEncoder::load(file, options);
  return fail(ErrorCode::kUnsupported, "vectors from models of the {} architecture are not supported",
              file.shape.architecture);
}

int64_t encoder_bytes(const ModelFile& file, const EncoderOptions& options) {
  return file.shape.architecture == "bert" ? BertEncoder::bytes(file, options) : 0;
}

}  // namespace feilun::model
