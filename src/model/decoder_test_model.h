#pragma once

#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compute/half.h"
#include "compute/quantise.h"
#include "model/model_file.h"

/// Models made in memory for tests: a shape and random weights, stored as any type.

namespace feilun::model {

/// Weights that a test made.
class MemoryWeights final : public WeightSource {
 public:
  void add(std::string name, compute::DType type, int64_t depth, int64_t columns,
           const std::vector<float>& values) {
    auto& bytes = bytes_.emplace_back(std::make_unique<std::vector<std::byte>>(
        compute::stored_bytes(type, static_cast<int64_t>(values.size()))));
    compute::quantise(type, values, *bytes);
    TensorView view{.name = name, .type = type, .rank = columns == 1 ? 1 : 2, .dims = {depth, columns, 1, 1}};
    view.data = *bytes;
    index_[std::move(name)] = tensors_.size();
    tensors_.push_back(std::move(view));
  }
  const TensorView* find(std::string_view name) const override {
    const auto at = index_.find(std::string(name));
    return at == index_.end() ? nullptr : &tensors_[at->second];
  }
  std::span<const TensorView> tensors() const override { return tensors_; }
  void release(const TensorView&) const override {}

 private:
  std::vector<std::unique_ptr<std::vector<std::byte>>> bytes_;
  std::vector<TensorView> tensors_;
  std::map<std::string, size_t> index_;
};

/// Numbers that look random and are the same everywhere: uniform in ±√3·deviation.
class TestNumbers {
 public:
  explicit TestNumbers(uint64_t seed) : state_(seed * 2 + 1) {}
  uint32_t bits() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state_ >> 33) ^ static_cast<uint32_t>(state_ >> 60);
  }
  float number(double deviation) {
    return static_cast<float>((static_cast<double>(bits() & 0xffffff) / 0x800000 - 1.0) * 1.7320508 *
                              deviation);
  }
  std::vector<float> numbers(int64_t count, double deviation, double mean = 0.0) {
    std::vector<float> out(static_cast<size_t>(count));
    for (float& x : out) x = static_cast<float>(mean) + number(deviation);
    return out;
  }

 private:
  uint64_t state_;
};

