#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "scheduler/eviction_policy.h"

namespace feilun::scheduler {

/// What is known of a block when its sequence lets it go. Those of the same traits form a class, which learns
/// how long its blocks lie before they are used again.
struct ReuseTraits {
  FinishClass finish = FinishClass::kOther;
  int uses = 1;               ///< requests that have used the block, this one included
  int64_t unseen_tokens = 0;  ///< of the request, those in blocks that nobody had before
  double last_gap_s = -1;     ///< between the last two uses of the block; -1: this was the first

  bool operator==(const ReuseTraits&) const = default;
};

/// Learns when blocks are used again, and says what a block's place in the cache is worth.
///
/// Blocks let go together in one class are a cohort: they age together. While a cohort grows older it passes
/// age bins (half octaves from half a second up). Of each class and bin the model counts the tokens that
/// entered the bin unused and those that were used again inside it; their ratio is the hazard of reuse, which
/// is smoothed towards that of the parent class (the traits without the last one, and so on to the root) with
/// the weight of kPriorTokens.
///
/// From the hazards comes the Gittins index of a class at an age: the best ratio, over all times to give up,
/// of the chance of a reuse until then to the time that the block occupies until then. This is the order in
/// which a store that can keep only some of its goods should hold them when each may be asked for at most
/// once more; a use begins a new life (Gittins 1979, Bandit processes and dynamic allocation indices).
///
/// Counting is in tokens, so blocks of any size teach the same.
class ReuseModel {
 public:
  static constexpr int kBins = 40;

  /// Blocks that age together; owned by the model.
  struct Cohort {
    MonoTime since;
    int type = 0;  ///< the class
    int bin = 0;
    int64_t tokens = 0;  ///< that wait to be used again
    std::list<Cohort>::iterator self;
  };

  ReuseModel();

  /// A cohort of blocks with these traits, let go now; join() must follow.
  Cohort* begin(const ReuseTraits& traits, MonoTime now);
  /// Before time passes.
  void join(Cohort& cohort, int64_t tokens);
  /// So many tokens of the cohort are used again. A cohort without tokens is gone, here and in leave().
  void reuse(Cohort& cohort, int64_t tokens, MonoTime now);
  /// So many tokens of the cohort are watched no longer.
  void leave(Cohort& cohort, int64_t tokens);

  /// Makes the indices those of the counts as they are now; O(classes).
  void rebuild();
  /// Chance of reuse per second of occupancy, of a block in this cohort, as of the last rebuild().
  double index(const Cohort& cohort, MonoTime now) const;

 private:
  using PerBin = std::array<double, kBins>;
  struct Class {
    int parent = -1;
    PerBin reused{}, exposed{};  ///< tokens
    PerBin hazard{}, index{};
  };

  int class_of(const ReuseTraits& traits);
  int child_of(int parent, int value);
  void build(Class& built) const;
  /// Time passes: cohorts move on to the bins of their age.
  void advance(MonoTime now);
  /// Adds to the class and all it is nested in.
  void count(int type, PerBin Class::* counts, int bin, int64_t tokens);
  double width(size_t bin) const;

  std::array<double, kBins> edges_{};  ///< where each bin begins, seconds
  std::vector<Class> classes_;         ///< parents before children
  std::unordered_map<uint64_t, int> children_;
  std::array<std::list<Cohort>, kBins> by_bin_;  ///< the oldest in front
  MonoTime now_{};
};

}  // namespace feilun::scheduler
