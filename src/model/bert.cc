#include "model/bert.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "compute/isa.h"

namespace feilun::model {
namespace {

using compute::kKvBlockTokens;

int64_t rows_of(const EncoderOptions& options) {
  return std::max(options.window, options.pass_tokens);
}

}  // namespace

compute::KvShape BertEncoder::kv_shape(const Hyperparameters& shape) {
  return {.layers = 1, .kv_heads = shape.heads, .head_dim = shape.head_dim, .bf16 = false};
}

Result<std::unique_ptr<Encoder>> BertEncoder::load(const ModelFile& file, const EncoderOptions& options) {
  if (file.shape.head_dim > compute::kHeadDimMax) {
    return fail(ErrorCode::kUnsupported, "attention heads of {} are wider than the {} this version runs",
                file.shape.head_dim, compute::kHeadDimMax);
  }
  const compute::Kernels& kernels = compute::kernels_for(TRY(compute::choose_isa()));
  std::unique_ptr<BertEncoder> encoder(new BertEncoder(file, options, kernels));
  encoder->weights_ = TRY(load_bert_weights(file, options.conversion, encoder->pool_));
  TRY(encoder->reserve(options));
  return encoder;
}

int64_t BertEncoder::pass_bytes(const Hyperparameters& shape, const EncoderOptions& options) {
  const int64_t row = 5 * padded_to_panels(shape.hidden) + padded_to_panels(shape.ffn);
  return rows_of(options) * row * 6 + encoder_blocks(options) * kv_shape(shape).block_bytes();
}

BertEncoder::BertEncoder(const ModelFile& file, const EncoderOptions& options,
                         const compute::Kernels& kernels)
    : shape_(file.shape),
      pooling_(file.pooling),
      pool_(options.threads),
      work_(pool_, kernels),
      x_(shape_.hidden),
      qkv_width_(3 * padded_to_panels(shape_.hidden)),
      attended_(shape_.hidden),
      widened_(shape_.ffn) {}

Result<> BertEncoder::reserve(const EncoderOptions& options) {
  const int64_t blocks = encoder_blocks(options);
  cache_ = TRY(compute::PagedKv::allocate(kv_shape(shape_), blocks));
  for (int32_t block = 0; block < blocks; ++block) block_numbers_.push_back(block);
  const int64_t rows = rows_of(options);
  TRY(x_.reserve(rows));
  TRY(qkv_.reserve(static_cast<size_t>(rows * qkv_width_)));
  TRY(attended_.reserve(rows));
  return widened_.reserve(rows);
}

EncodedPass BertEncoder::run(std::span<const std::span<const TokenId>> inputs, const GoOn& go_on) {
  arrange(inputs);
  embed();
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    if (!go_on()) return {};
    const bool last = i + 1 == weights_.layers.size();
    attention(weights_.layers[i]);
    feed_forward(weights_.layers[i], last ? nullptr : &weights_.layers[i + 1]);
  }
  return {.vectors = pooled(), .tokens = row_count()};
}

void BertEncoder::arrange(std::span<const std::span<const TokenId>> inputs) {
  rows_.clear();
  texts_.clear();
  tiles_.clear();
  int32_t block = 0;
  for (const auto& tokens : inputs) {
    const auto count = static_cast<int64_t>(tokens.size());
    CHECK(count > 0 && count <= shape_.context);
    texts_.push_back({.first_row = row_count(), .rows = count, .first_block = block});
    for (const TokenId token : tokens) {
      CHECK(token >= 0 && token < shape_.vocabulary);
      rows_.push_back(
          {.token = token, .position = row_count() - texts_.back().first_row, .first_block = block});
    }
    block += static_cast<int32_t>((count + kKvBlockTokens - 1) / kKvBlockTokens);
  }
  CHECK(static_cast<size_t>(block) <= block_numbers_.size());
  for (const Text& text : texts_) {
    for (int64_t i = 0; i < text.rows; i += compute::kAttentionQueries) {
      tiles_.push_back({.text = &text,
                        .first_row = text.first_row + i,
                        .rows = std::min<int64_t>(compute::kAttentionQueries, text.rows - i)});
    }
  }
}

void BertEncoder::embed() {
  const int64_t hidden = shape_.hidden;
  work_.share(row_count(), kRowWork * hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const Row& row = rows_[static_cast<size_t>(i)];
      float* x = x_.row(i);
      weights_.words.read(row.token, {x, static_cast<size_t>(hidden)});
      const float* position = weights_.positions.data() + row.position * hidden;
      for (int64_t k = 0; k < hidden; ++k) x[k] += position[k];
    }
  });
  normalise(weights_.embedding_norm, &weights_.layers.front().qkv);
}

