// Products with weights of one byte: rows are turned into bytes, too, and multiplied in exact integers.
//
// A row a of floats becomes whole numbers q of -127 to 127 and one scale, so that a is nearly q times the scale; what
// does not depend on other rows. The sum of products of bytes is exact, so that its order, and with it the tile, cannot
// change a bit. A row that holds a value which is not finite gives not-a-number for every unit.
#pragma once

#include "product.h"
#include "run.h"

namespace ostinato::OSTINATO_LEVEL {

// Rows of bytes, `stride` from one to the next, and the scale of each. below: the sizes of a row's negative values,
// summed; taken anew for each product, of the stretch of k that it is over.
struct ByteRows {
    std::int8_t* values;
    float* scales;
    std::int32_t* below;
    Index stride;

    ByteRows from_k(Index k) const { return {values + k, scales, below, stride}; }
};

constexpr float MOST_BYTE = 127.0f;
constexpr float LEAST_SCALED = 1e-35f;  // a row of smaller values counts as zero: its inverse scale would overflow

// Turns `rows` rows of an array in panels, [chunk][rows][16] of which `a_chunk` is the distance from chunk to chunk,
// into bytes; from k_count to the next multiple of sixteen they are zero.
static void to_bytes(const float* a, Index a_chunk, Index k_count, Index rows, const ByteRows& result) {
    using V = Vec<float>;
    const Index chunks = panels(k_count);
    for (Index row = 0; row < rows; ++row) {
        const float* const from = a + row * PANEL;
        float last[PANEL];
        for (Index i = 0; i < PANEL; ++i)
            last[i] = (chunks - 1) * PANEL + i < k_count ? from[(chunks - 1) * a_chunk + i] : 0.0f;
        const auto chunk = [&](Index c) OSTINATO_LAMBDA { return c + 1 < chunks ? from + c * a_chunk : last; };
        V most = V::zero(), bad = V::zero();
        for (Index c = 0; c < chunks; ++c)
            for (Index i = 0; i < PANEL; i += V::lanes) {
                const V v = V::load(chunk(c) + i);
                most = larger_or_second(most, larger_or_second(v, V::zero() - v));
                bad = bad + (v - v);  // zero, unless v is not finite
            }
        float lanes[2][V::lanes];
        most.store(lanes[0]);
        bad.store(lanes[1]);
        float largest = 0.0f, broken = 0.0f;
        for (int i = 0; i < V::lanes; ++i) {
            largest = lanes[0][i] > largest ? lanes[0][i] : largest;
            broken += lanes[1][i];
        }
        const bool is_zero = !(largest >= LEAST_SCALED) || broken != 0.0f;  // also where broken is not a number
        result.scales[row] = is_zero ? broken : largest / MOST_BYTE;
        const V factor = V::splat(is_zero ? 0.0f : MOST_BYTE / largest);
        const V magic = V::splat(12582912.0f);  // 1.5 · 2^23: what is added to it is rounded to a whole number, to even
        std::int8_t* const to = result.values + row * result.stride;
        for (Index c = 0; c < chunks; ++c) {
            float whole[PANEL];
            for (Index i = 0; i < PANEL; i += V::lanes)
                ((V::load(chunk(c) + i) * factor + magic) - magic).store(whole + i);
            if (is_zero)
                for (Index i = 0; i < PANEL; ++i) whole[i] = 0.0f;
            for (Index i = 0; i < PANEL; ++i) to[c * PANEL + i] = static_cast<std::int8_t>(static_cast<int>(whole[i]));
        }
    }
}

// What is added to the sums of `sum_bytes`, for each row.
static void take_below(const ByteRows& a, Index k_count, Index rows) {
    for (Index row = 0; row < rows; ++row) {
        const std::int8_t* const values = a.values + row * a.stride;
        std::int32_t sum = 0;
        for (Index k = 0; k < k_count; ++k) sum += values[k] < 0 ? -values[k] : 0;
        a.below[row] = sum;
    }
}

// The sums of products of R rows of bytes with the P panels of `jobs`, all of them over k_count, as [R][P][16]; each
// row's less its `below`.
#ifdef __AVX2__
template <int R, int P>
OSTINATO_INLINE void sum_bytes(const ByteRows& a, Index row, Index k_count, const PanelJob<float>* jobs,
                               std::int32_t* result) {
    __m256i total[R][P][2];
    const std::int8_t* weights[P];
    for (int p = 0; p < P; ++p) {
        weights[p] = static_cast<const std::int8_t*>(jobs[p].weights);
        for (int r = 0; r < R; ++r) total[r][p][0] = total[r][p][1] = _mm256_setzero_si256();
    }
    const __m256i ones = _mm256_set1_epi16(1);
    const std::int8_t* const first = a.values + row * a.stride;
    for (Index k = 0; k < k_count; k += QUAD) {
        __m256i is_below[R], size[R];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            std::int32_t four;
            __builtin_memcpy(&four, first + r * a.stride + k, sizeof four);
            const __m256i left = _mm256_set1_epi32(four);
            is_below[r] = _mm256_cmpgt_epi8(_mm256_setzero_si256(), left);
            size[r] = _mm256_abs_epi8(left);
        }
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p)
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half) {
                const __m256i weight =
                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weights[p] + k * PANEL + half * 32));
