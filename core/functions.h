// The functions of a program on vectors: exp, log, sigmoid, tanh, softplus, sin, cos.
//
// In float32 each is a polynomial or a quotient of two, without a branch (sin and cos have one, for large arguments),
// and the error is bounded where the function is declared. A bound counts units in the last place of the exact result
// and holds at every level, with fused multiply-add or without, wherever that result is a normal number; one that is
// subnormal may come out as zero. Special values are as in C. With fused multiply-add the same operations run in the
// same order at every level, so a lane's bits are the same. All coefficients are our own fits: the largest relative
// error over the stated interval is least.
//
// In float64 each lane calls the C library.
#pragma once

#include <math.h>

#include "vector.h"

namespace ostinato::OSTINATO_LEVEL {

// ---- Parts -----------------------------------------------------------------------------------------------------

// 1.5 * 2^23: added to a float of size below 2^22, it rounds that to an integer, which the low bits then hold.
constexpr float ROUNDER = 12582912.0f;

static OSTINATO_INLINE Vec<float> splat(float value) {
    return Vec<float>::splat(value);
}

// c[0] + c[1] x + c[2] x^2 + ...
template <int n>
static OSTINATO_INLINE Vec<float> polynomial(Vec<float> x, const float (&c)[n]) {
    Vec<float> sum = splat(c[n - 1]);
    for (int i = n - 2; i >= 0; --i) sum = fma(sum, x, splat(c[i]));
    return sum;
}

// exp(x) = 2^n exp(r), n an integer and |r| at most half of ln 2.
struct ExpParts {
    Vec<float> exp_r;
    Vec<float> bits_n;  // its low bits hold n + bias
};

// For |x| up to 110. ln 2 is taken in two parts, so that n times the first is exact.
static OSTINATO_INLINE ExpParts exp_parts(Vec<float> x, float bias) {
    // |r| <= 0.347: 3e-9
    constexpr float c[] = {1.0f, 1.0f, 0.49999994f, 0.16666521f, 0.041668390f, 0.0083687454f, 0.0013814539f};
    const Vec<float> shifted = fma(x, splat(1.44269502f), splat(ROUNDER + bias));
    const Vec<float> n = shifted - splat(ROUNDER + bias);
    const Vec<float> r = fnma(n, splat(1.42860677e-6f), fnma(n, splat(0.693145752f), x));
    return {polynomial(r, c), shifted};
}

// exp(x) for |x| <= 88, without a special case; below -87.4 it is zero or subnormal.
static OSTINATO_INLINE Vec<float> exp_bounded(Vec<float> x) {
    const ExpParts parts = exp_parts(x, 127.0f);
    return parts.exp_r * shift_left<23>(parts.bits_n);  // the bits of 2^n are n + 127, shifted
}

// ---- Functions, float32 ----------------------------------------------------------------------------------------

// e^x within 4 ULP.
static OSTINATO_INLINE Vec<float> exp(Vec<float> x) {
    const ExpParts parts = exp_parts(x, 0.0f);
    const Vec<float> y = add_bits(parts.exp_r, shift_left<23>(parts.bits_n));
    const Vec<float> finite = select(less_equal(x, splat(88.7228317f)), y, x * splat(HUGE_VALF));
    return select(less(x, splat(-87.3365402f)), Vec<float>::zero(), finite);
}

// The natural logarithm within 4 ULP, of subnormal arguments too.
static OSTINATO_INLINE Vec<float> log(Vec<float> x) {
    // (log(1 + f) - f) / f^2, -0.30 <= f <= 0.42: 6e-9 of log(1 + f)
    constexpr float c[] = {-0.5f,       0.33333330f,  -0.25000837f, 0.20001213f, -0.16622706f,
                           0.14201543f, -0.13166806f, 0.12766510f,  -0.07622295f};
    const Mask<float> subnormal = less(x, splat(1.17549435e-38f));
    const Vec<float> normal = select(subnormal, x * splat(8388608.0f), x);
    // The mantissa is taken between 0.7 and 1.4 by counting exponents from the bits of 0.7.
    const Vec<float> counted = add_bits(normal, splat_bits(0x3f800000u - 0x3f333333u));
    const Vec<float> mantissa = add_bits(bit_and(counted, splat_bits(0x007fffffu)), splat_bits(0x3f333333u));
    const Vec<float> lifted = bit_or(shift_right<23>(counted), splat_bits(0x4b000000u));  // 2^23 + exponent + 127
    const Vec<float> exponent = lifted - select(subnormal, splat(8388608.0f + 127 + 23), splat(8388608.0f + 127));
    const Vec<float> f = mantissa - splat(1.0f);
    const Vec<float> log_mantissa = fma(f * f, polynomial(f, c), f);
    const Vec<float> y = fma(exponent, splat(0.693145752f), fma(exponent, splat(1.42860677e-6f), log_mantissa));
    const Vec<float> up_to_infinity = select(less(x, splat(HUGE_VALF)), y, x);
    const Vec<float> at_zero_or_below =
        select(equal(x, Vec<float>::zero()), splat(-HUGE_VALF), splat_bits(0x7fc00000u));
    return select(greater(x, Vec<float>::zero()), up_to_infinity, at_zero_or_below);
}

// 1 / (1 + e^-x) within 4 ULP.
static OSTINATO_INLINE Vec<float> sigmoid(Vec<float> x) {
    const Vec<float> e = exp_bounded(clamp(x, splat(-88.0f), splat(88.0f)));
    return e / (splat(1.0f) + e);
}

// The hyperbolic tangent within 4 ULP, never beyond 1.
static OSTINATO_INLINE Vec<float> tanh(Vec<float> x) {
    // (e^2r - 1) / r, |r| <= 0.1737: 2e-8
    constexpr float c[] = {2.0f, 1.9999999f, 1.3333236f, 0.66667944f, 0.26772556f, 0.088757224f};
    const Vec<float> one = splat(1.0f);
    const Vec<float> bounded = clamp(x, splat(-9.1f), splat(9.1f));
    // x = n ln 2 / 2 + r. So tanh(x) = m / (m + 2) with m = e^2x - 1 = 2^n (e^2r - 1) + 2^n - 1.
    const Vec<float> shifted = fma(bounded, splat(2.88539004f), splat(ROUNDER + 127.0f));
    const Vec<float> n = shifted - splat(ROUNDER + 127.0f);
    const Vec<float> r = fnma(n, splat(0.346573591f), bounded);
    const Vec<float> power = shift_left<23>(shifted);
    const Vec<float> m = fms(power, r * polynomial(r, c), one - power);  // subtracts 0 where n is 0: -0 stays -0
    return m / (m + splat(2.0f));
}

// log(1 + e^x) within 4 ULP.
static OSTINATO_INLINE Vec<float> softplus(Vec<float> x) {
    // log(1 + e) = 2 atanh(e / (2 + e)) = w + w^3 p(w^2), w = 2 e / (2 + e), 0 <= w <= 2/3: 5e-9
    constexpr float p[] = {0.083333020f, 0.012506727f, 0.0021876410f, 0.00054710910f};
    const Vec<float> e = exp_bounded(larger_or_second(splat(-88.0f), -abs(x)));
    const Vec<float> w = (e + e) / (splat(2.0f) + e);
    const Vec<float> square = w * w;
    const Vec<float> log_1_e = fma(w * square, polynomial(square, p), w);
    return larger_or_second(Vec<float>::zero(), x) + log_1_e;
}

// |x| up to this is reduced to a quarter turn here; beyond it the C library is asked, lane by lane.
constexpr float LAST_REDUCED = 8192.0f;

static __attribute__((noinline)) Vec<float> with_far_lanes(Vec<float> x, Vec<float> y, double (*function)(double)) {
    float arguments[Vec<float>::lanes];
    float values[Vec<float>::lanes];
    x.store(arguments);
    y.store(values);
    for (int i = 0; i < Vec<float>::lanes; ++i) {
        if (arguments[i] > LAST_REDUCED || arguments[i] < -LAST_REDUCED) {
            values[i] = static_cast<float>(function(arguments[i]));
        }
    }
    return Vec<float>::load(values);
}

// sin(x + turns * pi/2) for |x| <= LAST_REDUCED. pi/2 is taken in three parts, so that n times the first two is exact.
static OSTINATO_INLINE Vec<float> sin_turned(Vec<float> x, float turns) {
    // (sin(r) / r - 1) / r^2 and (cos(r) - 1) / r^2, |r| <= 0.786: 4e-9 of sin and 2e-10 of cos
    constexpr float sin_c[] = {-0.16666655f, 0.0083321560f, -0.00019514632f};
    constexpr float cos_c[] = {-0.5f, 0.041666646f, -0.0013887310f, 2.4432413e-05f};
    const Vec<float> shifted = fma(x, splat(0.636619747f), splat(ROUNDER));
    const Vec<float> n = shifted - splat(ROUNDER);
    const Vec<float> first = fnma(n, splat(0.000483751297f), fnma(n, splat(1.5703125f), x));
    const Vec<float> r = fnma(n, splat(7.54979013e-8f), first);
    const Vec<float> square = r * r;
    const Vec<float> sin_r = r * fma(square, polynomial(square, sin_c), splat(1.0f));
    const Vec<float> cos_r = fma(square, polynomial(square, cos_c), splat(1.0f));
    // Of n + turns the last bit chooses the function and the next the sign; here as +-2 or +-0.
    const Vec<float> quarter = shift_left<30>(shifted + splat(turns));
    const Vec<float> y = select(equal(quarter, Vec<float>::zero()), sin_r, cos_r);
    return bit_xor(y, bit_and(quarter, splat(-0.0f)));
}

static inline double lane_sin(double x) {
    return ::sin(x);
}
static inline double lane_cos(double x) {
    return ::cos(x);
}

// Sine: for |x| <= 8192 within 4 ULP, but within 1e-3 of a zero other than 0 within 2e-7; beyond 8192 as the C library.
static OSTINATO_INLINE Vec<float> sin(Vec<float> x) {
    const Vec<float> y = sin_turned(x, 0.0f);
    return any(greater(abs(x), splat(LAST_REDUCED))) ? with_far_lanes(x, y, lane_sin) : y;
}

// Cosine: for |x| <= 8192 within 4 ULP, but within 1e-3 of a zero within 2e-7; beyond 8192 as the C library.
static OSTINATO_INLINE Vec<float> cos(Vec<float> x) {
    const Vec<float> y = sin_turned(x, 1.0f);
    return any(greater(abs(x), splat(LAST_REDUCED))) ? with_far_lanes(x, y, lane_cos) : y;
}

// ---- Functions, float64 ----------------------------------------------------------------------------------------

static inline double lane_exp(double x) {
    return ::exp(x);
}
static inline double lane_log(double x) {
    return ::log(x);
}
static inline double lane_tanh(double x) {
    return ::tanh(x);
}
static inline double lane_sigmoid(double x) {
    const double e = ::exp(-::fabs(x));
    return (x < 0 ? e : 1.0) / (1.0 + e);
}
static inline double lane_softplus(double x) {
    return (x > 0 ? x : 0.0) + ::log1p(::exp(-::fabs(x)));
}

template <double (*function)(double)>
static inline Vec<double> lane_by_lane(Vec<double> x) {
    double values[Vec<double>::lanes];
    x.store(values);
    for (int i = 0; i < Vec<double>::lanes; ++i) values[i] = function(values[i]);
    return Vec<double>::load(values);
}

static OSTINATO_INLINE Vec<double> exp(Vec<double> x) {
    return lane_by_lane<lane_exp>(x);
}
static OSTINATO_INLINE Vec<double> log(Vec<double> x) {
    return lane_by_lane<lane_log>(x);
}
static OSTINATO_INLINE Vec<double> sigmoid(Vec<double> x) {
    return lane_by_lane<lane_sigmoid>(x);
}
static OSTINATO_INLINE Vec<double> tanh(Vec<double> x) {
    return lane_by_lane<lane_tanh>(x);
}
static OSTINATO_INLINE Vec<double> softplus(Vec<double> x) {
    return lane_by_lane<lane_softplus>(x);
}
static OSTINATO_INLINE Vec<double> sin(Vec<double> x) {
    return lane_by_lane<lane_sin>(x);
}
static OSTINATO_INLINE Vec<double> cos(Vec<double> x) {
    return lane_by_lane<lane_cos>(x);
}

}  // namespace ostinato::OSTINATO_LEVEL
