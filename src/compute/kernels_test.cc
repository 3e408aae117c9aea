#include "compute/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <random>
#include <vector>

#include "compute/half.h"
#include "compute/isa.h"
#include "compute/paged_kv.h"
#include "compute/quantise.h"
#include "compute/weight_matrix.h"

namespace feilun::compute {
namespace {

constexpr DType kTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0,
                            DType::kQ4_0, DType::kQ4_1, DType::kQ5_1, DType::kW8};

std::vector<float> random_floats(int64_t count, uint32_t seed, float spread = 1.0f) {
  std::mt19937 engine(seed);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = (static_cast<float>(engine() & 0xffff) / 32768.0f - 1.0f) * spread;
  return out;
}

/// Stored numbers near one in size, of a type that nothing here writes too.
std::vector<std::byte> random_stored(DType type, int64_t count) {
  std::vector<std::byte> bytes(stored_bytes(type, count));
  if (can_quantise(type)) {
    quantise(type, random_floats(count, 1), bytes);
    return bytes;
  }
  std::mt19937 engine(1);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(engine());
  for (size_t at = 0; at < bytes.size(); at += block_layout(type).bytes) {
    const float scale = static_cast<float>(engine() % 1000) / 1e4f;
    const uint16_t halves[] = {f32_to_f16(scale), f32_to_f16(-8 * scale)};
    std::memcpy(&bytes[at], halves, sizeof halves);
  }
  return bytes;
}

/// Packs into an arena of the right size.
WeightMatrix pack_into(WeightArena& arena, DType stored, std::span<const std::byte> bytes, int64_t depth,
                       int64_t columns, DType packed) {
  ThreadPool pool(2);
  arena = WeightArena::reserve(packed_bytes(packed, depth, columns)).value();
  return WeightMatrix::pack(stored, bytes, depth, columns, packed, pool, arena);
}

/// Activations as a kernel wants them, and the weights as numbers.
struct MatmulCase {
  DType type;
  int64_t depth;
  int64_t columns;
  int64_t rows;
  std::vector<float> weights;  ///< [columns][depth], what the stored type holds
  WeightArena arena;
  WeightMatrix matrix;
  std::vector<float> x;
  std::vector<int8_t> q;
  std::vector<float> scale;
  std::vector<int32_t> sum;

  MatmulCase(DType packed, int64_t k, int64_t n, int64_t m, const Kernels& kernels)
      : type(packed),
        depth(k),
        columns(n),
        rows(m),
        weights(static_cast<size_t>(k * n)),
        x(random_floats(m * k, 2, 3)) {
    const DType stored = type == DType::kW8 ? DType::kF32 : type;
    const std::vector<std::byte> bytes = random_stored(stored, k * n);
    dequantise(stored, bytes, weights);
    matrix = pack_into(arena, stored, bytes, k, n, type);
    for (int64_t c = 0; c < n && type == DType::kW8; ++c) matrix.read_column(c, &weights[c * k]);
    if (!matrix.quantised()) return;
    q.resize(x.size());
    scale.resize(x.size() / 32);
    sum.resize(x.size() / 32);
    for (int64_t r = 0; r < m; ++r) {
      kernels.quantise_row(&x[r * k], k, &q[r * k], &scale[r * k / 32], &sum[r * k / 32]);
    }
  }

  std::vector<float> run(const Kernels& kernels, int64_t first_row, int64_t count, bool add = false) {
    const int64_t stride = matrix.panels() * kPanelColumns;
    std::vector<float> out(static_cast<size_t>(count * stride), 0.5f);
    MatmulJob job{.panels = matrix.panel(0), .type = type, .panel_count = matrix.panels(), .depth = depth};
    job.rows = count;
    job.x = x.data() + first_row * depth;
    job.x_stride = depth;
    const int64_t group = first_row * depth / 32;
    if (matrix.quantised()) job.xq = {q.data() + first_row * depth, scale.data() + group, sum.data() + group};
    job.out = out.data();
    job.out_stride = stride;
    job.add = add;
    kernels.matmul(job);
    return out;
  }

