// How a call's work is dealt to the threads. None of it can change a bit of what comes out.
#pragma once

#include <vector>

#include "run.h"

namespace ostinato {

template <class T>
void run(const Functions<T>& level, const Run<T>& job, int threads);

template <class T>
void pack(const Functions<T>& level, const Packing* jobs, Index count, int threads);

// The gradients of the input (where its `y` is wanted) and of weights; those of one round lie apart.
template <class T>
void gradients(const Functions<T>& level, const InputGradient<T>& of_input,
               const std::vector<std::vector<WeightGradient<T>>>& rounds, int threads);

}  // namespace ostinato
