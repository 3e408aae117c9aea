#include "model/decoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "compute/number_blocks.h"
#include "model/gated_panels.h"

namespace feilun::model {

using compute::kPanelColumns;

namespace {

/// Of each row: enough to hold nearly all that is likely.
constexpr int64_t kRefinedLogits = 32;

}  // namespace

Decoder::Decoder(const Hyperparameters& shape, DecoderDesign design, DecoderWeights weights,
                 compute::ThreadPool& pool, const compute::Kernels& kernels)
    : shape_(shape),
      design_(std::move(design)),
      weights_(std::move(weights)),
      work_(pool, kernels),
      kernels_(kernels),
      hidden_stride_(padded_to_panels(shape.hidden)),
      qkv_width_(weights_.layers.front().qkv.width),
      experts_(shape_, design_, work_),
      normed_(shape.hidden),
      attended_(int64_t{shape.heads} * shape.head_dim),
      gated_(shape.ffn) {}

Result<std::unique_ptr<Decoder>> Decoder::load(const ModelFile& file, DecoderDesign design,
                                               WeightConversion conversion, compute::ThreadPool& pool,
                                               const compute::Kernels& kernels) {
  CHECK(design.windows.size() == static_cast<size_t>(file.shape.layers));
  DecoderWeights weights = TRY(load_decoder_weights(file, conversion, pool));
  return std::unique_ptr<Decoder>(
      new Decoder(file.shape, std::move(design), std::move(weights), pool, kernels));
}

compute::KvShape Decoder::kv_shape(const Hyperparameters& shape, bool bf16) {
  return {.layers = shape.layers, .kv_heads = shape.kv_heads, .head_dim = shape.head_dim, .bf16 = bf16};
}

std::span<const float> Decoder::forward(std::span<const DecoderSlice> slices, compute::PagedKv& cache) {
  run(slices, cache);
  return logits();
}

std::span<const float> Decoder::states(std::span<const DecoderSlice> slices, compute::PagedKv& cache) {
  run(slices, cache);
  normalise_last();
  const auto hidden = static_cast<size_t>(shape_.hidden);
  for (size_t i = 1; i < logit_rows_.size(); ++i) {
    std::memmove(normed_.row(0) + i * hidden, normed_.row(static_cast<int64_t>(i)), hidden * sizeof(float));
  }
  return {normed_.row(0), logit_rows_.size() * hidden};
}

void Decoder::run(std::span<const DecoderSlice> slices, compute::PagedKv& cache) {
  arrange(slices);
  embed();
  for (int i = 0; i < shape_.layers; ++i) {
    attention(weights_.layers[static_cast<size_t>(i)], i, cache);
    feed_forward(weights_.layers[static_cast<size_t>(i)]);
  }
}

void Decoder::arrange(std::span<const DecoderSlice> slices) {
  rows_.clear();
  tiles_.clear();
  logit_rows_.clear();
  attention_work_ = 0;
  const int64_t group = shape_.heads / shape_.kv_heads;
  const int64_t tile_rows = std::max<int64_t>(1, compute::kAttentionQueries / group);
  for (const DecoderSlice& slice : slices) {
    const auto count = static_cast<int64_t>(slice.tokens.size());
    CHECK(count > 0 && slice.position >= 0);
    CHECK(static_cast<int64_t>(slice.blocks.size()) * compute::kKvBlockTokens >= slice.position + count);
    for (int64_t i = 0; i < count; i += tile_rows) {
      tiles_.push_back({.first_row = row_count() + i, .rows = std::min(tile_rows, count - i)});
    }
    for (int64_t i = 0; i < count; ++i) {
      const TokenId token = slice.tokens[static_cast<size_t>(i)];
      CHECK(token >= 0 && token < shape_.vocabulary);
      attention_work_ += 2 * (slice.position + i + 1);
      rows_.push_back({.token = token, .position = slice.position + i, .blocks = slice.blocks.data()});
    }
    CHECK(slice.logits >= 0 && slice.logits <= count);
    for (int64_t i = slice.logits; i > 0; --i) logit_rows_.push_back(row_count() - i);
  }
  const int64_t rows = row_count();
  const auto angles = static_cast<size_t>(rows * pairs());
  const bool enough =
      x_.reserve(static_cast<size_t>(rows * hidden_stride_)) &&
      branch_.reserve(static_cast<size_t>(rows * hidden_stride_)) && cosine_.reserve(angles) &&
      sine_.reserve(angles) && qkv_.reserve(static_cast<size_t>(rows * qkv_width_)) &&
      normed_.reserve(rows) && attended_.reserve(rows) && gated_.reserve(rows) &&
      logits_.reserve(logit_rows_.size() * static_cast<size_t>(padded_to_panels(shape_.vocabulary)));
  CHECK(enough);
}

void Decoder::embed() {
  work_.share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const Row& row = rows_[static_cast<size_t>(i)];
      const std::span x(x_.data() + i * hidden_stride_, static_cast<size_t>(shape_.hidden));
      weights_.embeddings.read(row.token, x);
      if (design_.embedding_scale != 1.0f) {
        for (float& number : x) number *= design_.embedding_scale;
      }
      for (int64_t pair = 0; pair < pairs(); ++pair) {
        const float angle =
            static_cast<float>(row.position) * design_.rope.frequencies[static_cast<size_t>(pair)];
        cosine_.data()[i * pairs() + pair] = std::cos(angle) * design_.rope.magnitude;
        sine_.data()[i * pairs() + pair] = std::sin(angle) * design_.rope.magnitude;
      }
    }
  });
}

