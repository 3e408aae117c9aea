#include "scheduler/reuse_model.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace feilun::scheduler {
namespace {

constexpr double kFirstEdge = 0.5;        // seconds
constexpr double kPriorTokens = 256'000;  // what a parent class's hazard weighs in its child
constexpr double kRootHazard = 0.03;      // in every bin, before anything is known
constexpr int64_t kTokensAUnit = 512;     // unseen tokens are counted in these
constexpr double kGapUnit = 4;            // seconds

double seconds(MonoTime::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

int log2_bin(double value, int most) {
  return value < 1 ? 0 : std::min(most, std::ilogb(value));
}

/// 1, 2, 3-4, 5-8, 9-16, more.
int uses_bin(int uses) {
  return std::min(5, static_cast<int>(std::bit_width(static_cast<unsigned>(std::max(uses, 1) - 1))));
}

int unseen_bin(int64_t tokens) {
  return log2_bin(static_cast<double>(tokens) / kTokensAUnit + 1, 9);
}

int gap_bin(double gap_s) {
  return gap_s < 0 ? 9 : log2_bin(gap_s / kGapUnit + 1, 8);
}

}  // namespace

ReuseModel::ReuseModel() {
  for (int bin = 1; bin < kBins; ++bin) {
    edges_[static_cast<size_t>(bin)] = kFirstEdge * std::exp2((bin - 1) * 0.5);
  }
  classes_.emplace_back();
  build(classes_.front());
}

ReuseModel::Cohort* ReuseModel::begin(const ReuseTraits& traits, MonoTime now) {
  advance(now);
  std::list<Cohort>& youngest = by_bin_.front();
  youngest.push_back({.since = now, .type = class_of(traits)});
  youngest.back().self = std::prev(youngest.end());
  return &youngest.back();
}

void ReuseModel::join(Cohort& cohort, int64_t tokens) {
  cohort.tokens += tokens;
  count(cohort.type, &Class::exposed, 0, tokens);
}

void ReuseModel::reuse(Cohort& cohort, int64_t tokens, MonoTime now) {
  advance(now);
  count(cohort.type, &Class::reused, cohort.bin, tokens);
  leave(cohort, tokens);
}

void ReuseModel::leave(Cohort& cohort, int64_t tokens) {
  CHECK(cohort.tokens >= tokens);
  cohort.tokens -= tokens;
  if (cohort.tokens == 0) by_bin_[static_cast<size_t>(cohort.bin)].erase(cohort.self);
}

void ReuseModel::advance(MonoTime now) {
  if (now <= now_) return;
  now_ = now;
  for (size_t bin = 0; bin + 1 < kBins; ++bin) {
    std::list<Cohort>& here = by_bin_[bin];
    std::list<Cohort>& next = by_bin_[bin + 1];
    while (!here.empty() && seconds(now - here.front().since) >= edges_[bin + 1]) {
      next.splice(next.end(), here, here.begin());
      next.back().bin = static_cast<int>(bin) + 1;
      count(next.back().type, &Class::exposed, next.back().bin, next.back().tokens);
    }
  }
}

void ReuseModel::count(int type, PerBin Class::* counts, int bin, int64_t tokens) {
  for (; type >= 0; type = classes_[static_cast<size_t>(type)].parent) {
    (classes_[static_cast<size_t>(type)].*counts)[static_cast<size_t>(bin)] += static_cast<double>(tokens);
  }
}

int ReuseModel::class_of(const ReuseTraits& traits) {
  int type = child_of(0, static_cast<int>(traits.finish));
  type = child_of(type, uses_bin(traits.uses));
  type = child_of(type, unseen_bin(traits.unseen_tokens));
  return child_of(type, gap_bin(traits.last_gap_s));
}

int ReuseModel::child_of(int parent, int value) {
  const uint64_t key = static_cast<uint64_t>(parent) * 16 + static_cast<uint64_t>(value);
  const auto [place, added] = children_.emplace(key, static_cast<int>(classes_.size()));
  if (added) {
    classes_.emplace_back().parent = parent;
    build(classes_.back());
  }
  return place->second;
}

void ReuseModel::rebuild() {
  for (Class& built : classes_) build(built);
}

void ReuseModel::build(Class& built) const {
  const Class* parent = built.parent < 0 ? nullptr : &classes_[static_cast<size_t>(built.parent)];
  for (size_t bin = 0; bin < kBins; ++bin) {
    const double expected = parent != nullptr ? parent->hazard[bin] : bin + 1 < kBins ? kRootHazard : 0;
    built.hazard[bin] = (built.reused[bin] + kPriorTokens * expected) / (built.exposed[bin] + kPriorTokens);
  }
  for (size_t from = 0; from < kBins; ++from) {
    double alive = 1, reuse = 0, time = 0, best_reuse = 0, best_time = 1;
    for (size_t bin = from; bin < kBins; ++bin) {
      const double hazard = built.hazard[bin];
      reuse += alive * hazard;
      time += alive * width(bin) * (1 - hazard / 2);
      alive *= 1 - hazard;
      if (reuse * best_time > best_reuse * time) {
        best_reuse = reuse;
        best_time = time;
      }
    }
    built.index[from] = best_reuse / best_time;
  }
}

double ReuseModel::width(size_t bin) const {
  return bin + 1 < kBins ? edges_[bin + 1] - edges_[bin] : edges_[bin];
}

double ReuseModel::index(const Cohort& cohort, MonoTime now) const {
  const double age = std::max(0.0, seconds(now - cohort.since));
  const auto bin = static_cast<size_t>(std::ranges::upper_bound(edges_, age) - edges_.begin() - 1);
  const PerBin& index = classes_[static_cast<size_t>(cohort.type)].index;
  const double older_first = 1e-12 * age;
  if (bin + 2 >= kBins) return index[bin] - older_first;
  const double within = (age - edges_[bin]) / (edges_[bin + 1] - edges_[bin]);
  return index[bin] * (1 - within) + index[bin + 1] * within - older_first;
}

}  // namespace feilun::scheduler
