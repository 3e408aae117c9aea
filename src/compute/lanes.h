#pragma once

// Compiled once per instruction set, each time into a namespace of its own (FEILUN_ISA_NAMESPACE), so that no
// function compiled for a newer machine is ever called on an older one.

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#ifndef FEILUN_ISA_NAMESPACE
#define FEILUN_ISA_NAMESPACE scalar
#endif
#define FEILUN_INLINE __attribute__((always_inline)) inline

#pragma clang diagnostic ignored "-Wpsabi"

/// Sixteen lanes are the unit of all vector code. The compiler makes one register of them with AVX-512, two
/// with AVX2, four with SSE2; the arithmetic of a lane is the same. What no compiler finds by itself, the dot
/// product of bytes, is written per instruction set below.
namespace feilun::compute::FEILUN_ISA_NAMESPACE {
namespace {

typedef float F32x4 __attribute__((vector_size(16)));
typedef float F32x16 __attribute__((vector_size(64)));
typedef int32_t I32x16 __attribute__((vector_size(64)));
typedef uint32_t U32x16 __attribute__((vector_size(64)));
typedef uint16_t U16x16 __attribute__((vector_size(32)));
typedef int8_t I8x16 __attribute__((vector_size(16)));
typedef uint8_t U8x64 __attribute__((vector_size(64)));

FEILUN_INLINE F32x16 splat(float x) {
  return F32x16{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}
FEILUN_INLINE I32x16 splat(int32_t x) {
  return I32x16{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

template <typename Vector>
FEILUN_INLINE Vector load(const void* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
template <typename Vector>
FEILUN_INLINE void store(void* to, Vector v) {
  std::memcpy(to, &v, sizeof v);
}
/// The first `count` < 16 lanes from memory, the rest zero.
FEILUN_INLINE F32x16 load_part(const float* from, int64_t count) {
  F32x16 v = {};
  std::memcpy(&v, from, static_cast<size_t>(count) * sizeof(float));
  return v;
}

FEILUN_INLINE F32x16 larger(F32x16 a, F32x16 b) {
  return a > b ? a : b;
}
FEILUN_INLINE F32x16 magnitude(F32x16 x) {
  return (F32x16)((U32x16)x & (U32x16)splat(0x7fffffff));
}

/// (((l₀+l₈)+(l₄+l₁₂))+…): always this tree.
FEILUN_INLINE float sum_of_lanes(F32x16 v) {
  v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  v += __builtin_shufflevector(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
  return v[0] + v[1];
}
FEILUN_INLINE float largest_lane(F32x16 v) {
  v = larger(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
  v = larger(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));
  v = larger(v, __builtin_shufflevector(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3));
  return v[0] > v[1] ? v[0] : v[1];
}
FEILUN_INLINE int32_t sum_of_lanes(I32x16 v) {
  v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
  v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  v += __builtin_shufflevector(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
  return v[0] + v[1];
}

/// 1.5·2²³: a float of this size has no bits after the point, so adding it rounds to nearest even, and the
/// integer stands in the low bits of the sum.
constexpr float kRounder = 12582912.0f;
constexpr int32_t kRounderBits = 0x4b400000;

/// eˣ within 2 ulp for −87 ≤ x ≤ 88; beyond, the value at the border. 2ⁿ·eʳ with |r| ≤ ln 2 / 2, eʳ by
/// 1 + r + r²·p(r), of all p of degree four the one with the least relative error, 3·10⁻⁹.
FEILUN_INLINE F32x16 exponential(F32x16 x) {
  x = x > splat(-87.0f) ? x : splat(-87.0f);
  x = x < splat(88.0f) ? x : splat(88.0f);
  const F32x16 shifted = x * splat(1.44269504088896341f) + splat(kRounder);
  const F32x16 n = shifted - splat(kRounder);
  const F32x16 r = (x - n * splat(0.693359375f)) - n * splat(-2.12194440e-4f);
  F32x16 p = splat(1.381456037e-3f);
  p = p * r + splat(8.368735202e-3f);
  p = p * r + splat(4.166838899e-2f);
  p = p * r + splat(1.666652113e-1f);
  p = p * r + splat(4.999999404e-1f);
  p = p * r + splat(1.0f);
  p = p * r + splat(1.0f);
  return (F32x16)((U32x16)p + ((U32x16)shifted << 23));  // of the rounder no bit remains
}

/// tanh x within 3 ulp: 1 − 2 / (e²ˣ + 1), and near zero, where that cancels, the polynomial of the Cephes
/// library.
FEILUN_INLINE F32x16 hyperbolic_tangent(F32x16 x) {
  const F32x16 far = splat(1.0f) - splat(2.0f) / (exponential(x + x) + splat(1.0f));
  const F32x16 square = x * x;
  F32x16 p = splat(-5.70498872745e-3f);
  p = p * square + splat(2.06390887954e-2f);
  p = p * square + splat(-5.37397155531e-2f);
  p = p * square + splat(1.33314422036e-1f);
  p = p * square + splat(-3.33332819422e-1f);
  return magnitude(x) < splat(0.625f) ? p * square * x + x : far;
}

struct Half {
  uint16_t bits;
};
struct Brain {
  uint16_t bits;
};

FEILUN_INLINE F32x16 floats_of(U16x16 brains) {
  return (F32x16)(__builtin_convertvector(brains, U32x16) << 16);
}

FEILUN_INLINE F32x16 load_floats(const float* from) {
  return load<F32x16>(from);
}
FEILUN_INLINE F32x16 load_floats(const Brain* from) {
  return floats_of(load<U16x16>(from));
}
FEILUN_INLINE F32x16 load_floats(const Half* from) {
#if defined(__AVX512F__)
  return (F32x16)_mm512_cvtph_ps(load<__m256i>(from));
#elif defined(__F16C__)
  const __m256 low = _mm256_cvtph_ps(load<__m128i>(from));
  const __m256 high = _mm256_cvtph_ps(load<__m128i>(from + 8));
  F32x16 both;
  std::memcpy(&both, &low, 32);
  std::memcpy(reinterpret_cast<char*>(&both) + 32, &high, 32);
  return both;
#else
  // Exponent and fraction in the place a float has them are the value times 2⁻¹¹², subnormals included.
  const U32x16 wide = __builtin_convertvector(load<U16x16>(from), U32x16);
  const U32x16 rest = (wide & (U32x16)splat(0x7fff)) << 13;
  const F32x16 scaled = (F32x16)rest * splat(0x1p112f);
  const U32x16 special = (U32x16)(rest >= (U32x16)splat(0x7c00 << 13)) & (U32x16)splat(0x7f800000);
  return (F32x16)((U32x16)scaled | special | (wide & (U32x16)splat(0x8000)) << 16);
#endif
}

/// Rounded to nearest even. Not for numbers that are none; subnormal ones may become zero.
FEILUN_INLINE U16x16 bf16_of(F32x16 x) {
#if defined(__AVX512BF16__)
  return (U16x16)_mm512_cvtneps_pbh((__m512)x);
#else
  const U32x16 bits = (U32x16)x;
  const U32x16 odd = (bits >> 16) & (U32x16)splat(1);
  return __builtin_convertvector((bits + odd + (U32x16)splat(0x7fff)) >> 16, U16x16);
#endif
}

/// sum[i] + a[i]·b[i], a lane being two bf16 that are multiplied and added.
FEILUN_INLINE F32x16 pair_dot(F32x16 sum, U32x16 a, U32x16 b) {
#if defined(__AVX512BF16__)
  return (F32x16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  const U32x16 high = (U32x16)splat(static_cast<int32_t>(0xffff0000));
  sum += (F32x16)(a & high) * (F32x16)(b & high);
  return sum + (F32x16)(a << 16) * (F32x16)(b << 16);
#endif
}

// ByteDot: acc[i] += Σⱼ w[4i+j]·x[j], j = 0…3. Weight bytes are unsigned codes. Where they are signed numbers
// plus 128 (Q8_0), an accumulator that starts at −128·Σx takes that out again; only AVX2's pairs of products
// in 16 bits would saturate, so there the offset is removed from the weights and their sign moved to the
// activations.
#if defined(__AVX512VNNI__)
constexpr int kTileRows = 6;
constexpr int kTileVectors = 2;
constexpr int kAttentionSums = 16;
constexpr bool kOffsetInSum8 = true;
constexpr bool kTileFillsRegisters = true;
struct ByteWeights {
  __m512i bytes;
};
template <bool kSigned>
FEILUN_INLINE ByteWeights prepare(U8x64 w) {
  return {(__m512i)w};
}
template <bool kSigned>
FEILUN_INLINE I32x16 byte_dot(I32x16 acc, const ByteWeights& w, int32_t four) {
  return (I32x16)_mm512_dpbusd_epi32((__m512i)acc, w.bytes, _mm512_set1_epi32(four));
}
#elif defined(__AVX2__)
constexpr int kTileRows = 4;
constexpr int kTileVectors = 1;
constexpr int kAttentionSums = 8;
constexpr bool kTileFillsRegisters = false;

/// sums[i] = dot(sums[i], i) for both halves of an accumulator.
template <typename Dot>
FEILUN_INLINE I32x16 dot_halves(I32x16 acc, Dot&& dot) {
  __m256i sums[2];
  std::memcpy(&sums, &acc, 64);
  for (int i = 0; i < 2; ++i) sums[i] = dot(sums[i], i);
  std::memcpy(&acc, &sums, 64);
  return acc;
}

#if defined(__AVXVNNI__)
constexpr bool kOffsetInSum8 = true;
struct ByteWeights {
  __m256i bytes[2];
};
template <bool kSigned>
FEILUN_INLINE ByteWeights prepare(U8x64 w) {
  ByteWeights out;
  std::memcpy(&out, &w, 64);
  return out;
}
template <bool kSigned>
FEILUN_INLINE I32x16 byte_dot(I32x16 acc, const ByteWeights& w, int32_t four) {
  const __m256i x = _mm256_set1_epi32(four);
  return dot_halves(acc, [&](__m256i sum, int i) __attribute__((always_inline)) {
    return _mm256_dpbusd_avx_epi32(sum, w.bytes[i], x);
  });
}
#else
constexpr bool kOffsetInSum8 = false;
struct ByteWeights {
  __m256i magnitude[2];
  __m256i sign[2];
};
template <bool kSigned>
FEILUN_INLINE ByteWeights prepare(U8x64 w) {
  ByteWeights out;
  std::memcpy(&out.magnitude, &w, 64);
  for (int i = 0; i < 2; ++i) {
    out.sign[i] =
        kSigned ? _mm256_xor_si256(out.magnitude[i], _mm256_set1_epi8(-128)) : _mm256_setzero_si256();
    if (kSigned) out.magnitude[i] = _mm256_abs_epi8(out.sign[i]);
  }
  return out;
}
template <bool kSigned>
FEILUN_INLINE I32x16 byte_dot(I32x16 acc, const ByteWeights& w, int32_t four) {
  const __m256i x = _mm256_set1_epi32(four);
  return dot_halves(acc, [&](__m256i sum, int i) __attribute__((always_inline)) {
    const __m256i turned = kSigned ? _mm256_sign_epi8(x, w.sign[i]) : x;
    const __m256i pairs = _mm256_maddubs_epi16(w.magnitude[i], turned);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  });
}
#endif
#else
constexpr int kTileRows = 2;
constexpr int kTileVectors = 1;
constexpr int kAttentionSums = 8;
constexpr bool kOffsetInSum8 = true;
constexpr bool kTileFillsRegisters = false;
struct ByteWeights {
  I32x16 byte[4];
};
template <bool kSigned>
FEILUN_INLINE ByteWeights prepare(U8x64 w) {
  const U32x16 fours = (U32x16)w;
  const U32x16 low = (U32x16)splat(255);
  return {{(I32x16)(fours & low), (I32x16)(fours >> 8 & low), (I32x16)(fours >> 16 & low),
           (I32x16)(fours >> 24)}};
}
template <bool kSigned>
FEILUN_INLINE I32x16 byte_dot(I32x16 acc, const ByteWeights& w, int32_t four) {
  for (int j = 0; j < 4; ++j)
    acc += w.byte[j] * splat(static_cast<int32_t>(static_cast<int8_t>(four >> 8 * j)));
  return acc;
}
#endif

}  // namespace
}  // namespace feilun::compute::FEILUN_ISA_NAMESPACE
