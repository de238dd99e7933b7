// The core's one edge to Python. Arrays come as addresses: `ostinato.engine` has checked their shapes, types and
// strides before. Everything else that comes is checked here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "levels.h"
#include "memory.h"
#include "openmp.h"
#include "parallel.h"
#include "plan_owner.h"
#include "threads.h"

namespace nb = nanobind;

namespace ostinato {

namespace {

using Address = std::uintptr_t;
using Addresses = std::vector<Address>;
using Integers = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

// ---- Python's lock

// Gives up Python's lock while the core computes. Nanobind's own guard would take it back even from an interpreter
// that is ending, which then kills the thread in the middle of C++; here the thread stops for good instead, as a daemon
// thread must. `end` is called by Python's atexit, and lets those pass that are just taking the lock.
class Unlocked {
 public:
    Unlocked() : state_(PyEval_SaveThread()) {}
    ~Unlocked() {
        ++returning_;
        if (ending_ && std::this_thread::get_id() != last_thread_) {
            --returning_;
            for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
        }
        PyEval_RestoreThread(state_);
        --returning_;
    }
    Unlocked(const Unlocked&) = delete;
    Unlocked& operator=(const Unlocked&) = delete;

    static void end() {
        last_thread_ = std::this_thread::get_id();
        ending_ = true;
        PyThreadState* const state = PyEval_SaveThread();
        while (returning_ > 0) std::this_thread::yield();
        PyEval_RestoreThread(state);
    }

 private:
    PyThreadState* state_;
    static inline std::atomic<bool> ending_{false};
    static inline std::atomic<int> returning_{0};
    static inline std::thread::id last_thread_;
};

// ---- the level in use

const Level* the_level = nullptr;

std::vector<std::string> level_names() {
    const Level* levels[MOST_LEVELS];
    const int count = available_levels(levels);
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.emplace_back(levels[i]->name);
    return names;
}

void use_level(const std::string& name) {
    const Level* levels[MOST_LEVELS];
    const int count = available_levels(levels);
    for (int i = 0; i < count; ++i)
        if (name == levels[i]->name) {
            the_level = levels[i];
            return;
        }
    refuse("there is no level " + name);
}

template <class T>
const Functions<T>& functions();
template <>
const Functions<float>& functions<float>() {
    return the_level->of_float;
}
template <>
const Functions<double>& functions<double>() {
    return the_level->of_double;
}

// ---- memory

// An array of `count` numbers that whoever takes it owns; the memory is used again.
template <class T>
nb::object numbers(std::size_t count) {
    auto block = std::make_unique<Block>(count * sizeof(T));
    T* const data = static_cast<T*>(block->data());
    const nb::capsule owner(block.release(), [](void* p) noexcept { delete static_cast<Block*>(p); });
    return nb::cast(nb::ndarray<T, nb::ndim<1>, nb::device::cpu>(data, {count}, owner));
}

// ---- rows

// The rows of a batch in time order; owns its numbers.
class RowsOwner {
 public:
    // Empty `sources`: rows lie as outside. Empty `order`: so do sequences.
    RowsOwner(const Integers& counts, const Integers& sources, const Integers& order) {
        Index total = 0;
        for (std::size_t t = 0; t < counts.size(); ++t) {
            const std::int64_t count = counts.data()[t];
            expect(count > 0 && (t == 0 || count <= counts_.back()), "counts must be positive and never grow");
            counts_.push_back(static_cast<Index>(count));
            starts_.push_back(total);
            total += static_cast<Index>(count);
        }
        sources_.assign(sources.data(), sources.data() + sources.size());
        order_.assign(order.data(), order.data() + order.size());
        expect(sources_.empty() || sources_.size() == static_cast<std::size_t>(total), "a source for each row");
        expect(order_.empty() || counts_.empty() || order_.size() >= static_cast<std::size_t>(counts_[0]),
               "a place for each sequence");
        total_ = total;
    }

    // The rows of steps [begin, end); their first row counts as row 0.
    struct Part {
        Rows rows{};
        std::vector<Index> starts;
        std::vector<std::int64_t> sources;
    };

