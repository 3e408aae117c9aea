#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "scheduler/eviction_policy.h"
#include "scheduler/policy_duel.h"
#include "scheduler/reuse_model.h"

namespace feilun::scheduler {

/// Evicts the leaf with the lowest Gittins index (see ReuseModel). What is known of a block outlives it in a
/// list of ghosts, four times as long as the cache: a use that came too late teaches as much as a hit.
class GittinsEviction final : public EvictionPolicy {
 public:
  GittinsEviction(int block_count, int block_tokens);

  void arrived(const ArrivedBlocks& sequence) override;
  void used(int32_t block, MonoTime now) override;
  bool inserted(int32_t block, uint64_t hash, MonoTime now) override;
  void released(const ReleasedBlocks& sequence, MonoTime now) override;
  void evicted(int32_t block, uint64_t hash, MonoTime now) override;
  double score(int32_t block, MonoTime now) const override;
  uint64_t scoring(MonoTime now) const override;

 private:
  /// What is known of a block or a ghost.
  struct Record {
    ReuseModel::Cohort* cohort = nullptr;  ///< none while it is in use for the first time since its release
    int uses = 0;
    double last_gap_s = -1;
    uint64_t hash = 0;
    uint64_t released = 0;  ///< number of its last release
  };
  struct Ghost {
    Record record;
    uint64_t serial = 0;
  };

  Record& at(int32_t block) { return records_[static_cast<size_t>(block)]; }
  void use_again(Record& record, MonoTime now);
  void forget_oldest_ghost();

  const int64_t block_tokens_;
  ReuseModel model_;
  PolicyDuel duel_;
  std::vector<Record> records_;
  std::unordered_map<uint64_t, Ghost> ghosts_;
  std::deque<std::pair<uint64_t, uint64_t>> ghost_line_;  ///< hash and serial; some have come back since
  uint64_t next_serial_ = 0;
  uint64_t releases_ = 0;
  uint64_t scorings_ = 0;  ///< changes of model or turn
};

}  // namespace feilun::scheduler
