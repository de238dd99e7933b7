// Matrix products: one micro-kernel, and the loop over tiles.
//
// Every element of a result is summed by one accumulator, in the order of k, by fused multiply-adds (where the level
// has them), whatever the tile it falls into: neither the number of rows nor that of threads can change a bit.
#pragma once

#include "shapes.h"
#include "vector.h"

namespace ostinato::OSTINATO_LEVEL {

#if defined(OSTINATO_AVX512) || defined(OSTINATO_NEON)
constexpr int REGISTERS = 32;
#else
constexpr int REGISTERS = 16;
#endif

// A stretch of the units of a result: the panel of weights [k][16] it is a product with, where it starts from and where
// it goes. `start` moves by `start_stride` a row: 16 for an array in panels, 0 for a bias.
template <class T>
struct PanelJob {
    const void* weights;
    const T* start;
    Index start_stride;
    T* result;
    const T* scales;  // of the units, where the weights are bytes; else null
};

template <class T>
struct Tiles {
    static constexpr int vectors = PANEL / Vec<T>::lanes;  // that make a panel
    static constexpr int accumulators = REGISTERS == 32 ? 24 : 12;
    static constexpr int most_rows = accumulators / vectors > 8 ? 8 : accumulators / vectors;
    static constexpr int most_panels = 6;
    static constexpr int panels_for(int rows) {
        return accumulators / (vectors * rows) < 1             ? 1
               : accumulators / (vectors * rows) > most_panels ? most_panels
                                                               : accumulators / (vectors * rows);
    }
};

// How the left operand lies: rows by k within chunks of 16 (a state against weights), or k by rows (a gradient
// against what it is to be multiplied with, summed over the rows of a batch).
enum class Left { rows_by_k, k_by_rows };
enum class Sum { onwards, apart };  // go on from `start` in the accumulator, or add the finished sum to it

template <class T>
OSTINATO_INLINE Vec<T> weights_at(const T* from) {
    return Vec<T>::load(from);
}
template <class T>
OSTINATO_INLINE Vec<T> weights_at(const Bfloat16* from) {
    return widened(from);
}

// W: what a weight is stored as.
template <class T, class W, int R, int P, Left left, Sum sum>
OSTINATO_INLINE void tile(Index k_count, const T* a, Index a_chunk, const PanelJob<T>* jobs, Index first_k, Index row) {
    using V = Vec<T>;
    constexpr int vectors = Tiles<T>::vectors;
    V total[R][P][vectors];
    const W* b[P];
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
        b[p] = static_cast<const W*>(jobs[p].weights) + first_k * PANEL;
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
            for (int v = 0; v < vectors; ++v)
                total[r][p][v] = sum == Sum::apart
                                     ? V::zero()
                                     : V::load(jobs[p].start + (row + r) * jobs[p].start_stride + v * V::lanes);
    }
    constexpr Index a_row = left == Left::rows_by_k ? PANEL : 1;
    constexpr Index a_k = left == Left::rows_by_k ? 1 : PANEL;
    auto add = [&](const T* at, Index k) OSTINATO_LAMBDA {
        // The fewer of rows and vectors are held; each of the others is loaded once.
        if constexpr (R <= P * vectors) {
            V held[R];
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) held[r] = V::splat(at[r * a_row]);
#pragma GCC unroll 8
            for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
                for (int v = 0; v < vectors; ++v) {
                    const V weight = weights_at<T>(b[p] + k * PANEL + v * V::lanes);
#pragma GCC unroll 8
                    for (int r = 0; r < R; ++r) total[r][p][v] = fma(held[r], weight, total[r][p][v]);
                }
        } else {
            V held[P][vectors];
#pragma GCC unroll 8
            for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
                for (int v = 0; v < vectors; ++v) held[p][v] = weights_at<T>(b[p] + k * PANEL + v * V::lanes);
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r) {
                const V left_value = V::splat(at[r * a_row]);
#pragma GCC unroll 8
                for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
                    for (int v = 0; v < vectors; ++v) total[r][p][v] = fma(left_value, held[p][v], total[r][p][v]);
            }
        }
    };
    Index k = 0;
    if (left == Left::rows_by_k) {
        for (; k + PANEL <= k_count; k += PANEL, a += a_chunk)
#pragma GCC unroll 4
            for (int i = 0; i < PANEL; ++i) add(a + i * a_k, k + i);
        for (Index i = 0; k + i < k_count; ++i) add(a + i * a_k, k + i);
    } else {
#pragma GCC unroll 4
        for (; k < k_count; ++k) add(a + k * a_k, k);
    }
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
            for (int v = 0; v < vectors; ++v) {
                T* c = jobs[p].result + (row + r) * PANEL + v * V::lanes;
                (sum == Sum::apart ? V::load(c) + total[r][p][v] : total[r][p][v]).store(c);
            }
}

