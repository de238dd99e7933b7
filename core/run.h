// What a level is asked to do. The module fills these in; each level has one function for each.
#pragma once

#include "plan.h"

namespace ostinato {

// How the elements of a matrix are stored: as they are, in the upper half of a float, or as whole numbers of one byte,
// -127 to 127, with a scale a row. The last two are of floats.
enum class Stored : std::int32_t { whole, bfloat16, int8 };

// A matrix packed into panels: for every sixteen units of its result, [k][16]; for bytes [k / 4][16][4], with k padded.
// A block-diagonal one keeps, for each panel, the stretch of k that its units' blocks cover.
template <class T>
struct Matrix {
    const void* data;
    Index units, k_count, heads;
    Index panel_bytes;  // from panel to panel
    Stored stored;
    const T* scales;  // padded, a unit each; of bytes alone

    const void* panel(Index p) const { return static_cast<const char*>(data) + p * panel_bytes; }
};

// Rows of a batch: `counts[t]` of them at step t, from row `starts[t]` on, longest sequence first.
struct Rows {
    Index steps, total;
    const Index* counts;
    const Index* starts;
    const std::int64_t* sources;  // for each row its place in arrays from outside; null: the same
    const std::int64_t* order;    // for each sequence its place in states from outside; null: the same
};

template <class T>
struct Run {
    const Plan* plan;
    const Index* widths;
    Rows rows;
    bool backwards;  // from the last step to the first

    const T* x;  // [rows][input_size], from outside
    Index input_size, input_count;
    const Matrix<T>* inputs;       // a gate
    const T* const* input_biases;  // padded
    Index matrix_count;
    const Matrix<T>* matrices;
    const T* const* biases;   // padded
    const T* const* vectors;  // padded
    const T* const* streams;  // [rows][stride], from outside
    const Index* stream_strides;
    T* const* panels;         // [panels][total][16]
    const T* const* initial;  // for a panel read at the row before: what precedes the first step, [B][width] or null: 0

    Index state_count;
    const std::int32_t* state_widths;
    const T* const* states_in;  // [B][width], from outside; null: zero
    T* const* states_out;       // null: not wanted
    T* y;                       // [rows][y_stride], from outside; null: not wanted
    Index y_stride, output_count;
    const std::int32_t* outputs;  // states
};

// The part of a run that one thread does, and how it meets the others.
struct Part {
    Range places;           // of the batch
    Index member, members;  // sharing those places: a member computes its share of the units
    void* shared;           // memory of `shared_bytes` for all members; null if there is one
    void (*barrier)(void*);
    void* team;
};

// gradient of an input: y[row] = Σ over gates of a[gate][row] · matrices[gate], for rows of arrays in panels.
template <class T>
struct InputGradient {
    Index rows, gate_count, input_size;
    const T* const* gradients;    // [panels][rows][16] a gate
    const Matrix<T>* matrices;    // of `input_size` units
    const T* raw;                 // [panels][rows][16] to start from, or null
    const std::int64_t* sources;  // as in Rows
    T* y;
};

// What one gate's gradient gives: that of a matrix and that of a bias. A null is not wanted.
template <class T>
struct GateGradient {
    const T* gradient;                  // [panels][rows][16]
    T* matrix;                          // [units][k_count / heads]
    T* bias;                            // [units]
    bool adds_to_matrix, adds_to_bias;  // or writes it, whatever was there
};

// Gradients of matrices that one operand was multiplied with: for each gate
// matrix[u][k] = Σ over rows of gradient[row][u] · operand[row][k], summed in blocks of K_BLOCK rows.
template <class T>
struct WeightGradient {
    Rows rows;
    Index units, k_count, heads, gate_count;
    const GateGradient<T>* gates;
    // The operand: rows from outside (then by `rows.sources`), or an array in panels.
    const T* outside;
    const T* in_panels;
    bool before;  // the operand is the row before in panels; before the first step `initial`, [B][k_count] or null: 0
    const T* initial;
};

// One source of a packing: a stack of `units` rows of weights, row-major.
struct Packing {
    const void* weights;
    Index row_stride, units, k_count, heads;
    bool transposed;  // pack the transpose: then `units` and `k_count` are those of the transpose
    Stored stored;
    void* result;
};

template <class T>
struct Functions {
    void (*run)(const Run<T>&, const Part&);
    std::size_t (*shared_bytes)(const Run<T>&, Index places);
    void (*pack)(const Packing&, Range panels);
    void (*input_gradient)(const InputGradient<T>&, Range rows);
    void (*weight_gradient)(const WeightGradient<T>&, Range gate_panels);
    void (*evaluate)(Operation, const T* a, const T* b, const T* c, T* result, Index count);
};

struct Level {
    const char* name;
    Index float_lanes;
    Functions<float> of_float;
    Functions<double> of_double;
};

// Bytes are multiplied by fours.
constexpr Index QUAD = 4;

// Scratch memory of the calling thread, kept from call to call; 64-byte aligned. One user at a time.
void* scratch(std::size_t bytes);

// The stretch of k that panel `panel` of a matrix covers; it begins at a multiple of 16.
static inline Range k_range(Index units, Index k_count, Index heads, Index panel) {
    if (heads <= 1) return {0, k_count};
    const Index unit_block = units / heads, k_block = k_count / heads;
    const Index last = (panel + 1) * PANEL < units ? (panel + 1) * PANEL - 1 : units - 1;
    return {panel * PANEL / unit_block * k_block / PANEL * PANEL, (last / unit_block + 1) * k_block};
}

// The bytes from panel to panel, of elements that take `element_bytes` if they are stored whole.
static inline Index panel_bytes(Index units, Index k_count, Index heads, Stored stored, Index element_bytes) {
    Index most = 0;
    for (Index p = 0; p < panels(units); ++p) {
        const Index size = k_range(units, k_count, heads, p).size();
        most = size > most ? size : most;
    }
    if (stored == Stored::int8) return (most + QUAD - 1) / QUAD * QUAD * PANEL;
    return most * PANEL * (stored == Stored::bfloat16 ? 2 : element_bytes);
}

}  // namespace ostinato