  /// What a row and column must give, and the sum of magnitudes that rounding errors scale with.
  std::pair<double, double> expected(int64_t row, int64_t column) const {
    double total = 0;
    double size = 0;
    for (int64_t k = 0; k < depth; ++k) {
      double value = x[row * depth + k];
      if (matrix.quantised()) value = static_cast<double>(q[row * depth + k]) * scale[(row * depth + k) / 32];
      const double product = value * weights[column * depth + k];
      total += product;
      size += std::abs(product);
    }
    return {total, size};
  }
};

class KernelsTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!machine_has(GetParam())) GTEST_SKIP() << "this machine has no " << isa_name(GetParam());
  }
  const Kernels& kernels() const { return kernels_for(GetParam()); }
};

TEST_P(KernelsTest, MatmulAgreesWithDoublePrecision) {
  for (const DType type : kTypes) {
    const bool blocks = packed_group(type) > 1;
    for (int64_t rows = 1; rows <= 40; ++rows) {
      const int64_t depth = blocks ? 32 * (1 + rows % 5) : 1 + rows * 7 % 173;
      const int64_t columns = 1 + rows * 13 % 97;
      MatmulCase work(type, depth, columns, rows, kernels());
      const std::vector<float> out = work.run(kernels(), 0, rows);
      const int64_t stride = work.matrix.panels() * kPanelColumns;
      for (int64_t r = 0; r < rows; ++r) {
        for (int64_t c = 0; c < stride; ++c) {
          if (c >= columns) {
            ASSERT_EQ(out[r * stride + c], 0.0f);
            continue;
          }
          const auto [value, size] = work.expected(r, c);
          ASSERT_NEAR(out[r * stride + c], value, 2e-6 * size + 1e-9)
              << dtype_name(type) << " rows " << rows << " at " << r << ", " << c;
        }
      }
    }
  }
}

TEST_P(KernelsTest, ARowDoesNotDependOnItsCompany) {
  for (const DType type : kTypes) {
    MatmulCase work(type, 96, 70, 40, kernels());
    const int64_t stride = work.matrix.panels() * kPanelColumns;
    const std::vector<float> together = work.run(kernels(), 0, 40);
    for (int64_t first = 0; first < 40; ++first) {
      for (const int64_t count : {int64_t{1}, int64_t{3}, 40 - first}) {
        if (first + count > 40) continue;
        const std::vector<float> some = work.run(kernels(), first, count);
        ASSERT_EQ(std::memcmp(some.data(), &together[first * stride], some.size() * sizeof(float)), 0)
            << dtype_name(type) << " rows " << first << " + " << count;
      }
    }
  }
}

TEST_P(KernelsTest, MatmulCanAddToItsOutput) {
  for (const DType type : kTypes) {
    MatmulCase work(type, 64, 32, 9, kernels());
    const std::vector<float> plain = work.run(kernels(), 0, 9);
    const std::vector<float> added = work.run(kernels(), 0, 9, true);
    for (size_t i = 0; i < plain.size(); ++i) ASSERT_EQ(added[i], 0.5f + plain[i]);
  }
}

/// One row of activations that are all `q`, times a matrix of one panel whose weights are all `weight`.
void expect_exact_dots(const Kernels& kernels, const WeightMatrix& matrix, int weight, int q) {
  const int64_t depth = matrix.depth();
  std::vector<float> scale(static_cast<size_t>(depth / 32), 1.0f);
  std::vector<int32_t> sum(static_cast<size_t>(depth / 32), q * 32);
  std::vector<int8_t> row(static_cast<size_t>(depth), static_cast<int8_t>(q));
  std::vector<float> out(32);
  kernels.matmul({.panels = matrix.panel(0),
                  .type = matrix.type(),
                  .panel_count = 1,
                  .depth = depth,
                  .rows = 1,
                  .xq = {row.data(), scale.data(), sum.data()},
                  .out = out.data(),
                  .out_stride = 32});
  for (const float x : out) ASSERT_EQ(x, static_cast<float>(weight * q * depth));
}

