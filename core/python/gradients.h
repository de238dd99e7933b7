// What is taken over all rows after the way back.
#pragma once

#include <algorithm>
#include <deque>
#include <tuple>
#include <utility>
#include <vector>

#include "packed.h"
#include "rows_owner.h"

namespace ostinato {

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

// Gradients of the input and of all matrices and biases over steps [begin, end). `onwards`: those of weights are added
// to what other steps gave; else the first are written, where the recipe says so.
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

}  // namespace ostinato
