#include "model/decoder_weights.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "compute/quantise.h"
#include "model/model_file_parts.h"

namespace feilun::model {
namespace {

using compute::DType;
using compute::WeightMatrix;

constexpr std::string_view kEmbeddingName = "token_embd.weight";
constexpr std::string_view kOutputName = "output.weight";

/// What a stored matrix becomes in memory. The choice of experts is too small to be worth a rounding error.
DType packed_type(const TensorView& tensor, WeightConversion conversion, bool output) {
  if (tensor.name.ends_with(".ffn_gate_inp.weight")) return DType::kF32;
  return packed_type(tensor.type, tensor.dims[0], output ? MatrixUse::kOutput : MatrixUse::kLayer,
                     conversion);
}

Result<const TensorView*> find_tensor(const WeightSource& source, std::string_view name, int64_t depth,
                                      int64_t columns) {
  const TensorView* tensor = source.find(name);
  if (tensor == nullptr) return fail(ErrorCode::kCorrupt, "the model has no tensor {}", name);
  if (tensor->dims[0] != depth || tensor->dims[1] != columns || tensor->element_count() != depth * columns) {
    return fail(ErrorCode::kCorrupt, "tensor {} is {}×{}, the model's shape asks for {}×{}", name,
                tensor->dims[0], tensor->dims[1], depth, columns);
  }
  const bool whole_blocks = depth % compute::block_layout(tensor->type).elements == 0;
  if (!whole_blocks || tensor->data.size() != compute::stored_bytes(tensor->type, tensor->element_count())) {
    return fail(ErrorCode::kCorrupt, "tensor {} holds {} bytes, which is not what its shape takes", name,
                tensor->data.size());
  }
  return tensor;
}

/// The matrix that makes logits.
std::string_view output_name(const Hyperparameters& shape) {
  return shape.tied_embeddings ? kEmbeddingName : kOutputName;
}

/// Bytes of all matrices once packed. Missing tensors count as nothing.
int64_t matrix_bytes(const ModelFile& file, WeightConversion conversion) {
  const std::string_view output = output_name(file.shape);
  int64_t bytes = 0;
  for (const ExpectedTensor& expected : expected_tensors(file.shape)) {
    const TensorView* tensor = file.weights->find(expected.name);
    const bool packed = expected.rank == 2 && (expected.name != kEmbeddingName || output == kEmbeddingName);
    if (tensor == nullptr || !packed) continue;
    const DType type = packed_type(*tensor, conversion, expected.name == output);
    bytes += compute::packed_bytes(type, tensor->dims[0], tensor->dims[1]);
  }
  return bytes;
}

bool reads_quantised(const FeedForwardWeights& block) {
  return block.gate.reads_quantised || block.up.reads_quantised;
}

class Loader {
 public:
  Loader(const ModelFile& file, WeightConversion conversion, compute::ThreadPool& pool,
         compute::WeightArena& arena)
      : file_(file), conversion_(conversion), pool_(pool), arena_(arena) {}

  Result<DecoderLayer> layer(int index) {
    const Hyperparameters& shape = file_.shape;
    prefix_ = fmt::format("blk.{}.", index);
    DecoderLayer layer;
    layer.attention_norm = TRY(vector("attn_norm.weight", shape.hidden));
    if (shape.qk_norm) {
      layer.q_norm = TRY(vector("attn_q_norm.weight", shape.head_dim));
      layer.k_norm = TRY(vector("attn_k_norm.weight", shape.head_dim));
    }
    TRY(attention(layer));
    if (shape.post_norms) {
      layer.attention_post_norm = TRY(vector("post_attention_norm.weight", shape.hidden));
      layer.ffn_post_norm = TRY(vector("post_ffw_norm.weight", shape.hidden));
    }
    layer.ffn_norm = TRY(vector("ffn_norm.weight", shape.hidden));
    if (shape.experts.count == 0) {
      layer.feed_forward = TRY(feed_forward(".weight", shape.ffn));
      layer.ffn_reads_quantised = reads_quantised(layer.feed_forward);
      return layer;
    }
    layer.router.append(TRY(matrix("ffn_gate_inp.weight", shape.hidden, shape.experts.count)));
    for (int i = 0; i < shape.experts.count; ++i) {
      layer.experts.push_back(TRY(feed_forward(fmt::format(".{}.weight", i), shape.experts.ffn)));
      layer.ffn_reads_quantised |= reads_quantised(layer.experts.back());
    }
    return layer;
  }

  Result<> output(DecoderWeights& weights) {
    const Hyperparameters& shape = file_.shape;
    const TensorView* tensor =
        TRY(find_tensor(*file_.weights, output_name(shape), shape.hidden, shape.vocabulary));
    const DType packed = packed_type(*tensor, conversion_, true);
    weights.output = std::make_unique<Linear>();
    weights.output->append(pack(*tensor, packed));
    if (shape.tied_embeddings && packed == tensor->type) {
      weights.embeddings = Embeddings::in_matrix(weights.output->parts.front());
    } else {
      weights.embeddings = TRY(Embeddings::in_file(file_.weights, shape));
    }
    return {};
  }

