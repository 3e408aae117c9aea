#pragma once

#include "compute/kernels.h"
#include "compute/lanes.h"

/// One kernel for every number of rows. A tile keeps the sums of a few rows × 16 or 32 columns in registers
/// and walks down the whole depth, so that each weight is loaded once for all its rows. There is no special
/// case for one row: a row's sum runs over k in the same order in every tile.

namespace feilun::compute::FEILUN_ISA_NAMESPACE {
namespace {

template <int kRows, int kVectors>
FEILUN_INLINE void store_tile(const F32x16 (&sums)[kRows][kVectors], float* out, int64_t stride, bool add) {
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      float* to = out + r * stride + v * 16;
      store(to, add ? load<F32x16>(to) + sums[r][v] : sums[r][v]);
    }
  }
}

/// F32, F16, BF16: a panel is [depth][32].
template <typename Stored, int kRows>
struct FloatTile {
  static void run(const MatmulJob& job, const std::byte* panel, int64_t row, float* out) {
    const float* x = job.x + row * job.x_stride;
    for (int half = 0; half < 2; half += kTileVectors) {
      const auto* w = reinterpret_cast<const Stored*>(panel) + half * 16;
      F32x16 sums[kRows][kTileVectors] = {};
      for (int64_t k = 0; k < job.depth; ++k, w += kPanelColumns) {
        F32x16 weights[kTileVectors];
        for (int v = 0; v < kTileVectors; ++v) weights[v] = load_floats(w + v * 16);
        for (int r = 0; r < kRows; ++r) {
          const F32x16 value = splat(x[r * job.x_stride + k]);
          for (int v = 0; v < kTileVectors; ++v) sums[r][v] += weights[v] * value;
        }
      }
      store_tile<kRows, kTileVectors>(sums, out + half * 16, job.out_stride, job.add);
    }
  }
};

constexpr int64_t kGroupBytes8 = 64 + 1024;
constexpr int64_t kGroupBytes4 = 64 + 512;

template <bool kFourBit>
FEILUN_INLINE int32_t first_sum(int32_t sum_of_x) {
  if constexpr (kFourBit) return -8 * sum_of_x;
  return kOffsetInSum8 ? -128 * sum_of_x : 0;
}

FEILUN_INLINE int32_t four_bytes(const int8_t* from) {
  int32_t four;
  std::memcpy(&four, from, 4);
  return four;
}

/// The exact integer sums of one group of 32: `q` points at the group of the first row.
template <bool kFourBit, int kRows>
FEILUN_INLINE void dot_group(const std::byte* weights, const int8_t* q, int64_t depth,
                             I32x16 (&sums)[kRows][kTileVectors]) {
  constexpr int kSteps = kFourBit ? 4 : 8;
#pragma clang loop unroll(full)
  for (int step = 0; step < kSteps; ++step) {
    U8x64 bytes[kTileVectors];
    for (int v = 0; v < kTileVectors; ++v) bytes[v] = load<U8x64>(weights + step * 128 + v * 64);
    if constexpr (kFourBit) {
      for (int nibble = 0; nibble < 2; ++nibble) {
        ByteWeights w[kTileVectors];
        for (int v = 0; v < kTileVectors; ++v) {
          const U32x16 shifted = (U32x16)bytes[v] >> (4 * nibble);
          w[v] = prepare4((U8x64)(shifted & (U32x16)splat(0x0f0f0f0f)));
        }
        for (int r = 0; r < kRows; ++r) {
          const int32_t four = four_bytes(q + r * depth + step * 8 + nibble * 4);
          for (int v = 0; v < kTileVectors; ++v) sums[r][v] = byte_dot<false>(sums[r][v], w[v], four);
        }
      }
    } else {
      ByteWeights w[kTileVectors];
      for (int v = 0; v < kTileVectors; ++v) w[v] = prepare8(bytes[v]);
      for (int r = 0; r < kRows; ++r) {
        const int32_t four = four_bytes(q + r * depth + step * 4);
        for (int v = 0; v < kTileVectors; ++v) sums[r][v] = byte_dot<true>(sums[r][v], w[v], four);
      }
    }
  }
}

