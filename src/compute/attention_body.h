#pragma once

#include "compute/kernels.h"
#include "compute/lanes.h"

/// A block of the cache is sixteen tokens, so sixteen scores are made at once: keys lie across the tokens,
/// and a lane is a token. Values lie along the head, and a lane is an element of it. All queries of the job
/// share each load.
///
/// A lane is four bytes: one float, or two bf16 that are multiplied and added as a pair: neighbours along the
/// head where scores are made, tokens that follow each other where values are summed. So a step is one
/// element, or two.
///
/// Blocks lie anywhere in memory, where no hardware sees the next one coming: while a block's keys are
/// multiplied, the next block's keys and its own values are fetched.

namespace feilun::compute::FEILUN_ISA_NAMESPACE {
namespace {

constexpr float kNothingSeen = -__builtin_inff();

struct FloatCache {
  using Number = float;
  static constexpr int kTogether = 1;  ///< numbers in a lane

  static FEILUN_INLINE F32x16 multiply_add(F32x16 sum, U32x16 lanes, uint32_t factor) {
    return sum + (F32x16)lanes * (F32x16)splat(static_cast<int32_t>(factor));
  }
  /// Stores x, and returns it as it is stored.
  static FEILUN_INLINE F32x16 put(Number* to, F32x16 x) {
    store(to, x);
    return x;
  }
};

struct PairCache {
  using Number = uint16_t;
  static constexpr int kTogether = 2;

  static FEILUN_INLINE F32x16 multiply_add(F32x16 sum, U32x16 lanes, uint32_t factor) {
    return pair_dot(sum, lanes, (U32x16)splat(static_cast<int32_t>(factor)));
  }
  static FEILUN_INLINE F32x16 put(Number* to, F32x16 x) {
    const U16x16 brains = bf16_of(x);
    store(to, brains);
    return floats_of(brains);
  }
};

/// What a query has gathered: Σ e^(score − peak)·value, and the same sum of ones.
struct Gathered {
  float peak[kAttentionQueries];
  float weight[kAttentionQueries];
  alignas(64) float sum[kAttentionQueries][kHeadDimMax];
};

/// Queries as the cache has its keys.
template <typename Cache>
struct Queries {
  alignas(64) typename Cache::Number number[kAttentionQueries][kHeadDimMax];

  explicit Queries(const AttentionJob& job) {
    for (int i = 0; i < job.queries; ++i) {
      const int whole = job.head_dim / 16 * 16;
      for (int d = 0; d < whole; d += 16) Cache::put(number[i] + d, load<F32x16>(job.q[i] + d));
      if (whole < job.head_dim)
        Cache::put(number[i] + whole, load_part(job.q[i] + whole, job.head_dim - whole));
    }
  }
  uint32_t lane(int i, int step) const { return four_of(number[i] + step * Cache::kTogether); }

  static FEILUN_INLINE uint32_t four_of(const typename Cache::Number* from) {
    uint32_t four;
    std::memcpy(&four, from, 4);
    return four;
  }
};

template <typename Cache>
struct Split {
  const AttentionJob& job;
  const Queries<Cache>& queries;
  int64_t start;   ///< its first token
  int64_t begin;   ///< from here on, in whole blocks, some query sees something
  int64_t tokens;  ///< up to the last that some query sees
  alignas(64) float score[kAttentionQueries][kSplitTokens];
  alignas(64) typename Cache::Number share[kAttentionQueries][kSplitTokens];  ///< e^(score − peak)

