#include "gateway/reply_room.h"

namespace feilun::gateway {

Result<ReplyRoom::Lease> ReplyRoom::take(size_t bytes) {
  size_t taken = taken_;
  do {
    if (taken > 0 && (taken > most_ || bytes > most_ - taken)) {
      return fail(ErrorCode::kOverloaded, "other replies of {} bytes are on their way; try again later",
                  taken);
    }
  } while (!taken_.compare_exchange_weak(taken, taken + bytes));
  return Lease(nullptr, [this, bytes](void*) { taken_ -= bytes; });
}

}  // namespace feilun::gateway