    Part part(Index begin, Index end) const {
        expect(0 <= begin && begin <= end && end <= steps(), "steps out of range");
        const Index first = start(begin);
        Part part;
        Rows& rows = part.rows;
        rows.steps = end - begin;
        rows.total = start(end) - first;
        rows.counts = counts_.data() + begin;
        rows.starts = starts_.data();
        rows.sources = sources_.empty() ? nullptr : sources_.data() + first;
        rows.order = order_.empty() ? nullptr : order_.data();
        if (first == 0) return part;
        part.starts.assign(starts_.begin() + begin, starts_.begin() + end);
        for (Index& start : part.starts) start -= first;
        rows.starts = part.starts.data();
        if (!sources_.empty()) return part;
        part.sources.resize(static_cast<std::size_t>(rows.total));
        for (Index i = 0; i < rows.total; ++i) part.sources[static_cast<std::size_t>(i)] = first + i;
        rows.sources = part.sources.data();
        return part;
    }

    Index steps() const { return static_cast<Index>(counts_.size()); }
    Index total() const { return total_; }
    Index start(Index step) const { return step < steps() ? starts_[static_cast<std::size_t>(step)] : total_; }

 private:
    std::vector<Index> counts_, starts_;
    std::vector<std::int64_t> sources_, order_;
    Index total_ = 0;
};

// ---- packed weights

// (weight, first element, row stride, units, k, heads, transposed): a matrix within one of a call's weights.
using MatrixSpec = std::tuple<std::int32_t, Index, Index, Index, Index, Index, bool>;
// (weight or -1 for none, first element, width)
using VectorSpec = std::tuple<std::int32_t, Index, Index>;

// What a plan packs of the weights; the same for every call of one size.
struct Recipe {
    Recipe(std::vector<MatrixSpec> inputs, std::vector<VectorSpec> input_biases, std::vector<MatrixSpec> matrices,
           std::vector<VectorSpec> biases, std::vector<VectorSpec> vectors)
        : inputs(std::move(inputs)),
          input_biases(std::move(input_biases)),
          matrices(std::move(matrices)),
          biases(std::move(biases)),
          vectors(std::move(vectors)) {
        expect(this->input_biases.size() == this->inputs.size(), "an input bias for each gate");
        for (const auto* specs : {&this->inputs, &this->matrices})
            for (const auto& [weight, first, stride, units, k, heads, transposed] : *specs) {
                expect(weight >= 0 && first >= 0, "a matrix's weight");
                expect(units > 0 && k > 0 && heads > 0 && units % heads == 0 && k % heads == 0, "a matrix's sizes");
                elements += static_cast<std::size_t>(panels(units) * panel_size(units, k, heads));
                weights = std::max(weights, weight + 1);
            }
        for (const auto* specs : {&this->input_biases, &this->biases, &this->vectors})
            for (const auto& [weight, first, width] : *specs) {
                expect(width > 0 && first >= 0, "a vector's width");
                elements += static_cast<std::size_t>(padded(width));
                weights = std::max(weights, weight + 1);
            }
    }

    std::vector<MatrixSpec> inputs;
    std::vector<VectorSpec> input_biases;
    std::vector<MatrixSpec> matrices;
    std::vector<VectorSpec> biases, vectors;
    std::size_t elements = 0;
    std::int32_t weights = 0;
};

// The weights of one plan, as the kernels read them.
template <class T>
class Packed {
 public:
    Packed(const Recipe& recipe, const Addresses& weights, int threads)
        : memory_(recipe.elements * sizeof(T)), free_(static_cast<T*>(memory_.data())) {
        expect(weights.size() >= static_cast<std::size_t>(recipe.weights), "a recipe needs more weights");
        std::vector<Packing<T>> jobs;
        take(recipe.inputs, weights, inputs, jobs);
        take(recipe.matrices, weights, matrices, jobs);
        take(recipe.input_biases, weights, input_biases);
        take(recipe.biases, weights, biases);
        take(recipe.vectors, weights, vectors);
        const Unlocked released;
        pack(functions<T>(), jobs.data(), static_cast<Index>(jobs.size()), threads);
    }

    std::vector<Matrix<T>> inputs, matrices;
    std::vector<const T*> input_biases, biases, vectors;

 private:
    void take(const std::vector<MatrixSpec>& specs, const Addresses& weights, std::vector<Matrix<T>>& into,
              std::vector<Packing<T>>& jobs) {
        for (const auto& [weight, first, stride, units, k, heads, transposed] : specs) {
            const Index size = panel_size(units, k, heads);
            const T* const from = at<const T>(weights[static_cast<std::size_t>(weight)]) + first;
            jobs.push_back({from, stride, units, k, heads, transposed, free_});
            into.push_back({free_, units, k, heads, size});
            free_ += panels(units) * size;
        }
    }

