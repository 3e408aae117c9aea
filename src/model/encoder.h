#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "model/model_file.h"
#include "model/weight_packing.h"

namespace feilun::model {

/// How an encoder is made, and the most that one pass may bring: one input of `window` tokens, or up to
/// `pass_inputs` of them with `pass_tokens` together.
struct EncoderOptions {
  WeightConversion conversion;
  bool kv_bf16 = true;  ///< false: F32; read where the model's body is a decoder
  int threads = 1;
  int64_t window = 512;
  int64_t pass_tokens = 512;
  int64_t pass_inputs = 64;
};

/// Asked on the way through a pass, between layers or chunks of tokens: false ends it there.
using GoOn = std::function<bool()>;

/// What a pass has made.
struct EncodedPass {
  /// width() floats for each input, in order, valid until the next pass; none when the pass was ended. Of
  /// length one, except where the model itself gives no direction: numbers that are not finite, or zeros.
  std::span<const float> vectors;
  int64_t tokens = 0;  ///< that went through the whole model, counted from the first input's first
};

/// A model that turns texts into vectors. One thread at a time.
///
/// An input's vector depends on its own tokens alone, bit for bit, not on the other inputs of a pass.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Of a vector.
  virtual int width() const = 0;
  /// Runs all inputs in one pass; each has at least one token, all of the vocabulary.
  virtual EncodedPass run(std::span<const std::span<const TokenId>> inputs, const GoOn& go_on) = 0;
  /// The vectors of a pass that nothing ends.
  std::span<const float> vectors(std::span<const std::span<const TokenId>> inputs) {
    return run(inputs, [] { return true; }).vectors;
  }
};

/// Loads the weights of a file that embeds, and reserves what its passes need. kUnsupported for a shape
/// without kernels, or a way of pooling that the architecture does not have here.
Result<std::unique_ptr<Encoder>> load_encoder(const ModelFile& file, const EncoderOptions& options);
/// Bytes that load_encoder would take.
int64_t encoder_bytes(const ModelFile& file, const EncoderOptions& options);
/// Those among them that are reserved for passes.
int64_t encoder_pass_bytes(const ModelFile& file, const EncoderOptions& options);
/// Bytes of keys and values that sixteen tokens of an input need.
int64_t encoder_block_bytes(const ModelFile& file, const EncoderOptions& options);

/// Blocks of sixteen tokens that a pass may need, each input ending in one of its own.
int64_t encoder_blocks(const EncoderOptions& options);

}  // namespace feilun::model
