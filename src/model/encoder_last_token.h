#pragma once

#include <memory>
#include <span>
#include <vector>

#include "compute/paged_kv.h"
#include "compute/thread_pool.h"
#include "model/decoder.h"
#include "model/encoder.h"

namespace feilun::model {

/// A decoder as an encoder: the vector of a text is the normed state of its last token, which has seen all of
/// it. Longer texts than a chunk go through the decoder chunk by chunk, which changes no bit.
class LastTokenEncoder final : public Encoder {
 public:
  static Result<std::unique_ptr<Encoder>> load(const ModelFile& file, const EncoderOptions& options);
  static int64_t pass_bytes(const Hyperparameters& shape, const EncoderOptions& options);

  int width() const override { return hidden_; }
  EncodedPass run(std::span<const std::span<const TokenId>> inputs, const GoOn& go_on) override;

 private:
  LastTokenEncoder(const ModelFile& file, const EncoderOptions& options, compute::PagedKv cache);
  /// The next tokens of the inputs, a chunk of them at most, from where the last call stopped.
  std::vector<DecoderSlice> next_slices(std::span<const std::span<const TokenId>> inputs);

  int hidden_;
  compute::ThreadPool pool_;
  compute::PagedKv cache_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<int32_t> block_numbers_;  ///< 0, 1, 2 …: an input's block table begins at its first block
  size_t input_ = 0;                    ///< the first that has not been read to its end
  size_t read_ = 0;                     ///< tokens of it that have been
  size_t block_ = 0;                    ///< the first of its blocks
  std::vector<float> vectors_;
};

}  // namespace feilun::model
