// A vector of the level's full width, and what can be done with it lane by lane.
//
// A kernel is compiled once per instruction-set level. The build names the level in OSTINATO_LEVEL, which becomes the
// namespace, and sets the compiler's flags to match:
//
//   level     registers              lanes float, double   fma(a, b, c)
//   baseline  x86-64, SSE2           4, 2                  rounds twice: there is no such instruction
//   avx2      AVX2 and FMA           8, 4                  rounds once
//   avx512    AVX-512 F, BW, DQ, VL  16, 8                 rounds once
//   neon      AArch64                4, 2                  rounds once
//
// Every function here is one or a few instructions, does the same to each lane, and never lets one lane see another,
// so on the levels that round once a lane's bits depend on neither level nor width. A not-a-number stays one; which of
// its many bit patterns comes out is not promised.
//
// No header of the C++ library whose inline code the linker could share between levels may be included here.
#pragma once

#include <cstdint>

#if defined(OSTINATO_EMULATED_AVX512)
#define OSTINATO_AVX512
#include "emulated_avx512.h"
#elif defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define OSTINATO_AVX512
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12 warns of its own header
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#elif defined(__AVX2__) && defined(__FMA__)
#define OSTINATO_AVX2
#include <immintrin.h>
#elif defined(__SSE2__)
#define OSTINATO_BASELINE
#include <emmintrin.h>
#elif defined(__aarch64__)
#define OSTINATO_NEON
#include <arm_neon.h>
#else
#error "core/vector.h knows x86-64 and AArch64; build without the core here"
#endif

#ifndef OSTINATO_LEVEL
#error "the build defines OSTINATO_LEVEL as the namespace of the level: baseline, avx2, avx512 or neon"
#endif

#undef OSTINATO_INLINE
#define OSTINATO_INLINE inline __attribute__((always_inline))
#define OSTINATO_LAMBDA __attribute__((always_inline))  // after the parameters of a lambda

