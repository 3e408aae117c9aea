#include "model/decoder_weights.h"

#include <array>
#include <string>
#include <utility>

#include "base/check.h"
#include "compute/quantise.h"

namespace feilun::model {
namespace {

using compute::DType;
using compute::WeightMatrix;

constexpr std::string_view kEmbeddingName = "token_embd.weight";
constexpr std::string_view kOutputName = "output.weight";

/// A matrix of a layer: its name after "blk.N." and its shape.
struct MatrixPlace {
  std::string_view name;
  int64_t depth;
  int64_t columns;
};

enum Place { kQ, kK, kV, kAttentionOutput, kGate, kUp, kDown, kPlaces };

std::array<MatrixPlace, kPlaces> layer_matrices(const Hyperparameters& shape) {
  const int64_t q_width = int64_t{shape.heads} * shape.head_dim;
  const int64_t kv_width = int64_t{shape.kv_heads} * shape.head_dim;
  return {{{"attn_q.weight", shape.hidden, q_width},
           {"attn_k.weight", shape.hidden, kv_width},
           {"attn_v.weight", shape.hidden, kv_width},
           {"attn_output.weight", q_width, shape.hidden},
           {"ffn_gate.weight", shape.hidden, shape.ffn},
           {"ffn_up.weight", shape.hidden, shape.ffn},
           {"ffn_down.weight", shape.ffn, shape.hidden}}};
}

std::string layer_name(int layer, std::string_view name) {
  return fmt::format("blk.{}.{}", layer, name);
}

/// What a stored matrix becomes in memory.
DType packed_type(const TensorView& tensor, WeightConversion conversion, MatrixUse use) {
  return packed_type(tensor.type, tensor.dims[0], use, conversion);
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

/// Bytes of all matrices once packed. Missing tensors count as nothing.
int64_t matrix_bytes(const ModelFile& file, WeightConversion conversion) {
  const auto packed = [&](std::string_view name, MatrixUse use) -> int64_t {
    const TensorView* tensor = file.weights->find(name);
    if (tensor == nullptr) return 0;
    return compute::packed_bytes(packed_type(*tensor, conversion, use), tensor->dims[0], tensor->dims[1]);
  };
  int64_t bytes = packed(file.shape.tied_embeddings ? kEmbeddingName : kOutputName, MatrixUse::kOutput);
  for (int layer = 0; layer < file.shape.layers; ++layer) {
    for (const MatrixPlace& matrix : layer_matrices(file.shape))
      bytes += packed(layer_name(layer, matrix.name), MatrixUse::kLayer);
  }
  return bytes;
}

class Loader {
 public:
  Loader(const ModelFile& file, WeightConversion conversion, compute::ThreadPool& pool,
         compute::WeightArena& arena)
      : file_(file), conversion_(conversion), pool_(pool), arena_(arena) {}

  Result<DecoderLayer> layer(int index, const DecoderDesign& design) {
    DecoderLayer layer;
    layer.attention_norm = TRY(vector(index, "attn_norm.weight", file_.shape.hidden));
    if (design.qk_norm) {
      layer.q_norm = TRY(vector(index, "attn_q_norm.weight", file_.shape.head_dim));
      layer.k_norm = TRY(vector(index, "attn_k_norm.weight", file_.shape.head_dim));
    }
    for (const Place place : {kQ, kK, kV}) layer.qkv.append(TRY(matrix(index, place)));
    layer.attention_output.append(TRY(matrix(index, kAttentionOutput)));
    layer.ffn_norm = TRY(vector(index, "ffn_norm.weight", file_.shape.hidden));
    layer.gate.append(TRY(matrix(index, kGate)));
    layer.up.append(TRY(matrix(index, kUp)));
    layer.down.append(TRY(matrix(index, kDown)));
    return layer;
  }

  Result<> output(DecoderWeights& weights) {
    const Hyperparameters& shape = file_.shape;
    const std::string_view name = shape.tied_embeddings ? kEmbeddingName : kOutputName;
    const TensorView* tensor = TRY(find_tensor(*file_.weights, name, shape.hidden, shape.vocabulary));
    const DType packed = packed_type(*tensor, conversion_, MatrixUse::kOutput);
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
  Result<std::vector<float>> vector(int index, std::string_view name, int64_t count) {
    return load_vector(*file_.weights, layer_name(index, name), count);
  }

  Result<WeightMatrix> matrix(int index, Place place) {
    const MatrixPlace matrix = layer_matrices(file_.shape)[place];
    const TensorView* tensor =
        TRY(find_tensor(*file_.weights, layer_name(index, matrix.name), matrix.depth, matrix.columns));
    return pack(*tensor, packed_type(*tensor, conversion_, MatrixUse::kLayer));
  }

  WeightMatrix pack(const TensorView& tensor, DType packed) {
    WeightMatrix matrix =
        WeightMatrix::pack(tensor.type, tensor.data, tensor.dims[0], tensor.dims[1], packed, pool_, arena_);
    file_.weights->release(tensor);
    return matrix;
  }

  const ModelFile& file_;
  WeightConversion conversion_;
  compute::ThreadPool& pool_;
  compute::WeightArena& arena_;
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

Result<DecoderWeights> load_decoder_weights(const ModelFile& file, WeightConversion conversion,
                                            compute::ThreadPool& pool) {
  DecoderWeights weights;
  weights.design = TRY(decoder_design(file));
  weights.arena = TRY(compute::WeightArena::reserve(matrix_bytes(file, conversion)));
  Loader loader(file, conversion, pool, weights.arena);
  for (int layer = 0; layer < file.shape.layers; ++layer) {
    weights.layers.push_back(TRY(loader.layer(layer, weights.design)));
  }
  weights.final_norm = TRY(load_vector(*file.weights, "output_norm.weight", file.shape.hidden));
  TRY(loader.output(weights));
  return weights;
}

int64_t decoder_weight_bytes(const ModelFile& file, WeightConversion conversion) {
  const Hyperparameters& shape = file.shape;
  const int64_t norms =
      (int64_t{2} * shape.layers + 1) * shape.hidden + int64_t{2} * shape.layers * shape.head_dim;
  const TensorView* table = file.weights->find(kEmbeddingName);
  const bool apart =
      table != nullptr &&
      !(shape.tied_embeddings && packed_type(*table, conversion, MatrixUse::kOutput) == table->type);
  return matrix_bytes(file, conversion) + norms * 4 + (apart ? static_cast<int64_t>(table->data.size()) : 0);
}

}  // namespace feilun::model