 private:
  Result<> attention(DecoderLayer& layer) {
    const Hyperparameters& shape = file_.shape;
    const int64_t q_width = int64_t{shape.heads} * shape.head_dim;
    const int64_t kv_width = int64_t{shape.kv_heads} * shape.head_dim;
    for (const auto& [name, width] :
         {std::pair{"attn_q", q_width}, {"attn_k", kv_width}, {"attn_v", kv_width}}) {
      layer.qkv.append(TRY(matrix(fmt::format("{}.weight", name), shape.hidden, width)));
      if (!shape.qkv_bias) continue;
      const auto bias = TRY(vector(fmt::format("{}.bias", name), width));
      layer.qkv_bias.resize(static_cast<size_t>(layer.qkv.offsets.back()), 0.0f);
      layer.qkv_bias.insert(layer.qkv_bias.end(), bias.begin(), bias.end());
    }
    layer.attention_output.append(TRY(matrix("attn_output.weight", q_width, shape.hidden)));
    if (shape.output_bias) layer.attention_output_bias = TRY(vector("attn_output.bias", shape.hidden));
    return {};
  }

  Result<FeedForwardWeights> feed_forward(std::string_view ending, int64_t width) {
    const int64_t hidden = file_.shape.hidden;
    FeedForwardWeights block;
    block.gate.append(TRY(matrix(fmt::format("ffn_gate{}", ending), hidden, width)));
    block.up.append(TRY(matrix(fmt::format("ffn_up{}", ending), hidden, width)));
    block.down.append(TRY(matrix(fmt::format("ffn_down{}", ending), width, hidden)));
    return block;
  }

  Result<std::vector<float>> vector(std::string_view name, int64_t count) {
    return load_vector(*file_.weights, fmt::format("{}{}", prefix_, name), count);
  }

  Result<WeightMatrix> matrix(std::string_view name, int64_t depth, int64_t columns) {
    const TensorView* tensor =
        TRY(find_tensor(*file_.weights, fmt::format("{}{}", prefix_, name), depth, columns));
    return pack(*tensor, packed_type(*tensor, conversion_, false));
  }

  WeightMatrix pack(const TensorView& tensor, DType packed) {
    return pack_matrix(*file_.weights, tensor, packed, pool_, arena_);
  }

  const ModelFile& file_;
  WeightConversion conversion_;
  compute::ThreadPool& pool_;
  compute::WeightArena& arena_;
  std::string prefix_;  ///< of the layer's tensors
};

}  // namespace

void Linear::append(WeightMatrix matrix) {
  offsets.push_back(width);
  width += matrix.panels() * compute::kPanelColumns;
  panels += matrix.panels();
  (matrix.quantised() ? reads_quantised : reads_floats) = true;
  parts.push_back(std::move(matrix));
}

Result<Embeddings> Embeddings::in_file(std::shared_ptr<const WeightSource> source,
                                       const Hyperparameters& shape) {
  Embeddings table;
  table.tensor_ = TRY(find_tensor(*source, kEmbeddingName, shape.hidden, shape.vocabulary));
  table.source_ = std::move(source);
  return table;
}

Embeddings Embeddings::in_matrix(const WeightMatrix& output) {
  Embeddings table;
  table.matrix_ = &output;
  return table;
}

void Embeddings::read(TokenId token, std::span<float> out) const {
  if (matrix_ != nullptr) return matrix_->read_column(token, out.data());
  CHECK(token >= 0 && token < tensor_->dims[1]);
  const size_t row_bytes = compute::stored_bytes(tensor_->type, tensor_->dims[0]);
  compute::dequantise(tensor_->type, tensor_->data.subspan(static_cast<size_t>(token) * row_bytes, row_bytes),
                      out);
}

Result<std::vector<float>> load_vector(const WeightSource& source, std::string_view name, int64_t count) {
  const TensorView* tensor = TRY(find_tensor(source, name, count, 1));
  std::vector<float> values(static_cast<size_t>(count));
  compute::dequantise(tensor->type, tensor->data, values);
  return values;
}

WeightMatrix pack_matrix(const WeightSource& source, const TensorView& tensor, DType packed,
                         compute::ThreadPool& pool, compute::WeightArena& arena) {
  WeightMatrix matrix =
      WeightMatrix::pack(tensor.type, tensor.data, tensor.dims[0], tensor.dims[1], packed, pool, arena);
  source.release(tensor);
  return matrix;
}

Result<DecoderWeights> load_decoder_weights(const ModelFile& file, WeightConversion conversion,
                                            compute::ThreadPool& pool) {
  DecoderWeights weights;
  weights.arena = TRY(compute::WeightArena::reserve(matrix_bytes(file, conversion)));
  Loader loader(file, conversion, pool, weights.arena);
  for (int layer = 0; layer < file.shape.layers; ++layer) {
    weights.layers.push_back(TRY(loader.layer(layer)));
  }
  weights.final_norm = TRY(load_vector(*file.weights, "output_norm.weight", file.shape.hidden));
  TRY(loader.output(weights));
  // Once more for all: reading one tensor maps pages of its neighbours too.
  for (const TensorView& tensor : file.weights->tensors()) file.weights->release(tensor);
  return weights;
}

int64_t decoder_weight_bytes(const ModelFile& file, WeightConversion conversion) {
  const TensorView* table = file.weights->find(kEmbeddingName);
  const bool apart = table != nullptr &&
                     !(file.shape.tied_embeddings && packed_type(*table, conversion, true) == table->type);
  int64_t bytes = matrix_bytes(file, conversion);
  for (const ExpectedTensor& expected : expected_tensors(file.shape)) {
    if (expected.rank == 1) bytes += expected.columns * int64_t{sizeof(float)};
  }
  return bytes + (apart ? static_cast<int64_t>(table->data.size()) : 0);
}

}  // namespace feilun::model
