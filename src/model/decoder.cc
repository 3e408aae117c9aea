#include "model/decoder.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace feilun::model {
namespace {

using compute::kPanelColumns;

/// Rows whose gate and up columns are kept in the first-level cache between the matmul and the gating.
constexpr int64_t kGateRows = 48;

/// What norms, RoPE and quantising cost an element, in multiplications.
constexpr int64_t kRowWork = 8;
/// Multiplications below which waking another thread takes longer than they do.
constexpr int64_t kWorthSharing = int64_t{1} << 18;

int64_t whole_panels(int64_t columns) {
  return (columns + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
}

}  // namespace

/// A parallel loop over `count` items, `work` multiplications each; on this thread alone when that is little.
template <typename Body>
void Decoder::share(int64_t count, int64_t work, Body&& body) {
  if (count * work < kWorthSharing) return body(int64_t{0}, count, 0);
  pool_.parallel_for(count, body);
}

Decoder::Decoder(const Hyperparameters& shape, DecoderWeights weights, compute::ThreadPool& pool,
                 const compute::Kernels& kernels)
    : shape_(shape),
      weights_(std::move(weights)),
      pool_(pool),
      kernels_(kernels),
      hidden_stride_(whole_panels(shape.hidden)),
      qkv_width_(weights_.layers.front().qkv.width),
      normed_(shape.hidden),
      attended_(int64_t{shape.heads} * shape.head_dim),
      gated_(shape.ffn) {}

Result<std::unique_ptr<Decoder>> Decoder::load(const ModelFile& file, WeightConversion conversion,
                                               compute::ThreadPool& pool, const compute::Kernels& kernels) {
  DecoderWeights weights = TRY(load_decoder_weights(file, conversion, pool));
  return std::unique_ptr<Decoder>(new Decoder(file.shape, std::move(weights), pool, kernels));
}

compute::KvShape Decoder::kv_shape(const Hyperparameters& shape, bool bf16) {
  return {.layers = shape.layers, .kv_heads = shape.kv_heads, .head_dim = shape.head_dim, .bf16 = bf16};
}

std::span<const float> Decoder::forward(std::span<const DecoderSlice> slices, compute::PagedKv& cache) {
  arrange(slices);
  embed();
  for (int i = 0; i < shape_.layers; ++i) {
    attention(weights_.layers[static_cast<size_t>(i)], i, cache);
    feed_forward(weights_.layers[static_cast<size_t>(i)]);
  }
  return logits();
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
    if (slice.wants_logits) logit_rows_.push_back(row_count() - 1);
  }
  const int64_t rows = row_count();
  const auto angles = static_cast<size_t>(rows * shape_.head_dim / 2);
  const bool enough =
      x_.reserve(static_cast<size_t>(rows * hidden_stride_)) && cosine_.reserve(angles) &&
      sine_.reserve(angles) && qkv_.reserve(static_cast<size_t>(rows * qkv_width_)) &&
      normed_.reserve(rows) && attended_.reserve(rows) && gated_.reserve(rows) &&
      logits_.reserve(logit_rows_.size() * static_cast<size_t>(whole_panels(shape_.vocabulary)));
  CHECK(enough);
}

void Decoder::embed() {
  const int64_t half = shape_.head_dim / 2;
  share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const Row& row = rows_[static_cast<size_t>(i)];
      weights_.embeddings.read(row.token,
                               {x_.data() + i * hidden_stride_, static_cast<size_t>(shape_.hidden)});
      for (int64_t pair = 0; pair < half; ++pair) {
        const float angle =
            static_cast<float>(row.position) * weights_.design.inverse_frequencies[static_cast<size_t>(pair)];
        cosine_.data()[i * half + pair] = std::cos(angle);
        sine_.data()[i * half + pair] = std::sin(angle);
      }
    }
  });
}

