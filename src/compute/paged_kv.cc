#include "compute/paged_kv.h"

#include <cstring>
#include <utility>

#include "base/check.h"
#include "compute/half.h"

namespace feilun::compute {

Result<PagedKv> PagedKv::allocate(const KvShape& shape, int64_t blocks) {
  if (blocks < 1) return fail(ErrorCode::kInvalidArgument, "the KV cache needs at least one block");
  int64_t bytes = 0;
  if (__builtin_mul_overflow(shape.block_bytes(), blocks, &bytes)) {
    return fail(ErrorCode::kOverloaded, "{} KV blocks of {} bytes do not fit", blocks, shape.block_bytes());
  }
  PagedKv cache;
  cache.shape_ = shape;
  cache.blocks_ = blocks;
  cache.memory_ = TRY(AlignedBuffer::allocate(static_cast<size_t>(bytes)));
  return cache;
}

void PagedKv::write(int layer, int64_t block, int kv_head, int slot, const float* key, const float* value) {
  CHECK(block >= 0 && block < blocks_);
  std::byte* head = memory_.data() + offset(layer, block, kv_head);
  if (shape_.bf16) {
    auto* keys = reinterpret_cast<uint16_t*>(head);
    auto* values = reinterpret_cast<uint16_t*>(head + shape_.keys_bytes()) + slot % 2;
    values += slot / 2 * int64_t{shape_.value_width()} * 2;
    for (int d = 0; d < shape_.head_dim; ++d) {
      keys[(d / 2 * kKvBlockTokens + slot) * 2 + d % 2] = f32_to_bf16(key[d]);
      values[d * 2] = f32_to_bf16(value[d]);
    }
  } else {
    auto* keys = reinterpret_cast<float*>(head);
    auto* values =
        reinterpret_cast<float*>(head + shape_.keys_bytes()) + slot * int64_t{shape_.value_width()};
    for (int d = 0; d < shape_.head_dim; ++d) keys[d * kKvBlockTokens + slot] = key[d];
    std::memcpy(values, value, static_cast<size_t>(shape_.head_dim) * sizeof(float));
  }
}

}  // namespace feilun::compute
