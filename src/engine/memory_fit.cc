#include "engine/memory_fit.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "engine/backend.h"

namespace feilun::engine {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kDefaultMemoryMax = 1024 * kMiB;
constexpr int64_t kBlocksMax = std::numeric_limits<int32_t>::max();

int64_t mib(int64_t bytes) {
  return bytes / kMiB + (bytes % kMiB != 0 ? 1 : 0);
}
int64_t blocks_for(int64_t tokens) {
  return (tokens + Backend::kBlockTokens - 1) / Backend::kBlockTokens;
}

}  // namespace

Result<KvPlan> plan_kv(const KvRequest& request) {
  CHECK(request.block_bytes > 0 && request.model_context > 0 && request.max_sequences > 0);
  if (request.context < 0 || request.memory_bytes < 0) {
    return fail(ErrorCode::kInvalidArgument, "--ctx and --kv-memory must not be negative");
  }
  if (request.context > request.model_context) {
    return fail(ErrorCode::kInvalidArgument, "--ctx {} is more than the model's own window of {} tokens",
                request.context, request.model_context);
  }
  const int64_t context = request.context > 0 ? request.context : request.model_context;
  const int64_t per_sequence = blocks_for(context);
  const int64_t most = per_sequence * request.max_sequences;
  const int64_t memory = request.memory_bytes > 0 ? request.memory_bytes : kDefaultMemoryMax;
  const int64_t blocks = std::min({most, memory / request.block_bytes, kBlocksMax});
  if (blocks < 1 || (request.context > 0 && blocks < per_sequence)) {
    const int64_t needed = (request.context > 0 ? per_sequence : 1) * request.block_bytes;
    return fail(
        ErrorCode::kInvalidArgument,
        "one sequence of {} tokens needs {} MiB of KV cache but {} MiB are allowed: lower --ctx or raise "
        "--kv-memory",
        context, mib(needed), memory / kMiB);
  }
  return KvPlan{.blocks = blocks, .context = std::min(context, blocks * Backend::kBlockTokens)};
}

Result<> check_fit(int64_t weight_bytes, int64_t kv_bytes, int64_t available_bytes) {
  if (weight_bytes <= available_bytes && kv_bytes <= available_bytes - weight_bytes) return {};
  return fail(
      ErrorCode::kUnavailable,
      "the model needs {} MiB of memory (weights {}, KV cache {}) but {} MiB are available: lower --ctx or "
      "--kv-memory, or load it smaller with --quant q8_0 or q4_0",
      mib(weight_bytes) + mib(kv_bytes), mib(weight_bytes), mib(kv_bytes), available_bytes / kMiB);
}

}  // namespace feilun::engine
