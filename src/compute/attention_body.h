#pragma once

#include "compute/kernels.h"
#include "compute/lanes.h"

/// A block of the cache is sixteen tokens, so sixteen scores are made at once: keys lie as
/// [head_dim][16 tokens], and a lane is a token. Values lie as [16 tokens][value_width], and a lane is an
/// element of the head. All queries of the job share each load.

namespace feilun::compute::FEILUN_ISA_NAMESPACE {
namespace {

constexpr float kNothingSeen = -__builtin_inff();

/// What a query has gathered: Σ e^(score − peak)·value, and the same sum of ones.
struct Gathered {
  float peak[kAttentionQueries];
  float weight[kAttentionQueries];
  alignas(64) float sum[kAttentionQueries][kHeadDimMax];
};

struct Split {
  const AttentionJob& job;
  int64_t start;   ///< its first token
  int64_t begin;   ///< from here on, in whole blocks, some query sees something
  int64_t tokens;  ///< up to the last that some query sees
  alignas(64) float score[kAttentionQueries][kSplitTokens];

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

template <typename Stored, int kQueries, int kBlocks>
FEILUN_INLINE void score_blocks(Split& split, int64_t token) {
  const AttentionJob& job = split.job;
  const Stored* keys[kBlocks];
  for (int b = 0; b < kBlocks; ++b) {
    keys[b] = reinterpret_cast<const Stored*>(split.block(token + b * kKvBlockTokens));
  }
  F32x16 sums[kQueries][kBlocks] = {};
  for (int d = 0; d < job.head_dim; ++d) {
    F32x16 key[kBlocks];
    for (int b = 0; b < kBlocks; ++b) key[b] = load_floats(keys[b] + d * kKvBlockTokens);
    for (int i = 0; i < kQueries; ++i) {
      for (int b = 0; b < kBlocks; ++b) sums[i][b] += key[b] * splat(job.q[i][d]);
    }
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int b = 0; b < kBlocks; ++b) store(split.score[i] + token + b * kKvBlockTokens, sums[i][b]);
  }
}

template <typename Stored, int kQueries>
void score_keys(Split& split) {
  constexpr int kTogether = kQueries <= 4 ? 2 : 1;
  int64_t token = split.begin;
  for (; token + kTogether * kKvBlockTokens <= split.tokens; token += kTogether * kKvBlockTokens) {
    score_blocks<Stored, kQueries, kTogether>(split, token);
  }
  for (; token < split.tokens; token += kKvBlockTokens) score_blocks<Stored, kQueries, 1>(split, token);
}

/// −1 in the lanes of the sixteen tokens from `token` on that lie in [first, last), else 0.
FEILUN_INLINE I32x16 lanes_between(int64_t first, int64_t last, int64_t token) {
  const I32x16 index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const I32x16 from = splat(static_cast<int32_t>(first - token));
  const I32x16 to = splat(static_cast<int32_t>(last - token));
  return (index >= from) & (index < to);
}

/// Turns the scores of query i into e^(score − peak), zero where it does not look; returns the peak and the
/// sum.
void soften(Split& split, int i, float& peak, float& weight) {
  float* score = split.score[i];
  const float cap = split.job.score_cap;
  const int64_t first = split.first(i);
  const int64_t last = split.last(i);
  F32x16 most = splat(kNothingSeen);
  for (int64_t token = split.begin; token < split.tokens; token += 16) {
    F32x16 scores = load<F32x16>(score + token);
    if (cap > 0.0f) scores = splat(cap) * hyperbolic_tangent(scores / splat(cap));
    const F32x16 masked = lanes_between(first, last, token) ? scores : splat(kNothingSeen);
    store(score + token, masked);
    most = larger(most, masked);
  }
  peak = largest_lane(most);
  F32x16 sum = {};
  for (int64_t token = split.begin; token < split.tokens; token += 16) {
    const F32x16 e = exponential(load<F32x16>(score + token) - splat(peak));
    const F32x16 kept = lanes_between(first, last, token) ? e : splat(0.0f);
    store(score + token, kept);
    sum += kept;
  }
  weight = sum_of_lanes(sum);
}

template <typename Stored, int kQueries, int kVectors>
FEILUN_INLINE void sum_values_at(const Split& split, int column, Gathered& part) {
  const AttentionJob& job = split.job;
  F32x16 sums[kQueries][kVectors] = {};
  for (int64_t token = split.begin; token < split.tokens; token += kKvBlockTokens) {
    const auto* values = reinterpret_cast<const Stored*>(split.block(token) + job.values_offset) + column;
    const int64_t left = split.tokens - token;
    const int64_t count = left < kKvBlockTokens ? left : kKvBlockTokens;
    for (int64_t t = 0; t < count; ++t, values += job.value_width) {
      F32x16 value[kVectors];
      for (int v = 0; v < kVectors; ++v) value[v] = load_floats(values + v * 16);
      for (int i = 0; i < kQueries; ++i) {
        const F32x16 share = splat(split.score[i][token + t]);
        for (int v = 0; v < kVectors; ++v) sums[i][v] += value[v] * share;
      }
    }
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int v = 0; v < kVectors; ++v) store(part.sum[i] + column + v * 16, sums[i][v]);
  }
}

template <typename Stored, int kQueries>
void sum_values(const Split& split, Gathered& part) {
  constexpr int kTogether = kQueries <= 2 ? 4 : kQueries <= 4 ? 2 : 1;
  int column = 0;
  for (; column + kTogether * 16 <= split.job.value_width; column += kTogether * 16) {
    sum_values_at<Stored, kQueries, kTogether>(split, column, part);
  }
  for (; column < split.job.value_width; column += 16)
    sum_values_at<Stored, kQueries, 1>(split, column, part);
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

template <typename Stored, int kQueries>
void attend_queries(const AttentionJob& job) {
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
    Split split{.job = job,
                .start = start,
                .begin = unseen / kKvBlockTokens * kKvBlockTokens,
                .tokens = left < kSplitTokens ? left : kSplitTokens};
    score_keys<Stored, kQueries>(split);
    for (int i = 0; i < kQueries; ++i) soften(split, i, part.peak[i], part.weight[i]);
    sum_values<Stored, kQueries>(split, part);
    for (int i = 0; i < kQueries; ++i) {
      if (split.seen_by(i)) merge(total, part, i, job.value_width);
    }
  }
  for (int i = 0; i < kQueries; ++i) {
    for (int d = 0; d < job.head_dim; ++d) job.out[i][d] = total.sum[i][d] / total.weight[i];
  }
}

template <typename Stored, int kQueries>
void attend_some(const AttentionJob& job) {
  if constexpr (kQueries > 1) {
    if (job.queries < kQueries) return attend_some<Stored, kQueries - 1>(job);
  }
  attend_queries<Stored, kQueries>(job);
}

void attend(const AttentionJob& job) {
  if (job.bf16) return attend_some<Brain, kAttentionQueries>(job);
  attend_some<float, kAttentionQueries>(job);
}

}  // namespace
}  // namespace feilun::compute::FEILUN_ISA_NAMESPACE