TEST_P(KernelsTest, QuantisedDotsAreExactAtTheExtremes) {
  // All weights at −128 or 127 and all activations at ±127: where sixteen-bit sums would saturate.
  for (const DType type : {DType::kQ8_0, DType::kQ4_0}) {
    for (const int weight : {-128, 127}) {
      constexpr int64_t kDepth = 64;
      const size_t block = block_layout(type).bytes;
      std::vector<std::byte> bytes(stored_bytes(type, kDepth * 32), type == DType::kQ8_0 ? std::byte(weight)
                                                                    : weight < 0         ? std::byte{0}
                                                                                         : std::byte{0xff});
      for (size_t at = 0; at < bytes.size(); at += block) {
        const uint16_t one = f32_to_f16(1.0f);
        std::memcpy(&bytes[at], &one, 2);
      }
      WeightArena arena;
      const WeightMatrix matrix = pack_into(arena, type, bytes, kDepth, 32, type);
      const int w = type == DType::kQ8_0 ? weight : weight < 0 ? -8 : 7;
      for (const int q : {-127, 127}) expect_exact_dots(kernels(), matrix, w, q);
    }
  }
}

TEST_P(KernelsTest, BytesOfOneScaleAreExactAtTheExtremes) {
  constexpr int64_t kDepth = 64;
  for (const int weight : {-127, 127}) {
    const std::vector<float> weights(kDepth * 32, static_cast<float>(weight));
    WeightArena arena;
    const WeightMatrix matrix =
        pack_into(arena, DType::kF32, std::as_bytes(std::span(weights)), kDepth, 32, DType::kW8);
    for (const int q : {-127, 127}) expect_exact_dots(kernels(), matrix, weight, q);
  }
}

TEST_P(KernelsTest, NormsRowsOfAnyLength) {
  for (int64_t count = 1; count < 100; ++count) {
    const std::vector<float> x = random_floats(count, 5, 2);
    const std::vector<float> weight = random_floats(count, 6);
    std::vector<float> out(static_cast<size_t>(count));
    kernels().rms_norm(x.data(), weight.data(), 1e-5f, count, out.data());
    double squares = 0;
    for (const float v : x) squares += static_cast<double>(v) * v;
    const double factor = 1.0 / std::sqrt(squares / static_cast<double>(count) + 1e-5);
    for (int64_t i = 0; i < count; ++i) ASSERT_NEAR(out[i], weight[i] * x[i] * factor, 2e-6);
  }
}

TEST_P(KernelsTest, QuantisesToTheNearestStep) {
  std::vector<float> x = random_floats(32 * 50, 7, 4);
  std::fill(x.begin() + 32, x.begin() + 64, 0.0f);
  std::vector<int8_t> q(x.size());
  std::vector<float> scale(50);
  std::vector<int32_t> sum(50);
  kernels().quantise_row(x.data(), static_cast<int64_t>(x.size()), q.data(), scale.data(), sum.data());
  for (size_t g = 0; g < 50; ++g) {
    float most = 0;
    int32_t total = 0;
    for (size_t i = g * 32; i < g * 32 + 32; ++i) most = std::max(most, std::abs(x[i]));
    ASSERT_EQ(scale[g], most / 127.0f);
    for (size_t i = g * 32; i < g * 32 + 32; ++i) {
      ASSERT_NEAR(q[i] * scale[g], x[i], scale[g] * 0.5001f);
      total += q[i];
    }
    ASSERT_EQ(sum[g], total);
  }
}

TEST_P(KernelsTest, SwigluAgreesWithDoublePrecision) {
  std::vector<float> gate = random_floats(4096, 8, 20);
  gate[0] = -200;
  gate[1] = 200;
  gate[2] = 0;
  const std::vector<float> up = random_floats(4096, 9, 3);
  std::vector<float> out(4096);
  kernels().swiglu(gate.data(), up.data(), 4096, out.data());
  for (size_t i = 0; i < out.size(); ++i) {
    const double expected = up[i] * (gate[i] / (1.0 + std::exp(-static_cast<double>(gate[i]))));
    ASSERT_NEAR(out[i], expected, 1e-6 * std::abs(expected) + 1e-30) << gate[i];
  }
}

