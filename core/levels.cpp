#include "levels.h"

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <immintrin.h>
#include <intrin.h>
#endif

namespace ostinato {

namespace {

struct Processor {
    bool avx2 = false, avx512 = false;
};

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))

Processor processor() {
    int leaf[4];
    __cpuid(leaf, 1);
    const bool fma = leaf[2] & (1 << 12), saves = leaf[2] & (1 << 27);
    const unsigned long long saved = saves ? _xgetbv(0) : 0;
    __cpuidex(leaf, 7, 0);
    const unsigned wanted = (1u << 16) | (1u << 17) | (1u << 30) | (1u << 31);  // F, DQ, BW, VL
    Processor has;
    has.avx2 = fma && (leaf[1] & (1 << 5)) && (saved & 0x6) == 0x6;
    has.avx512 = has.avx2 && (static_cast<unsigned>(leaf[1]) & wanted) == wanted && (saved & 0xe6) == 0xe6;
    return has;
}

#elif defined(__x86_64__) || defined(__i386__)

Processor processor() {
    __builtin_cpu_init();
    Processor has;
    has.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    has.avx512 = has.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return has;
}

#else

Processor processor() {
    return {};
}

#endif

}  // namespace

int available_levels(const Level** levels) {
    Processor has = processor();
#ifdef OSTINATO_EMULATED_AVX512
    has.avx512 = has.avx2;
#endif
    int count = 0;
#ifdef OSTINATO_HAS_BASELINE
    levels[count++] = &baseline::level;
#endif
#ifdef OSTINATO_HAS_NEON
    levels[count++] = &neon::level;
#endif
#ifdef OSTINATO_HAS_AVX2
    if (has.avx2) levels[count++] = &avx2::level;
#endif
#ifdef OSTINATO_HAS_AVX512
    if (has.avx512) levels[count++] = &avx512::level;
#endif
    (void)has;
    return count;
}

}  // namespace ostinato
