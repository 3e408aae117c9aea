#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "compute/paged_kv.h"
#include "compute/thread_pool.h"
#include "model/bert_weights.h"
#include "model/encoder.h"
#include "model/parallel_work.h"

/// BERT: every token looks at all tokens of its text, and norms stand behind what they follow.
///
///   x = norm(word + position + segment)
///   each layer:  x = norm(x + attention(x·Wqkv + b)·Wo + b)
///                x = norm(x + gelu(x·Wup + b)·Wdown + b)
///   vector = pooled rows of x, of length one
///
/// Attention runs over the paged cache of the decoders, one layer deep: the keys and values of a pass are
/// written, read by all tokens of their text, and overwritten by the next layer.

namespace feilun::model {

class BertEncoder final : public Encoder {
 public:
  static Result<std::unique_ptr<Encoder>> load(const ModelFile& file, const EncoderOptions& options);
  static int64_t pass_bytes(const Hyperparameters& shape, const EncoderOptions& options);
  static compute::KvShape kv_shape(const Hyperparameters& shape);

  int width() const override { return shape_.hidden; }
  EncodedPass run(std::span<const std::span<const TokenId>> inputs, const GoOn& go_on) override;

 private:
  /// One text among the rows of a pass.
  struct Text {
    int64_t first_row;
    int64_t rows;
    int32_t first_block;
  };
  /// Rows of one text that attend together.
  struct Tile {
    const Text* text;
    int64_t first_row;
    int64_t rows;
  };
  struct Row {
    TokenId token;
    int64_t position;
    int32_t first_block;
  };

  BertEncoder(const ModelFile& file, const EncoderOptions& options, const compute::Kernels& kernels);
  Result<> reserve(const EncoderOptions& options);
  void arrange(std::span<const std::span<const TokenId>> inputs);
  void embed();
  void attention(const BertLayer& layer);
  void place_keys();
  void attend_tile(const Tile& tile, int head);
  void feed_forward(const BertLayer& layer, const BertLayer* next);
  std::span<const float> pooled();

  void normalise(const LayerNorm& norm, const BiasedLinear* reader);
  void multiply(const BiasedLinear& linear, Activations& input, float* out, int64_t stride, bool add);
  int64_t row_count() const { return static_cast<int64_t>(rows_.size()); }

  Hyperparameters shape_;
  Pooling pooling_;
  compute::ThreadPool pool_;
  ParallelWork work_;
  BertWeights weights_;
  compute::PagedKv cache_;
  std::vector<int32_t> block_numbers_;  ///< 0, 1, 2 …: a text's block table begins at its first block

  std::vector<Row> rows_;
  std::vector<Text> texts_;
  std::vector<Tile> tiles_;
  Activations x_;
  compute::AlignedArray<float> qkv_;  ///< [rows][qkv_width]
  int64_t qkv_width_;
  Activations attended_;
  Activations widened_;
  std::vector<float> vectors_;
};

}  // namespace feilun::model
