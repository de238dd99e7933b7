// Weights as the kernels read them.
#pragma once

#include "elementwise.h"
#include "run.h"

namespace ostinato::OSTINATO_LEVEL {

// Packs one panel of a matrix without heads, whose sixteen units are all there: [k][16].
template <class T>
static void pack_whole_panel(const Packing<T>& job, Index panel, T* to) {
    if (job.transposed) {
        // Row k of what is stored holds element k of every unit.
        for (Index k = 0; k < job.k_count; ++k)
            gather(to + k * PANEL, job.weights + k * job.row_stride + panel * PANEL, 0, PANEL, 1);
        return;
    }
    const T* rows = job.weights + panel * PANEL * job.row_stride;
    for (Index k = 0; k < job.k_count; ++k)
        for (Index i = 0; i < PANEL; ++i) to[k * PANEL + i] = rows[i * job.row_stride + k];
}

// Packs any panel: units that are not there, and what lies outside a unit's block, are zero.
template <class T>
static void pack_panel(const Packing<T>& job, Index panel, T* to) {
    const Index head_units = job.units / job.heads, head_k = job.k_count / job.heads;
    const Range k = k_range(job.units, job.k_count, job.heads, panel);
    for (Index i = 0; i < PANEL; ++i) {
        const Index unit = panel * PANEL + i;
        const Index head = unit / head_units;
        const Range own = unit < job.units ? Range{head * head_k, (head + 1) * head_k} : Range{0, 0};
        // Element (unit, k) of a stored matrix lies in row `unit`, or, transposed, in row k; a block-diagonal one is
        // stored without what lies outside its blocks.
        const T* from = job.transposed ? job.weights + unit % head_units : job.weights + unit * job.row_stride;
        for (Index at = k.begin; at < k.end; ++at) {
            const bool inside = at >= own.begin && at < own.end;
            const Index within = job.transposed ? at * job.row_stride : at - own.begin;
            to[(at - k.begin) * PANEL + i] = inside ? from[within] : T(0);
        }
    }
}

template <class T>
static void pack(const Packing<T>& job, Range over) {
    const Index size = panel_size(job.units, job.k_count, job.heads);
    for (Index panel = over.begin; panel < over.end; ++panel) {
        const bool whole = job.heads == 1 && (panel + 1) * PANEL <= job.units;
        (whole ? pack_whole_panel<T> : pack_panel<T>)(job, panel, job.result + panel * size);
    }
}

}  // namespace ostinato::OSTINATO_LEVEL
