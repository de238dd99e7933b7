// One instruction-set level of the core: compiled once for each, with its flags, in a namespace of its own.
#include "elementwise.h"
#include "gradient.h"
#include "pack.h"
#include "run.h"
#include "sequence.h"

namespace ostinato::OSTINATO_LEVEL {

template <class T>
static void run(const Run<T>& job, const Part& part) {
    Sequence<T>(job, part).steps();
}

template <class T>
static constexpr Functions<T> functions() {
    return {run<T>, Sequence<T>::shared_bytes, pack<T>, input_gradient<T>, weight_gradient<T>, evaluate<T>};
}

#define OSTINATO_QUOTE(name) #name
#define OSTINATO_STRING(name) OSTINATO_QUOTE(name)

extern const Level level;
const Level level = {OSTINATO_STRING(OSTINATO_LEVEL), Vec<float>::lanes, functions<float>(), functions<double>()};

}  // namespace ostinato::OSTINATO_LEVEL
