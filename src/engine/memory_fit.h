#pragma once

#include <cstdint>

#include "base/result.h"

namespace feilun::engine {

/// What the KV cache has to do with.
struct KvRequest {
  int64_t context = 0;        ///< as asked for; 0: the model's own
  int64_t memory_bytes = 0;   ///< as asked for; 0: what context × max_sequences needs, at most 1 GiB
  int64_t model_context = 0;  ///< the model's own window
  int64_t block_bytes = 0;
  int max_sequences = 1;
};

/// What it gets.
struct KvPlan {
  int64_t blocks = 0;
  int64_t context = 0;  ///< tokens one sequence may hold: never more than all the blocks together
};

/// kInvalidArgument, naming the flag to change, when the window asked for is more than the model's own or
/// does not fit into the memory asked for. A window that was not asked for shrinks to what fits.
Result<KvPlan> plan_kv(const KvRequest& request);

/// kUnavailable with the needed and the available MiB and what to change.
Result<> check_fit(int64_t weight_bytes, int64_t kv_bytes, int64_t available_bytes);

}  // namespace feilun::engine
