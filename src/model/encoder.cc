#include "model/encoder.h"

#include <algorithm>

#include "compute/kernels.h"
#include "model/bert.h"
#include "model/encoder_last_token.h"

namespace feilun::model {
namespace {

bool is_bert(const ModelFile& file) {
  return file.shape.architecture == "bert";
}

}  // namespace

Result<std::unique_ptr<Encoder>> load_encoder(const ModelFile& file, const EncoderOptions& options) {
  return is_bert(file) ? BertEncoder::load(file, options) : LastTokenEncoder::load(file, options);
}

int64_t encoder_bytes(const ModelFile& file, const EncoderOptions& options) {
  const int64_t weights = is_bert(file) ? bert_weight_bytes(file, options.conversion)
                                        : decoder_weight_bytes(file, options.conversion);
  return weights + encoder_pass_bytes(file, options);
}

int64_t encoder_pass_bytes(const ModelFile& file, const EncoderOptions& options) {
  return is_bert(file) ? BertEncoder::pass_bytes(file.shape, options)
                       : LastTokenEncoder::pass_bytes(file.shape, options);
}

int64_t encoder_block_bytes(const ModelFile& file, const EncoderOptions& options) {
  return is_bert(file) ? BertEncoder::kv_shape(file.shape).block_bytes()
                       : Decoder::kv_shape(file.shape, options.kv_bf16).block_bytes();
}

int64_t encoder_blocks(const EncoderOptions& options) {
  const int64_t one = (options.window + compute::kKvBlockTokens - 1) / compute::kKvBlockTokens;
  return std::max(one, options.pass_tokens / compute::kKvBlockTokens + options.pass_inputs);
}

}  // namespace feilun::model