TEST_P(KernelsTest, GegluAgreesWithDoublePrecision) {
  std::vector<float> gate = random_floats(4096, 8, 6);
  gate[0] = -200;
  gate[1] = 200;
  gate[2] = 0;
  const std::vector<float> up = random_floats(4096, 9, 3);
  std::vector<float> out(4096);
  kernels().geglu(gate.data(), up.data(), 4096, out.data());
  for (size_t i = 0; i < out.size(); ++i) {
    const double g = gate[i];
    const double inner = std::sqrt(2.0 / std::numbers::pi) * (g + 0.044715 * g * g * g);
    ASSERT_NEAR(out[i], up[i] * g / 2 * (1 + std::tanh(inner)), 1e-6 * std::abs(up[i] * g) + 1e-30) << g;
  }
}

TEST_P(KernelsTest, CapsSoftlyAtAnyLength) {
  for (int64_t count = 1; count < 40; ++count) {
    const std::vector<float> x = random_floats(count + 1, 21, count % 2 == 0 ? 100.0f : 1.0f);
    std::vector<float> capped = x;
    kernels().soft_cap(capped.data(), count, 7.5f);
    for (int64_t i = 0; i < count; ++i) {
      const double expected = 7.5 * std::tanh(x[i] / 7.5);
      ASSERT_NEAR(capped[i], expected, 4e-7 * std::abs(expected));
    }
    ASSERT_EQ(capped.back(), x.back());
  }
}

TEST_P(KernelsTest, LeavesElementsBeyondThePairsButForTheFactor) {
  for (const bool neighbours : {false, true}) {
    const std::vector<float> x = random_floats(10, 22);
    const std::vector<float> cosine = {0.6f, 0.8f};
    const std::vector<float> sine = {0.8f, -0.6f};
    std::vector<float> head = x;
    kernels().rotate(head.data(), 10, cosine.data(), sine.data(), 2, neighbours, 0.5f);
    ASSERT_NEAR(head[0], 0.5 * (x[0] * 0.6 - x[neighbours ? 1 : 2] * 0.8), 1e-6);
    for (size_t i = 4; i < 10; ++i) ASSERT_EQ(head[i], 0.5f * x[i]);
  }
}

TEST_P(KernelsTest, RotatesBothLayoutsOfPairs) {
  for (const int64_t half : {1, 4, 16, 20, 64}) {
    const std::vector<float> x = random_floats(2 * half, 10);
    std::vector<float> cosine;
    std::vector<float> sine;
    for (int64_t i = 0; i < half; ++i) {
      cosine.push_back(std::cos(0.3f * static_cast<float>(i)));
      sine.push_back(std::sin(0.3f * static_cast<float>(i)));
    }
    for (const bool neighbours : {false, true}) {
      std::vector<float> head = x;
      kernels().rotate(head.data(), 2 * half, cosine.data(), sine.data(), half, neighbours, 0.5f);
      for (int64_t i = 0; i < half; ++i) {
        const int64_t a = neighbours ? 2 * i : i;
        const int64_t b = neighbours ? 2 * i + 1 : i + half;
        ASSERT_NEAR(head[a], 0.5 * (x[a] * cosine[i] - x[b] * sine[i]), 1e-6);
        ASSERT_NEAR(head[b], 0.5 * (x[a] * sine[i] + x[b] * cosine[i]), 1e-6);
      }
    }
  }
}

/// A cache of one layer with random keys and values in blocks out of order; what is not written is NaN.
struct AttentionCase {
  int head_dim;
  int64_t tokens;
  std::vector<float> keys;
  std::vector<float> values;
  std::vector<float> queries;
  std::vector<int32_t> blocks;
  PagedKv cache;