/// A decoder with random weights of a spread that keeps activations near one. Matrices whose depth is no
/// multiple of a block are stored as F32.
inline ModelFile random_model(Hyperparameters shape, compute::DType type, uint64_t seed = 1) {
  auto weights = std::make_shared<MemoryWeights>();
  TestNumbers numbers(seed);
  const auto matrix = [&](const std::string& name, int64_t depth, int64_t columns, double gain) {
    const bool fits = depth % compute::block_layout(type).elements == 0;
    weights->add(name, fits ? type : compute::DType::kF32, depth, columns,
                 numbers.numbers(depth * columns, gain / std::sqrt(static_cast<double>(depth))));
  };
  const auto norm = [&](const std::string& name, int64_t count) {
    weights->add(name, compute::DType::kF32, count, 1, numbers.numbers(count, 0.2, 1.0));
  };
  matrix("token_embd.weight", shape.hidden, shape.vocabulary, std::sqrt(static_cast<double>(shape.hidden)));
  if (!shape.tied_embeddings) matrix("output.weight", shape.hidden, shape.vocabulary, 3.0);
  norm("output_norm.weight", shape.hidden);
  for (int layer = 0; layer < shape.layers; ++layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    norm(prefix + "attn_norm.weight", shape.hidden);
    norm(prefix + "ffn_norm.weight", shape.hidden);
    if (shape.qk_norm) {
      norm(prefix + "attn_q_norm.weight", shape.head_dim);
      norm(prefix + "attn_k_norm.weight", shape.head_dim);
    }
    const int64_t q = int64_t{shape.heads} * shape.head_dim;
    const int64_t kv = int64_t{shape.kv_heads} * shape.head_dim;
    matrix(prefix + "attn_q.weight", shape.hidden, q, 1.5);
    matrix(prefix + "attn_k.weight", shape.hidden, kv, 1.5);
    matrix(prefix + "attn_v.weight", shape.hidden, kv, 1.0);
    matrix(prefix + "attn_output.weight", q, shape.hidden, 1.0);
    const auto feed_forward = [&](const std::string& ending, int64_t ffn) {
      matrix(prefix + "ffn_gate" + ending, shape.hidden, ffn, 1.0);
      matrix(prefix + "ffn_up" + ending, shape.hidden, ffn, 1.0);
      matrix(prefix + "ffn_down" + ending, ffn, shape.hidden, 1.0);
    };
    if (shape.experts.count == 0) feed_forward(".weight", shape.ffn);
    if (shape.experts.count > 0)
      matrix(prefix + "ffn_gate_inp.weight", shape.hidden, shape.experts.count, 2.0);
    for (int i = 0; i < shape.experts.count; ++i) {
      feed_forward("." + std::to_string(i) + ".weight", shape.experts.ffn);
    }
    const auto bias = [&](const std::string& name, int64_t count) {
      weights->add(prefix + name, compute::DType::kF32, count, 1, numbers.numbers(count, 0.5));
    };
    if (shape.qkv_bias) {
      bias("attn_q.bias", q);
      bias("attn_k.bias", kv);
      bias("attn_v.bias", kv);
    }
    if (shape.output_bias) bias("attn_output.bias", shape.hidden);
    if (shape.post_norms) {
      norm(prefix + "post_attention_norm.weight", shape.hidden);
      norm(prefix + "post_ffw_norm.weight", shape.hidden);
    }
  }
  ModelFile file;
  file.name = "random";
  file.format = "memory";
  file.shape = std::move(shape);
  file.weights = std::move(weights);
  return file;
}

/// Grouped queries, RoPE on neighbours, an output matrix of its own, and a feed-forward width that is no
/// multiple of 32.
inline Hyperparameters small_llama() {
  return {.architecture = "llama",
          .layers = 2,
          .hidden = 64,
          .heads = 8,
          .kv_heads = 4,
          .head_dim = 8,
          .ffn = 172,
          .vocabulary = 307,
          .context = 1024,
          .rope_pairs = RopePairs::kNeighbours};
}

/// QK-norm, heads wider than the hidden size divides, tied embeddings, everything in whole groups.
inline Hyperparameters small_qwen3() {
  return {.architecture = "qwen3",
          .layers = 2,
          .hidden = 96,
          .heads = 6,
          .kv_heads = 2,
          .head_dim = 32,
          .ffn = 160,
          .vocabulary = 320,
          .context = 1024,
          .norm_epsilon = 1e-6f,
          .rope_base = 1e6f,
          .qk_norm = true,
          .tied_embeddings = true};
}

/// Experts, more than a token uses and fewer than a batch's rows.
inline Hyperparameters small_qwen3moe() {
  Hyperparameters shape = small_qwen3();
  shape.architecture = "qwen3moe";
  shape.experts = {.count = 7, .used = 3, .ffn = 64};
  return shape;
}

/// All that Gemma adds, and a window that is no multiple of a block, in one layer of two.
inline Hyperparameters small_gemma2() {
  Hyperparameters shape = small_qwen3();
  shape.architecture = "gemma2";
  shape.qk_norm = false;
  shape.post_norms = true;
  shape.score_cap = 5.0f;
  shape.logit_cap = 8.0f;
  shape.windows = {45, 0};
  return shape;
}

/// Biases, neighbours of half a head, groups of more queries than a kernel takes at once.
inline Hyperparameters small_glm4() {
  Hyperparameters shape = small_llama();
  shape.architecture = "glm4";
  shape.heads = 16;
  shape.kv_heads = 1;
  shape.rope_dimension = 4;
  shape.qkv_bias = true;
  shape.output_bias = true;
  shape.post_norms = true;
  return shape;
}

}  // namespace feilun::model