void Decoder::attention(const DecoderLayer& layer, int index, compute::PagedKv& cache) {
  normalise(layer.attention_norm, layer.qkv);
  multiply(layer.qkv, normed_, row_count(), qkv_.data(), qkv_width_, false);
  place_keys(layer, index, cache);
  attend(index, cache);
  multiply(layer.attention_output, attended_, row_count(), x_.data(), hidden_stride_, true);
}

void Decoder::feed_forward(const DecoderLayer& layer) {
  normalise(layer.ffn_norm, layer.gate);
  share(layer.gate.panels, 2 * row_count() * shape_.hidden * kPanelColumns,
        [&](int64_t begin, int64_t end, int) {
          for (int64_t panel = begin; panel < end; ++panel) gate_panel(layer, panel);
        });
  multiply(layer.down, gated_, row_count(), x_.data(), hidden_stride_, true);
}

std::span<const float> Decoder::logits() {
  const auto count = static_cast<int64_t>(logit_rows_.size());
  for (int64_t i = 0; i < count; ++i) {
    kernels_.rms_norm(x_.data() + logit_rows_[static_cast<size_t>(i)] * hidden_stride_,
                      weights_.final_norm.data(), shape_.norm_epsilon, shape_.hidden, normed_.row(i));
    if (weights_.output->reads_quantised) normed_.quantise(kernels_, i);
  }
  const int64_t stride = weights_.output->width;
  multiply(*weights_.output, normed_, count, logits_.data(), stride, false);
  for (int64_t i = 1; i < count && stride != shape_.vocabulary; ++i) {
    std::memmove(logits_.data() + i * shape_.vocabulary, logits_.data() + i * stride,
                 static_cast<size_t>(shape_.vocabulary) * sizeof(float));
  }
  return {logits_.data(), static_cast<size_t>(count * shape_.vocabulary)};
}

void Decoder::normalise(const std::vector<float>& weight, const Linear& reader) {
  share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      kernels_.rms_norm(x_.data() + i * hidden_stride_, weight.data(), shape_.norm_epsilon, shape_.hidden,
                        normed_.row(i));
      if (reader.reads_quantised) normed_.quantise(kernels_, i);
    }
  });
}

void Decoder::place_keys(const DecoderLayer& layer, int index, compute::PagedKv& cache) {
  share(row_count() * shape_.kv_heads, kRowWork * shape_.head_dim * (2 + shape_.heads / shape_.kv_heads),
        [&](int64_t begin, int64_t end, int) {
          for (int64_t i = begin; i < end; ++i) {
            place_head(layer, index, cache, i / shape_.kv_heads, static_cast<int>(i % shape_.kv_heads));
          }
        });
}

void Decoder::place_head(const DecoderLayer& layer, int index, compute::PagedKv& cache, int64_t row,
                         int kv_head) {
  const int64_t half = shape_.head_dim / 2;
  const auto prepare = [&](float* head, const std::vector<float>& norm, float factor) {
    if (weights_.design.qk_norm) {
      kernels_.rms_norm(head, norm.data(), shape_.norm_epsilon, shape_.head_dim, head);
    }
    kernels_.rotate(head, cosine_.data() + row * half, sine_.data() + row * half, half,
                    weights_.design.rope_neighbours, factor);
  };
  const int group = shape_.heads / shape_.kv_heads;
  for (int i = 0; i < group; ++i) {
    prepare(query(row, kv_head * group + i), layer.q_norm, weights_.design.score_factor);
  }
  float* outputs = qkv_.data() + row * qkv_width_ + int64_t{kv_head} * shape_.head_dim;
  float* key = outputs + layer.qkv.offsets[1];
  prepare(key, layer.k_norm, 1.0f);
  const Row& at = rows_[static_cast<size_t>(row)];
  cache.write(index, at.blocks[at.position / compute::kKvBlockTokens], kv_head,
              static_cast<int>(at.position % compute::kKvBlockTokens), key, outputs + layer.qkv.offsets[2]);
}

