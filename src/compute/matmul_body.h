#pragma once

#include "compute/kernels.h"
#include "compute/lanes.h"

/// One kernel for every number of rows. A tile keeps the sums of a few rows × 16 or 32 columns in registers
/// and walks down the whole depth, so that each weight is loaded once for all its rows. There is no special
/// case for one row: a row's sum runs over k in the same order in every tile.
///
/// Few rows wait for memory, many for the multipliers. In between, a tile fetches its share of the next panel
/// into the second-level cache while it multiplies, so that the two overlap; with few rows that would only
/// disturb the hardware's own prefetching, with many there is nothing to gain.

namespace feilun::compute::FEILUN_ISA_NAMESPACE {
namespace {

/// Rows up to which reading a panel of bytes, or of nibbles, takes longer than multiplying it; and from which
/// reading no longer matters.
constexpr int64_t kReadingRows8 = 4;
constexpr int64_t kReadingRows4 = 2;
constexpr int64_t kMultiplyingRows = 64;

/// What a tile fetches while it computes: `lines` cache lines a group of 32.
struct Ahead {
  const std::byte* from;
  int64_t lines;

  FEILUN_INLINE void fetch_for_group() {
    for (int64_t i = 0; i < lines; ++i) __builtin_prefetch(from + i * 64, 0, 2);
    from += lines * 64;
  }
};

template <int kRows, int kVectors>
FEILUN_INLINE void store_tile(const F32x16 (&sums)[kRows][kVectors], float* out, int64_t stride, bool add) {
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      float* to = out + r * stride + v * 16;
      store(to, add ? load<F32x16>(to) + sums[r][v] : sums[r][v]);
    }
  }
}

/// The lines that a tile will write come while it multiplies: rows of a large vocabulary lie far apart, and a
/// store that waits for memory holds up all stores behind it.
template <int kRows>
FEILUN_INLINE void fetch_to_write(const float* out, int64_t stride) {
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kTileVectors; ++v) __builtin_prefetch(out + r * stride + v * 16, 1, 3);
  }
}

/// F32, F16, BF16: a panel is [depth][32].
template <typename Stored>
struct FloatPanels {
  static int64_t panel_bytes(int64_t depth) { return depth * kPanelColumns * int64_t{sizeof(Stored)}; }
  static constexpr int64_t kReadingRows = kMultiplyingRows;