    void take(const std::vector<VectorSpec>& specs, const Addresses& weights, std::vector<const T*>& into) {
        for (const auto& [weight, first, width] : specs) {
            const T* const from = weight < 0 ? nullptr : at<const T>(weights[static_cast<std::size_t>(weight)]) + first;
            for (Index i = 0; i < padded(width); ++i) free_[i] = from && i < width ? from[i] : T(0);
            into.push_back(from ? free_ : nullptr);
            free_ += padded(width);
        }
    }

    Block memory_;
    T* free_ = nullptr;
};

// ---- running

template <class T, class Source>
std::vector<T*> pointers(const Source& addresses) {
    std::vector<T*> result;
    for (const Address address : addresses) result.push_back(at<T>(address));
    return result;
}

// A plan with its sizes: what stays the same from call to call.
class Layout {
 public:
    Layout(const PlanOwner& plan, std::vector<Index> widths, std::vector<std::int32_t> state_widths,
           std::vector<std::int32_t> outputs, Index input_size)
        : plan(plan),
          widths(std::move(widths)),
          state_widths(std::move(state_widths)),
          outputs(std::move(outputs)),
          input_size(input_size) {
        expect(static_cast<Index>(this->widths.size()) == plan.plan.letter_count, "a size for each width");
        for (const Index width : this->widths) expect(width > 0, "widths must be positive");
        const Index states = static_cast<Index>(this->state_widths.size());
        for (const std::int32_t letter : this->state_widths)
            expect(letter >= 0 && letter < plan.plan.letter_count, "a state's width is out of range");
        for (const std::int32_t state : this->outputs) expect(state >= 0 && state < states, "an output is no state");
        for (const std::int32_t state : this->outputs) y_stride += width_of_state(state);
        for (Index i = 0; i < plan.plan.array_count; ++i) {
            const Array& array = plan.plan.arrays[i];
            if (array.kind == ArrayKind::old_state || array.kind == ArrayKind::new_state)
                expect(array.index < states, "a plan's array is no state");
            if (array.kind == ArrayKind::raw)
                expect(this->widths[static_cast<std::size_t>(array.width)] == input_size, "raw input of another width");
            Index& most = array.kind == ArrayKind::vector                                     ? vectors
                          : array.kind == ArrayKind::stream                                   ? streams
                          : array.kind == ArrayKind::projection                               ? inputs
                          : array.kind == ArrayKind::panel || array.kind == ArrayKind::before ? panel_arrays
                                                                                              : ignored_;
            most = std::max(most, Index(array.index) + 1);
        }
    }

    Index width_of_state(std::int32_t state) const {
        return widths[static_cast<std::size_t>(state_widths[static_cast<std::size_t>(state)])];
    }

    const PlanOwner& plan;
    std::vector<Index> widths;
    std::vector<std::int32_t> state_widths, outputs;
    Index input_size, y_stride = 0;
    Index vectors = 0, streams = 0, inputs = 0, panel_arrays = 0;