  const std::byte* block(int64_t token) const {
    return job.keys + job.blocks[(start + token) / kKvBlockTokens] * job.block_bytes;
  }
  /// Tokens [first(i), last(i)) of this split are those that query i sees.
  int64_t first(int i) const { return job.first[i] > start ? job.first[i] - start : 0; }
  int64_t last(int i) const {
    const int64_t count = job.visible[i] - start;
    return count < tokens ? count : tokens;
  }
  bool seen_by(int i) const { return first(i) < last(i); }
};

template <typename Cache, int kQueries, int kBlocks>
FEILUN_INLINE void score_blocks(Split<Cache>& split, int64_t token) {
  const std::byte* keys[kBlocks];
  const std::byte* next_keys[kBlocks];
  for (int b = 0; b < kBlocks; ++b) {
    keys[b] = split.block(token + b * kKvBlockTokens);
    const int64_t next = token + (b + kBlocks) * kKvBlockTokens;
    next_keys[b] = next < split.tokens ? split.block(next) : keys[b];
  }
  F32x16 sums[kQueries][kBlocks] = {};
  const int steps = (split.job.head_dim + Cache::kTogether - 1) / Cache::kTogether;
  for (int step = 0; step < steps; ++step) {
    U32x16 key[kBlocks];
    for (int b = 0; b < kBlocks; ++b) {
      key[b] = load<U32x16>(keys[b] + step * 64);
      __builtin_prefetch(next_keys[b] + step * 64, 0, 2);
      __builtin_prefetch(keys[b] + split.job.values_offset + step * 64, 0, 2);
    }
    for (int i = 0; i < kQueries; ++i) {
      const uint32_t query = split.queries.lane(i, step);
      for (int b = 0; b < kBlocks; ++b) sums[i][b] = Cache::multiply_add(sums[i][b], key[b], query);
    }
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int b = 0; b < kBlocks; ++b) store(split.score[i] + token + b * kKvBlockTokens, sums[i][b]);
  }
}

template <typename Cache, int kQueries>
void score_keys(Split<Cache>& split) {
  constexpr int kBlocks = kQueries * 2 <= kAttentionSums ? 2 : 1;
  int64_t token = split.begin;
  for (; token + kBlocks * kKvBlockTokens <= split.tokens; token += kBlocks * kKvBlockTokens) {
    score_blocks<Cache, kQueries, kBlocks>(split, token);
  }
  for (; token < split.tokens; token += kKvBlockTokens) score_blocks<Cache, kQueries, 1>(split, token);
}

/// −1 in the lanes of the sixteen tokens from `token` on that lie in [first, last), else 0.
FEILUN_INLINE I32x16 lanes_between(int64_t first, int64_t last, int64_t token) {
  const I32x16 index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const I32x16 from = splat(static_cast<int32_t>(first - token));
  const I32x16 to = splat(static_cast<int32_t>(last - token));
  return (index >= from) & (index < to);
}

/// Turns the scores of query i into shares e^(score − peak), zero where it does not look; returns the peak
/// and the sum.
template <typename Cache>
void soften(Split<Cache>& split, int i, float& peak, float& weight) {
  float* score = split.score[i];
  const float cap = split.job.score_cap;
  const int64_t first = split.first(i);
  const int64_t last = split.last(i);
  F32x16 most = splat(kNothingSeen);
  for (int64_t token = split.begin; token < split.tokens; token += 16) {
    F32x16 scores = load<F32x16>(score + token);
    if (cap > 0.0f) scores = splat(cap) * hyperbolic_tangent(scores / splat(cap));
    const bool all = token >= first && token + 16 <= last;
    if (cap > 0.0f || !all) {
      scores = lanes_between(first, last, token) ? scores : splat(kNothingSeen);
      store(score + token, scores);
    }
    most = larger(most, scores);
  }
  peak = largest_lane(most);
  F32x16 sum = {};
  for (int64_t token = split.begin; token < split.tokens; token += 16) {
    const F32x16 scores = load<F32x16>(score + token);
    const F32x16 e = exponential(scores - splat(peak));
    sum += Cache::put(split.share[i] + token, scores > splat(kNothingSeen) ? e : splat(0.0f));
  }
  weight = sum_of_lanes(sum);
}

template <typename Cache, int kQueries, int kVectors>
FEILUN_INLINE void sum_values_at(const Split<Cache>& split, int column, Gathered& part) {
  const AttentionJob& job = split.job;
  F32x16 sums[kQueries][kVectors] = {};
  for (int64_t token = split.begin; token < split.tokens; token += kKvBlockTokens) {
    const std::byte* values = split.block(token) + job.values_offset + column * 4;
    const int64_t left = split.tokens - token;
    const int64_t count = left < kKvBlockTokens ? left : kKvBlockTokens;
    const auto step = [&](int64_t t, U32x16 mask) __attribute__((always_inline)) {
      U32x16 value[kVectors];
      for (int v = 0; v < kVectors; ++v) value[v] = load<U32x16>(values + v * 64) & mask;
      for (int i = 0; i < kQueries; ++i) {
        const uint32_t share = Queries<Cache>::four_of(split.share[i] + token + t);
        for (int v = 0; v < kVectors; ++v) sums[i][v] = Cache::multiply_add(sums[i][v], value[v], share);
      }
      values += job.value_width * 4;
    };
    int64_t t = 0;
    for (; t + Cache::kTogether <= count; t += Cache::kTogether) step(t, (U32x16)splat(-1));
    // The partner of the last token is not written yet: whatever lies there, zero times it need not be zero.
    if (t < count) step(t, (U32x16)splat(0xffff));
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int v = 0; v < kVectors; ++v) store(part.sum[i] + column + v * 16, sums[i][v]);
  }
}

