#pragma once

#include <cstdint>
#include <vector>

#include "compute/thread_pool.h"
#include "model/decoder_weights.h"
#include "model/model_file_parts.h"

namespace feilun::model {

/// Matrices with what is added to each of their output columns.
struct BiasedLinear {
  Linear matrix;
  std::vector<float> bias;  ///< matrix.width floats, zero between the parts
};

struct LayerNorm {
  std::vector<float> weight;
  std::vector<float> bias;
};

struct BertLayer {
  BiasedLinear qkv;
  BiasedLinear attention_output;
  LayerNorm attention_norm;
  BiasedLinear up;
  BiasedLinear down;
  LayerNorm output_norm;
};

struct BertWeights {
  compute::WeightArena arena;
  Embeddings words;
  std::vector<float> positions;  ///< [context][hidden], the embedding of the first segment added
  LayerNorm embedding_norm;
  std::vector<BertLayer> layers;
};

/// All tensors of a BERT, under GGUF's names.
std::vector<ExpectedTensor> expected_bert_tensors(const Hyperparameters& shape);

/// `file` has been checked (open_model): its tensors are there and of the right shapes.
Result<BertWeights> load_bert_weights(const ModelFile& file, WeightConversion conversion,
                                      compute::ThreadPool& pool);
/// Bytes that load_bert_weights would hold.
int64_t bert_weight_bytes(const ModelFile& file, WeightConversion conversion);

}  // namespace feilun::model
