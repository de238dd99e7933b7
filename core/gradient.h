// What back-propagation takes after its loop over time, as products over all rows.
#pragma once

#include "product.h"
#include "run.h"
#include "sequence.h"

namespace ostinato::OSTINATO_LEVEL {

// Rows of input gradients that are taken together: enough to use a panel of weights well, few enough for the cache.
constexpr Index GRADIENT_ROWS = 48;

template <class T>
static void input_gradient(const InputGradient<T>& job, Range over) {
    const Index width = padded(job.input_size);
    Carver sizes(nullptr);
    sizes.take<T>(GRADIENT_ROWS * width);
    sizes.take<PanelJob<T>>(panels(width));
    Carver carver(scratch(sizes.used()));
    T* result = carver.take<T>(GRADIENT_ROWS * width);
    PanelJob<T>* jobs = carver.take<PanelJob<T>>(panels(width));
    static const T zeros[PANEL] = {};
    for (Index first = over.begin; first < over.end; first += GRADIENT_ROWS) {
        const Index rows = over.end - first < GRADIENT_ROWS ? over.end - first : GRADIENT_ROWS;
        for (Index p = 0; p < panels(width); ++p) {
            T* to = result + p * GRADIENT_ROWS * PANEL;
            if (job.raw)
                gather(to, job.raw + (p * job.rows + first) * PANEL, 0, rows * PANEL, 1);
            else if (job.gate_count == 0)
                for (Index i = 0; i < rows * PANEL; ++i) to[i] = 0;
        }
        for (Index gate = 0; gate < job.gate_count; ++gate) {
            const Matrix<T>& matrix = job.matrices[gate];
            const bool fresh = gate == 0 && !job.raw;
            for (Index p = 0; p < panels(width); ++p) {
                T* to = result + p * GRADIENT_ROWS * PANEL;
                jobs[p] = {matrix.panel(p), fresh ? zeros : to, fresh ? 0 : PANEL, to};
            }
            multiply<T>(job.gradients[gate] + first * PANEL, job.rows * PANEL, matrix.k_count, jobs, panels(width),
                        rows);
        }
        for (Index row = 0; row < rows; ++row) {
            const Index at = job.sources ? job.sources[first + row] : first + row;
            for (Index p = 0; p < panels(width); ++p) {
                const T* from = result + (p * GRADIENT_ROWS + row) * PANEL;
                T* to = job.y + at * job.input_size + p * PANEL;
                const Index filled = job.input_size - p * PANEL;
                for (Index i = 0; i < (filled < PANEL ? filled : PANEL); ++i) to[i] = from[i];
            }
        }
    }
}

// Some rows of an array in panels: panel p of them lies at first + p · stride, row by row.
template <class T>
struct PanelRows {
    const T* first;
    Index stride;
};

// Finds rows of the operand, or where they do not follow one another in panels, brings them into a block of panels,
// [panels][K_BLOCK][16]. Asked for from the first on.
template <class T>
class OperandRows {
 public:
    explicit OperandRows(const WeightGradient<T>& job) : job_(job) {}

    PanelRows<T> take(T* block, Index first, Index count) {
        step_ = step_of(first, step_);
        if (job_.in_panels) {
            const Index from = in_panels(first, step_), last = first + count - 1;
            // A row's place in panels grows with the row: by one each time if it does so on the whole.
            if (from >= 0 && in_panels(last, step_of(last, step_)) - from == count - 1)
                return {job_.in_panels + from * PANEL, job_.rows.total * PANEL};
        }
        Index step = step_;
        for (Index row = first; row < first + count; ++row) {
            step = step_of(row, step);
            take_row(block + (row - first) * PANEL, row, step);
        }
        return {block, K_BLOCK * PANEL};
    }

 private:
    // The step of a row that is not before step `from`; the first where nobody asks.
    Index step_of(Index row, Index from) const {
        while (job_.before && from + 1 < job_.rows.steps && job_.rows.starts[from + 1] <= row) ++from;
        return from;
    }

    // Which row in panels is the operand of `row`; -1 for none, but what precedes the first step.
    Index in_panels(Index row, Index step) const {
        if (!job_.before) return row;
        return step ? job_.rows.starts[step - 1] + row - job_.rows.starts[step] : -1;
    }

    void take_row(T* to, Index row, Index step) {
        if (job_.outside) return from_outside(to, job_.outside, job_.rows.sources ? job_.rows.sources[row] : row);
        const Index place = in_panels(row, step);
        if (place >= 0) return from_panels(to, place);
        from_outside(to, job_.initial, job_.rows.order ? job_.rows.order[row] : row);
    }

    void from_panels(T* to, Index row) {
        for (Index p = 0; p < panels(job_.k_count); ++p)
            gather(to + p * K_BLOCK * PANEL, job_.in_panels + (p * job_.rows.total + row) * PANEL, 0, PANEL, 1);
    }

