// Weights as the kernels read them.
#pragma once

#include "elementwise.h"
#include "run.h"

namespace ostinato::OSTINATO_LEVEL {

// Where element (k, unit) of a panel lies.
template <class W>
static constexpr Index place_in_panel(Index k, Index unit) {
    return sizeof(W) == 1 ? k / QUAD * QUAD * PANEL + unit * QUAD + k % QUAD : k * PANEL + unit;
}

// Packs one panel of a matrix without heads, whose sixteen units are all there.
template <class W>
static void pack_whole_panel(const Packing& job, const W* weights, Index panel, W* to) {
    if (job.transposed) {
        // Row k of what is stored holds element k of every unit.
        for (Index k = 0; k < job.k_count; ++k)
            for (Index i = 0; i < PANEL; ++i)
                to[place_in_panel<W>(k, i)] = weights[k * job.row_stride + panel * PANEL + i];
        return;
    }
    const W* rows = weights + panel * PANEL * job.row_stride;
    for (Index k = 0; k < job.k_count; ++k)
        for (Index i = 0; i < PANEL; ++i) to[place_in_panel<W>(k, i)] = rows[i * job.row_stride + k];
}

// Packs any panel: units that are not there, and what lies outside a unit's block, are zero.
template <class W>
static void pack_panel(const Packing& job, const W* weights, Index panel, W* to) {
    const Index head_units = job.units / job.heads, head_k = job.k_count / job.heads;
    const Range k = k_range(job.units, job.k_count, job.heads, panel);
    for (Index i = 0; i < PANEL; ++i) {
        const Index unit = panel * PANEL + i;
        const Index head = unit / head_units;
        const Range own = unit < job.units ? Range{head * head_k, (head + 1) * head_k} : Range{0, 0};
        // Element (unit, k) of a stored matrix lies in row `unit`, or, transposed, in row k; a block-diagonal one is
        // stored without what lies outside its blocks.
        const W* from = job.transposed ? weights + unit % head_units : weights + unit * job.row_stride;
        for (Index at = k.begin; at < k.end; ++at) {
            const bool inside = at >= own.begin && at < own.end;
            const Index within = job.transposed ? at * job.row_stride : at - own.begin;
            to[place_in_panel<W>(at - k.begin, i)] = inside ? from[within] : W{};
        }
    }
}

template <class W>
static void pack_panels(const Packing& job, Index bytes, Range over) {
    const W* const weights = static_cast<const W*>(job.weights);
    for (Index panel = over.begin; panel < over.end; ++panel) {
        W* const to = reinterpret_cast<W*>(static_cast<char*>(job.result) + panel * bytes);
        if (sizeof(W) == 1)  // k is padded
            for (Index i = 0; i < bytes; ++i) to[i] = W{};
        const bool whole = job.heads == 1 && (panel + 1) * PANEL <= job.units;
        (whole ? pack_whole_panel<W> : pack_panel<W>)(job, weights, panel, to);
    }
}

template <class T>
static void pack(const Packing& job, Range over) {
    const Index bytes = panel_bytes(job.units, job.k_count, job.heads, job.stored, sizeof(T));
    if (job.stored == Stored::int8)
        pack_panels<std::int8_t>(job, bytes, over);
    else if (job.stored == Stored::bfloat16)
        pack_panels<Bfloat16>(job, bytes, over);
    else
        pack_panels<T>(job, bytes, over);
}

}  // namespace ostinato::OSTINATO_LEVEL