 private:
    Index ignored_ = 0;
};

template <class T>
Run<T> prepared_run(const Layout& layout, const Packed<T>& packed, const Rows& rows) {
    const auto has = [](const auto& given, Index wanted) { return static_cast<Index>(given.size()) >= wanted; };
    expect(has(packed.matrices, layout.plan.matrix_count), "a plan needs more matrices than were packed");
    expect(has(packed.biases, layout.plan.bias_count), "a plan needs more biases than were packed");
    expect(has(packed.vectors, layout.vectors), "a plan needs more vectors than were packed");
    expect(has(packed.inputs, layout.inputs), "a plan needs more input matrices than were packed");
    expect(packed.input_biases.size() == packed.inputs.size(), "an input bias for each gate");
    const Plan& plan = layout.plan.plan;
    const auto width_of = [&](std::int32_t array) {
        return layout.widths[static_cast<std::size_t>(plan.arrays[array].width)];
    };
    for (Index i = 0; i < plan.array_count; ++i)
        if (plan.arrays[i].kind == ArrayKind::projection)
            expect(packed.inputs[static_cast<std::size_t>(plan.arrays[i].index)].units ==
                       width_of(static_cast<std::int32_t>(i)),
                   "an input matrix's units are not those of its projection");
    for (Index i = 0; i < plan.item_count; ++i)
        for (Index j = 0; j < plan.items[i].product_count; ++j) {
            const Product& product = plan.items[i].products[j];
            const Matrix<T>& matrix = packed.matrices[static_cast<std::size_t>(product.matrix)];
            expect(matrix.units == width_of(product.result) && matrix.k_count == width_of(plan.items[i].argument),
                   "a matrix's sizes are not those of its product");
        }
    Run<T> job{};
    job.plan = &plan;
    job.widths = layout.widths.data();
    job.rows = rows;
    job.input_size = layout.input_size;
    job.input_count = static_cast<Index>(packed.inputs.size());
    job.inputs = packed.inputs.data();
    job.input_biases = packed.input_biases.data();
    job.matrices = packed.matrices.data();
    job.biases = packed.biases.data();
    job.vectors = packed.vectors.data();
    job.state_count = static_cast<Index>(layout.state_widths.size());
    job.state_widths = layout.state_widths.data();
    job.y_stride = layout.y_stride;
    job.output_count = static_cast<Index>(layout.outputs.size());
    job.outputs = layout.outputs.data();
    return job;
}

// Runs steps [begin, end) of some rows. Addresses may be 0 where the call says "or none".
template <class T>
void run_steps(const Layout& layout, const Packed<T>& packed, const RowsOwner& rows, Index begin, Index end,
               bool backwards, Address x, const Addresses& streams, const std::vector<Index>& stream_strides,
               const Addresses& panels, const Addresses& initial, const Addresses& states_in,
               const Addresses& states_out, Address y, int threads) {
    const RowsOwner::Part part = rows.part(begin, end);
    Run<T> job = prepared_run(layout, packed, part.rows);
    expect(static_cast<Index>(streams.size()) >= layout.streams && streams.size() == stream_strides.size(), "streams");
    expect(static_cast<Index>(panels.size()) >= layout.panel_arrays && initial.size() == panels.size(), "panels");
    expect(states_in.size() == layout.state_widths.size() && states_out.size() == states_in.size(), "states");
    const auto stream_pointers = pointers<const T>(streams);
    const auto panel_pointers = pointers<T>(panels);
    const auto initial_pointers = pointers<const T>(initial);
    const auto in = pointers<const T>(states_in);
    const auto out = pointers<T>(states_out);
    job.backwards = backwards;
    job.x = at<const T>(x);
    job.streams = stream_pointers.data();
    job.stream_strides = stream_strides.data();
    job.panels = panel_pointers.data();
    job.initial = initial_pointers.data();
    job.states_in = in.data();
    job.states_out = out.data();
    job.y = at<T>(y);
    const Unlocked released;
    run(functions<T>(), job, threads);
}

template <class T>
using Matrix2 = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// One step on NumPy arrays whose shapes are checked here: x [B, D], states [B, width] each.
template <class T>
void run_step(const Layout& layout, const Packed<T>& packed, int threads, const Matrix2<const T>& x,
              const std::vector<Matrix2<const T>>& states_in, const Matrix2<T>& y,
              const std::vector<Matrix2<T>>& states_out) {
    const Index batch = static_cast<Index>(x.shape(0));
    expect(static_cast<Index>(x.shape(1)) == layout.input_size, "x has another width");
    expect(static_cast<Index>(y.shape(0)) == batch && static_cast<Index>(y.shape(1)) == layout.y_stride, "y");
    expect(states_in.size() == layout.state_widths.size() && states_out.size() == states_in.size(), "states");
    expect(layout.streams == 0 && layout.panel_arrays == 0, "a step has no streams");
    constexpr std::size_t MOST = 256;
    expect(states_in.size() <= MOST, "too many states");
    const T* in[MOST];
    T* out[MOST];
    for (std::size_t i = 0; i < states_in.size(); ++i) {
        const auto width = static_cast<std::size_t>(layout.width_of_state(static_cast<std::int32_t>(i)));
        const auto fits = [&](const auto& state) { return state.shape(0) == x.shape(0) && state.shape(1) == width; };
        expect(fits(states_in[i]) && fits(states_out[i]), "a state has another shape");
        in[i] = states_in[i].data();
        out[i] = states_out[i].data();
    }
    if (batch == 0) return;
    const Index count = batch, start = 0;
    Rows rows{};
    rows.steps = 1;
    rows.total = batch;
    rows.counts = &count;
    rows.starts = &start;
    Run<T> job = prepared_run(layout, packed, rows);
    job.x = x.data();
    job.states_in = in;
    job.states_out = out;
    job.y = y.data();
    const Unlocked released;
    run(functions<T>(), job, threads);
}

// ---- gradients

// (panel of the gradient, weight or -1, first element, bias weight or -1, first element)
using Target = std::tuple<std::int32_t, std::int32_t, Index, std::int32_t, Index>;
enum class From : std::int32_t { x, stream, panel, panel_before, count };
// (units, k, heads, where the operand is from, its number, the state that precedes the first step or -1, targets)
using ProductSpec = std::tuple<Index, Index, Index, std::int32_t, std::int32_t, std::int32_t, std::vector<Target>>;

// What is taken over all rows after the loop over time; the same for every call of one size.
struct GradientRecipe {
    GradientRecipe(Index input_size, std::vector<std::int32_t> inputs, std::int32_t raw,
                   std::vector<std::vector<ProductSpec>> rounds, std::vector<bool> written)
        : input_size(input_size),
          inputs(std::move(inputs)),
          raw(raw),
          rounds(std::move(rounds)),
          written(std::move(written)) {
        for (const std::int32_t panel : this->inputs) need_panel(panel);
        if (raw >= 0) need_panel(raw);
        for (const auto& round : this->rounds)
            for (const ProductSpec& product : round) check(product);
        expect(this->written.size() >= std::size_t(weights), "whether each weight's gradient is written");
    }