void BertEncoder::attention(const BertLayer& layer) {
  multiply(layer.qkv, x_, qkv_.data(), qkv_width_, false);
  place_keys();
  int64_t scores = 0;
  for (const Text& text : texts_) scores += text.rows * text.rows;
  const int64_t items = static_cast<int64_t>(tiles_.size()) * shape_.heads;
  if (items == 0) return;
  work_.share(items, 2 * scores * shape_.hidden / items, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      attend_tile(tiles_[static_cast<size_t>(i / shape_.heads)], static_cast<int>(i % shape_.heads));
    }
  });
  if (layer.attention_output.matrix.reads_quantised) {
    work_.share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) attended_.quantise(work_.kernels(), i);
    });
  }
  multiply(layer.attention_output, attended_, x_.row(0), x_.stride(), true);
  normalise(layer.attention_norm, &layer.up);
}

/// Scales the queries, and writes keys and values where the attention kernel reads them.
void BertEncoder::place_keys() {
  const float factor = 1.0f / std::sqrt(static_cast<float>(shape_.head_dim));
  const int64_t part = qkv_width_ / 3;
  work_.share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const Row& row = rows_[static_cast<size_t>(i)];
      float* query = qkv_.data() + i * qkv_width_;
      for (int64_t k = 0; k < shape_.hidden; ++k) query[k] *= factor;
      for (int head = 0; head < shape_.heads; ++head) {
        const float* key = query + part + int64_t{head} * shape_.head_dim;
        cache_.write(0, row.first_block + row.position / kKvBlockTokens, head,
                     static_cast<int>(row.position % kKvBlockTokens), key, key + part);
      }
    }
  });
}

void BertEncoder::attend_tile(const Tile& tile, int head) {
  const compute::KvShape& kv = cache_.shape();
  compute::AttentionJob job{.keys = cache_.keys(0, head),
                            .block_bytes = kv.layer_block_bytes(),
                            .values_offset = kv.keys_bytes(),
                            .blocks = block_numbers_.data() + tile.text->first_block,
                            .head_dim = shape_.head_dim,
                            .value_width = kv.value_width(),
                            .bf16 = kv.bf16};
  for (int64_t row = tile.first_row; row < tile.first_row + tile.rows; ++row) {
    job.q[job.queries] = qkv_.data() + row * qkv_width_ + int64_t{head} * shape_.head_dim;
    job.out[job.queries] = attended_.row(row) + int64_t{head} * shape_.head_dim;
    job.visible[job.queries++] = tile.text->rows;
  }
  work_.kernels().attend(job);
}

void BertEncoder::feed_forward(const BertLayer& layer, const BertLayer* next) {
  multiply(layer.up, x_, widened_.row(0), widened_.stride(), false);
  work_.share(row_count(), kRowWork * shape_.ffn, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      work_.kernels().gelu(widened_.row(i), widened_.stride(), widened_.row(i));
      if (layer.down.matrix.reads_quantised) widened_.quantise(work_.kernels(), i);
    }
  });
  multiply(layer.down, widened_, x_.row(0), x_.stride(), true);
  normalise(layer.output_norm, next == nullptr ? nullptr : &next->qkv);
}

std::span<const float> BertEncoder::pooled() {
  const auto width = static_cast<size_t>(shape_.hidden);
  vectors_.resize(texts_.size() * width);
  for (size_t i = 0; i < texts_.size(); ++i) {
    const std::span out(vectors_.data() + i * width, width);
    pool_rows(pooling_, x_.row(texts_[i].first_row), x_.stride(), texts_[i].rows, out);
    scale_to_unit_length(out);
  }
  return vectors_;
}

void BertEncoder::normalise(const LayerNorm& norm, const BiasedLinear* reader) {
  work_.share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      work_.kernels().layer_norm(x_.row(i), norm.weight.data(), norm.bias.data(), shape_.norm_epsilon,
                                 shape_.hidden, x_.row(i));
      if (reader != nullptr && reader->matrix.reads_quantised) x_.quantise(work_.kernels(), i);
    }
  });
}

/// out (+)= input·matrix + bias: the bias is put there first.
void BertEncoder::multiply(const BiasedLinear& linear, Activations& input, float* out, int64_t stride,
                           bool add) {
  const int64_t width = linear.matrix.width;
  work_.share(row_count(), width, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float* row = out + i * stride;
      for (int64_t k = 0; k < width; ++k)
        row[k] = linear.bias[static_cast<size_t>(k)] + (add ? row[k] : 0.0f);
    }
  });
  work_.multiply(linear.matrix, input, row_count(), out, stride, true);
}

}  // namespace feilun::model
