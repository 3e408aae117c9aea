#include "compute/paged_kv.h"

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
  const auto put = [&]<typename Stored>(Stored* keys, auto&& round) {
    Stored* values = keys + int64_t{kKvBlockTokens} * shape_.head_dim + int64_t{slot} * shape_.value_width();
    for (int d = 0; d < shape_.head_dim; ++d) keys[d * kKvBlockTokens + slot] = round(key[d]);
    for (int d = 0; d < shape_.head_dim; ++d) values[d] = round(value[d]);
  };
  if (shape_.bf16) {
    put(reinterpret_cast<uint16_t*>(head), [](float x) { return f32_to_bf16(x); });
  } else {
    put(reinterpret_cast<float*>(head), [](float x) { return x; });
  }
}

}  // namespace feilun::compute