/// Q8_0, Q4_0: a panel is a group after another, each 32 scales and then the bytes (weight_matrix.h).
template <bool kFourBit, int kRows>
struct QuantisedTile {
  static void run(const MatmulJob& job, const std::byte* panel, int64_t row, float* out) {
    constexpr int64_t kGroupBytes = kFourBit ? kGroupBytes4 : kGroupBytes8;
    const int64_t groups = job.depth / kGroup;
    const int8_t* q = job.xq.q + row * job.depth;
    const float* scale = job.xq.scale + row * groups;
    const int32_t* sum = job.xq.sum + row * groups;
    for (int half = 0; half < 2; half += kTileVectors) {
      const std::byte* group = panel;
      F32x16 totals[kRows][kTileVectors] = {};
      for (int64_t g = 0; g < groups; ++g, group += kGroupBytes) {
        I32x16 dots[kRows][kTileVectors];
        for (int r = 0; r < kRows; ++r) {
          for (int v = 0; v < kTileVectors; ++v) dots[r][v] = splat(first_sum<kFourBit>(sum[r * groups + g]));
        }
        dot_group<kFourBit, kRows>(group + 64 + half * 64, q + g * kGroup, job.depth, dots);
        for (int v = 0; v < kTileVectors; ++v) {
          const F32x16 weight_scale = load_floats(reinterpret_cast<const Half*>(group) + (half + v) * 16);
          for (int r = 0; r < kRows; ++r) {
            const F32x16 factor = weight_scale * splat(scale[r * groups + g]);
            totals[r][v] += __builtin_convertvector(dots[r][v], F32x16) * factor;
          }
        }
      }
      store_tile<kRows, kTileVectors>(totals, out + half * 16, job.out_stride, job.add);
    }
  }
};

template <int kRows>
using F32Tile = FloatTile<float, kRows>;
template <int kRows>
using F16Tile = FloatTile<Half, kRows>;
template <int kRows>
using BF16Tile = FloatTile<Brain, kRows>;
template <int kRows>
using Q8Tile = QuantisedTile<false, kRows>;
template <int kRows>
using Q4Tile = QuantisedTile<true, kRows>;

template <template <int> class Tile, int kRows>
void run_tile(int64_t rows, const MatmulJob& job, const std::byte* panel, int64_t row, float* out) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return run_tile<Tile, kRows - 1>(rows, job, panel, row, out);
  }
  Tile<kRows>::run(job, panel, row, out);
}

template <template <int> class Tile>
void run_panels(const MatmulJob& job, int64_t panel_bytes) {
  const int64_t tiles = (job.rows + kTileRows - 1) / kTileRows;
  for (int64_t p = 0; p < job.panel_count; ++p) {
    const std::byte* panel = job.panels + p * panel_bytes;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t first = job.rows * tile / tiles;
      const int64_t last = job.rows * (tile + 1) / tiles;
      float* out = job.out + first * job.out_stride + p * kPanelColumns;
      run_tile<Tile, kTileRows>(last - first, job, panel, first, out);
    }
  }
}

void matmul(const MatmulJob& job) {
  const int64_t groups = job.depth / kGroup;
  switch (job.type) {
    case DType::kF32:
      return run_panels<F32Tile>(job, job.depth * kPanelColumns * 4);
    case DType::kF16:
      return run_panels<F16Tile>(job, job.depth * kPanelColumns * 2);
    case DType::kBF16:
      return run_panels<BF16Tile>(job, job.depth * kPanelColumns * 2);
    case DType::kQ8_0:
      return run_panels<Q8Tile>(job, groups * kGroupBytes8);
    case DType::kQ4_0:
      return run_panels<Q4Tile>(job, groups * kGroupBytes4);
    default:
      return;
  }
}

}  // namespace
}  // namespace feilun::compute::FEILUN_ISA_NAMESPACE