    Index input_size;
    std::vector<std::int32_t> inputs;
    std::int32_t raw;
    std::vector<std::vector<ProductSpec>> rounds;  // of products whose gradients lie apart
    std::vector<bool> written;  // for each weight: its gradient is all written here, each element once
    std::int32_t panels = 0, streams = 0, states = 0, weights = 0;

 private:
    void check(const ProductSpec& product) {
        const auto& [units, k, heads, from, number, state, targets] = product;
        expect(units > 0 && k > 0 && heads > 0 && units % heads == 0 && k % heads == 0, "a matrix's sizes");
        expect(from >= 0 && from < static_cast<std::int32_t>(From::count) && number >= 0, "an operand");
        if (from == static_cast<std::int32_t>(From::x)) expect(k == input_size, "an operand's width");
        if (from >= static_cast<std::int32_t>(From::panel)) need_panel(number);
        if (from == static_cast<std::int32_t>(From::stream)) streams = std::max(streams, number + 1);
        if (from == static_cast<std::int32_t>(From::panel_before)) {
            expect(state >= 0, "a state before the first step");
            states = std::max(states, state + 1);
        }
        for (const auto& [panel, weight, first, bias, first_bias] : targets) {
            need_panel(panel);
            expect(first >= 0 && first_bias >= 0, "a target");
            weights = std::max({weights, weight + 1, bias + 1});
        }
    }

