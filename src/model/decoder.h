#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "compute/paged_kv.h"
#include "model/decoder_design.h"
#include "model/decoder_weights.h"
#include "model/expert_mixture.h"
#include "model/parallel_work.h"

/// The body that decoders share, for a batch of token rows from any sequences:
///
///   x = embedding
///   each layer:  h = norm(x);  q, k, v = h·Wqkv;  RoPE;  k, v → cache;  x += attention(q, cache)·Wo
///                h = norm(x);  x += (silu(h·Wgate) ∘ (h·Wup))·Wdown
///   logits = norm(x)·Wout, of the rows that want them; the best of them twice, the second time exactly
///
/// Families add to it (decoder_design.h): biases, norms of heads and of what is added, caps, windows, a
/// choice of experts in place of the one feed-forward block.
///
/// The batch invariance of engine/backend.h holds because every step treats a row alone: the kernels give a
/// row the same bits in any company, keys and values are always read back from the cache at its precision,
/// and work is divided among threads by output column or by head, never inside a sum.

namespace feilun::model {

/// Consecutive tokens of one sequence; the fields are those of engine::SequenceSlice.
struct DecoderSlice {
  std::span<const TokenId> tokens;
  int64_t position = 0;
  std::span<const int32_t> blocks;
  int logits = 0;
};

/// One loaded model. One thread at a time; `pool` and `kernels` must outlive it.
class Decoder {
 public:
  /// `design` is decoder_design's for this file.
  static Result<std::unique_ptr<Decoder>> load(const ModelFile& file, DecoderDesign design,
                                               WeightConversion conversion, compute::ThreadPool& pool,
                                               const compute::Kernels& kernels);

  static compute::KvShape kv_shape(const Hyperparameters& shape, bool bf16);
  /// The logits of the tokens of which they are wanted, vocabulary floats each, valid until the next call.
  std::span<const float> forward(std::span<const DecoderSlice> slices, compute::PagedKv& cache);
  /// The same without the output matrix: the normed rows that it would multiply, hidden floats each.
  std::span<const float> states(std::span<const DecoderSlice> slices, compute::PagedKv& cache);

 private:
  struct Row {
    TokenId token;
    int64_t position;
    const int32_t* blocks;
  };
  /// Rows of one sequence that attend together.
  struct Tile {
    int64_t first_row;
    int64_t rows;
  };

  Decoder(const Hyperparameters& shape, DecoderDesign design, DecoderWeights weights,
          compute::ThreadPool& pool, const compute::Kernels& kernels);
  void arrange(std::span<const DecoderSlice> slices);
  void embed();
  void attention(const DecoderLayer& layer, int index, compute::PagedKv& cache);
  void feed_forward(const DecoderLayer& layer);
  void run(std::span<const DecoderSlice> slices, compute::PagedKv& cache);
  void normalise_last();
  std::span<const float> logits();
  void refine_best(int64_t rows);

  void normalise(const std::vector<float>& weight, bool quantise);
  void place_keys(const DecoderLayer& layer, int index, compute::PagedKv& cache);
  void place_head(const DecoderLayer& layer, int index, compute::PagedKv& cache, int64_t row, int kv_head);
  void attend(const DecoderLayer& layer, int index, const compute::PagedKv& cache);
  void attend_tile(int index, const compute::PagedKv& cache, const Tile& tile, int kv_head);
  void gate(const DecoderLayer& layer);
  void add_product(const Linear& linear, Activations& input, const std::vector<float>& bias,
                   const std::vector<float>& post_norm);
  void add_branch(const std::vector<float>& bias, const std::vector<float>& post_norm);

  int64_t row_count() const { return static_cast<int64_t>(rows_.size()); }
  int64_t pairs() const { return static_cast<int64_t>(design_.rope.frequencies.size()); }
  float* query(int64_t row, int head) {
    return qkv_.data() + row * qkv_width_ + int64_t{head} * shape_.head_dim;
  }

  Hyperparameters shape_;
  DecoderDesign design_;
  DecoderWeights weights_;
  ParallelWork work_;
  const compute::Kernels& kernels_;
  int64_t hidden_stride_;
  int64_t qkv_width_;
  ExpertMixture experts_;

  std::vector<Row> rows_;
  std::vector<Tile> tiles_;
  std::vector<int64_t> logit_rows_;
  int64_t attention_work_ = 0;           ///< multiplications per element of all heads, in one layer
  compute::AlignedArray<float> x_;       ///< [rows][hidden_stride]
  compute::AlignedArray<float> branch_;  ///< [rows][hidden_stride]: what is changed before it is added to x
  compute::AlignedArray<float> cosine_;  ///< [rows][pairs]
  compute::AlignedArray<float> sine_;
  compute::AlignedArray<float> qkv_;  ///< [rows][qkv_width]
  Activations normed_;
  Activations attended_;
  Activations gated_;
  compute::AlignedArray<float> logits_;
};

}  // namespace feilun::model