void Decoder::attend(int index, const compute::PagedKv& cache) {
  const int64_t items = static_cast<int64_t>(tiles_.size()) * shape_.kv_heads;
  std::atomic<int64_t> next = 0;  // tiles differ in length, so each thread takes the next one that is left
  share(std::min<int64_t>(items, pool_.size()),
        attention_work_ * shape_.heads * shape_.head_dim / pool_.size(), [&](int64_t, int64_t, int) {
          for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < items;) {
            attend_tile(index, cache, tiles_[static_cast<size_t>(i / shape_.kv_heads)],
                        static_cast<int>(i % shape_.kv_heads));
          }
        });
  const bool quantised = weights_.layers[static_cast<size_t>(index)].attention_output.reads_quantised;
  if (!quantised) return;
  share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) attended_.quantise(kernels_, i);
  });
}

void Decoder::attend_tile(int index, const compute::PagedKv& cache, const Tile& tile, int kv_head) {
  const int group = shape_.heads / shape_.kv_heads;
  const compute::KvShape& kv = cache.shape();
  compute::AttentionJob job{.keys = cache.keys(index, kv_head),
                            .block_bytes = kv.layer_block_bytes(),
                            .values_offset = kv.keys_bytes(),
                            .blocks = rows_[static_cast<size_t>(tile.first_row)].blocks,
                            .head_dim = shape_.head_dim,
                            .value_width = kv.value_width(),
                            .bf16 = kv.bf16};
  for (int64_t row = tile.first_row; row < tile.first_row + tile.rows; ++row) {
    for (int i = 0; i < group; ++i) {
      const int head = kv_head * group + i;
      job.q[job.queries] = query(row, head);
      job.out[job.queries] = attended_.row(row) + int64_t{head} * shape_.head_dim;
      job.visible[job.queries] = rows_[static_cast<size_t>(row)].position + 1;
      if (++job.queries == compute::kAttentionQueries) {
        kernels_.attend(job);
        job.queries = 0;
      }
    }
  }
  if (job.queries > 0) kernels_.attend(job);
}

void Decoder::gate_panel(const DecoderLayer& layer, int64_t panel) {
  alignas(64) float gate[kGateRows * kPanelColumns];
  alignas(64) float up[kGateRows * kPanelColumns];
  for (int64_t first = 0; first < row_count(); first += kGateRows) {
    const int64_t rows = std::min(kGateRows, row_count() - first);
    for (const auto& [linear, out] : {std::pair{&layer.gate, gate}, std::pair{&layer.up, up}}) {
      compute::MatmulJob job = panel_job(*linear, 0, panel, 1, normed_, first, rows);
      job.out = out;
      job.out_stride = kPanelColumns;
      kernels_.matmul(job);
    }
    for (int64_t i = 0; i < rows; ++i) {
      kernels_.swiglu(gate + i * kPanelColumns, up + i * kPanelColumns, kPanelColumns,
                      gated_.row(first + i) + panel * kPanelColumns);
      if (layer.down.reads_quantised) {
        gated_.quantise(kernels_, first + i, panel * kPanelColumns, kPanelColumns);
      }
    }
  }
}

void Decoder::multiply(const Linear& linear, Activations& input, int64_t rows, float* out, int64_t stride,
                       bool add) {
  if (rows == 0) return;
  share(linear.panels, rows * linear.parts.front().depth() * kPanelColumns,
        [&](int64_t begin, int64_t end, int) {
          int64_t first = 0;  // panel 0 of the part, counted over the whole
          for (size_t part = 0; part < linear.parts.size(); ++part) {
            const int64_t panels = linear.parts[part].panels();
            const int64_t from = std::max(begin, first) - first;
            const int64_t to = std::min(end, first + panels) - first;
            if (from < to) {
              compute::MatmulJob job = panel_job(linear, part, from, to - from, input, 0, rows);
              job.out = out + linear.offsets[part] + from * kPanelColumns;
              job.out_stride = stride;
              job.add = add;
              kernels_.matmul(job);
            }
            first += panels;
          }
        });
}

}  // namespace feilun::model
