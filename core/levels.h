// The instruction-set levels that were built, and the one in use.
#pragma once

#include "run.h"

namespace ostinato {

#define OSTINATO_DECLARE(name) \
    namespace name {           \
    extern const Level level;  \
    }
#ifdef OSTINATO_HAS_BASELINE
OSTINATO_DECLARE(baseline)
#endif
#ifdef OSTINATO_HAS_AVX2
OSTINATO_DECLARE(avx2)
#endif
#ifdef OSTINATO_HAS_AVX512
OSTINATO_DECLARE(avx512)
#endif
#ifdef OSTINATO_HAS_NEON
OSTINATO_DECLARE(neon)
#endif
#undef OSTINATO_DECLARE

constexpr int MOST_LEVELS = 4;

// Fills `levels` with those that were built and that this processor has, lowest first; returns how many.
int available_levels(const Level** levels);

}  // namespace ostinato