  AttentionCase(int dim, int64_t count, bool bf16)
      : head_dim(dim),
        tokens(count),
        keys(random_floats(count * dim, 11, 2)),
        values(random_floats(count * dim, 12, 1)),
        queries(random_floats(int64_t{kAttentionQueries} * dim, 13, 0.5f)) {
    const auto needed = static_cast<int32_t>((count + 15) / 16);
    cache = PagedKv::allocate({.layers = 2, .kv_heads = 2, .head_dim = dim, .bf16 = bf16}, needed).value();
    for (int32_t i = 0; i < needed; ++i) blocks.push_back((i * 7 + 3) % needed);
    std::vector<bool> used(blocks.size(), false);
    for (int32_t& block : blocks) {
      while (used[block]) block = (block + 1) % needed;
      used[block] = true;
    }
    const std::vector<float> nothing(static_cast<size_t>(dim), NAN);
    for (int64_t t = 0; t < needed * 16; ++t) {
      const float* key = t < count ? &keys[t * dim] : nothing.data();
      const float* value = t < count ? &values[t * dim] : nothing.data();
      cache.write(1, blocks[t / 16], 1, static_cast<int>(t % 16), key, value);
    }
    if (!bf16) return;
    for (auto* numbers : {&keys, &values, &queries}) {
      for (float& x : *numbers) x = bf16_to_f32(f32_to_bf16(x));
    }
  }

  /// With a bf16 cache the shares are rounded too: each by at most 2⁻⁹ of itself, and values are below one.
  double tolerance() const { return cache.shape().bf16 ? 0x1p-8 : 1e-5; }

  std::vector<float> run(const Kernels& kernels, const std::vector<int64_t>& visible, int first = 0,
                         int64_t window = 0, float cap = 0) const {
    std::vector<float> out(visible.size() * head_dim);
    AttentionJob job{.queries = static_cast<int>(visible.size()),
                     .keys = cache.keys(1, 1),
                     .block_bytes = cache.shape().layer_block_bytes(),
                     .values_offset = cache.shape().keys_bytes(),
                     .blocks = blocks.data(),
                     .head_dim = head_dim,
                     .value_width = cache.shape().value_width(),
                     .bf16 = cache.shape().bf16,
                     .score_cap = cap};
    for (size_t i = 0; i < visible.size(); ++i) {
      if (window > 0) job.first[i] = std::max<int64_t>(0, visible[i] - window);
      job.q[i] = &queries[(first + i) * head_dim];
      job.out[i] = &out[i * head_dim];
      job.visible[i] = visible[i];
    }
    kernels.attend(job);
    return out;
  }

  std::vector<double> expected(int query, int64_t visible, int64_t window = 0, double cap = 0) const {
    std::vector<double> weight(static_cast<size_t>(visible));
    const int64_t first = window > 0 ? std::max<int64_t>(0, visible - window) : 0;
    double most = -1e300;
    for (int64_t t = first; t < visible; ++t) {
      for (int d = 0; d < head_dim; ++d) {
        weight[t] += static_cast<double>(queries[query * head_dim + d]) * keys[t * head_dim + d];
      }
      if (cap > 0) weight[t] = cap * std::tanh(weight[t] / cap);
      most = std::max(most, weight[t]);
    }
    double total = 0;
    for (int64_t t = 0; t < visible; ++t) {
      total += weight[t] = t < first ? 0 : std::exp(weight[t] - most);
    }
    std::vector<double> out(static_cast<size_t>(head_dim));
    for (int64_t t = 0; t < visible; ++t) {
      for (int d = 0; d < head_dim; ++d) out[d] += weight[t] / total * values[t * head_dim + d];
    }
    return out;
  }
};

