#include "engine/cpu_backend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "model/decoder_test_model.h"

namespace feilun::engine {
namespace {

using compute::DType;
using model::ModelFile;
std::vector<float> last_logits(const ModelFile& file, const BackendOptions& options, int count = 40) {
  auto backend = make_cpu_backend(file, options);
  if (!backend) throw std::runtime_error(backend.error().message);
  std::vector<TokenId> tokens;
  for (int i = 0; i < count; ++i) tokens.push_back((i * 37 + 11) % file.shape.vocabulary);
  std::vector<int32_t> blocks(static_cast<size_t>(count + 15) / 16);
  std::iota(blocks.begin(), blocks.end(), 0);
  const SequenceSlice slice{.tokens = tokens, .position = 0, .blocks = blocks, .logits = 1};
  const auto logits = (*backend)->forward(std::span(&slice, 1));
  return {logits.begin(), logits.end()};
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

TEST(CpuBackend, LosesLittleByQuantisingAtLoad) {
  for (const auto& shape : {model::small_llama(), model::small_qwen3()}) {
    const ModelFile file = random_model(shape, DType::kF32);
    const std::vector<float> exact = last_logits(file, {.kv_blocks = 8});
    const std::vector<float> eight = last_logits(file, {.quantise = Quantise::kQ8_0, .kv_blocks = 8});
    const std::vector<float> four = last_logits(file, {.quantise = Quantise::kQ4_0, .kv_blocks = 8});
    EXPECT_GT(cosine(exact, eight), 0.9995);
    EXPECT_GT(cosine(exact, four), 0.95);
    EXPECT_LT(cosine(exact, four), cosine(exact, eight));
    EXPECT_NE(exact, eight);
  }
}

TEST(CpuBackend, QuantisingAtLoadEqualsAQuantisedFile) {
  // The embeddings stay as stored, so those of the file that is quantised at load must be so already.
  const auto shape = model::small_llama();
  ModelFile stored = random_model(shape, DType::kQ8_0);
  ModelFile floats = random_model(shape, DType::kF32);
  auto mixed = std::make_shared<model::MemoryWeights>();
  for (const model::TensorView& tensor : floats.weights->tensors()) {
    const model::TensorView& from =
        tensor.name == "token_embd.weight" || tensor.rank == 1 ? *stored.weights->find(tensor.name) : tensor;
    std::vector<float> values(static_cast<size_t>(from.element_count()));
    compute::dequantise(from.type, from.data, values);
    mixed->add(from.name, from.type, from.dims[0], from.dims[1], values);
  }
  floats.weights = mixed;
  EXPECT_EQ(last_logits(floats, {.quantise = Quantise::kQ8_0, .kv_blocks = 8}),
            last_logits(stored, {.kv_blocks = 8}));
}

TEST(CpuBackend, F32TakesQuantisationOfActivationsAway) {
  const ModelFile stored = random_model(model::small_qwen3(), DType::kQ8_0);
  const std::vector<float> fast = last_logits(stored, {.kv_blocks = 8});
  const std::vector<float> exact = last_logits(stored, {.quantise = Quantise::kF32, .kv_blocks = 8});
  EXPECT_NE(fast, exact);
  EXPECT_GT(cosine(fast, exact), 0.9995);
}

TEST(CpuBackend, PermutedRowsAndNeighbouringPairsAreTheSameModel) {
  auto shape = model::small_llama();
  shape.rope_pairs = model::RopePairs::kHalves;
  const ModelFile halves = random_model(shape, DType::kF32);
  shape.rope_pairs = model::RopePairs::kNeighbours;
  ModelFile neighbours = halves;
  neighbours.shape = shape;
  auto weights = std::make_shared<model::MemoryWeights>();
  for (const model::TensorView& tensor : halves.weights->tensors()) {
    std::vector<float> values(static_cast<size_t>(tensor.element_count()));
    compute::dequantise(tensor.type, tensor.data, values);
    if (tensor.name.ends_with("attn_q.weight") || tensor.name.ends_with("attn_k.weight")) {
      const std::vector<float> old = values;
      const int64_t half = shape.head_dim / 2;
      for (int64_t row = 0; row < tensor.dims[1]; ++row) {
        const int64_t in_head = row % shape.head_dim;
        const int64_t to = row - in_head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1);
        std::copy_n(&old[row * tensor.dims[0]], tensor.dims[0], &values[to * tensor.dims[0]]);
      }
    }
    weights->add(tensor.name, tensor.type, tensor.dims[0], tensor.dims[1], values);
  }
  neighbours.weights = weights;
  const std::vector<float> a = last_logits(halves, {.kv_bf16 = false, .kv_blocks = 8});
  const std::vector<float> b = last_logits(neighbours, {.kv_bf16 = false, .kv_blocks = 8});
  for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4);
}

TEST(CpuBackend, RopeDivisorsStretchPositions) {
  ModelFile file = random_model(model::small_llama(), DType::kF32);
  const std::vector<float> plain = last_logits(file, {.kv_blocks = 8});
  auto* weights =
      const_cast<model::MemoryWeights*>(static_cast<const model::MemoryWeights*>(file.weights.get()));
  weights->add("rope_freqs.weight", DType::kF32, 4, 1, {1, 1, 1, 1});
  file.shape.rope_divisors = true;
  EXPECT_EQ(last_logits(file, {.kv_blocks = 8}), plain);
  ModelFile stretched = random_model(model::small_llama(), DType::kF32);
  weights =
      const_cast<model::MemoryWeights*>(static_cast<const model::MemoryWeights*>(stretched.weights.get()));
  weights->add("rope_freqs.weight", DType::kF32, 4, 1, {1, 2, 4, 8});
  stretched.shape.rope_divisors = true;
  EXPECT_NE(last_logits(stretched, {.kv_blocks = 8}), plain);
}

TEST(CpuBackend, TellsItsMemoryBeforehand) {
  const auto shape = model::small_qwen3();
  EXPECT_EQ(kv_block_bytes(shape, true), 2 * 16 * 2 * (32 + 32) * 2);
  EXPECT_EQ(kv_block_bytes(shape, false), 2 * kv_block_bytes(shape, true));
  EXPECT_EQ(kv_block_bytes(model::small_llama(), false), 2 * 16 * 4 * (8 + 16) * 4);

  const int64_t norms = 4 * ((2 * 2 + 1) * 96 + 2 * 2 * 32);
  const int64_t matrices = 96 * 320 + 2 * (96 * (192 + 64 + 64) + 192 * 96 + 3 * 96 * 160);
  const ModelFile stored = random_model(shape, DType::kQ8_0);
  EXPECT_EQ(weight_bytes(stored, Quantise::kAsStored), norms + matrices / 32 * 34);
  const ModelFile floats = random_model(shape, DType::kF32);
  EXPECT_EQ(weight_bytes(floats, Quantise::kAsStored), norms + matrices * 4);
  // Quantised at load, the output matrix is no longer the table of embeddings, which stays as stored.
  EXPECT_EQ(weight_bytes(floats, Quantise::kQ8_0), norms + matrices / 32 * 34 + 96 * 320 * 4);
}

void expect_refusal(const ModelFile& file, ErrorCode code, const std::string& part, int64_t blocks = 1) {
  const auto backend = make_cpu_backend(file, {.kv_blocks = blocks});
  ASSERT_FALSE(backend.has_value()) << part;
  EXPECT_EQ(backend.error().code, code) << backend.error().message;
  EXPECT_NE(backend.error().message.find(part), std::string::npos) << backend.error().message;
}

/// A model with one tensor replaced, or taken away.
ModelFile with_tensor(const std::string& name, const std::function<void(model::MemoryWeights&)>& add) {
  ModelFile file = random_model(model::small_qwen3(), DType::kF32);
  auto weights = std::make_shared<model::MemoryWeights>();
  for (const model::TensorView& tensor : file.weights->tensors()) {
    std::vector<float> values(static_cast<size_t>(tensor.element_count()));
    compute::dequantise(tensor.type, tensor.data, values);
    if (tensor.name != name) weights->add(tensor.name, tensor.type, tensor.dims[0], tensor.dims[1], values);
  }
  add(*weights);
  file.weights = weights;
  return file;
}

TEST(CpuBackend, RefusesModelsItCannotRun) {
  const ModelFile good = random_model(model::small_qwen3(), DType::kF32);
  expect_refusal(good, ErrorCode::kInvalidArgument, "0 blocks", 0);
  expect_refusal(good, ErrorCode::kInvalidArgument, "blocks", int64_t{1} << 40);
  expect_refusal(with_tensor("blk.1.ffn_up.weight", [](auto&) {}), ErrorCode::kCorrupt,
                 "no tensor blk.1.ffn_up");
  expect_refusal(with_tensor("blk.0.attn_k.weight",
                             [](auto& w) {
                               w.add("blk.0.attn_k.weight", DType::kF32, 96, 32, std::vector<float>(96 * 32));
                             }),
                 ErrorCode::kCorrupt, "96×32");
  ModelFile odd = good;
  odd.shape.architecture = "mamba";
  expect_refusal(odd, ErrorCode::kUnsupported, "mamba");
  for (const auto change :
       {+[](model::Hyperparameters& s) { s.kv_heads = 4; },
        +[](model::Hyperparameters& s) { s.head_dim = 33; },
        +[](model::Hyperparameters& s) { s.head_dim = 512; },
        +[](model::Hyperparameters& s) { s.layers = 0; }, +[](model::Hyperparameters& s) { s.hidden = -1; },
        +[](model::Hyperparameters& s) { s.vocabulary = 0; }}) {
    odd = good;
    change(odd.shape);
    expect_refusal(odd, ErrorCode::kUnsupported, "");
  }
}

TEST(CpuBackend, MakesNoLogitsWhereNoneAreWanted) {
  const ModelFile file = random_model(model::small_llama(), DType::kF32);
  const auto backend = make_cpu_backend(file, {.kv_blocks = 4}).value();
  const std::vector<TokenId> tokens = {1, 2, 3};
  const std::vector<int32_t> blocks = {2};
  const SequenceSlice slice{.tokens = tokens, .position = 0, .blocks = blocks, .logits = 0};
  EXPECT_TRUE(backend->forward(std::span(&slice, 1)).empty());
  EXPECT_TRUE(backend->forward({}).empty());
  EXPECT_EQ(backend->vocabulary_size(), 307);
  EXPECT_EQ(backend->block_count(), 4);
}

}  // namespace
}  // namespace feilun::engine
