// Tests of vector.h and functions.h at one level, the one that OSTINATO_LEVEL names:
//
//   functions [--stride N]   checks everything, prints the largest error of each function, exits with 1 if one is wrong
//   functions --bits FILE    writes the float results for fixed arguments; levels with fused multiply-add give equal
//                            files on one machine
//
// Bounds are checked over every Nth float (N = 1021 unless told), over all floats around the points where something
// changes, and around the multiples of pi/2, against the C library in long double.

#include "../functions.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace level = ostinato::OSTINATO_LEVEL;
using level::Mask;
using level::Vec;

namespace {

constexpr float INF = std::numeric_limits<float>::infinity();
constexpr float NOT_A_NUMBER = std::numeric_limits<float>::quiet_NaN();
constexpr float SMALLEST_NORMAL = std::numeric_limits<float>::min();
constexpr float LARGEST = std::numeric_limits<float>::max();
constexpr int MOST_LANES = 16;

int failures = 0;

void expect(bool holds, const std::string& what) {
    if (holds) return;
    if (++failures <= 50) std::printf("FAILED %s\n", what.c_str());
}

float from_bits(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

std::uint32_t to_bits(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

// Equal, the sign of zero included; any two that are not numbers are the same.
template <class T>
bool same(T a, T b) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    return a == b && std::signbit(a) == std::signbit(b);
}

std::string text(double value) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "%.9g (%a)", value, value);
    return buffer;
}

// ---- Functions, their references and their bounds ----

using Reference = long double (*)(long double);
template <class T>
using Apply = void (*)(const T* arguments, T* values);  // one vector

// `zeros`: the function is near zero at places that no float meets. There, but at 0 itself, the bound is absolute.
struct Function {
    const char* name;
    Apply<float> apply;
    Apply<double> apply_double;
    Reference reference;
    bool zeros;
};