template <class T>
using TileFunction = void (*)(Index, const T*, Index, const PanelJob<T>*, Index, Index);

template <class T, class W, int R, int P, Left left, Sum sum>
static void tile_function(Index k_count, const T* a, Index a_chunk, const PanelJob<T>* jobs, Index first_k, Index row) {
    tile<T, W, R, P, left, sum>(k_count, a, a_chunk, jobs, first_k, row);
}

// The tile function for R rows and P panels, for every R and P that fit into the registers.
template <class T, class W, Left left, Sum sum>
struct TileTable {
    TileFunction<T> at[Tiles<T>::most_rows + 1][Tiles<T>::most_panels + 1];
    template <int R, int P>
    constexpr void fill() {
        if constexpr (P <= Tiles<T>::panels_for(R)) {
            at[R][P] = tile_function<T, W, R, P, left, sum>;
            fill<R, P + 1>();
        } else if constexpr (R < Tiles<T>::most_rows) {
            fill<R + 1, 1>();
        }
    }
    constexpr TileTable() : at{} { fill<1, 1>(); }
};

constexpr Index K_BLOCK = 256;  // a panel of weights this deep stays in the L1 cache while the rows pass by

// result[row] = start[row] + a[row] · weights for every panel of `jobs` and each of `rows` rows. a: [chunk][rows][16],
// of which `a_chunk` is the distance from chunk to chunk; with Left::k_by_rows [k][16].
template <class T, Left left = Left::rows_by_k, Sum sum = Sum::onwards, class W = T>
static void multiply(const T* a, Index a_chunk, Index k_count, const PanelJob<T>* jobs, Index job_count, Index rows) {
    static constexpr TileTable<T, W, left, sum> table;
    if (rows <= 0) return;
    // Blocks of rows of nearly equal size: small ones use the registers badly.
    constexpr Index most = Tiles<T>::most_rows;
    const Index blocks = (rows + most - 1) / most;
    const Index size = rows / blocks, larger = rows % blocks;
    const Index together = Tiles<T>::panels_for(static_cast<int>(size + (larger > 0)));
    for (Index j = 0; j < job_count; j += together) {
        const Index p = job_count - j < together ? job_count - j : together;
        PanelJob<T> now[Tiles<T>::most_panels];
        for (Index i = 0; i < p; ++i) now[i] = jobs[j + i];
        Index k = 0;
        do {
            const Index depth = k_count - k < K_BLOCK ? k_count - k : K_BLOCK;
            const T* from = left == Left::rows_by_k ? a + (k / PANEL) * a_chunk : a + k * PANEL;
            Index row = 0;
            for (Index block = 0; block < blocks; ++block) {
                const Index count = size + (block < larger);
                table.at[count][p](depth, from + row * (left == Left::rows_by_k ? PANEL : 1), a_chunk, now, k, row);
                row += count;
            }
            for (Index i = 0; i < p; ++i) {
                now[i].start = now[i].result;
                now[i].start_stride = PANEL;
            }
            k += depth;
        } while (k < k_count);
    }
}

}  // namespace ostinato::OSTINATO_LEVEL