    void from_outside(T* to, const T* rows, Index row) {
        for (Index p = 0; p < panels(job_.k_count); ++p) {
            const Index filled = !rows ? 0 : job_.k_count - p * PANEL;
            const T* from = rows ? rows + row * job_.k_count + p * PANEL : nullptr;
            T* panel = to + p * K_BLOCK * PANEL;
            if (filled >= PANEL)
                gather(panel, from, 0, PANEL, 1);
            else
                for (Index i = 0; i < PANEL; ++i) panel[i] = i < filled ? from[i] : T(0);
        }
    }

    const WeightGradient<T>& job_;
    Index step_ = 0;
};

// sums[16] += the sum of `count` rows of a panel: four chains, then their sum.
template <class T>
static void add_rows(T* sums, const T* rows, Index count) {
    using V = Vec<T>;
    for (Index v = 0; v < PANEL; v += V::lanes) {
        V chain[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
        Index row = 0;
        for (; row + 4 <= count; row += 4)
            for (Index c = 0; c < 4; ++c) chain[c] = chain[c] + V::load(rows + (row + c) * PANEL + v);
        for (; row < count; ++row) chain[0] = chain[0] + V::load(rows + row * PANEL + v);
        (V::load(sums + v) + ((chain[0] + chain[1]) + (chain[2] + chain[3]))).store(sums + v);
    }
}

// Brings elements `over` of a row of sums, [panels of k][16 units][16], to where they are wanted.
template <class T>
static void deliver(T* to, const T* sum, Range over, bool adds) {
    for (Index k = over.begin; k < over.end;) {
        const Index within = k % PANEL, left = over.end - k;
        const Index count = PANEL - within < left ? PANEL - within : left;
        const T* from = sum + (k - within) * PANEL + within;
        if (count == PANEL && !adds)
            gather(to, from, 0, PANEL, 1);
        else
            for (Index i = 0; i < count; ++i) to[i] = (adds ? to[i] : T(0)) + from[i];
        k += count;
        to += count;
    }
}

// `over`: panels of sixteen units, counted through all gates.
template <class T>
static void weight_gradient(const WeightGradient<T>& job, Range over) {
    const Index unit_panels = panels(job.units), k_panels = panels(job.k_count);
    const Index part = k_panels * PANEL * PANEL;  // the sums of one panel of units: [panels of k][16 units][16]
    Carver sizes(nullptr);
    sizes.take<T>(k_panels * K_BLOCK * PANEL);
    sizes.take<T>(over.size() * part);
    sizes.take<T>(over.size() * PANEL);
    sizes.take<PanelJob<T>>(k_panels);
    Carver carver(scratch(sizes.used()));
    T* block = carver.take<T>(k_panels * K_BLOCK * PANEL);
    T* sums = carver.take<T>(over.size() * part);
    T* biases = carver.take<T>(over.size() * PANEL);
    PanelJob<T>* jobs = carver.take<PanelJob<T>>(k_panels);
    for (Index i = 0; i < over.size() * part; ++i) sums[i] = 0;
    for (Index i = 0; i < over.size() * PANEL; ++i) biases[i] = 0;

    OperandRows<T> operand(job);
    for (Index first = 0; first < job.rows.total; first += K_BLOCK) {
        const Index rows = job.rows.total - first < K_BLOCK ? job.rows.total - first : K_BLOCK;
        const PanelRows<T> values = operand.take(block, first, rows);
        for (Index at = over.begin; at < over.end; ++at) {
            const Index gate = at / unit_panels, panel = at % unit_panels;
            const GateGradient<T>& of = job.gates[gate];
            const T* gradient = of.gradient + (panel * job.rows.total + first) * PANEL;
            if (of.bias) add_rows(biases + (at - over.begin) * PANEL, gradient, rows);
            if (!of.matrix) continue;
            const Range k = k_range(job.units, job.k_count, job.heads, panel);
            Index count = 0;
            for (Index p = k.begin / PANEL; p < panels(k.end); ++p)
                jobs[count++] = {values.first + p * values.stride, nullptr, 0,
                                 sums + (at - over.begin) * part + p * PANEL * PANEL};
            const Index units = job.units - panel * PANEL < PANEL ? job.units - panel * PANEL : PANEL;
            multiply<T, Left::k_by_rows, Sum::apart>(gradient, 0, rows, jobs, count, units);
        }
    }
    for (Index at = over.begin; at < over.end; ++at) {
        const GateGradient<T>& of = job.gates[at / unit_panels];
        const Index first = at % unit_panels * PANEL, k_width = job.k_count / job.heads;
        for (Index unit = first; unit < first + PANEL && unit < job.units; ++unit) {
            const Index i = (at - over.begin) * PANEL + unit - first;
            if (of.bias) of.bias[unit] = (of.adds_to_bias ? of.bias[unit] : T(0)) + biases[i];
            if (!of.matrix) continue;
            // The unit's row of the sums, of which a block-diagonal matrix keeps its own block.
            const T* sum = sums + (at - over.begin) * part + (unit - first) * PANEL;
            const Index block = unit / (job.units / job.heads) * k_width;
            deliver(of.matrix + unit * k_width, sum, {block, block + k_width}, of.adds_to_matrix);
        }
    }
}

}  // namespace ostinato::OSTINATO_LEVEL
