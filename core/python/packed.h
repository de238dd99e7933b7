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
                weights = std::max(weights, weight + 1);
            }
        for (const auto* specs : {&this->input_biases, &this->biases, &this->vectors})
            for (const auto& [weight, first, width] : *specs) {
                expect(width > 0 && first >= 0, "a vector's width");
                weights = std::max(weights, weight + 1);
            }
    }

    std::vector<MatrixSpec> inputs;
    std::vector<VectorSpec> input_biases;
    std::vector<MatrixSpec> matrices;
    std::vector<VectorSpec> biases, vectors;
    std::int32_t weights = 0;
};

// (how a weight's elements are stored, where its scales are: one a row, of bytes alone), for each of a call's weights.
using StoredSpec = std::pair<std::int32_t, Address>;

// The weights of one plan, as the kernels read them.
template <class T>
class Packed {
 public:
    // stored: for each weight; or nothing, where all are stored whole.
    Packed(const Recipe& recipe, const Addresses& weights, int threads, const std::vector<StoredSpec>& stored)
        : weights_(weights), stored_(checked(recipe, weights, stored)), memory_(bytes(recipe)) {
        free_ = static_cast<char*>(memory_.data());
        std::vector<Packing> jobs;
        take(recipe.inputs, inputs, jobs);
        take(recipe.matrices, matrices, jobs);
        take(recipe.input_biases, input_biases);
        take(recipe.biases, biases);
        take(recipe.vectors, vectors);
        const Unlocked released;
        pack(functions<T>(), jobs.data(), static_cast<Index>(jobs.size()), threads);
    }

    std::vector<Matrix<T>> inputs, matrices;
    std::vector<const T*> input_biases, biases, vectors;

 private:
    static std::vector<StoredSpec> checked(const Recipe& recipe, const Addresses& weights,
                                           std::vector<StoredSpec> stored) {
        expect(weights.size() >= static_cast<std::size_t>(recipe.weights), "a recipe needs more weights");
        if (stored.empty()) stored.assign(weights.size(), {0, 0});
        expect(stored.size() == weights.size(), "for each weight how it is stored");
        for (const auto& [how, scales] : stored) {
            expect(how >= 0 && how <= static_cast<std::int32_t>(Stored::int8), "how a weight is stored");
            expect(how == 0 || sizeof(T) == sizeof(float), "only floats are stored in fewer bytes");
            expect((how == static_cast<std::int32_t>(Stored::int8)) == (scales != 0), "bytes have scales");
        }
        for (const auto* specs : {&recipe.input_biases, &recipe.biases, &recipe.vectors})
            for (const auto& [weight, first, width] : *specs)
                expect(weight < 0 || stored[static_cast<std::size_t>(weight)].first == 0, "vectors are stored whole");
        return stored;
    }

    std::size_t bytes(const Recipe& recipe) const {
        Index total = 0;
        for (const auto* specs : {&recipe.inputs, &recipe.matrices})
            for (const auto& [weight, first, stride, units, k, heads, transposed] : *specs) {
                const Stored stored = stored_as(weight);
                total += rounded(panels(units) * panel_bytes(units, k, heads, stored, sizeof(T)));
                if (stored == Stored::int8) total += rounded(padded(units) * Index(sizeof(T)));
            }
        for (const auto* specs : {&recipe.input_biases, &recipe.biases, &recipe.vectors})
            for (const auto& [weight, first, width] : *specs) total += rounded(padded(width) * Index(sizeof(T)));
        return static_cast<std::size_t>(total);
    }

    static Index rounded(Index bytes) { return (bytes + 63) / 64 * 64; }

    template <class W>
    W* carve(Index bytes) {
        W* const here = reinterpret_cast<W*>(free_);
        free_ += rounded(bytes);
        return here;
    }

    Stored stored_as(std::int32_t weight) const {
        return static_cast<Stored>(stored_[static_cast<std::size_t>(weight)].first);
    }

    void take(const std::vector<MatrixSpec>& specs, std::vector<Matrix<T>>& into, std::vector<Packing>& jobs) {
        for (const auto& [weight, first, stride, units, k, heads, transposed] : specs) {
            const Stored stored = stored_as(weight);
            expect(stored == Stored::whole || !transposed, "a matrix in fewer bytes is not transposed");
            const Index element = stored == Stored::int8 ? 1 : stored == Stored::bfloat16 ? 2 : Index(sizeof(T));
            const char* const from = at<const char>(weights_[static_cast<std::size_t>(weight)]) + first * element;
            const Index size = panel_bytes(units, k, heads, stored, sizeof(T));
            char* const to = carve<char>(panels(units) * size);
            jobs.push_back({from, stride, units, k, heads, transposed, stored, to});
            const T* scales = nullptr;
            if (stored == Stored::int8)
                scales =
                    padded_copy(at<const T>(stored_[static_cast<std::size_t>(weight)].second) + first / stride, units);
            into.push_back({to, units, k, heads, size, stored, scales});
        }
    }

    void take(const std::vector<VectorSpec>& specs, std::vector<const T*>& into) {
        for (const auto& [weight, first, width] : specs)
            into.push_back(weight < 0
                               ? nullptr
                               : padded_copy(at<const T>(weights_[static_cast<std::size_t>(weight)]) + first, width));
    }

    const T* padded_copy(const T* from, Index width) {
        T* const to = carve<T>(padded(width) * Index(sizeof(T)));
        for (Index i = 0; i < padded(width); ++i) to[i] = i < width ? from[i] : T(0);
        return to;
    }

    const Addresses& weights_;  // of the constructor
    std::vector<StoredSpec> stored_;
    Block memory_;
    char* free_ = nullptr;
};

}  // namespace ostinato
