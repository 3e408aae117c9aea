#include "model/bert_weights.h"

#include <initializer_list>
#include <string>
#include <utility>

#include "base/check.h"
#include "compute/dequantise.h"

namespace feilun::model {
namespace {

constexpr std::string_view kMatrices[] = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down"};

std::string layer_name(int layer, std::string_view name, std::string_view kind) {
  return fmt::format("blk.{}.{}.{}", layer, name, kind);
}

compute::DType packed_type(const TensorView& tensor, WeightConversion conversion) {
  return packed_type(tensor.type, tensor.dims[0], MatrixUse::kLayer, conversion);
}

int64_t matrix_bytes(const ModelFile& file, WeightConversion conversion) {
  int64_t bytes = 0;
  for (int layer = 0; layer < file.shape.layers; ++layer) {
    for (const std::string_view name : kMatrices) {
      const TensorView* tensor = file.weights->find(layer_name(layer, name, "weight"));
      CHECK(tensor != nullptr);
      bytes += compute::packed_bytes(packed_type(*tensor, conversion), tensor->dims[0], tensor->dims[1]);
    }
  }
  return bytes;
}

class Loader {
 public:
  Loader(const ModelFile& file, WeightConversion conversion, compute::ThreadPool& pool,
         compute::WeightArena& arena)
      : file_(file), conversion_(conversion), pool_(pool), arena_(arena) {}

  Result<BertLayer> layer(int index) {
    BertLayer layer;
    layer.qkv = TRY(linear(index, {"attn_q", "attn_k", "attn_v"}));
    layer.attention_output = TRY(linear(index, {"attn_output"}));
    layer.attention_norm = TRY(norm(fmt::format("blk.{}.attn_output_norm", index)));
    layer.up = TRY(linear(index, {"ffn_up"}));
    layer.down = TRY(linear(index, {"ffn_down"}));
    layer.output_norm = TRY(norm(fmt::format("blk.{}.layer_output_norm", index)));
    return layer;
  }

  Result<LayerNorm> norm(const std::string& name) {
    return LayerNorm{TRY(load_vector(*file_.weights, name + ".weight", file_.shape.hidden)),
                     TRY(load_vector(*file_.weights, name + ".bias", file_.shape.hidden))};
  }

  /// Rows of a table, as floats.
  Result<std::vector<float>> table(std::string_view name) {
    const TensorView* tensor = file_.weights->find(name);
    CHECK(tensor != nullptr);
    std::vector<float> values(static_cast<size_t>(tensor->element_count()));
    compute::dequantise(tensor->type, tensor->data, values);
    file_.weights->release(*tensor);
    return values;
  }

 private:
  Result<BiasedLinear> linear(int layer, std::initializer_list<std::string_view> names) {
    BiasedLinear linear;
    for (const std::string_view name : names) {
      const TensorView* tensor = file_.weights->find(layer_name(layer, name, "weight"));
      CHECK(tensor != nullptr);
      const compute::DType packed = packed_type(*tensor, conversion_);
      linear.matrix.append(pack_matrix(*file_.weights, *tensor, packed, pool_, arena_));
      const auto bias = TRY(load_vector(*file_.weights, layer_name(layer, name, "bias"), tensor->dims[1]));
      linear.bias.insert(linear.bias.end(), bias.begin(), bias.end());
      linear.bias.resize(static_cast<size_t>(linear.matrix.width));
    }
    return linear;
  }

  const ModelFile& file_;
  WeightConversion conversion_;
  compute::ThreadPool& pool_;
  compute::WeightArena& arena_;
};

}  // namespace

std::vector<ExpectedTensor> expected_bert_tensors(const Hyperparameters& shape) {
  std::vector<ExpectedTensor> all = {{"token_embd.weight", 2, shape.hidden, shape.vocabulary},
                                     {"position_embd.weight", 2, shape.hidden, shape.positions},
                                     {"token_types.weight", 2, shape.hidden, shape.token_types}};
  const auto vector = [&](std::string name, int64_t size) { all.push_back({std::move(name), 1, size, 1}); };
  const auto norm = [&](const std::string& name) {
    vector(name + ".weight", shape.hidden);
    vector(name + ".bias", shape.hidden);
  };
  norm("token_embd_norm");
  for (int layer = 0; layer < shape.layers; ++layer) {
    const auto linear = [&](std::string_view name, int64_t depth, int64_t columns) {
      all.push_back({layer_name(layer, name, "weight"), 2, depth, columns});
      vector(layer_name(layer, name, "bias"), columns);
    };
    for (const std::string_view name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
      linear(name, shape.hidden, shape.hidden);
    }
    norm(fmt::format("blk.{}.attn_output_norm", layer));
    linear("ffn_up", shape.hidden, shape.ffn);
    linear("ffn_down", shape.ffn, shape.hidden);
    norm(fmt::format("blk.{}.layer_output_norm", layer));
  }
  return all;
}

Result<BertWeights> load_bert_weights(const ModelFile& file, WeightConversion conversion,
                                      compute::ThreadPool& pool) {
  BertWeights weights;
  weights.arena = TRY(compute::WeightArena::reserve(matrix_bytes(file, conversion)));
  Loader loader(file, conversion, pool, weights.arena);
  weights.words = TRY(Embeddings::in_file(file.weights, file.shape));
  weights.positions = TRY(loader.table("position_embd.weight"));
  const std::vector<float> segments = TRY(loader.table("token_types.weight"));
  const auto hidden = static_cast<size_t>(file.shape.hidden);
  for (size_t i = 0; i < weights.positions.size(); ++i) weights.positions[i] += segments[i % hidden];
  weights.embedding_norm = TRY(loader.norm("token_embd_norm"));
  for (int layer = 0; layer < file.shape.layers; ++layer) weights.layers.push_back(TRY(loader.layer(layer)));
  return weights;
}

int64_t bert_weight_bytes(const ModelFile& file, WeightConversion conversion) {
  const TensorView* words = file.weights->find("token_embd.weight");
  const TensorView* positions = file.weights->find("position_embd.weight");
  CHECK(words != nullptr && positions != nullptr);
  return matrix_bytes(file, conversion) + static_cast<int64_t>(words->data.size()) +
         positions->element_count() * 4;
}

}  // namespace feilun::model