template <typename Cache, int kQueries>
void sum_values(const Split<Cache>& split, Gathered& part) {
  constexpr int kMost = kAttentionSums / kQueries;
  constexpr int kVectors = kMost >= 4 ? 4 : kMost >= 2 ? 2 : 1;
  int column = 0;
  for (; column + kVectors * 16 <= split.job.value_width; column += kVectors * 16) {
    sum_values_at<Cache, kQueries, kVectors>(split, column, part);
  }
  for (; column < split.job.value_width; column += 16) {
    sum_values_at<Cache, kQueries, 1>(split, column, part);
  }
}

/// total ← total + part for query i, both brought to the higher peak.
void merge(Gathered& total, const Gathered& part, int i, int width) {
  const float peak = total.peak[i] > part.peak[i] ? total.peak[i] : part.peak[i];
  const F32x16 scales = exponential(F32x16{total.peak[i] - peak, part.peak[i] - peak});
  const float ours = total.peak[i] == kNothingSeen ? 0.0f : scales[0];
  for (int d = 0; d < width; d += 16) {
    const F32x16 kept = load<F32x16>(total.sum[i] + d) * splat(ours);
    store(total.sum[i] + d, kept + load<F32x16>(part.sum[i] + d) * splat(scales[1]));
  }
  total.weight[i] = total.weight[i] * ours + part.weight[i] * scales[1];
  total.peak[i] = peak;
}

template <typename Cache, int kQueries>
void attend_queries(const AttentionJob& job) {
  const Queries<Cache> queries(job);
  Gathered total;
  Gathered part;
  int64_t tokens = 0;
  int64_t first = job.first[0];
  for (int i = 0; i < kQueries; ++i) {
    total.peak[i] = kNothingSeen;
    total.weight[i] = 0.0f;
    std::memset(total.sum[i], 0, static_cast<size_t>(job.value_width) * sizeof(float));
    tokens = tokens > job.visible[i] ? tokens : job.visible[i];
    first = first < job.first[i] ? first : job.first[i];
  }
  for (int64_t start = first / kSplitTokens * kSplitTokens; start < tokens; start += kSplitTokens) {
    const int64_t left = tokens - start;
    const int64_t unseen = first > start ? first - start : 0;
    Split<Cache> split{.job = job,
                       .queries = queries,
                       .start = start,
                       .begin = unseen / kKvBlockTokens * kKvBlockTokens,
                       .tokens = left < kSplitTokens ? left : kSplitTokens};
    score_keys<Cache, kQueries>(split);
    for (int i = 0; i < kQueries; ++i) soften(split, i, part.peak[i], part.weight[i]);
    sum_values<Cache, kQueries>(split, part);
    for (int i = 0; i < kQueries; ++i) {
      if (split.seen_by(i)) merge(total, part, i, job.value_width);
    }
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int d = 0; d < job.head_dim; ++d) job.out[i][d] = total.sum[i][d] / total.weight[i];
  }
}

template <typename Cache, int kQueries>
void attend_some(const AttentionJob& job) {
  if constexpr (kQueries > 1) {
    if (job.queries < kQueries) return attend_some<Cache, kQueries - 1>(job);
  }
  attend_queries<Cache, kQueries>(job);
}

void attend(const AttentionJob& job) {
  if (job.bf16) return attend_some<PairCache, kAttentionQueries>(job);
  attend_some<FloatCache, kAttentionQueries>(job);
}

}  // namespace
}  // namespace feilun::compute::FEILUN_ISA_NAMESPACE
