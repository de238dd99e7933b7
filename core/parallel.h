// How a call's work is dealt to the threads. None of it can change a bit of what comes out.
#pragma once

#include "run.h"

namespace ostinato {

template <class T>
void run(const Functions<T>& level, const Run<T>& job, int threads);

template <class T>
void pack(const Functions<T>& level, const Packing<T>* jobs, Index count, int threads);

template <class T>
void input_gradient(const Functions<T>& level, const InputGradient<T>& job, int threads);

template <class T>
void weight_gradient(const Functions<T>& level, const WeightGradient<T>& job, int threads);

}  // namespace ostinato