void Decoder::feed_forward(const DecoderLayer& layer) {
  normalise(layer.ffn_norm, layer.ffn_reads_quantised);
  if (layer.experts.empty()) {
    gate(layer);
    add_product(layer.feed_forward.down, gated_, {}, layer.ffn_post_norm);
  } else {
    experts_.run(layer, normed_, row_count(), branch_.data(), hidden_stride_);
    add_branch({}, layer.ffn_post_norm);
  }
}

void Decoder::normalise_last() {
  for (size_t i = 0; i < logit_rows_.size(); ++i) {
    kernels_.rms_norm(x_.data() + logit_rows_[i] * hidden_stride_, weights_.final_norm.data(),
                      shape_.norm_epsilon, shape_.hidden, normed_.row(static_cast<int64_t>(i)));
  }
}

std::span<const float> Decoder::logits() {
  const auto count = static_cast<int64_t>(logit_rows_.size());
  normalise_last();
  for (int64_t i = 0; i < count && weights_.output->reads_quantised; ++i) normed_.quantise(kernels_, i);
  const int64_t stride = weights_.output->width;
  work_.multiply(*weights_.output, normed_, count, logits_.data(), stride, false);
  for (int64_t i = 1; i < count && stride != shape_.vocabulary; ++i) {
    std::memmove(logits_.data() + i * shape_.vocabulary, logits_.data() + i * stride,
                 static_cast<size_t>(shape_.vocabulary) * sizeof(float));
  }
  if (weights_.output->reads_quantised) refine_best(count);
  const int64_t all = count * shape_.vocabulary;
  if (design_.logit_cap > 0) kernels_.soft_cap(logits_.data(), all, design_.logit_cap);
  return {logits_.data(), static_cast<size_t>(all)};
}

/// Rounding the last activations to eight bits moves every logit a little, and would be half of all that
/// eight bits cost an answer. What matters of it are the likely tokens: those few logits are multiplied again
/// with the row as it is.
void Decoder::refine_best(int64_t rows) {
  const compute::WeightMatrix& output = weights_.output->parts.front();
  work_.share(rows, kRefinedLogits * shape_.hidden * kRowWork, [&](int64_t begin, int64_t end, int) {
    compute::NumberBlocks blocks(kernels_);
    std::vector<float> column(static_cast<size_t>(shape_.hidden));
    for (int64_t i = begin; i < end; ++i) {
      float* logits = logits_.data() + i * shape_.vocabulary;
      blocks.read({logits, static_cast<size_t>(shape_.vocabulary)});
      for (const int64_t token : blocks.best(kRefinedLogits)) {
        output.read_column(token, column.data());
        logits[token] = kernels_.dot(column.data(), normed_.row(i), shape_.hidden);
      }
    }
  });
}

void Decoder::normalise(const std::vector<float>& weight, bool quantise) {
  work_.share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      kernels_.rms_norm(x_.data() + i * hidden_stride_, weight.data(), shape_.norm_epsilon, shape_.hidden,
                        normed_.row(i));
      if (quantise) normed_.quantise(kernels_, i);
    }
  });
}

void Decoder::gate(const DecoderLayer& layer) {
  work_.share(layer.feed_forward.gate.panels, 2 * row_count() * shape_.hidden * kPanelColumns,
              [&](int64_t begin, int64_t end, int) {
                for (int64_t panel = begin; panel < end; ++panel) {
                  gate_panel(kernels_, design_, layer.feed_forward, panel, normed_, 0, row_count(), gated_);
                }
              });
}

/// x += post_norm(input·linear + bias), at once where nothing comes between.
void Decoder::add_product(const Linear& linear, Activations& input, const std::vector<float>& bias,
                          const std::vector<float>& post_norm) {
  const bool at_once = bias.empty() && post_norm.empty();
  work_.multiply(linear, input, row_count(), at_once ? x_.data() : branch_.data(), hidden_stride_, at_once);
  if (!at_once) add_branch(bias, post_norm);
}

void Decoder::add_branch(const std::vector<float>& bias, const std::vector<float>& post_norm) {
  work_.share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float* branch = branch_.data() + i * hidden_stride_;
      float* x = x_.data() + i * hidden_stride_;
      for (size_t j = 0; j < bias.size(); ++j) branch[j] += bias[j];
      if (!post_norm.empty()) {
        kernels_.rms_norm(branch, post_norm.data(), shape_.norm_epsilon, shape_.hidden, branch);
      }
      for (int64_t j = 0; j < shape_.hidden; ++j) x[j] += branch[j];
    }
  });
}

}  // namespace feilun::model