namespace ostinato::OSTINATO_LEVEL {

// Vec<float> and Vec<double>: one register. Loads and stores need no alignment.
template <class T>
struct Vec;

// The upper half of a float: eight bits of exponent, seven of fraction.
struct Bfloat16 {
    std::uint16_t bits;
};

// Mask<float> and Mask<double>: a yes or no for each lane of the Vec of that type.
template <class T>
struct Mask;

#ifdef OSTINATO_BASELINE
constexpr bool FUSED = false;
#else
constexpr bool FUSED = true;  // fma, fms and fnma round once
#endif

// ---- What x86 calls by one name at every width -----------------------------------------------------------------

#ifndef OSTINATO_NEON

#define OSTINATO_VEC(T, REGISTER, PREFIX, SUFFIX)                                                  \
    template <>                                                                                    \
    struct Vec<T> {                                                                                \
        REGISTER r;                                                                                \
        static constexpr int lanes = sizeof(REGISTER) / sizeof(T);                                 \
        static OSTINATO_INLINE Vec load(const T* from) { return {PREFIX##_loadu_##SUFFIX(from)}; } \
        static OSTINATO_INLINE Vec splat(T value) { return {PREFIX##_set1_##SUFFIX(value)}; }      \
        static OSTINATO_INLINE Vec zero() { return {PREFIX##_setzero_##SUFFIX()}; }                \
        OSTINATO_INLINE void store(T* to) const { PREFIX##_storeu_##SUFFIX(to, r); }               \
    };                                                                                             \
    static OSTINATO_INLINE Vec<T> operator+(Vec<T> a, Vec<T> b) {                                  \
        return {PREFIX##_add_##SUFFIX(a.r, b.r)};                                                  \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> operator-(Vec<T> a, Vec<T> b) {                                  \
        return {PREFIX##_sub_##SUFFIX(a.r, b.r)};                                                  \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> operator*(Vec<T> a, Vec<T> b) {                                  \
        return {PREFIX##_mul_##SUFFIX(a.r, b.r)};                                                  \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> operator/(Vec<T> a, Vec<T> b) {                                  \
        return {PREFIX##_div_##SUFFIX(a.r, b.r)};                                                  \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> sqrt(Vec<T> a) {                                                 \
        return {PREFIX##_sqrt_##SUFFIX(a.r)};                                                      \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> bit_and(Vec<T> a, Vec<T> b) {                                    \
        return {PREFIX##_and_##SUFFIX(a.r, b.r)};                                                  \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> bit_and_not(Vec<T> a, Vec<T> b) {                                \
        return {PREFIX##_andnot_##SUFFIX(b.r, a.r)};                                               \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> bit_or(Vec<T> a, Vec<T> b) {                                     \
        return {PREFIX##_or_##SUFFIX(a.r, b.r)};                                                   \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> bit_xor(Vec<T> a, Vec<T> b) {                                    \
        return {PREFIX##_xor_##SUFFIX(a.r, b.r)};                                                  \
    }                                                                                              \
    /* The instruction gives its second operand where either is not a number: here, x. */          \
    static OSTINATO_INLINE Vec<T> clamp(Vec<T> x, Vec<T> low, Vec<T> high) {                       \
        return {PREFIX##_min_##SUFFIX(high.r, PREFIX##_max_##SUFFIX(low.r, x.r))};                 \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> larger_or_second(Vec<T> a, Vec<T> b) {                           \
        return {PREFIX##_max_##SUFFIX(a.r, b.r)};                                                  \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> smaller_or_second(Vec<T> a, Vec<T> b) {                          \
        return {PREFIX##_min_##SUFFIX(a.r, b.r)};                                                  \
    }

#ifdef OSTINATO_BASELINE
OSTINATO_VEC(float, __m128, _mm, ps)
OSTINATO_VEC(double, __m128d, _mm, pd)
#endif
#ifdef OSTINATO_AVX2
OSTINATO_VEC(float, __m256, _mm256, ps)
OSTINATO_VEC(double, __m256d, _mm256, pd)
#endif
#ifdef OSTINATO_AVX512
OSTINATO_VEC(float, __m512, _mm512, ps)
OSTINATO_VEC(double, __m512d, _mm512, pd)
#endif

#undef OSTINATO_VEC
#endif

// ---- Masks, and what each level does in its own way ------------------------------------------------------------

#ifdef OSTINATO_BASELINE

#define OSTINATO_MASK(T, REGISTER, SUFFIX)                                                         \
    template <>                                                                                    \
    struct Mask<T> {                                                                               \
        REGISTER r;                                                                                \
    };                                                                                             \
    static OSTINATO_INLINE Mask<T> less(Vec<T> a, Vec<T> b) {                                      \
        return {_mm_cmplt_##SUFFIX(a.r, b.r)};                                                     \
    }                                                                                              \
    static OSTINATO_INLINE Mask<T> less_equal(Vec<T> a, Vec<T> b) {                                \
        return {_mm_cmple_##SUFFIX(a.r, b.r)};                                                     \
    }                                                                                              \
    static OSTINATO_INLINE Mask<T> equal(Vec<T> a, Vec<T> b) {                                     \
        return {_mm_cmpeq_##SUFFIX(a.r, b.r)};                                                     \
    }                                                                                              \
    static OSTINATO_INLINE Mask<T> not_equal(Vec<T> a, Vec<T> b) {                                 \
        return {_mm_cmpneq_##SUFFIX(a.r, b.r)};                                                    \
    }                                                                                              \
    static OSTINATO_INLINE Mask<T> operator&(Mask<T> a, Mask<T> b) {                               \
        return {_mm_and_##SUFFIX(a.r, b.r)};                                                       \
    }                                                                                              \
    static OSTINATO_INLINE Mask<T> operator|(Mask<T> a, Mask<T> b) {                               \
        return {_mm_or_##SUFFIX(a.r, b.r)};                                                        \
    }                                                                                              \
    static OSTINATO_INLINE bool any(Mask<T> mask) {                                                \
        return _mm_movemask_##SUFFIX(mask.r) != 0;                                                 \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> as_vec(Mask<T> mask) {                                           \
        return {mask.r};                                                                           \
    }                                                                                              \
    static OSTINATO_INLINE Mask<T> as_mask(Vec<T> v) {                                             \
        return {v.r};                                                                              \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> select(Mask<T> mask, Vec<T> a, Vec<T> b) {                       \
        return {_mm_or_##SUFFIX(_mm_and_##SUFFIX(mask.r, a.r), _mm_andnot_##SUFFIX(mask.r, b.r))}; \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {                              \
        return a * b + c;                                                                          \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> fms(Vec<T> a, Vec<T> b, Vec<T> c) {                              \
        return a * b - c;                                                                          \
    }                                                                                              \
    static OSTINATO_INLINE Vec<T> fnma(Vec<T> a, Vec<T> b, Vec<T> c) {                             \
        return c - a * b;                                                                          \
    }

OSTINATO_MASK(float, __m128, ps)
OSTINATO_MASK(double, __m128d, pd)
#undef OSTINATO_MASK

static OSTINATO_INLINE Vec<float> splat_bits(std::uint32_t bits) {
    return {_mm_castsi128_ps(_mm_set1_epi32(static_cast<int>(bits)))};
}
static OSTINATO_INLINE Vec<float> add_bits(Vec<float> a, Vec<float> b) {
    return {_mm_castsi128_ps(_mm_add_epi32(_mm_castps_si128(a.r), _mm_castps_si128(b.r)))};
}
template <int count>
static OSTINATO_INLINE Vec<float> shift_left(Vec<float> a) {
    return {_mm_castsi128_ps(_mm_slli_epi32(_mm_castps_si128(a.r), count))};
}
template <int count>
static OSTINATO_INLINE Vec<float> shift_right(Vec<float> a) {
    return {_mm_castsi128_ps(_mm_srli_epi32(_mm_castps_si128(a.r), count))};
}
static OSTINATO_INLINE Vec<float> widened(const Bfloat16* from) {
    const __m128i bits = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return {_mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), bits))};
}

#endif

#ifdef OSTINATO_AVX2

#define OSTINATO_MASK(T, REGISTER, SUFFIX)                                   \
    template <>                                                              \
    struct Mask<T> {                                                         \
        REGISTER r;                                                          \
    };                                                                       \
    static OSTINATO_INLINE Mask<T> less(Vec<T> a, Vec<T> b) {                \
        return {_mm256_cmp_##SUFFIX(a.r, b.r, _CMP_LT_OQ)};                  \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> less_equal(Vec<T> a, Vec<T> b) {          \
        return {_mm256_cmp_##SUFFIX(a.r, b.r, _CMP_LE_OQ)};                  \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> equal(Vec<T> a, Vec<T> b) {               \
        return {_mm256_cmp_##SUFFIX(a.r, b.r, _CMP_EQ_OQ)};                  \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> not_equal(Vec<T> a, Vec<T> b) {           \
        return {_mm256_cmp_##SUFFIX(a.r, b.r, _CMP_NEQ_UQ)};                 \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> operator&(Mask<T> a, Mask<T> b) {         \
        return {_mm256_and_##SUFFIX(a.r, b.r)};                              \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> operator|(Mask<T> a, Mask<T> b) {         \
        return {_mm256_or_##SUFFIX(a.r, b.r)};                               \
    }                                                                        \
    static OSTINATO_INLINE bool any(Mask<T> mask) {                          \
        return _mm256_movemask_##SUFFIX(mask.r) != 0;                        \
    }                                                                        \
    static OSTINATO_INLINE Vec<T> as_vec(Mask<T> mask) {                     \
        return {mask.r};                                                     \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> as_mask(Vec<T> v) {                       \
        return {v.r};                                                        \
    }                                                                        \
    static OSTINATO_INLINE Vec<T> select(Mask<T> mask, Vec<T> a, Vec<T> b) { \
        return {_mm256_blendv_##SUFFIX(b.r, a.r, mask.r)};                   \
    }                                                                        \
    static OSTINATO_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {        \
        return {_mm256_fmadd_##SUFFIX(a.r, b.r, c.r)};                       \
    }                                                                        \
    static OSTINATO_INLINE Vec<T> fms(Vec<T> a, Vec<T> b, Vec<T> c) {        \
        return {_mm256_fmsub_##SUFFIX(a.r, b.r, c.r)};                       \
    }                                                                        \
    static OSTINATO_INLINE Vec<T> fnma(Vec<T> a, Vec<T> b, Vec<T> c) {       \
        return {_mm256_fnmadd_##SUFFIX(a.r, b.r, c.r)};                      \
    }

OSTINATO_MASK(float, __m256, ps)
OSTINATO_MASK(double, __m256d, pd)
#undef OSTINATO_MASK

static OSTINATO_INLINE Vec<float> splat_bits(std::uint32_t bits) {
    return {_mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(bits)))};
}
static OSTINATO_INLINE Vec<float> add_bits(Vec<float> a, Vec<float> b) {
    return {_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a.r), _mm256_castps_si256(b.r)))};
}
template <int count>
static OSTINATO_INLINE Vec<float> shift_left(Vec<float> a) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a.r), count))};
}
template <int count>
static OSTINATO_INLINE Vec<float> shift_right(Vec<float> a) {
    return {_mm256_castsi256_ps(_mm256_srli_epi32(_mm256_castps_si256(a.r), count))};
}
static OSTINATO_INLINE Vec<float> widened(const Bfloat16* from) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16))};
}

#endif

#ifdef OSTINATO_AVX512

#define OSTINATO_MASK(T, BITS, SUFFIX)                                       \
    template <>                                                              \
    struct Mask<T> {                                                         \
        BITS r;                                                              \
    };                                                                       \
    static OSTINATO_INLINE Mask<T> less(Vec<T> a, Vec<T> b) {                \
        return {_mm512_cmp_##SUFFIX##_mask(a.r, b.r, _CMP_LT_OQ)};           \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> less_equal(Vec<T> a, Vec<T> b) {          \
        return {_mm512_cmp_##SUFFIX##_mask(a.r, b.r, _CMP_LE_OQ)};           \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> equal(Vec<T> a, Vec<T> b) {               \
        return {_mm512_cmp_##SUFFIX##_mask(a.r, b.r, _CMP_EQ_OQ)};           \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> not_equal(Vec<T> a, Vec<T> b) {           \
        return {_mm512_cmp_##SUFFIX##_mask(a.r, b.r, _CMP_NEQ_UQ)};          \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> operator&(Mask<T> a, Mask<T> b) {         \
        return {static_cast<BITS>(a.r & b.r)};                               \
    }                                                                        \
    static OSTINATO_INLINE Mask<T> operator|(Mask<T> a, Mask<T> b) {         \
        return {static_cast<BITS>(a.r | b.r)};                               \
    }                                                                        \
    static OSTINATO_INLINE bool any(Mask<T> mask) {                          \
        return mask.r != 0;                                                  \
    }                                                                        \
    static OSTINATO_INLINE Vec<T> select(Mask<T> mask, Vec<T> a, Vec<T> b) { \
        return {_mm512_mask_blend_##SUFFIX(mask.r, b.r, a.r)};               \
    }                                                                        \
    static OSTINATO_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {        \
        return {_mm512_fmadd_##SUFFIX(a.r, b.r, c.r)};                       \
    }                                                                        \
    static OSTINATO_INLINE Vec<T> fms(Vec<T> a, Vec<T> b, Vec<T> c) {        \
        return {_mm512_fmsub_##SUFFIX(a.r, b.r, c.r)};                       \
    }                                                                        \
    static OSTINATO_INLINE Vec<T> fnma(Vec<T> a, Vec<T> b, Vec<T> c) {       \
        return {_mm512_fnmadd_##SUFFIX(a.r, b.r, c.r)};                      \
    }

OSTINATO_MASK(float, __mmask16, ps)
OSTINATO_MASK(double, __mmask8, pd)
#undef OSTINATO_MASK

static OSTINATO_INLINE Vec<float> as_vec(Mask<float> mask) {
    return {_mm512_castsi512_ps(_mm512_movm_epi32(mask.r))};
}
static OSTINATO_INLINE Vec<double> as_vec(Mask<double> mask) {
    return {_mm512_castsi512_pd(_mm512_movm_epi64(mask.r))};
}
static OSTINATO_INLINE Mask<float> as_mask(Vec<float> v) {
    return {_mm512_movepi32_mask(_mm512_castps_si512(v.r))};
}
static OSTINATO_INLINE Mask<double> as_mask(Vec<double> v) {
    return {_mm512_movepi64_mask(_mm512_castpd_si512(v.r))};
}

static OSTINATO_INLINE Vec<float> splat_bits(std::uint32_t bits) {
    return {_mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(bits)))};
}
static OSTINATO_INLINE Vec<float> add_bits(Vec<float> a, Vec<float> b) {
    return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.r), _mm512_castps_si512(b.r)))};
}
template <int count>
static OSTINATO_INLINE Vec<float> shift_left(Vec<float> a) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a.r), count))};
}
template <int count>
static OSTINATO_INLINE Vec<float> shift_right(Vec<float> a) {
    return {_mm512_castsi512_ps(_mm512_srli_epi32(_mm512_castps_si512(a.r), count))};
}
static OSTINATO_INLINE Vec<float> widened(const Bfloat16* from) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16))};
}

#endif

#ifdef OSTINATO_NEON

#define OSTINATO_VEC(T, REGISTER, SUFFIX, BITS, BITS_SUFFIX)                              \
    template <>                                                                           \
    struct Vec<T> {                                                                       \
        REGISTER r;                                                                       \
        static constexpr int lanes = sizeof(REGISTER) / sizeof(T);                        \
        static OSTINATO_INLINE Vec load(const T* from) { return {vld1q_##SUFFIX(from)}; } \
        static OSTINATO_INLINE Vec splat(T value) { return {vdupq_n_##SUFFIX(value)}; }   \
        static OSTINATO_INLINE Vec zero() { return {vdupq_n_##SUFFIX(0)}; }               \
        OSTINATO_INLINE void store(T* to) const { vst1q_##SUFFIX(to, r); }                \
    };                                                                                    \
    template <>                                                                           \
    struct Mask<T> {                                                                      \
        BITS r;                                                                           \
    };                                                                                    \
    static OSTINATO_INLINE BITS to_bits(Vec<T> a) {                                       \
        return vreinterpretq_##BITS_SUFFIX##_##SUFFIX(a.r);                               \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> of_bits(BITS bits) {                                    \
        return {vreinterpretq_##SUFFIX##_##BITS_SUFFIX(bits)};                            \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> operator+(Vec<T> a, Vec<T> b) {                         \
        return {vaddq_##SUFFIX(a.r, b.r)};                                                \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> operator-(Vec<T> a, Vec<T> b) {                         \
        return {vsubq_##SUFFIX(a.r, b.r)};                                                \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> operator*(Vec<T> a, Vec<T> b) {                         \
        return {vmulq_##SUFFIX(a.r, b.r)};                                                \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> operator/(Vec<T> a, Vec<T> b) {                         \
        return {vdivq_##SUFFIX(a.r, b.r)};                                                \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> sqrt(Vec<T> a) {                                        \
        return {vsqrtq_##SUFFIX(a.r)};                                                    \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> bit_and(Vec<T> a, Vec<T> b) {                           \
        return of_bits(vandq_##BITS_SUFFIX(to_bits(a), to_bits(b)));                      \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> bit_and_not(Vec<T> a, Vec<T> b) {                       \
        return of_bits(vbicq_##BITS_SUFFIX(to_bits(a), to_bits(b)));                      \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> bit_or(Vec<T> a, Vec<T> b) {                            \
        return of_bits(vorrq_##BITS_SUFFIX(to_bits(a), to_bits(b)));                      \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> bit_xor(Vec<T> a, Vec<T> b) {                           \
        return of_bits(veorq_##BITS_SUFFIX(to_bits(a), to_bits(b)));                      \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> clamp(Vec<T> x, Vec<T> low, Vec<T> high) {              \
        return {vminq_##SUFFIX(high.r, vmaxq_##SUFFIX(low.r, x.r))};                      \
    }                                                                                     \
    static OSTINATO_INLINE Mask<T> less(Vec<T> a, Vec<T> b) {                             \
        return {vcltq_##SUFFIX(a.r, b.r)};                                                \
    }                                                                                     \
    static OSTINATO_INLINE Mask<T> less_equal(Vec<T> a, Vec<T> b) {                       \
        return {vcleq_##SUFFIX(a.r, b.r)};                                                \
    }                                                                                     \
    static OSTINATO_INLINE Mask<T> equal(Vec<T> a, Vec<T> b) {                            \
        return {vceqq_##SUFFIX(a.r, b.r)};                                                \
    }                                                                                     \
    static OSTINATO_INLINE Mask<T> operator&(Mask<T> a, Mask<T> b) {                      \
        return {vandq_##BITS_SUFFIX(a.r, b.r)};                                           \
    }                                                                                     \
    static OSTINATO_INLINE Mask<T> operator|(Mask<T> a, Mask<T> b) {                      \
        return {vorrq_##BITS_SUFFIX(a.r, b.r)};                                           \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> as_vec(Mask<T> mask) {                                  \
        return of_bits(mask.r);                                                           \
    }                                                                                     \
    static OSTINATO_INLINE Mask<T> as_mask(Vec<T> v) {                                    \
        return {to_bits(v)};                                                              \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> select(Mask<T> mask, Vec<T> a, Vec<T> b) {              \
        return {vbslq_##SUFFIX(mask.r, a.r, b.r)};                                        \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {                     \
        return {vfmaq_##SUFFIX(c.r, a.r, b.r)};                                           \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> fms(Vec<T> a, Vec<T> b, Vec<T> c) {                     \
        return {vfmaq_##SUFFIX(vnegq_##SUFFIX(c.r), a.r, b.r)};                           \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> fnma(Vec<T> a, Vec<T> b, Vec<T> c) {                    \
        return {vfmsq_##SUFFIX(c.r, a.r, b.r)};                                           \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> larger_or_second(Vec<T> a, Vec<T> b) {                  \
        return select(less(b, a), a, b);                                                  \
    }                                                                                     \
    static OSTINATO_INLINE Vec<T> smaller_or_second(Vec<T> a, Vec<T> b) {                 \
        return select(less(a, b), a, b);                                                  \
    }

OSTINATO_VEC(float, float32x4_t, f32, uint32x4_t, u32)
OSTINATO_VEC(double, float64x2_t, f64, uint64x2_t, u64)
#undef OSTINATO_VEC

static OSTINATO_INLINE Mask<float> not_equal(Vec<float> a, Vec<float> b) {
    return {vmvnq_u32(equal(a, b).r)};
}
static OSTINATO_INLINE Mask<double> not_equal(Vec<double> a, Vec<double> b) {
    return {veorq_u64(equal(a, b).r, vdupq_n_u64(~std::uint64_t{0}))};
}
static OSTINATO_INLINE bool any(Mask<float> mask) {
    return vmaxvq_u32(mask.r) != 0;
}
static OSTINATO_INLINE bool any(Mask<double> mask) {
    return vmaxvq_u32(vreinterpretq_u32_u64(mask.r)) != 0;
}

static OSTINATO_INLINE Vec<float> splat_bits(std::uint32_t bits) {
    return of_bits(vdupq_n_u32(bits));
}
static OSTINATO_INLINE Vec<float> add_bits(Vec<float> a, Vec<float> b) {
    return of_bits(vaddq_u32(to_bits(a), to_bits(b)));
}
template <int count>
static OSTINATO_INLINE Vec<float> shift_left(Vec<float> a) {
    return of_bits(vshlq_n_u32(to_bits(a), count));
}
template <int count>
static OSTINATO_INLINE Vec<float> shift_right(Vec<float> a) {
    return of_bits(vshrq_n_u32(to_bits(a), count));
}
static OSTINATO_INLINE Vec<float> widened(const Bfloat16* from) {
    return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(&from->bits), 16))};
}

#endif

// ---- The same at every level -----------------------------------------------------------------------------------

// Of what stands above, each lane by itself:
//
//   a + b, a - b, a * b, a / b, sqrt(a)   rounded to nearest
//   fma(a, b, c)                          a * b + c
//   fms(a, b, c)                          a * b - c
//   fnma(a, b, c)                         c - a * b
//   clamp(x, low, high)                   x within the bounds; not a number where x is none
//   less, less_equal, equal, not_equal    as C: with a not-a-number only not_equal holds
//   mask & mask, mask | mask, any(mask)   any: whether one lane at least says yes
//   select(mask, a, b)                    a where the mask says yes, b elsewhere
//   as_vec(mask), as_mask(v)              a mask as lanes of all ones or all zeros, to be stored; and back
//   bit_and, bit_and_not, bit_or, bit_xor on the bit patterns; bit_and_not(a, b) keeps the bits of a that b lacks
//   widened(from)                         bfloat16s in memory as the floats that they are
//   splat_bits, add_bits, shift_left<n>, shift_right<n>  on the bit patterns of floats as unsigned 32-bit integers

template <class T>
static OSTINATO_INLINE Mask<T> greater(Vec<T> a, Vec<T> b) {
    return less(b, a);
}
template <class T>
static OSTINATO_INLINE Mask<T> greater_equal(Vec<T> a, Vec<T> b) {
    return less_equal(b, a);
}

template <class T>
static OSTINATO_INLINE Vec<T> operator-(Vec<T> a) {
    return bit_xor(a, Vec<T>::splat(T(-0.0)));
}
template <class T>
static OSTINATO_INLINE Vec<T> abs(Vec<T> a) {
    return bit_and_not(a, Vec<T>::splat(T(-0.0)));
}

// The larger and the smaller, not a number where either is none (numpy.maximum and numpy.minimum). Of two zeros the
// second.
template <class T>
static OSTINATO_INLINE Vec<T> max(Vec<T> a, Vec<T> b) {
    return select(not_equal(a, a), a, larger_or_second(a, b));
}
template <class T>
static OSTINATO_INLINE Vec<T> min(Vec<T> a, Vec<T> b) {
    return select(not_equal(a, a), a, smaller_or_second(a, b));
}

}  // namespace ostinato::OSTINATO_LEVEL