long double sigmoid_reference(long double x) {
    const long double e = std::exp(-std::fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}

long double softplus_reference(long double x) {
    return (x > 0 ? x : 0) + std::log1p(std::exp(-std::fabs(x)));
}

#define OSTINATO_APPLY(name, T) [](const T* x, T* y) { level::name(Vec<T>::load(x)).store(y); }
#define OSTINATO_FUNCTION(name, reference, zeros) \
    {#name, OSTINATO_APPLY(name, float), OSTINATO_APPLY(name, double), reference, zeros}

const Function FUNCTIONS[] = {
    OSTINATO_FUNCTION(
        exp, [](long double x) { return std::exp(x); }, false),
    OSTINATO_FUNCTION(
        log, [](long double x) { return std::log(x); }, false),
    OSTINATO_FUNCTION(sigmoid, sigmoid_reference, false),
    OSTINATO_FUNCTION(
        tanh, [](long double x) { return std::tanh(x); }, false),
    OSTINATO_FUNCTION(softplus, softplus_reference, false),
    OSTINATO_FUNCTION(
        sin, [](long double x) { return std::sin(x); }, true),
    OSTINATO_FUNCTION(
        cos, [](long double x) { return std::cos(x); }, true),
};

constexpr double BOUND = 4;  // ULP
constexpr double NEAR_ZERO = 1e-3;
constexpr double BOUND_NEAR_ZERO = 2e-7;  // absolute, closer than NEAR_ZERO to a zero of sin or cos

// The distance of `value` from `exact`, in units in the last place of `exact`, a normal number of type T.
template <class T>
double ulps(T value, long double exact) {
    constexpr int digits = std::numeric_limits<T>::digits;
    const long double unit = std::ldexp(1.0L, std::ilogb(exact) - (digits - 1));
    return static_cast<double>(std::fabs(static_cast<long double>(value) - exact) / unit);
}

// The error of function(x) as a share of what is allowed: at most 1 is right.
template <class T>
double error_share(const Function& function, T x, T value, long double exact) {
    if (std::isnan(exact)) return std::isnan(value) ? 0 : INF;
    if (std::isnan(value)) return INF;
    if (std::isinf(exact) || exact == 0) return same(value, static_cast<T>(exact)) ? 0 : INF;
    if (std::fabs(exact) > std::numeric_limits<T>::max() && std::isinf(value)) {
        return std::signbit(exact) == std::signbit(value) ? 0 : INF;
    }
    if (std::fabs(exact) < std::numeric_limits<T>::min()) {
        return std::fabs(value) <= std::numeric_limits<T>::min() ? 0 : INF;
    }
    if (function.zeros && std::fabs(x) > 1 && std::fabs(exact) < std::sin(NEAR_ZERO)) {
        return static_cast<double>(std::fabs(value - exact)) / BOUND_NEAR_ZERO;
    }
    return ulps(value, exact) / BOUND;
}

// ---- Arguments ----

void add_around(std::vector<float>& to, float centre, std::int64_t neighbours) {
    const std::int64_t bits = to_bits(centre);
    for (std::int64_t i = bits - neighbours; i <= bits + neighbours; ++i) {
        to.push_back(from_bits(static_cast<std::uint32_t>(i)));
        to.push_back(-to.back());
    }
}

std::vector<float> arguments(std::uint64_t stride) {
    std::vector<float> all;
    for (std::uint64_t bits = 0; bits < (1ull << 32); bits += stride) {
        all.push_back(from_bits(static_cast<std::uint32_t>(bits)));
    }
    const float turning_points[] = {
        SMALLEST_NORMAL,
        1e-4f,
        1.0f,
        8192.0f,  // subnormals end, a unit, the last float that sin reduces
        0.17328680f,
        0.34657359f,
        0.51986039f,
        1.0397208f,  // n changes in exp and tanh
        0.7f,
        1.4f,
        0.78539816f,  // the mantissa's bounds in log, a quarter turn's in sin
        9.1f,
        87.0f,
        87.336544f,
        87.683118f,
        88.0f,
        88.376266f,
        88.722839f,
        103.97208f,  // clamps, under- and overflow
    };
    for (const float point : turning_points) add_around(all, point, 4096);
    for (int n = 1; n <= 5300; ++n) add_around(all, static_cast<float>(n * 1.5707963267948966), 16);
    while (all.size() % MOST_LANES != 0) all.push_back(0.0f);
    return all;
}

// ---- Checks ----

struct Worst {
    double share = 0;
    float argument = 0;
    float value = 0;
};

Worst worst_of(const Function& function, Apply<float> apply, const std::vector<float>& all) {
    Worst worst;
    float values[MOST_LANES];
    for (std::size_t start = 0; start < all.size(); start += Vec<float>::lanes) {
        apply(&all[start], values);
        for (int lane = 0; lane < Vec<float>::lanes; ++lane) {
            const float x = all[start + static_cast<std::size_t>(lane)];
            const double share = error_share(function, x, values[lane], function.reference(x));
            if (share > worst.share) worst = {share, x, values[lane]};
        }
    }
    return worst;
}

void check_bounds(const std::vector<float>& all) {
    for (const Function& function : FUNCTIONS) {
        const Worst worst = worst_of(function, function.apply, all);
        std::printf("%-8s float   largest error %.3f of what is allowed (%g ULP%s), at %s\n", function.name,
                    worst.share, BOUND, function.zeros ? "; 2e-7 near a zero" : "", text(worst.argument).c_str());
        expect(worst.share <= 1, std::string(function.name) + "(" + text(worst.argument) + ") = " + text(worst.value));
    }
}

void check_double() {
    const double points[] = {0.0,  1e-300, 1e-9,  0.1,   0.5,   1.0, 2.0,   5.0,
                             19.0, 37.0,   100.0, 700.0, 708.0, 1e5, 1e300, INF};
    for (const Function& function : FUNCTIONS) {
        for (const double point : points) {
            for (const double x : {point, -point, static_cast<double>(NOT_A_NUMBER)}) {
                double in[MOST_LANES], out[MOST_LANES];
                for (double& lane : in) lane = x;
                function.apply_double(in, out);
                const long double exact = function.reference(x);
                for (int lane = 0; lane < Vec<double>::lanes; ++lane) {
                    expect(error_share(function, x, out[lane], exact) <= 1,
                           std::string(function.name) + "(double " + text(x) + ") = " + text(out[lane]));
                }
            }
        }
    }
}

const Function& named(const std::string& name) {
    for (const Function& function : FUNCTIONS) {
        if (function.name == name) return function;
    }
    std::printf("no function is called %s\n", name.c_str());
    std::exit(1);
}

void check_specials() {
    const struct {
        const char* name;
        float argument, expected;
    } cases[] = {
        {"exp", 0, 1},
        {"exp", -0.0f, 1},
        {"exp", 89, INF},
        {"exp", LARGEST, INF},
        {"exp", INF, INF},
        {"exp", -104, 0},
        {"exp", -LARGEST, 0},
        {"exp", -INF, 0},
        {"log", 1, 0},
        {"log", 0, -INF},
        {"log", -0.0f, -INF},
        {"log", -1, NOT_A_NUMBER},
        {"log", -1e-40f, NOT_A_NUMBER},
        {"log", -INF, NOT_A_NUMBER},
        {"log", INF, INF},
        {"sigmoid", 0, 0.5f},
        {"sigmoid", LARGEST, 1},
        {"sigmoid", INF, 1},
        {"sigmoid", -LARGEST, 0},
        {"sigmoid", -INF, 0},
        {"tanh", 0, 0},
        {"tanh", -0.0f, -0.0f},
        {"tanh", LARGEST, 1},
        {"tanh", INF, 1},
        {"tanh", -LARGEST, -1},
        {"tanh", -INF, -1},
        {"softplus", LARGEST, LARGEST},
        {"softplus", INF, INF},
        {"softplus", -LARGEST, 0},
        {"softplus", -INF, 0},
        {"sin", 0, 0},
        {"sin", -0.0f, -0.0f},
        {"sin", INF, NOT_A_NUMBER},
        {"sin", -INF, NOT_A_NUMBER},
        {"cos", 0, 1},
        {"cos", -0.0f, 1},
        {"cos", INF, NOT_A_NUMBER},
        {"cos", -INF, NOT_A_NUMBER},
    };
    for (const auto& c : cases) {
        float in[MOST_LANES], out[MOST_LANES];
        for (float& lane : in) lane = c.argument;
        named(c.name).apply(in, out);
        for (int lane = 0; lane < Vec<float>::lanes; ++lane) {
            expect(same(out[lane], c.expected),
                   std::string(c.name) + "(" + text(c.argument) + ") = " + text(out[lane]));
        }
    }
    for (const Function& function : FUNCTIONS) {
        for (const std::uint32_t bits : {0x7fc00000u, 0x7f800001u, 0x7fffffffu, 0xffc00001u, 0xffffffffu}) {
            float in[MOST_LANES], out[MOST_LANES];
            for (float& lane : in) lane = from_bits(bits);
            function.apply(in, out);
            expect(std::isnan(out[0]), std::string(function.name) + " of a not-a-number is " + text(out[0]));
        }
    }
}

void check_tanh_stays_within_one(const std::vector<float>& all) {
    const Function& tanh = named("tanh");
    float values[MOST_LANES];
    for (std::size_t start = 0; start < all.size(); start += Vec<float>::lanes) {
        tanh.apply(&all[start], values);
        for (int lane = 0; lane < Vec<float>::lanes; ++lane) {
            expect(!(std::fabs(values[lane]) > 1), "tanh has a value beyond 1: " + text(values[lane]));
        }
    }
}

// A lane's result does not depend on what the other lanes hold.
void check_lanes_alone() {
    const float company[] = {0.0f, 1.0f, -87.0f, 1e5f, -1e30f, INF, -INF, NOT_A_NUMBER, 1e-40f};
    const float own[] = {0.3f, -2.5f, 88.0f, 8191.5f, 1e5f, -1e-3f};
    for (const Function& function : FUNCTIONS) {
        for (const float x : own) {
            float in[MOST_LANES], alone[MOST_LANES], out[MOST_LANES];
            for (float& lane : in) lane = x;
            function.apply(in, alone);
            for (const float other : company) {
                for (int lane = 0; lane < Vec<float>::lanes; ++lane) {
                    for (float& slot : in) slot = other;
                    in[lane] = x;
                    function.apply(in, out);
                    expect(same(out[lane], alone[lane]),
                           std::string(function.name) + "(" + text(x) + ") beside " + text(other));
                }
            }
        }
    }
}

// A vector operation, and what it gives a lane.
template <class T>
struct Operation {
    const char* name;
    Vec<T> (*apply)(Vec<T>, Vec<T>, Vec<T>);
    T (*expected)(T, T, T);
};

template <class T>
T fused_or_not(T a, T b, T c) {
    if (level::FUSED) return std::fma(a, b, c);
    volatile T product = a * b;
    return product + c;
}

// The lanes of a mask that say yes as 1, the others as 0; by way of memory, as a kernel keeps masks.
template <class T>
Vec<T> ones(Mask<T> mask) {
    T stored[MOST_LANES];
    level::as_vec(mask).store(stored);
    return level::select(level::as_mask(Vec<T>::load(stored)), Vec<T>::splat(1), Vec<T>::zero());
}

template <class T>
std::vector<Operation<T>> operations() {
    using V = Vec<T>;
    return {
        {"a + b", [](V a, V b, V) { return a + b; }, [](T a, T b, T) { return a + b; }},
        {"a - b", [](V a, V b, V) { return a - b; }, [](T a, T b, T) { return a - b; }},
        {"a * b", [](V a, V b, V) { return a * b; }, [](T a, T b, T) { return a * b; }},
        {"a / b", [](V a, V b, V) { return a / b; }, [](T a, T b, T) { return a / b; }},
        {"-a", [](V a, V, V) { return -a; }, [](T a, T, T) { return -a; }},
        {"abs", [](V a, V, V) { return level::abs(a); }, [](T a, T, T) { return std::fabs(a); }},
        {"sqrt", [](V a, V, V) { return level::sqrt(a); }, [](T a, T, T) { return std::sqrt(a); }},
        {"fma", [](V a, V b, V c) { return level::fma(a, b, c); }, [](T a, T b, T c) { return fused_or_not(a, b, c); }},
        {"fms", [](V a, V b, V c) { return level::fms(a, b, c); },
         [](T a, T b, T c) { return fused_or_not(a, b, -c); }},
        {"fnma", [](V a, V b, V c) { return level::fnma(a, b, c); },
         [](T a, T b, T c) { return fused_or_not(-a, b, c); }},
        {"max", [](V a, V b, V) { return level::max(a, b); },
         [](T a, T b, T) { return std::isnan(a) || std::isnan(b) ? T(NOT_A_NUMBER)
                                  : a > b                        ? a
                                                                 : b; }},
        {"min", [](V a, V b, V) { return level::min(a, b); },
         [](T a, T b, T) { return std::isnan(a) || std::isnan(b) ? T(NOT_A_NUMBER)
                                  : a < b                        ? a
                                                                 : b; }},
        {"clamp", [](V a, V, V) { return level::clamp(a, V::splat(-1), V::splat(2)); },
         [](T a, T, T) { return a < -1  ? T(-1)
                                : a > 2 ? T(2)
                                        : a; }},
        {"less", [](V a, V b, V) { return ones<T>(level::less(a, b)); }, [](T a, T b, T) { return T(a < b); }},
        {"less_equal", [](V a, V b, V) { return ones<T>(level::less_equal(a, b)); },
         [](T a, T b, T) { return T(a <= b); }},
        {"greater", [](V a, V b, V) { return ones<T>(level::greater(a, b)); }, [](T a, T b, T) { return T(a > b); }},
        {"greater_equal", [](V a, V b, V) { return ones<T>(level::greater_equal(a, b)); },
         [](T a, T b, T) { return T(a >= b); }},
        {"equal", [](V a, V b, V) { return ones<T>(level::equal(a, b)); }, [](T a, T b, T) { return T(a == b); }},
        {"not_equal", [](V a, V b, V) { return ones<T>(level::not_equal(a, b)); },
         [](T a, T b, T) { return T(a != b); }},
        {"mask & mask", [](V a, V b, V c) { return ones<T>(level::less(a, b) & level::less(b, c)); },
         [](T a, T b, T c) { return T(a < b && b < c); }},
        {"mask | mask", [](V a, V b, V c) { return ones<T>(level::less(a, b) | level::less(b, c)); },
         [](T a, T b, T c) { return T(a < b || b < c); }},
        {"select", [](V a, V b, V c) { return level::select(level::less(a, b), b, c); },
         [](T a, T b, T c) { return a < b ? b : c; }},
    };
}

// All lanes but one hold the triple (a, b, c); that one holds (1, 1, 1), so that a value in the wrong lane shows.
template <class T>
void check_operation(const Operation<T>& operation, T a, T b, T c, int odd_lane) {
    // One past the start, since no load or store may need alignment.
    T in[3][MOST_LANES + 1], out[MOST_LANES + 1];
    for (int lane = 0; lane < Vec<T>::lanes; ++lane) {
        in[0][lane + 1] = lane == odd_lane ? T(1) : a;
        in[1][lane + 1] = lane == odd_lane ? T(1) : b;
        in[2][lane + 1] = lane == odd_lane ? T(1) : c;
    }
    operation.apply(Vec<T>::load(in[0] + 1), Vec<T>::load(in[1] + 1), Vec<T>::load(in[2] + 1)).store(out + 1);
    for (int lane = 0; lane < Vec<T>::lanes; ++lane) {
        const T expected = lane == odd_lane ? operation.expected(1, 1, 1) : operation.expected(a, b, c);
        expect(same(out[lane + 1], expected), std::string(operation.name) + " of " + text(a) + ", " + text(b) + ", " +
                                                  text(c) + " is " + text(out[lane + 1]) + ", not " + text(expected));
    }
}

template <class T>
void check_operations() {
    using Limits = std::numeric_limits<T>;
    const T values[] = {T(0),          T(-0.0), T(1),   T(-1),   T(1.1),         T(-3.7), Limits::denorm_min(),
                        Limits::max(), T(1e-3), T(INF), T(-INF), T(NOT_A_NUMBER)};
    int odd_lane = 0;
    for (const Operation<T>& operation : operations<T>()) {
        for (const T a : values) {
            for (const T b : values) {
                for (const T c : values) {
                    odd_lane = (odd_lane + 1) % Vec<T>::lanes;
                    check_operation(operation, a, b, c, odd_lane);
                }
            }
        }
    }
}

template <class T>
void check_any() {
    expect(!level::any(level::less(Vec<T>::zero(), Vec<T>::zero())), "any of a mask that says no everywhere");
    for (int lane = 0; lane < Vec<T>::lanes; ++lane) {
        T one_below[MOST_LANES] = {};
        one_below[lane] = -1;
        expect(level::any(level::less(Vec<T>::load(one_below), Vec<T>::zero())), "any of a mask with one yes");
    }
}

// What compares must be able to say no.
void check_that_checks_can_fail(const std::vector<float>& all) {
    expect(ulps(1.0f, 1.0L) == 0, "ulps of an exact value");
    expect(ulps(std::nextafter(1.0f, 2.0f), 1.0L) == 1, "ulps one above 1");
    expect(ulps(std::nextafter(1.0f, 0.0f), 1.0L) == 0.5, "ulps one below 1, where floats are twice as dense");
    const Function& exp = named("exp");
    expect(error_share(exp, 0.0f, from_bits(0x3f800004u), 1.0L) <= 1, "an error of 4 ULP is allowed");
    expect(error_share(exp, 0.0f, from_bits(0x3f800005u), 1.0L) > 1, "an error of 5 ULP is refused");
    expect(error_share(exp, 0.0f, NOT_A_NUMBER, 1.0L) > 1, "a not-a-number is refused");
    expect(error_share(exp, 0.0f, 1.0f, std::nanl("")) > 1, "a number for a not-a-number is refused");
    expect(error_share(exp, 0.0f, INF, 1.0L) > 1, "infinity is refused");
    expect(error_share(named("log"), 1.0f, -0.0f, 0.0L) > 1, "the wrong zero is refused");
    const auto off_by_six = [](const float* x, float* y) {
        level::add_bits(level::exp(Vec<float>::load(x)), level::splat_bits(6)).store(y);
    };
    const auto without_far_lanes = [](const float* x, float* y) {
        level::sin_turned(Vec<float>::load(x), 0.0f).store(y);
    };
    expect(worst_of(exp, off_by_six, all).share > 1, "the sweep refuses an exp that is off by 6 ULP");
    expect(worst_of(named("sin"), without_far_lanes, all).share > 1, "the sweep refuses a sin without the far lanes");
}

int write_bits(const char* path) {
    std::FILE* file = std::fopen(path, "wb");
    if (file == nullptr) {
        std::printf("cannot write %s\n", path);
        return 1;
    }
    const std::vector<float> all = arguments(40009);
    for (const Function& function : FUNCTIONS) {
        for (std::size_t start = 0; start < all.size(); start += Vec<float>::lanes) {
            float values[MOST_LANES];
            function.apply(&all[start], values);
            for (int lane = 0; lane < Vec<float>::lanes; ++lane) {
                if (std::isnan(values[lane])) values[lane] = NOT_A_NUMBER;  // which one is not promised
            }
            std::fwrite(values, sizeof(float), Vec<float>::lanes, file);
        }
    }
    return std::fclose(file) == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
    if (count == 3 && std::string(words[1]) == "--bits") return write_bits(words[2]);
    const bool with_stride = count == 3 && std::string(words[1]) == "--stride";
    const std::uint64_t stride = with_stride ? std::strtoull(words[2], nullptr, 10) : 1021;
    if ((count != 1 && !with_stride) || stride == 0) {
        std::printf("usage: %s [--stride N | --bits FILE]\n", words[0]);
        return 2;
    }
    const std::vector<float> all = arguments(stride);
    check_operations<float>();
    check_operations<double>();
    check_any<float>();
    check_any<double>();
    check_specials();
    check_lanes_alone();
    check_double();
    check_tanh_stays_within_one(all);
    check_bounds(all);
    check_that_checks_can_fail(arguments(100003));
    std::printf(failures == 0 ? "all as promised\n" : "%d checks failed\n", failures);
    return failures == 0 ? 0 : 1;
}
