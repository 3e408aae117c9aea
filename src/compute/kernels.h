#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/dtype.h"

/// The inner loops of a forward pass, compiled once per instruction set from the same source
/// (kernels_body.h) and chosen at run time.
///
/// Float sums run in a fixed order that is written down in the source: sixteen lanes, a fixed tree at the
/// end. Integer dot products and the quantising of activations are exact, the same bits in all sets.
/// Elsewhere sets differ in the last bits of a float: by whether a product is rounded before it is added, and
/// in how a pair of bf16 is. Results of a model agree to about 10⁻⁶ of the largest logit with an F32 cache.
///
/// No kernel looks at more than one row of activations at a time, apart from sharing a loaded weight: what a
/// row gives does not depend on how many others there are.

namespace feilun::compute {

enum class Isa;

/// Columns of a weight panel (weight_matrix.h) and elements that share an activation scale.
inline constexpr int64_t kPanelColumns = 32;
inline constexpr int64_t kGroup = 32;

/// Rows of activations quantised to signed bytes: x ≈ scale·q per row and group of 32.
struct QuantisedRows {
  int8_t* q = nullptr;     ///< [rows][depth]
  float* scale = nullptr;  ///< [rows][depth / 32]
  int32_t* sum = nullptr;  ///< [rows][depth / 32], of q over the group
};

/// out[r][c] (+)= Σₖ x[r][k]·w[k][c] for the columns of some panels. F32, F16 and BF16 weights are multiplied
/// with `x`; Q8_0, Q4_0, Q4_1, Q5_1 and W8 with `xq`.
struct MatmulJob {
  const std::byte* panels = nullptr;  ///< the first panel to do
  DType type = DType::kF32;
  int64_t panel_count = 0;
  int64_t depth = 0;  ///< K
  int64_t rows = 0;
  const float* x = nullptr;
  int64_t x_stride = 0;  ///< floats
  QuantisedRows xq;
  float* out = nullptr;    ///< of the first panel to do; whole panels are written
  int64_t out_stride = 0;  ///< floats
  bool add = false;        ///< add to what is in `out`
};

/// At most this many queries share the loads of one KV head.
inline constexpr int kAttentionQueries = 8;
inline constexpr int kHeadDimMax = 256;
inline constexpr int kKvBlockTokens = 16;
/// Attention is summed in splits of this many tokens, counted from position 0.
inline constexpr int kSplitTokens = 256;

/// softmax(q·Kᵀ)·V for queries of one sequence that look at the same KV head (see paged_kv.h for the layout).
/// With a bf16 cache the queries, and e^(score − peak) where it multiplies values, are rounded to bf16 too.
/// Splits of 256 tokens are each reduced on their own and merged in order.
struct AttentionJob {
  int queries = 0;                          ///< 1 … kAttentionQueries
  const float* q[kAttentionQueries] = {};   ///< [head_dim], scaled already
  float* out[kAttentionQueries] = {};       ///< [head_dim]
  int64_t first[kAttentionQueries] = {};    ///< the first token each query sees
  int64_t visible[kAttentionQueries] = {};  ///< one past the last: its position + 1
  const std::byte* keys = nullptr;          ///< of block 0 of this layer and KV head
  int64_t block_bytes = 0;                  ///< from a block to the next
  int64_t values_offset = 0;                ///< bytes from a block's keys to its values
  const int32_t* blocks = nullptr;          ///< the sequence's block table
  int head_dim = 0;
  int value_width = 0;  ///< head_dim rounded up to sixteen
  bool bf16 = false;
  float score_cap = 0.0f;  ///< c: a score s becomes c·tanh(s / c); 0: it stays
};

/// Numbers that share an entry of what block_maxima and block_weights write.
inline constexpr int kNumberBlock = 64;

/// The kernels of one instruction set.
struct Kernels {
  void (*matmul)(const MatmulJob& job);
  void (*attend)(const AttentionJob& job);
  /// out[i] = weight[i]·x[i] / √(mean(x²) + epsilon). `out` may be `x`.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, int64_t count, float* out);
  /// out[i] = weight[i]·(x[i] − mean(x)) / √(variance(x) + epsilon) + bias[i]. `out` may be `x`.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float epsilon, int64_t count,
                     float* out);
  /// One row: scale = max|x| / 127, q = x / scale rounded to nearest even. `count` is a multiple of 32.
  void (*quantise_row)(const float* x, int64_t count, int8_t* q, float* scale, int32_t* sum);
  /// out[i] = up[i]·gate[i] / (1 + e^−gate[i]). `count` is a multiple of 16; `out` may be `gate`.
  void (*swiglu)(const float* gate, const float* up, int64_t count, float* out);
  /// The same with the Gaussian error unit by its usual approximation:
  /// out[i] = up[i]·g/2·(1 + tanh(√(2/π)·(g + 0.044715·g³))), g = gate[i].
  void (*geglu)(const float* gate, const float* up, int64_t count, float* out);
  /// out[i] = x[i]·Φ(x[i]), Φ the normal distribution, within 1.5·10⁻⁷·|x[i]|. `count` is a multiple of 16;
  /// `out` may be `x`.
  void (*gelu)(const float* x, int64_t count, float* out);
  /// x[i] ← cap·tanh(x[i] / cap).
  void (*soft_cap)(float* x, int64_t count, float cap);
  /// Turns the first `pairs` pairs of one head by the angles and multiplies the whole head by `factor`.
  /// `pairs` ≤ width / 2 is the length of `cosine` and `sine`; `neighbours` tells the layout of the pairs
  /// (model_file.h).
  void (*rotate)(float* head, int64_t width, const float* cosine, const float* sine, int64_t pairs,
                 bool neighbours, float factor);
  /// out[b] = the largest of each 64 numbers, −∞ where none is a number; the last block may be shorter.
  void (*block_maxima)(const float* x, int64_t count, float* out);
  /// out[i] = e^((x[i] − peak)·scale) for x ≤ peak; below e⁻⁸⁷, and of what is no number, 0.
  void (*weights)(const float* x, int64_t count, float peak, float scale, float* out);
  /// The sum of these of each 64 numbers.
  void (*block_weights)(const float* x, int64_t count, float peak, float scale, float* out);
  /// Σ a[i]·b[i].
  float (*dot)(const float* a, const float* b, int64_t count);
};

const Kernels& kernels_scalar();
const Kernels& kernels_avx2();
const Kernels& kernels_avxvnni();
const Kernels& kernels_avx512();
/// The machine must have `isa`.
const Kernels& kernels_for(Isa isa);
/// Those of choose_isa() (isa.h), or of the best set where $FEILUN_ISA names none that there is.
const Kernels& machine_kernels();

}  // namespace feilun::compute