TEST_P(KernelsTest, AttentionAgreesWithDoublePrecision) {
  for (const bool bf16 : {false, true}) {
    for (const int dim : {1, 2, 7, 8, 16, 40, 64, 128, 256}) {
      const AttentionCase work(dim, 531, bf16);
      for (const int64_t longest : {1, 2, 15, 16, 17, 31, 33, 255, 256, 257, 511, 512, 513, 531}) {
        for (int count = 1; count <= kAttentionQueries; ++count) {
          std::vector<int64_t> visible;
          for (int i = 0; i < count; ++i) visible.push_back(std::max<int64_t>(1, longest - i));
          const std::vector<float> out = work.run(kernels(), visible);
          for (int i = 0; i < count; ++i) {
            const std::vector<double> expected = work.expected(i, visible[i]);
            for (int d = 0; d < dim; ++d) ASSERT_NEAR(out[i * dim + d], expected[d], work.tolerance());
          }
          if (dim != 64 && count == 3) break;  // every count once, every width a few times
        }
      }
    }
  }
}

TEST_P(KernelsTest, AttentionWithAWindowAndACapAgreesWithDoublePrecision) {
  const AttentionCase work(40, 530, false);
  for (const int64_t window : {1, 15, 16, 17, 100, 255, 256, 257, 300, 600}) {
    for (const int64_t longest : {1, 16, 17, 255, 257, 512, 513, 530}) {
      const std::vector<int64_t> visible = {longest, std::max<int64_t>(1, longest - 20), 1};
      const std::vector<float> out = work.run(kernels(), visible, 0, window, 1.5f);
      for (int i = 0; i < 3; ++i) {
        const std::vector<double> expected = work.expected(i, visible[i], window, 1.5);
        for (int d = 0; d < 40; ++d)
          ASSERT_NEAR(out[i * 40 + d], expected[d], 1e-5) << window << " " << longest;
      }
    }
  }
}

TEST_P(KernelsTest, AWindowDoesNotDependOnCompany) {
  const AttentionCase work(64, 530, true);
  const std::vector<int64_t> visible = {40, 255, 256, 257, 258, 500, 529, 530};
  const std::vector<float> together = work.run(kernels(), visible, 0, 37, 3.0f);
  for (int i = 0; i < kAttentionQueries; ++i) {
    const std::vector<float> alone = work.run(kernels(), {visible[i]}, i, 37, 3.0f);
    ASSERT_EQ(std::memcmp(alone.data(), &together[i * 64], alone.size() * sizeof(float)), 0) << i;
  }
}

TEST_P(KernelsTest, AQueryDoesNotDependOnItsCompany) {
  for (const bool bf16 : {false, true}) {
    const AttentionCase work(64, 530, bf16);
    const std::vector<int64_t> visible = {250, 255, 256, 257, 258, 500, 529, 530};
    const std::vector<float> together = work.run(kernels(), visible);
    for (int first = 0; first < kAttentionQueries; ++first) {
      for (int count = 1; first + count <= kAttentionQueries; ++count) {
        const std::vector<int64_t> some(visible.begin() + first, visible.begin() + first + count);
        const std::vector<float> out = work.run(kernels(), some, first);
        ASSERT_EQ(std::memcmp(out.data(), &together[first * 64], out.size() * sizeof(float)), 0);
      }
    }
  }
}

/// The largest difference, as a share of the largest number.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  double size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max<double>(most, std::abs(a[i] - b[i]));
    size = std::max<double>(size, std::abs(b[i]));
  }
  return most / size;
}

TEST_P(KernelsTest, ActivationsAreQuantisedToTheSameBitsByAllInstructionSets) {
  MatmulCase ours(DType::kQ8_0, 160, 70, 23, kernels());
  MatmulCase theirs(DType::kQ8_0, 160, 70, 23, kernels_scalar());
  EXPECT_EQ(ours.q, theirs.q);
  EXPECT_EQ(ours.sum, theirs.sum);
  EXPECT_EQ(ours.scale, theirs.scale);
}