#pragma GCC unroll 8
                for (int r = 0; r < R; ++r) {
                    // One factor has no sign here. Where it lost one the other, w, becomes -w - 1, which is one
                    // instruction less than -w; `below` makes up for it. No pair is beyond 2 · 127 · 128.
                    const __m256i pairs = _mm256_maddubs_epi16(size[r], _mm256_xor_si256(weight, is_below[r]));
                    total[r][p][half] = _mm256_add_epi32(total[r][p][half], _mm256_madd_epi16(pairs, ones));
                }
            }
    }
    for (int r = 0; r < R; ++r)
        for (int p = 0; p < P; ++p)
            for (int half = 0; half < 2; ++half)
                _mm256_storeu_si256(reinterpret_cast<__m256i*>(result + (r * P + p) * PANEL + half * 8),
                                    total[r][p][half]);
}
#else
template <int R, int P>
OSTINATO_INLINE void sum_bytes(const ByteRows& a, Index row, Index k_count, const PanelJob<float>* jobs,
                               std::int32_t* result) {
    for (int r = 0; r < R; ++r) {
        const std::int8_t* const left = a.values + (row + r) * a.stride;
        for (int p = 0; p < P; ++p) {
            const auto* weights = static_cast<const std::int8_t*>(jobs[p].weights);
            std::int32_t* const total = result + (r * P + p) * PANEL;
            for (Index i = 0; i < PANEL; ++i) total[i] = -a.below[row + r];
            for (Index k = 0; k < k_count; k += QUAD, weights += QUAD * PANEL)
                for (Index i = 0; i < PANEL; ++i) {
                    std::int32_t sum = 0;
                    for (Index j = 0; j < QUAD; ++j) sum += std::int32_t(left[k + j]) * weights[i * QUAD + j];
                    total[i] += sum;
                }
        }
    }
}
#endif

template <int R, int P>
static void byte_tile(const ByteRows& a, Index row, Index k_count, const PanelJob<float>* jobs) {
    using V = Vec<float>;
    std::int32_t sums[R * P * PANEL];
    sum_bytes<R, P>(a, row, k_count, jobs, sums);
    for (int r = 0; r < R; ++r) {
        const std::int32_t below = a.below[row + r];
        for (int p = 0; p < P; ++p) {
            float total[PANEL];
            for (Index i = 0; i < PANEL; ++i) total[i] = static_cast<float>(sums[(r * P + p) * PANEL + i] + below);
            const PanelJob<float>& job = jobs[p];
            const V row_scale = V::splat(a.scales[row + r]);
            for (Index i = 0; i < PANEL; i += V::lanes) {
                const V scale = V::load(job.scales + i) * row_scale;
                const V start = V::load(job.start + (row + r) * job.start_stride + i);
                fma(V::load(total + i), scale, start).store(job.result + (row + r) * PANEL + i);
            }
        }
    }
}

// result[row] = start[row] + a[row] · weights for every panel of `jobs` and each of `rows` rows. a: bytes from the
// first k on.
static void multiply_bytes(const ByteRows& a, Index k_count, const PanelJob<float>* jobs, Index job_count, Index rows) {
    take_below(a, k_count, rows);
    // Two panels of weights stay in the L1 cache while the rows pass by.
    Index j = 0;
    for (; j + 2 <= job_count; j += 2)
        for (Index row = 0; row + 2 <= rows; row += 2) byte_tile<2, 2>(a, row, k_count, jobs + j);
    for (; j < job_count; ++j)
        for (Index row = 0; row + 2 <= rows; row += 2) byte_tile<2, 1>(a, row, k_count, jobs + j);
    if (rows % 2 == 0) return;
    for (j = 0; j + 4 <= job_count; j += 4) byte_tile<1, 4>(a, rows - 1, k_count, jobs + j);
    for (; j < job_count; ++j) byte_tile<1, 1>(a, rows - 1, k_count, jobs + j);
}

}  // namespace ostinato::OSTINATO_LEVEL