    void need_panel(std::int32_t panel) {
        expect(panel >= 0, "an array over all rows");
        panels = std::max(panels, panel + 1);
    }
};

// Gradients of the input and of all matrices and biases over steps [begin, end). `onwards`: those of weights are added to
// what other steps gave; else the first are written, where the recipe says so.
template <class T>
void take_gradients(const GradientRecipe& recipe, const Packed<T>& packed, const RowsOwner& rows, Index begin,
                    Index end, Address x, const Addresses& streams, const Addresses& panels, const Addresses& start,
                    Address d_x, const Addresses& d_weights, bool onwards, int threads) {
    const auto has = [](const auto& given, std::int32_t wanted) { return given.size() >= std::size_t(wanted); };
    expect(has(panels, recipe.panels) && has(streams, recipe.streams), "panels or streams");
    expect(has(start, recipe.states) && has(d_weights, recipe.weights), "states or weights");
    expect(packed.inputs.size() == recipe.inputs.size(), "an input matrix for each gate");
    for (const Matrix<T>& matrix : packed.inputs) expect(matrix.units == recipe.input_size, "an input matrix's width");
    const auto panel_of = [&](std::int32_t number) { return at<const T>(panels[std::size_t(number)]); };
    const auto element = [&](std::int32_t weight, Index first) {
        return weight < 0 ? nullptr : at<T>(d_weights[std::size_t(weight)]) + first;
    };
    const auto adds = [&](std::int32_t weight) {
        return weight >= 0 && (onwards || !recipe.written[std::size_t(weight)]);
    };
    const RowsOwner::Part owner = rows.part(begin, end);
    const Rows& part = owner.rows;

    std::vector<const T*> inputs;
    for (const std::int32_t panel : recipe.inputs) inputs.push_back(panel_of(panel));
    const T* const raw = recipe.raw < 0 ? nullptr : panel_of(recipe.raw);
    const InputGradient<T> of_input{part.total,           static_cast<Index>(inputs.size()),
                                    recipe.input_size,    inputs.data(),
                                    packed.inputs.data(), raw,
                                    part.sources,         at<T>(d_x)};
    std::deque<std::vector<GateGradient<T>>> gates;  // which stay where they are while more come
    const auto of_weights = [&](const ProductSpec& product) {
        const auto& [units, k, heads, from, number, state, targets] = product;
        gates.emplace_back();
        for (const auto& [panel, weight, first, bias, first_bias] : targets)
            gates.back().push_back(
                {panel_of(panel), element(weight, first), element(bias, first_bias), adds(weight), adds(bias)});
        const From kind = static_cast<From>(from);
        WeightGradient<T> job{};
        job.rows = part;
        job.units = units;
        job.k_count = k;
        job.heads = heads;
        job.gate_count = static_cast<Index>(targets.size());
        job.gates = gates.back().data();
        if (kind == From::x) job.outside = at<const T>(x);
        if (kind == From::stream) job.outside = at<const T>(streams[std::size_t(number)]);
        if (kind >= From::panel) job.in_panels = panel_of(number);
        job.before = kind == From::panel_before;
        if (job.before) job.initial = at<const T>(start[std::size_t(state)]);
        return job;
    };
    std::vector<std::vector<WeightGradient<T>>> rounds;
    for (const auto& round : recipe.rounds) {
        rounds.emplace_back();
        for (const ProductSpec& product : round) rounds.back().push_back(of_weights(product));
    }
    const Unlocked released;
    gradients(functions<T>(), of_input, rounds, threads);
}

// An operation on whole arrays; what the tests of the functions' accuracy use.
template <class T>
void evaluate_operation(const std::string& name, const nb::ndarray<const T, nb::ndim<1>, nb::c_contig>& a,
                        const nb::ndarray<const T, nb::ndim<1>, nb::c_contig>& b,
                        const nb::ndarray<const T, nb::ndim<1>, nb::c_contig>& c,
                        const nb::ndarray<T, nb::ndim<1>, nb::c_contig>& result) {
    static const char* const names[] = {
#define OSTINATO_NAME(name) #name,
        OSTINATO_OPERATIONS(OSTINATO_NAME)
#undef OSTINATO_NAME
    };
    const std::size_t count = result.size();
    expect(count % PANEL == 0, "the count must be a multiple of 16");
    expect(a.size() == count && b.size() == count && c.size() == count, "arrays of one size");
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(Operation::count); ++i)
        if (name == names[i])
            return functions<T>().evaluate(static_cast<Operation>(i), a.data(), b.data(), c.data(), result.data(),
                                           static_cast<Index>(count));
    refuse("there is no operation " + name);
}

template <class T>
void bind(nb::module_& m, const char* packed_name) {
    nb::class_<Packed<T>>(m, packed_name)
        .def(nb::init<const Recipe&, const Addresses&, int>(), nb::arg("recipe"), nb::arg("weights"),
             nb::arg("threads"));
    m.def("run", &run_steps<T>, nb::arg("layout"), nb::arg("packed"), nb::arg("rows"), nb::arg("begin"), nb::arg("end"),
          nb::arg("backwards"), nb::arg("x"), nb::arg("streams"), nb::arg("stream_strides"), nb::arg("panels"),
          nb::arg("initial"), nb::arg("states_in"), nb::arg("states_out"), nb::arg("y"), nb::arg("threads"));
    m.def("step", &run_step<T>, nb::arg("layout"), nb::arg("packed"), nb::arg("threads"), nb::arg("x").noconvert(),
          nb::arg("states_in").noconvert(), nb::arg("y").noconvert(), nb::arg("states_out").noconvert());
    m.def("gradients", &take_gradients<T>, nb::arg("recipe"), nb::arg("packed"), nb::arg("rows"), nb::arg("begin"),
          nb::arg("end"), nb::arg("x"), nb::arg("streams"), nb::arg("panels"), nb::arg("start"), nb::arg("d_x"),
          nb::arg("d_weights"), nb::arg("onwards"), nb::arg("threads"));
    m.def("evaluate", &evaluate_operation<T>, nb::arg("name"), nb::arg("a"), nb::arg("b"), nb::arg("c"),
          nb::arg("result"));
}

std::vector<std::string> operation_names() {
    return {
#define OSTINATO_NAME(name) #name,
        OSTINATO_OPERATIONS(OSTINATO_NAME)
#undef OSTINATO_NAME
    };
}

}  // namespace

}  // namespace ostinato

