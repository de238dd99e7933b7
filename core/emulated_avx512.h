// The AVX-512 of vector.h made of pairs of AVX2's registers, so that its level can be tested where there is none
// (OSTINATO_EMULATE_AVX512). The names are those of the intrinsics, which they hide in the namespace of the level.
#pragma once

#include <immintrin.h>

#define OSTINATO_INLINE inline __attribute__((always_inline))

namespace ostinato::OSTINATO_LEVEL {

struct __m512 {
    __m256 low, high;
};
struct __m512d {
    __m256d low, high;
};
struct __m512i {
    __m256i low, high;
};

#define OSTINATO_ONE(REGISTER, name)                            \
    static OSTINATO_INLINE REGISTER _mm512_##name(REGISTER a) { \
        return {_mm256_##name(a.low), _mm256_##name(a.high)};   \
    }
#define OSTINATO_TWO(REGISTER, name)                                         \
    static OSTINATO_INLINE REGISTER _mm512_##name(REGISTER a, REGISTER b) {  \
        return {_mm256_##name(a.low, b.low), _mm256_##name(a.high, b.high)}; \
    }
#define OSTINATO_THREE(REGISTER, name)                                                      \
    static OSTINATO_INLINE REGISTER _mm512_##name(REGISTER a, REGISTER b, REGISTER c) {     \
        return {_mm256_##name(a.low, b.low, c.low), _mm256_##name(a.high, b.high, c.high)}; \
    }
#define OSTINATO_CAST(TO, FROM, name)                                   \
    static OSTINATO_INLINE TO _mm512_##name##512(FROM a) {              \
        return {_mm256_##name##256(a.low), _mm256_##name##256(a.high)}; \
    }

#define OSTINATO_FLOATS(T, REGISTER, HALF, MASK, suffix)                                            \
    static OSTINATO_INLINE REGISTER _mm512_loadu_##suffix(const T* from) {                          \
        return {_mm256_loadu_##suffix(from), _mm256_loadu_##suffix(from + HALF)};                   \
    }                                                                                               \
    static OSTINATO_INLINE void _mm512_storeu_##suffix(T* to, REGISTER a) {                         \
        _mm256_storeu_##suffix(to, a.low);                                                          \
        _mm256_storeu_##suffix(to + HALF, a.high);                                                  \
    }                                                                                               \
    static OSTINATO_INLINE REGISTER _mm512_set1_##suffix(T value) {                                 \
        return {_mm256_set1_##suffix(value), _mm256_set1_##suffix(value)};                          \
    }                                                                                               \
    static OSTINATO_INLINE REGISTER _mm512_setzero_##suffix() {                                     \
        return {_mm256_setzero_##suffix(), _mm256_setzero_##suffix()};                              \
    }                                                                                               \
    static OSTINATO_INLINE MASK _mm512_cmp_##suffix##_mask(REGISTER a, REGISTER b, const int how) { \
        const int low = _mm256_movemask_##suffix(_mm256_cmp_##suffix(a.low, b.low, how));           \
        const int high = _mm256_movemask_##suffix(_mm256_cmp_##suffix(a.high, b.high, how));        \
        return static_cast<MASK>(low | high << HALF);                                               \
    }                                                                                               \
    OSTINATO_ONE(REGISTER, sqrt_##suffix)                                                           \
    OSTINATO_TWO(REGISTER, add_##suffix)                                                            \
    OSTINATO_TWO(REGISTER, sub_##suffix)                                                            \
    OSTINATO_TWO(REGISTER, mul_##suffix)                                                            \
    OSTINATO_TWO(REGISTER, div_##suffix)                                                            \
    OSTINATO_TWO(REGISTER, and_##suffix)                                                            \
    OSTINATO_TWO(REGISTER, andnot_##suffix)                                                         \
    OSTINATO_TWO(REGISTER, or_##suffix)                                                             \
    OSTINATO_TWO(REGISTER, xor_##suffix)                                                            \
    OSTINATO_TWO(REGISTER, min_##suffix)                                                            \
    OSTINATO_TWO(REGISTER, max_##suffix)                                                            \
    OSTINATO_THREE(REGISTER, fmadd_##suffix)                                                        \
    OSTINATO_THREE(REGISTER, fmsub_##suffix)                                                        \
    OSTINATO_THREE(REGISTER, fnmadd_##suffix)
OSTINATO_FLOATS(float, __m512, 8, __mmask16, ps)
OSTINATO_FLOATS(double, __m512d, 4, __mmask8, pd)

OSTINATO_CAST(__m512i, __m512, castps_si)
OSTINATO_CAST(__m512i, __m512d, castpd_si)
static OSTINATO_INLINE __m512 _mm512_castsi512_ps(__m512i a) {
    return {_mm256_castsi256_ps(a.low), _mm256_castsi256_ps(a.high)};
}
static OSTINATO_INLINE __m512d _mm512_castsi512_pd(__m512i a) {
    return {_mm256_castsi256_pd(a.low), _mm256_castsi256_pd(a.high)};
}

OSTINATO_TWO(__m512i, add_epi32)
static OSTINATO_INLINE __m512i _mm512_set1_epi32(int value) {
    return {_mm256_set1_epi32(value), _mm256_set1_epi32(value)};
}
static OSTINATO_INLINE __m512i _mm512_cvtepu16_epi32(__m256i a) {
    return {_mm256_cvtepu16_epi32(_mm256_castsi256_si128(a)), _mm256_cvtepu16_epi32(_mm256_extracti128_si256(a, 1))};
}
static OSTINATO_INLINE __m512i _mm512_slli_epi32(__m512i a, const int count) {
    return {_mm256_slli_epi32(a.low, count), _mm256_slli_epi32(a.high, count)};
}
static OSTINATO_INLINE __m512i _mm512_srli_epi32(__m512i a, const int count) {
    return {_mm256_srli_epi32(a.low, count), _mm256_srli_epi32(a.high, count)};
}

// A lane of all ones for each bit that is set, and back.
static OSTINATO_INLINE __m256i lanes_of_32(int mask) {
    const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(mask), bits), bits);
}
static OSTINATO_INLINE __m256i lanes_of_64(int mask) {
    const __m256i bits = _mm256_setr_epi64x(1, 2, 4, 8);
    return _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(mask), bits), bits);
}
static OSTINATO_INLINE __m512i _mm512_movm_epi32(__mmask16 mask) {
    return {lanes_of_32(mask), lanes_of_32(mask >> 8)};
}
static OSTINATO_INLINE __m512i _mm512_movm_epi64(__mmask8 mask) {
    return {lanes_of_64(mask), lanes_of_64(mask >> 4)};
}
static OSTINATO_INLINE __mmask16 _mm512_movepi32_mask(__m512i a) {
    const __m512 lanes = _mm512_castsi512_ps(a);
    return static_cast<__mmask16>(_mm256_movemask_ps(lanes.low) | _mm256_movemask_ps(lanes.high) << 8);
}
static OSTINATO_INLINE __mmask8 _mm512_movepi64_mask(__m512i a) {
    const __m512d lanes = _mm512_castsi512_pd(a);
    return static_cast<__mmask8>(_mm256_movemask_pd(lanes.low) | _mm256_movemask_pd(lanes.high) << 4);
}

// b where a bit is set, a elsewhere.
static OSTINATO_INLINE __m512 _mm512_mask_blend_ps(__mmask16 mask, __m512 a, __m512 b) {
    const __m512 lanes = _mm512_castsi512_ps(_mm512_movm_epi32(mask));
    return {_mm256_blendv_ps(a.low, b.low, lanes.low), _mm256_blendv_ps(a.high, b.high, lanes.high)};
}
static OSTINATO_INLINE __m512d _mm512_mask_blend_pd(__mmask8 mask, __m512d a, __m512d b) {
    const __m512d lanes = _mm512_castsi512_pd(_mm512_movm_epi64(mask));
    return {_mm256_blendv_pd(a.low, b.low, lanes.low), _mm256_blendv_pd(a.high, b.high, lanes.high)};
}

#undef OSTINATO_ONE
#undef OSTINATO_TWO
#undef OSTINATO_THREE
#undef OSTINATO_CAST
#undef OSTINATO_FLOATS

}  // namespace ostinato::OSTINATO_LEVEL
