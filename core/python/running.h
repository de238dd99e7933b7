// Plans with sizes, and their runs: over steps, and one step.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "../plan_owner.h"
#include "packed.h"
#include "rows_owner.h"

namespace ostinato {

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
    job.matrix_count = static_cast<Index>(packed.matrices.size());
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
std::vector<Borrowed<T>> borrowed(const std::vector<nb::handle>& arrays) {
    std::vector<Borrowed<T>> result;
    result.reserve(arrays.size());
    for (const nb::handle array : arrays) result.emplace_back(array);
    return result;
}

// The places of rows among `count` others, checked; or nothing, where they are the same.
inline const std::int64_t* checked_places(const std::optional<Integers>& places, std::size_t rows, std::size_t count) {
    if (!places) {
        expect(rows == count, "a state for each row");
        return nullptr;
    }
    expect(places->shape(0) == rows, "a place for each row");
    const std::int64_t* const data = places->data();
    for (std::size_t i = 0; i < rows; ++i)
        expect(data[i] >= 0 && static_cast<std::size_t>(data[i]) < count, "a place is out of range");
    return data;
}

// One step on NumPy arrays whose shapes are checked here: x [B, D], states [B, width] each; or states [N, width], of
// which row b of x moves the one at places[b], no two the same one.
template <class T>
void run_step(const Layout& layout, const Packed<T>& packed, int threads, nb::handle x_array,
              const std::vector<nb::handle>& states_before, nb::handle y_array,
              const std::vector<nb::handle>& states_after, const std::optional<Integers>& places) {
    const Borrowed<const T> x(x_array);
    const Borrowed<T> y(y_array);
    const auto states_in = borrowed<const T>(states_before);
    const auto states_out = borrowed<T>(states_after);
    const Index batch = static_cast<Index>(x.rows());
    expect(static_cast<Index>(x.width()) == layout.input_size, "x has another width");
    expect(static_cast<Index>(y.rows()) == batch && static_cast<Index>(y.width()) == layout.y_stride, "y");
    expect(states_in.size() == layout.state_widths.size() && states_out.size() == states_in.size(), "states");
    expect(layout.streams == 0 && layout.panel_arrays == 0, "a step has no streams");
    constexpr std::size_t MOST = 256;
    expect(!states_in.empty() && states_in.size() <= MOST, "a number of states that no program has");
    const T* in[MOST];
    T* out[MOST];
    for (std::size_t i = 0; i < states_in.size(); ++i) {
        const auto width = static_cast<std::size_t>(layout.width_of_state(static_cast<std::int32_t>(i)));
        const auto fits = [&](const auto& state) {
            return state.rows() == states_in[0].rows() && state.width() == width;
        };
        expect(fits(states_in[i]) && fits(states_out[i]), "a state has another shape");
        in[i] = states_in[i].data();
        out[i] = states_out[i].data();
    }
    const std::int64_t* const order = checked_places(places, x.rows(), states_in[0].rows());
    if (batch == 0) return;
    const Index count = batch, start = 0;
    Rows rows{};
    rows.order = order;
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

}  // namespace ostinato
