#pragma once

#include <cstdint>

#include "compute/aligned_buffer.h"
#include "compute/kernels.h"

namespace feilun::compute {

/// The shape of a paged cache of keys and values. A block holds sixteen tokens of one sequence in all layers.
/// In memory: [layer][block][kv_head] of { keys, values }.
///
///   F32    keys [head_dim][16 tokens], values [16 tokens][value_width]
///   bf16   keys [head_dim / 2][16 tokens][2 elements], values [8][value_width][2 tokens]
///
/// Keys lie across the tokens so that sixteen scores are one vector; values along the head, whose width is
/// rounded up to whole vectors. Pairs of bf16 are what is multiplied at once; an odd head has a last element
/// of zero.
struct KvShape {
  int layers = 0;
  int kv_heads = 0;
  int head_dim = 0;
  bool bf16 = true;

  int value_width() const { return (head_dim + 15) / 16 * 16; }
  int64_t element_bytes() const { return bf16 ? 2 : 4; }
  int64_t keys_bytes() const {
    return int64_t{kKvBlockTokens} * (bf16 ? (head_dim + 1) / 2 * 2 : head_dim) * element_bytes();
  }
  int64_t head_bytes() const {
    return keys_bytes() + int64_t{kKvBlockTokens} * value_width() * element_bytes();
  }
  /// Of one layer.
  int64_t layer_block_bytes() const { return head_bytes() * kv_heads; }
  int64_t block_bytes() const { return layer_block_bytes() * layers; }
};

/// The cache itself. Different (layer, block, head, slot) may be written by different threads at once.
class PagedKv {
 public:
  static Result<PagedKv> allocate(const KvShape& shape, int64_t blocks);

  const KvShape& shape() const { return shape_; }
  int64_t blocks() const { return blocks_; }
  /// Where the keys of a head lie in block 0 of a layer; blocks follow at shape().layer_block_bytes().
  const std::byte* keys(int layer, int kv_head) const { return memory_.data() + offset(layer, 0, kv_head); }
  /// Stores a token's key and value, `head_dim` floats each, rounded to the cache's precision. `slot` < 16.
  void write(int layer, int64_t block, int kv_head, int slot, const float* key, const float* value);

 private:
  int64_t offset(int layer, int64_t block, int kv_head) const {
    return (layer * blocks_ + block) * shape_.layer_block_bytes() + kv_head * shape_.head_bytes();
  }

  KvShape shape_;
  int64_t blocks_ = 0;
  AlignedBuffer memory_;
};

}  // namespace feilun::compute
