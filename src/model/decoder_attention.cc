#include <algorithm>

#include "model/decoder.h"

// Attention of a decoder: keys and values into the cache, then each query over what the cache holds.

namespace feilun::model {
namespace {

void add(float* to, const float* from, int64_t count) {
  for (int64_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace

void Decoder::attention(const DecoderLayer& layer, int index, compute::PagedKv& cache) {
  normalise(layer.attention_norm, layer.qkv.reads_quantised);
  work_.multiply(layer.qkv, normed_, row_count(), qkv_.data(), qkv_width_, false);
  place_keys(layer, index, cache);
  attend(layer, index, cache);
  add_product(layer.attention_output, attended_, layer.attention_output_bias, layer.attention_post_norm);
}

void Decoder::place_keys(const DecoderLayer& layer, int index, compute::PagedKv& cache) {
  work_.share(row_count() * shape_.kv_heads,
              kRowWork * shape_.head_dim * (2 + shape_.heads / shape_.kv_heads),
              [&](int64_t begin, int64_t end, int) {
                for (int64_t i = begin; i < end; ++i) {
                  place_head(layer, index, cache, i / shape_.kv_heads, static_cast<int>(i % shape_.kv_heads));
                }
              });
}

void Decoder::place_head(const DecoderLayer& layer, int index, compute::PagedKv& cache, int64_t row,
                         int kv_head) {
  const int64_t width = shape_.head_dim;
  const auto prepare = [&](float* head, const std::vector<float>& norm, float factor) {
    if (!norm.empty()) kernels_.rms_norm(head, norm.data(), shape_.norm_epsilon, width, head);
    kernels_.rotate(head, width, cosine_.data() + row * pairs(), sine_.data() + row * pairs(), pairs(),
                    design_.rope_neighbours, factor);
  };
  const int group = shape_.heads / shape_.kv_heads;
  const int64_t key_at = layer.qkv.offsets[1] + kv_head * width;
  const int64_t value_at = layer.qkv.offsets[2] + kv_head * width;
  float* outputs = qkv_.data() + row * qkv_width_;
  if (const std::vector<float>& bias = layer.qkv_bias; !bias.empty()) {
    const int64_t queries_at = int64_t{kv_head} * group * width;
    add(outputs + queries_at, bias.data() + queries_at, group * width);
    add(outputs + key_at, bias.data() + key_at, width);
    add(outputs + value_at, bias.data() + value_at, width);
  }
  for (int i = 0; i < group; ++i) {
    prepare(query(row, kv_head * group + i), layer.q_norm, design_.score_factor);
  }
  prepare(outputs + key_at, layer.k_norm, 1.0f);
  const Row& at = rows_[static_cast<size_t>(row)];
  cache.write(index, at.blocks[at.position / compute::kKvBlockTokens], kv_head,
              static_cast<int>(at.position % compute::kKvBlockTokens), outputs + key_at, outputs + value_at);
}

void Decoder::attend(const DecoderLayer& layer, int index, const compute::PagedKv& cache) {
  const int64_t items = static_cast<int64_t>(tiles_.size()) * shape_.kv_heads;
  if (items == 0) return;
  const int64_t width = int64_t{shape_.heads / shape_.kv_heads} * shape_.head_dim;
  const bool quantise = layer.attention_output.reads_quantised;
  const bool at_once = quantise && width % compute::kGroup == 0;
  work_.share(items, attention_work_ * shape_.heads * shape_.head_dim / items,
              [&](int64_t begin, int64_t end, int) {
                for (int64_t i = begin; i < end; ++i) {
                  const Tile& tile = tiles_[static_cast<size_t>(i / shape_.kv_heads)];
                  const auto kv_head = static_cast<int>(i % shape_.kv_heads);
                  attend_tile(index, cache, tile, kv_head);
                  for (int64_t row = tile.first_row; at_once && row < tile.first_row + tile.rows; ++row) {
                    attended_.quantise(kernels_, row, kv_head * width, width);
                  }
                }
              });
  if (!quantise || at_once) return;
  work_.share(row_count(), kRowWork * shape_.hidden, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) attended_.quantise(kernels_, i);
  });
}

void Decoder::attend_tile(int index, const compute::PagedKv& cache, const Tile& tile, int kv_head) {
  const int group = shape_.heads / shape_.kv_heads;
  const compute::KvShape& kv = cache.shape();
  const int64_t window = design_.windows[static_cast<size_t>(index)];
  compute::AttentionJob job{.keys = cache.keys(index, kv_head),
                            .block_bytes = kv.layer_block_bytes(),
                            .values_offset = kv.keys_bytes(),
                            .blocks = rows_[static_cast<size_t>(tile.first_row)].blocks,
                            .head_dim = shape_.head_dim,
                            .value_width = kv.value_width(),
                            .bf16 = kv.bf16,
                            .score_cap = design_.score_cap};
  for (int64_t row = tile.first_row; row < tile.first_row + tile.rows; ++row) {
    for (int i = 0; i < group; ++i) {
      const int head = kv_head * group + i;
      job.q[job.queries] = query(row, head);
      job.out[job.queries] = attended_.row(row) + int64_t{head} * shape_.head_dim;
      const int64_t visible = rows_[static_cast<size_t>(row)].position + 1;
      job.first[job.queries] = window > 0 ? std::max<int64_t>(0, visible - window) : 0;
      job.visible[job.queries] = visible;
      if (++job.queries == compute::kAttentionQueries) {
        kernels_.attend(job);
        job.queries = 0;
      }
    }
  }
  if (job.queries > 0) kernels_.attend(job);
}

}  // namespace feilun::model
