// Weights packed for a plan.
#pragma once

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "../memory.h"
#include "../parallel.h"
#include "edge.h"

namespace ostinato {

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

}  // namespace ostinato
