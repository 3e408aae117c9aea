#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "compute/weight_matrix.h"
#include "model/model_file.h"
#include "model/weight_packing.h"

/// Weights of a decoder, found by their GGUF names, checked, and repacked for the kernels. A tensor's pages
/// in the file are given back as soon as it is repacked, so that loading never holds two copies of a model.

namespace feilun::model {

/// Matrices that multiply the same input, side by side in the output. Each begins at a multiple of 32.
struct Linear {
  std::vector<compute::WeightMatrix> parts;
  std::vector<int64_t> offsets;  ///< of each part in an output row
  int64_t width = 0;             ///< of an output row, rounded up to whole panels
  int64_t panels = 0;
  bool reads_floats = false;     ///< some part multiplies float activations
  bool reads_quantised = false;  ///< some part multiplies quantised activations

  void append(compute::WeightMatrix matrix);
};

struct FeedForwardWeights {
  Linear gate;
  Linear up;
  Linear down;
};

/// What a model does not have is empty.
struct DecoderLayer {
  std::vector<float> attention_norm;
  std::vector<float> q_norm;
  std::vector<float> k_norm;
  Linear qkv;
  std::vector<float> qkv_bias;  ///< at the offsets of `qkv`
  Linear attention_output;
  std::vector<float> attention_output_bias;
  std::vector<float> attention_post_norm;
  std::vector<float> ffn_norm;
  FeedForwardWeights feed_forward;
  Linear router;  ///< chooses among `experts`
  std::vector<FeedForwardWeights> experts;
  bool ffn_reads_quantised = false;  ///< some gate or up multiplies quantised activations
  std::vector<float> ffn_post_norm;
};

/// The table of token embeddings: rows of the file, or columns of the output matrix where both are the same.
class Embeddings {
 public:
  static Result<Embeddings> in_file(std::shared_ptr<const WeightSource> source, const Hyperparameters& shape);
  /// `output` must outlive the table.
  static Embeddings in_matrix(const compute::WeightMatrix& output);
  /// `token` must be in the vocabulary; `out` has room for hidden floats.
  void read(TokenId token, std::span<float> out) const;

 private:
  const compute::WeightMatrix* matrix_ = nullptr;
  std::shared_ptr<const WeightSource> source_;
  const TensorView* tensor_ = nullptr;
};

struct DecoderWeights {
  compute::WeightArena arena;
  std::vector<DecoderLayer> layers;
  std::vector<float> final_norm;
  std::unique_ptr<Linear> output;  ///< in a place of its own: `embeddings` may point into it
  Embeddings embeddings;
};

/// kCorrupt for a tensor that is missing or has another shape.
Result<DecoderWeights> load_decoder_weights(const ModelFile& file, WeightConversion conversion,
                                            compute::ThreadPool& pool);
/// Bytes that load_decoder_weights would hold. Missing tensors count as nothing.
int64_t decoder_weight_bytes(const ModelFile& file, WeightConversion conversion);
/// A tensor of rank 1 with `count` elements, as floats.
Result<std::vector<float>> load_vector(const WeightSource& source, std::string_view name, int64_t count);
/// A stored matrix as the kernels want it, in `arena`. Its pages in the file are given back.
compute::WeightMatrix pack_matrix(const WeightSource& source, const TensorView& tensor, compute::DType packed,
                                  compute::ThreadPool& pool, compute::WeightArena& arena);

}  // namespace feilun::model