NB_MODULE(_core, m) {
    using namespace ostinato;
    const auto names = level_names();
    use_level(names.back());
    nb::set_leak_warnings(false);  // plans are kept for good, by caches that the interpreter does not clear
    m.doc() = "The engine's compiled core. Private: ostinato.engine is its face.";
    m.def("levels", &level_names, "Instruction-set levels that were built and that this processor has, lowest first.");
    m.def("level", [] { return std::string(the_level->name); }, "The level in use.");
    m.def("use_level", &use_level, nb::arg("name"), "Use another level, for all calls that begin after this one.");
    m.def("default_threads", &default_threads, "Threads where nobody says otherwise.");
    m.def("borrow_openmp", &openmp::borrow, "Compute on the threads of the OpenMP runtime in this process, if any.");
    nb::module_::import_("atexit").attr("register")(nb::cpp_function(&Unlocked::end));
    m.attr("OPERATIONS") = nb::cast(operation_names());
    m.attr("PANEL") = static_cast<int>(PANEL);
    m.def("floats", &numbers<float>, nb::arg("count"), "An array of float32 that speaks DLPack.");
    m.def("doubles", &numbers<double>, nb::arg("count"), "An array of float64 that speaks DLPack.");
    nb::class_<PlanOwner>(m, "Plan").def(
        nb::init<Index, const std::vector<std::tuple<std::int32_t, std::int32_t, std::int32_t>>&,
                 const std::vector<double>&, const std::vector<std::int32_t>&,
                 const std::vector<std::vector<std::int32_t>>&>(),
        nb::arg("letters"), nb::arg("arrays"), nb::arg("constants"), nb::arg("sizes"), nb::arg("items"));
    nb::class_<Layout>(m, "Layout")
        .def(nb::init<const PlanOwner&, std::vector<Index>, std::vector<std::int32_t>, std::vector<std::int32_t>,
                      Index>(),
             nb::arg("plan"), nb::arg("widths"), nb::arg("state_widths"), nb::arg("outputs"), nb::arg("input_size"),
             nb::keep_alive<1, 2>());
    nb::class_<Recipe>(m, "Recipe")
        .def(nb::init<std::vector<MatrixSpec>, std::vector<VectorSpec>, std::vector<MatrixSpec>,
                      std::vector<VectorSpec>, std::vector<VectorSpec>>(),
             nb::arg("inputs"), nb::arg("input_biases"), nb::arg("matrices"), nb::arg("biases"), nb::arg("vectors"));
    nb::class_<GradientRecipe>(m, "GradientRecipe")
        .def(nb::init<Index, std::vector<std::int32_t>, std::int32_t,
                      std::vector<std::vector<ProductSpec>>, std::vector<bool>>(),
             nb::arg("input_size"), nb::arg("inputs"), nb::arg("raw"), nb::arg("rounds"), nb::arg("written"));
    nb::class_<RowsOwner>(m, "Rows")
        .def(nb::init<const Integers&, const Integers&, const Integers&>(), nb::arg("counts"), nb::arg("sources"),
             nb::arg("order"))
        .def_prop_ro("steps", &RowsOwner::steps)
        .def_prop_ro("total", &RowsOwner::total)
        .def("start", &RowsOwner::start, nb::arg("step"));
    bind<float>(m, "PackedFloat");
    bind<double>(m, "PackedDouble");
}