  template <int kRows>
  static void multiply(const MatmulJob& job, const std::byte* panel, int64_t row, float* out, Ahead) {
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

FEILUN_INLINE int32_t four_bytes(const int8_t* from) {
  int32_t four;
  std::memcpy(&four, from, 4);
  return four;
}

/// Q8_0, Q4_0, Q4_1, Q5_1: a panel is a group after another, each 32 scales, 32 minima where the type has
/// them, and then bytes or nibbles (weight_matrix.h). Without minima a code is a number plus an offset, which
/// a sum of codes takes out again by starting at −offset·Σx.
template <bool kNibbles, bool kMinima>
struct CodePanels {
  static constexpr int64_t kCodesAt = kMinima ? 128 : 64;
  static constexpr int64_t kGroupBytes = kCodesAt + (kNibbles ? 512 : 1024);
  static constexpr int64_t kReadingRows = kNibbles ? kReadingRows4 : kReadingRows8;
  static constexpr bool kSigned = !kNibbles && !kMinima;  ///< codes reach beyond what fits two products

  static int64_t panel_bytes(int64_t depth) { return depth / kGroup * kGroupBytes; }

  static FEILUN_INLINE int32_t first_sum(int32_t sum_of_x) {
    if constexpr (kMinima) return 0;
    if constexpr (kNibbles) return -8 * sum_of_x;
    return kOffsetInSum8 ? -128 * sum_of_x : 0;
  }

  template <int kRows>
  static FEILUN_INLINE void dot_codes(const U8x64 (&codes)[kTileVectors], const int8_t* q, int64_t depth,
                                      I32x16 (&sums)[kRows][kTileVectors]) {
    ByteWeights w[kTileVectors];
    for (int v = 0; v < kTileVectors; ++v) w[v] = prepare<kSigned>(codes[v]);
    for (int r = 0; r < kRows; ++r) {
      const int32_t four = four_bytes(q + r * depth);
      for (int v = 0; v < kTileVectors; ++v) sums[r][v] = byte_dot<kSigned>(sums[r][v], w[v], four);
    }
  }

  /// The exact integer sums of one group of 32: `q` points at the group of the first row.
  template <int kRows>
  static FEILUN_INLINE void dot_group(const std::byte* codes, const int8_t* q, int64_t depth,
                                      I32x16 (&sums)[kRows][kTileVectors]) {
    constexpr int kSteps = kNibbles ? 4 : 8;
#pragma clang loop unroll(full)
    for (int step = 0; step < kSteps; ++step) {
      // A step loads no earlier than it is written: compilers would load the whole group at once, and put
      // half of the totals out of their registers for it.
      if constexpr (kTileFillsRegisters && !kMinima) asm volatile("" ::: "memory");
      U8x64 bytes[kTileVectors];
      for (int v = 0; v < kTileVectors; ++v) bytes[v] = load<U8x64>(codes + step * 128 + v * 64);
      if constexpr (kNibbles) {
        for (int nibble = 0; nibble < 2; ++nibble) {
          U8x64 low[kTileVectors];
          for (int v = 0; v < kTileVectors; ++v) {
            const U32x16 shifted = (U32x16)bytes[v] >> (4 * nibble);
            low[v] = (U8x64)(shifted & (U32x16)splat(0x0f0f0f0f));
          }
          dot_codes<kRows>(low, q + step * 8 + nibble * 4, depth, sums);
        }
      } else {
        dot_codes<kRows>(bytes, q + step * 4, depth, sums);
      }
    }
  }

  template <int kRows>
  static void multiply(const MatmulJob& job, const std::byte* panel, int64_t row, float* out, Ahead ahead) {
    const int64_t groups = job.depth / kGroup;
    const int8_t* q = job.xq.q + row * job.depth;
    const float* scale = job.xq.scale + row * groups;
    const int32_t* sum = job.xq.sum + row * groups;
    for (int half = 0; half < 2; half += kTileVectors) {
      const std::byte* group = panel;
      fetch_to_write<kRows>(out + half * 16, job.out_stride);
      F32x16 totals[kRows][kTileVectors] = {};
      for (int64_t g = 0; g < groups; ++g, group += kGroupBytes) {
        ahead.fetch_for_group();
        I32x16 dots[kRows][kTileVectors];
        for (int r = 0; r < kRows; ++r) {
          for (int v = 0; v < kTileVectors; ++v) dots[r][v] = splat(first_sum(sum[r * groups + g]));
        }
        dot_group<kRows>(group + kCodesAt + half * 64, q + g * kGroup, job.depth, dots);
        const auto* scales = reinterpret_cast<const Half*>(group) + half * 16;
        F32x16 weight_scale[kTileVectors];
        for (int v = 0; v < kTileVectors; ++v) weight_scale[v] = load_floats(scales + v * 16);
        for (int r = 0; r < kRows; ++r) {
          const F32x16 row_scale = splat(scale[r * groups + g]);
          for (int v = 0; v < kTileVectors; ++v) {
            const F32x16 factor = weight_scale[v] * row_scale;
            totals[r][v] += __builtin_convertvector(dots[r][v], F32x16) * factor;
          }
        }
        if constexpr (kMinima) {
          for (int v = 0; v < kTileVectors; ++v) {
            const F32x16 minimum = load_floats(scales + kPanelColumns + v * 16);
            for (int r = 0; r < kRows; ++r) {
              const int64_t at = r * groups + g;
              totals[r][v] += minimum * splat(scale[at] * static_cast<float>(sum[at]));
            }
          }
        }
      }
      store_tile<kRows, kTileVectors>(totals, out + half * 16, job.out_stride, job.add);
    }
  }
};

/// W8: bytes in the order of Q8_0's, a group after another, and the columns' scales behind the last. Without
/// scales of its own a group costs one operation less for each sum.
struct BytePanels {
  using Codes = CodePanels<false, false>;
  static constexpr int64_t kGroupBytes = kGroup * kPanelColumns;
  static constexpr int64_t kReadingRows = kReadingRows8;

  static int64_t panel_bytes(int64_t depth) { return (depth + int64_t{sizeof(float)}) * kPanelColumns; }

  template <int kRows>
  static void multiply(const MatmulJob& job, const std::byte* panel, int64_t row, float* out, Ahead ahead) {
    const int64_t groups = job.depth / kGroup;
    const int8_t* q = job.xq.q + row * job.depth;
    const float* scale = job.xq.scale + row * groups;
    const int32_t* sum = job.xq.sum + row * groups;
    const auto* column_scales = reinterpret_cast<const float*>(panel + groups * kGroupBytes);
    for (int half = 0; half < 2; half += kTileVectors) {
      fetch_to_write<kRows>(out + half * 16, job.out_stride);
      F32x16 totals[kRows][kTileVectors] = {};
      for (int64_t g = 0; g < groups; ++g) {
        ahead.fetch_for_group();
        I32x16 dots[kRows][kTileVectors];
        for (int r = 0; r < kRows; ++r) {
          for (int v = 0; v < kTileVectors; ++v) dots[r][v] = splat(Codes::first_sum(sum[r * groups + g]));
        }
        Codes::dot_group<kRows>(panel + g * kGroupBytes + half * 64, q + g * kGroup, job.depth, dots);
        for (int r = 0; r < kRows; ++r) {
          const F32x16 row_scale = splat(scale[r * groups + g]);
          for (int v = 0; v < kTileVectors; ++v) {
            totals[r][v] += __builtin_convertvector(dots[r][v], F32x16) * row_scale;
          }
        }
      }
      for (int v = 0; v < kTileVectors; ++v) {
        const F32x16 column_scale = load<F32x16>(column_scales + (half + v) * 16);
        for (int r = 0; r < kRows; ++r) totals[r][v] *= column_scale;
      }
      store_tile<kRows, kTileVectors>(totals, out + half * 16, job.out_stride, job.add);
    }
  }
};

template <typename Panels, int kRows>
void run_tile(int64_t rows, const MatmulJob& job, const std::byte* panel, int64_t row, float* out,
              Ahead ahead) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return run_tile<Panels, kRows - 1>(rows, job, panel, row, out, ahead);
  }
  Panels::template multiply<kRows>(job, panel, row, out, ahead);
}

