// The elementwise part of a step: a short list of instructions, run tile by tile.
//
// All instructions run on one tile before the next tile is begun, so what passes between them stays in the L1 cache,
// and the cost of interpreting is that of one jump per instruction and tile.
#pragma once

#include "functions.h"
#include "plan.h"

namespace ostinato::OSTINATO_LEVEL {

template <class T>
constexpr Index TILE = 1024 / Index(sizeof(T));  // elements: a multiple of PANEL, and so of every vector

template <class T, class Function>
static OSTINATO_INLINE void map(T* result, const T* a, Index count, Function function) {
#pragma GCC unroll 4
    for (Index i = 0; i < count; i += Vec<T>::lanes) function(Vec<T>::load(a + i)).store(result + i);
}

template <class T, class Function>
static OSTINATO_INLINE void map(T* result, const T* a, const T* b, Index count, Function function) {
#pragma GCC unroll 4
    for (Index i = 0; i < count; i += Vec<T>::lanes)
        function(Vec<T>::load(a + i), Vec<T>::load(b + i)).store(result + i);
}

template <class T, class Function>
static OSTINATO_INLINE void map(T* result, const T* a, const T* b, const T* c, Index count, Function function) {
#pragma GCC unroll 4
    for (Index i = 0; i < count; i += Vec<T>::lanes)
        function(Vec<T>::load(a + i), Vec<T>::load(b + i), Vec<T>::load(c + i)).store(result + i);
}

// result[i] = operation(a[i], b[i], c[i]) for whole vectors; an operation of fewer arguments ignores the others.
template <class T>
using Kernel = void (*)(const T* a, const T* b, const T* c, T* result, Index count);

// Each operation is a function of its own: a tile is so short that a common one's entry would show.
template <class T>
static Kernel<T> kernel_of(Operation operation) {
    using V = Vec<T>;
#define OSTINATO_MAP1(name, expression)                                            \
    case Operation::name##_:                                                       \
        return [](const T* a, const T*, const T*, T* result, Index count) {        \
            map(result, a, count, [](V u) OSTINATO_LAMBDA { return expression; }); \
        };
#define OSTINATO_MAP2(name, expression)                                                    \
    case Operation::name##_:                                                               \
        return [](const T* a, const T* b, const T*, T* result, Index count) {              \
            map(result, a, b, count, [](V u, V v) OSTINATO_LAMBDA { return expression; }); \
        };
#define OSTINATO_MAP3(name, expression)                                                            \
    case Operation::name##_:                                                                       \
        return [](const T* a, const T* b, const T* c, T* result, Index count) {                    \
            map(result, a, b, c, count, [](V u, V v, V w) OSTINATO_LAMBDA { return expression; }); \
        };
    switch (operation) {
        OSTINATO_MAP2(add, u + v)
        OSTINATO_MAP2(subtract, u - v)
        OSTINATO_MAP2(multiply, u * v)
        OSTINATO_MAP2(divide, u / v)
        OSTINATO_MAP1(negate, -u)
        OSTINATO_MAP2(less, as_vec(less(u, v)))
        OSTINATO_MAP2(less_equal, as_vec(less_equal(u, v)))
        OSTINATO_MAP2(greater, as_vec(greater(u, v)))
        OSTINATO_MAP2(greater_equal, as_vec(greater_equal(u, v)))
        OSTINATO_MAP2(equal, as_vec(equal(u, v)))
        OSTINATO_MAP2(not_equal, as_vec(not_equal(u, v)))
        OSTINATO_MAP3(where, select(as_mask(u), v, w))
        OSTINATO_MAP1(sigmoid, sigmoid(u))
        OSTINATO_MAP1(tanh, tanh(u))
        OSTINATO_MAP1(relu, max(u, V::zero()))
        OSTINATO_MAP1(exp, exp(u))
        OSTINATO_MAP1(log, log(u))
        OSTINATO_MAP1(softplus, softplus(u))
        OSTINATO_MAP1(sqrt, sqrt(u))
        OSTINATO_MAP1(square, u * u)
        OSTINATO_MAP1(abs, abs(u))
        OSTINATO_MAP1(sin, sin(u))
        OSTINATO_MAP1(cos, cos(u))
        OSTINATO_MAP2(maximum, max(u, v))
        OSTINATO_MAP2(minimum, min(u, v))
        OSTINATO_MAP1(copy, u)
        OSTINATO_MAP3(multiply_add, fma(u, v, w))
        OSTINATO_MAP3(multiply_subtract, fms(u, v, w))
        OSTINATO_MAP3(subtract_multiply, fnma(u, v, w))
        case Operation::count: break;
    }
    return nullptr;
#undef OSTINATO_MAP1
#undef OSTINATO_MAP2
#undef OSTINATO_MAP3
}

template <class T>
static void evaluate(Operation operation, const T* a, const T* b, const T* c, T* result, Index count) {
    kernel_of<T>(operation)(a, b, c, result, count);
}

// Where the arrays of a plan lie at the present step. A stride is the distance from panel to panel.
template <class T>
struct Places {
    T* const* bases;
    const Index* strides;
};

// What a section needs of its thread: registers, constants (a tile each), and room for tiles that are put together.
template <class T>
struct TileMemory {
    T* registers;
    const T* constants;
    T* staging;
    T** pointers;  // one an operand
};

// Copies between an array and a tile that spans `count` whole panels of `run` elements.
template <class T>
static void gather(T* tile, const T* from, Index stride, Index run, Index count) {
    for (Index p = 0; p < count; ++p)
        map(tile + p * run, from + p * stride, run, [](Vec<T> v) OSTINATO_LAMBDA { return v; });
}

template <class T>
static void scatter(T* to, const T* tile, Index stride, Index run, Index count) {
    for (Index p = 0; p < count; ++p)
        map(to + p * stride, tile + p * run, run, [](Vec<T> v) OSTINATO_LAMBDA { return v; });
}

// Asks for the elements of a tile that spans `count` whole panels, before they are used.
template <class T>
static void fetch(const T* from, Index stride, Index run, Index count) {
    for (Index p = 0; p < count; ++p)
        for (Index i = 0; i < run; i += 64 / Index(sizeof(T))) __builtin_prefetch(from + p * stride + i);
}

// Fills a tile that spans `count` whole panels with one row for all `run` elements of each.
template <class T>
static void repeat(T* tile, const T* row, Index run, Index count) {
    constexpr Index vectors = PANEL / Vec<T>::lanes;
    for (Index p = 0; p < count; ++p, row += PANEL) {
        Vec<T> part[vectors];
        for (Index v = 0; v < vectors; ++v) part[v] = Vec<T>::load(row + v * Vec<T>::lanes);
        for (Index i = 0; i < run; i += PANEL, tile += PANEL)
            for (Index v = 0; v < vectors; ++v) part[v].store(tile + v * Vec<T>::lanes);
    }
}

// Runs a section on `count` whole panels from `panel` on, or on elements [from, from + length) of one panel.
template <class T>
static void run_tile(const Item& section, const Places<T>& places, const TileMemory<T>& memory, Index run, Index panel,
                     Index count, Index from, Index length) {
    for (Index o = 0; o < section.operand_count; ++o) {
        const Operand& operand = section.operands[o];
        if (operand.kind == OperandKind::tile) {
            memory.pointers[o] = memory.registers + operand.index * TILE<T>;
        } else if (operand.kind == OperandKind::constant) {
            memory.pointers[o] = const_cast<T*>(memory.constants) + operand.index * TILE<T>;
        } else {
            const Index stride = places.strides[operand.index];
            if (operand.repeated && run > PANEL) {
                memory.pointers[o] = memory.staging + o * TILE<T>;
                repeat(memory.pointers[o], places.bases[operand.index] + panel * stride, length / count, count);
                continue;
            }
            T* base = places.bases[operand.index] + panel * stride + from;
            if (operand.distant) fetch(base + count * stride, stride, length / count, count);
            const bool in_one_piece = count == 1 || stride == run;
            memory.pointers[o] = in_one_piece ? base : memory.staging + o * TILE<T>;
            if (!in_one_piece && operand.filled) gather(memory.pointers[o], base, stride, run, count);
        }
    }
    T* const* at = memory.pointers;
    for (Index i = 0; i < section.instruction_count; ++i) {
        const Instruction& code = section.instructions[i];
        evaluate<T>(code.operation, at[code.a], code.b < 0 ? nullptr : at[code.b], code.c < 0 ? nullptr : at[code.c],
                    at[code.result], length);
    }
    if (count == 1) return;
    for (Index o = 0; o < section.operand_count; ++o) {
        const Operand& operand = section.operands[o];
        const Index stride = operand.kind == OperandKind::array ? places.strides[operand.index] : run;
        if (operand.written && stride != run)
            scatter(places.bases[operand.index] + panel * stride, at[o], stride, run, count);
    }
}

// Runs a section over `rows` live rows of the given panels.
template <class T>
static void run_section(const Item& section, const Places<T>& places, const TileMemory<T>& memory, Index rows,
                        Range over) {
    const Index run = rows * PANEL;
    if (run * 2 > TILE<T>) {
        const Index pieces = (run + TILE<T> - 1) / TILE<T>;
        for (Index panel = over.begin; panel < over.end; ++panel)
            for (Index piece = 0; piece < pieces; ++piece) {
                const Range part = share(rows, piece, pieces);
                run_tile(section, places, memory, run, panel, 1, part.begin * PANEL, part.size() * PANEL);
            }
    } else {
        const Index together = TILE<T> / run;
        for (Index panel = over.begin; panel < over.end; panel += together) {
            const Index count = over.end - panel < together ? over.end - panel : together;
            run_tile(section, places, memory, run, panel, count, 0, count * run);
        }
    }
}

// An array in panels: `stride` from panel to panel.
template <class T>
struct Wide {
    const T* data;
    Index stride;
    OSTINATO_INLINE Vec<T> load(Index panel, Index at) const { return Vec<T>::load(data + panel * stride + at); }
};

// result[row] = the sum of a row's units, sixteen times: sixteen lanes, each in the order of the panels, then halves.
// add(sum, panel, at) returns a sum with the units of a panel from `at` on.
template <class T, class Add>
static OSTINATO_INLINE void sum_units(T* result, Index width, Index rows, Add add) {
    using V = Vec<T>;
    constexpr Index vectors = PANEL / V::lanes;
    const Index whole = width / PANEL, rest = width % PANEL;
    for (Index row = 0; row < rows; ++row) {
        V sums[vectors];
        for (Index v = 0; v < vectors; ++v) sums[v] = V::zero();
        for (Index panel = 0; panel < whole; ++panel)
            for (Index v = 0; v < vectors; ++v) sums[v] = add(sums[v], panel, row * PANEL + v * V::lanes);
        T lanes[PANEL], with_rest[PANEL];
        for (Index v = 0; v < vectors; ++v) {
            sums[v].store(lanes + v * V::lanes);
            if (rest) add(sums[v], whole, row * PANEL + v * V::lanes).store(with_rest + v * V::lanes);
        }
        for (Index i = 0; i < rest; ++i) lanes[i] = with_rest[i];
        for (Index half = PANEL / 2; half >= 1; half /= 2)
            for (Index i = 0; i < half; ++i) lanes[i] += lanes[i + half];
        for (Index v = 0; v < vectors; ++v) V::splat(lanes[0]).store(result + row * PANEL + v * V::lanes);
    }
}

// The sum of a, or of a ⊙ b where b is given.
template <class T>
static void sum_rows(T* result, Wide<T> a, Wide<T> b, Index width, Index rows) {
    if (b.data)
        sum_units<T>(result, width, rows, [a, b](Vec<T> sum, Index panel, Index at) OSTINATO_LAMBDA {
            return fma(a.load(panel, at), b.load(panel, at), sum);
        });
    else
        sum_units<T>(result, width, rows,
                     [a](Vec<T> sum, Index panel, Index at) OSTINATO_LAMBDA { return sum + a.load(panel, at); });
}

}  // namespace ostinato::OSTINATO_LEVEL
