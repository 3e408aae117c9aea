#include "scheduler/eviction_gittins.h"

#include <utility>

namespace feilun::scheduler {
namespace {

constexpr size_t kGhostsABlock = 4;
constexpr uint64_t kReleasesARebuild = 32;
// A score of half a second's age or more moves little within this time.
constexpr auto kScoreLife = std::chrono::milliseconds(250);

}  // namespace

GittinsEviction::GittinsEviction(int block_count, int block_tokens)
    : block_tokens_(block_tokens), records_(static_cast<size_t>(block_count)) {}

void GittinsEviction::arrived(const ArrivedBlocks& sequence) {
  const bool before = duel_.lru_turn();
  duel_.arrived(sequence);
  if (duel_.lru_turn() != before) ++scorings_;
}

void GittinsEviction::used(int32_t block, MonoTime now) {
  use_again(at(block), now);
}

bool GittinsEviction::inserted(int32_t block, uint64_t hash, MonoTime now) {
  duel_.touch(hash);
  const auto ghost = ghosts_.find(hash);
  if (ghost == ghosts_.end()) {
    at(block) = {.hash = hash};
    return false;
  }
  at(block) = ghost->second.record;
  ghosts_.erase(ghost);
  use_again(at(block), now);
  return true;
}

void GittinsEviction::released(const ReleasedBlocks& sequence, MonoTime now) {
  if (releases_++ % kReleasesARebuild == 0) {
    model_.rebuild();
    ++scorings_;
  }
  ReuseTraits traits;
  ReuseModel::Cohort* cohort = nullptr;
  for (const int32_t block : sequence.blocks) {
    Record& record = at(block);
    if (record.cohort != nullptr) model_.leave(*std::exchange(record.cohort, nullptr), block_tokens_);
    const ReuseTraits own{.finish = sequence.finish,
                          .uses = ++record.uses,
                          .unseen_tokens = sequence.unseen * block_tokens_,
                          .last_gap_s = record.last_gap_s};
    if (cohort == nullptr || own != traits) {
      traits = own;
      cohort = model_.begin(traits, now);
    }
    model_.join(*cohort, block_tokens_);
    record.cohort = cohort;
    record.released = releases_;
  }
  for (size_t place = sequence.blocks.size(); place-- > 0;) duel_.touch(at(sequence.blocks[place]).hash);
}

void GittinsEviction::evicted(int32_t block, uint64_t hash, MonoTime) {
  ghosts_.emplace(hash, Ghost{std::exchange(at(block), {}), next_serial_});
  ghost_line_.emplace_back(hash, next_serial_++);
  if (ghost_line_.size() > kGhostsABlock * records_.size()) forget_oldest_ghost();
}

double GittinsEviction::score(int32_t block, MonoTime now) const {
  const Record& record = records_[static_cast<size_t>(block)];
  return duel_.lru_turn() ? static_cast<double>(record.released) : model_.index(*record.cohort, now);
}

uint64_t GittinsEviction::scoring(MonoTime now) const {
  return scorings_ << 40 | static_cast<uint64_t>(now.time_since_epoch() / kScoreLife);
}

void GittinsEviction::use_again(Record& record, MonoTime now) {
  if (record.cohort == nullptr) return;
  record.last_gap_s = std::chrono::duration<double>(now - record.cohort->since).count();
  model_.reuse(*std::exchange(record.cohort, nullptr), block_tokens_, now);
}

void GittinsEviction::forget_oldest_ghost() {
  const auto [hash, serial] = ghost_line_.front();
  ghost_line_.pop_front();
  const auto ghost = ghosts_.find(hash);
  if (ghost == ghosts_.end() || ghost->second.serial != serial) return;
  model_.leave(*ghost->second.record.cohort, block_tokens_);
  ghosts_.erase(ghost);
}

}  // namespace feilun::scheduler