TEST_P(KernelsTest, AllInstructionSetsAgree) {
  const Kernels& plain = kernels_scalar();
  for (const DType type : kTypes) {
    MatmulCase work(type, 160, 70, 23, kernels());
    EXPECT_LT(difference(work.run(kernels(), 0, 23), work.run(plain, 0, 23)), 1e-6) << dtype_name(type);
  }
  for (const bool bf16 : {false, true}) {
    const AttentionCase work(72, 530, bf16);
    const std::vector<int64_t> visible = {1, 255, 300, 512, 530};
    // Scores that differ in their last bit may round to neighbouring shares.
    const double tolerance = bf16 ? 1e-3 : 1e-5;
    EXPECT_LT(difference(work.run(kernels(), visible), work.run(plain, visible)), tolerance);
    EXPECT_LT(difference(work.run(kernels(), visible, 0, 70, 2), work.run(plain, visible, 0, 70, 2)),
              tolerance);
  }
  const std::vector<float> a = random_floats(1040, 14, 30);
  const std::vector<float> b = random_floats(1040, 15);
  std::vector<float> ours(1040);
  std::vector<float> theirs(1040);
  kernels().swiglu(a.data(), b.data(), 1040, ours.data());
  plain.swiglu(a.data(), b.data(), 1040, theirs.data());
  EXPECT_LT(difference(ours, theirs), 1e-6);
  kernels().geglu(a.data(), b.data(), 1040, ours.data());
  plain.geglu(a.data(), b.data(), 1040, theirs.data());
  EXPECT_LT(difference(ours, theirs), 1e-6);
  ours = theirs = a;
  kernels().soft_cap(ours.data(), 1037, 10.0f);
  plain.soft_cap(theirs.data(), 1037, 10.0f);
  EXPECT_LT(difference(ours, theirs), 1e-6);
  for (const int64_t count : {1, 15, 16, 17, 128, 1037}) {
    kernels().rms_norm(a.data(), b.data(), 1e-6f, count, ours.data());
    plain.rms_norm(a.data(), b.data(), 1e-6f, count, theirs.data());
    EXPECT_LT(difference(ours, theirs), 1e-6) << count;
  }
  ours = theirs = a;
  kernels().rotate(ours.data(), 1040, b.data(), b.data() + 520, 520, false, 0.7f);
  plain.rotate(theirs.data(), 1040, b.data(), b.data() + 520, 520, false, 0.7f);
  EXPECT_LT(difference(ours, theirs), 1e-6);
}

/// The scalar path has no conversion instruction, so it must be right on every pattern by arithmetic.
TEST_P(KernelsTest, ReadsEveryHalfPrecisionNumber) {
  constexpr int64_t kColumns = 0x7c00;  // all finite positive numbers, then all negative ones
  std::vector<std::byte> bytes(2 * kColumns * 2);
  for (int64_t i = 0; i < 2 * kColumns; ++i) {
    const auto bits = static_cast<uint16_t>(i < kColumns ? i : (i - kColumns) | 0x8000);
    std::memcpy(&bytes[i * 2], &bits, 2);
  }
  WeightArena arena;
  const WeightMatrix matrix = pack_into(arena, DType::kF16, bytes, 1, 2 * kColumns, DType::kF16);
  const float one = 1.0f;
  std::vector<float> out(static_cast<size_t>(matrix.panels() * kPanelColumns));
  kernels().matmul({.panels = matrix.panel(0),
                    .type = DType::kF16,
                    .panel_count = matrix.panels(),
                    .depth = 1,
                    .rows = 1,
                    .x = &one,
                    .x_stride = 1,
                    .out = out.data(),
                    .out_stride = matrix.panels() * kPanelColumns});
  for (int64_t i = 0; i < 2 * kColumns; ++i) {
    uint16_t bits;
    std::memcpy(&bits, &bytes[i * 2], 2);
    ASSERT_EQ(out[i], f16_to_f32(bits)) << bits;
  }
}

INSTANTIATE_TEST_SUITE_P(EachIsa, KernelsTest, testing::ValuesIn(kAllIsas),
                         [](const auto& info) { return std::string(isa_name(info.param)); });

}  // namespace
}  // namespace feilun::compute