template <typename Panels>
void run_job(const MatmulJob& job) {
  const int64_t tiles = (job.rows + kTileRows - 1) / kTileRows;
  const int64_t panel_bytes = Panels::panel_bytes(job.depth);
  const int64_t fetches = tiles * (job.depth / kGroup);
  const bool overlap = job.rows > Panels::kReadingRows && job.rows <= kMultiplyingRows;
  const int64_t lines = overlap ? (panel_bytes / 64 + fetches - 1) / fetches : 0;
  for (int64_t p = 0; p < job.panel_count; ++p) {
    const std::byte* panel = job.panels + p * panel_bytes;
    const std::byte* next = panel + panel_bytes;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t first = job.rows * tile / tiles;
      const int64_t last = job.rows * (tile + 1) / tiles;
      float* out = job.out + first * job.out_stride + p * kPanelColumns;
      const Ahead ahead{next + tile * (job.depth / kGroup) * lines * 64, lines};
      run_tile<Panels, kTileRows>(last - first, job, panel, first, out, ahead);
    }
  }
}

void matmul(const MatmulJob& job) {
  switch (job.type) {
    case DType::kF32:
      return run_job<FloatPanels<float>>(job);
    case DType::kF16:
      return run_job<FloatPanels<Half>>(job);
    case DType::kBF16:
      return run_job<FloatPanels<Brain>>(job);
    case DType::kQ8_0:
      return run_job<CodePanels<false, false>>(job);
    case DType::kQ4_0:
      return run_job<CodePanels<true, false>>(job);
    case DType::kQ5_1:
      return run_job<CodePanels<false, true>>(job);
    case DType::kQ4_1:
      return run_job<CodePanels<true, true>>(job);
    case DType::kW8:
      return run_job<BytePanels>(job);
    default:
      return;
  }
}

}  // namespace
}  // namespace feilun::compute::FEILUN_ISA_NAMESPACE
