/* exp, log, power, tanh, sigmoid, sin, cos, erf and their relatives on vectors: our own polynomials,
 * from exact IEEE operations only, so the same bits everywhere.
 *
 * Coefficients come from fit_polynomials.py. With each function stands its largest error that
 * benchmarks/ulp.py found, in units of the last place (ULP) of the result: for float, of all 2^32
 * arguments (of every 17th for softplus, the normal distribution, and expm1 and log1p in a part of
 * their range); for double, of millions of random ones. Subnormal results of exp are flushed to 0;
 * NaN gives NaN.
 */
#ifndef FNN_VMATH_H
#define FNN_VMATH_H

#include "../simd/simd.h"

/* Emulated multiply-adds are long: inlining them everywhere takes the compiler half a minute a file. */
#ifdef FNN_ISA_PORTABLE
#define FNN_MATH static __attribute__((noinline, unused))
#else
#define FNN_MATH FNN_INLINE
#endif

#define NOT_A_NUMBER REAL(__builtin_nanf(""))
#define INFINITE REAL(__builtin_inff())

#ifdef FNN_DOUBLE

#define EXP_LARGEST 0x1.62e42fefa39efp+9   /* log of the largest number */
#define EXP_SMALLEST -0x1.6232bdd7abcd2p+9 /* log of the smallest normal number */
#define EXPM1_MINUS_ONE -38.0              /* expm1 below this is -1 */
#define LN2_HIGH 0x1.62e42fefa38p-1        /* 42 bits: its product with an exponent is exact */
#define LN2_LOW 0x1.ef35793c76730p-45
#define TANH_OF_SOFTPLUS_ONE 40.0 /* above this, tanh(softplus(x)) is 1 */
#define NORMAL_LIMIT 38.6         /* beyond -this, the normal distribution underflows */
#define ERFC_CENTER 4.0
#define ERF_ONE 6.0 /* erf above this is 1 */
#define TWO_THIRDS_LOW 0x1.5555555555555p-55
#define HALF_PI_PARTS {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110}
#define LARGEST_ANGLE 0x1p45
static const real EXP_COEFFICIENTS[] = {
    0x1.0000000000000p-1,  0x1.5555555555559p-3,  0x1.555555555555ap-5,  0x1.111111110f6c3p-7,
    0x1.6c16c16c14477p-10, 0x1.a01a01afde227p-13, 0x1.a01a01b0a8457p-16, 0x1.71ddf863b829bp-19,
    0x1.27e4c5c2176d4p-22, 0x1.af5ea50202258p-26, 0x1.1f95303426d12p-29};
static const real LOG_COEFFICIENTS[] = {
    0x1.5555555555592p-1, 0x1.99999999800dap-2, 0x1.24924941cc8ebp-2, 0x1.c71c5222dc931p-3,
    0x1.74663a4f21f17p-3, 0x1.39a224d566641p-3, 0x1.2f019b5cdfb39p-3};
static const real ERFC_COEFFICIENTS[] = {
    0x1.18932bf08e154p+0,   -0x1.f3fe31ecb49bfp-1,  0x1.8be202d26c706p-1,  -0x1.14eacb1ad0349p-1,
    0x1.52cac2371014ep-2,   -0x1.645fd8a4bb89ap-3,  0x1.38dbd2c8e34d0p-4,  -0x1.b00c052c85132p-6,
    0x1.908f47222f163p-8,   -0x1.269b51547d6b8p-12, -0x1.dd28436889b33p-12, 0x1.72cd9d441a57ep-13,
    -0x1.e7f01192e0aa0p-19, -0x1.3c6d70fac8840p-16, 0x1.3b198a453583dp-18, 0x1.7e115f6050e81p-20,
    -0x1.c78edd1b65d72p-21, -0x1.3e1e19b55235ep-24, 0x1.12cb4c8afac37p-23, -0x1.43f2a05d58bf3p-31,
    -0x1.4abf7c87f0d4fp-26, 0x1.e075c21b7f1f5p-31,  0x1.a091b33cc1f7cp-29, -0x1.ccf00991ec7f0p-34,
    -0x1.03fa97c9133a8p-31, -0x1.464c7ca10c1d9p-36, 0x1.e80fffd84a49dp-35, 0x1.29818bfec5ba2p-37,
    -0x1.7a22f7bd3a192p-40};
static const real POWER_COEFFICIENTS[] = {
    0x1.999999999999ap-2, 0x1.249249249246fp-2, 0x1.c71c71c722757p-3, 0x1.745d17417ff30p-3,
    0x1.3b13b3116b073p-3, 0x1.1110945c64b00p-3, 0x1.e20b7e9064d0bp-4, 0x1.aaebf8df99e36p-4,
    0x1.c31bb2170f9b4p-4};
static const real SIN_COEFFICIENTS[] = {
    -0x1.5555555555555p-3,  0x1.1111111111109p-7,  -0x1.a01a01a0183f5p-13, 0x1.71de3a52a9627p-19,
    -0x1.ae6451dd292eep-26, 0x1.61201c2ae6b32p-33, -0x1.aa6af29a72260p-41};
static const real COS_COEFFICIENTS[] = {
    0x1.5555555555555p-5,  -0x1.6c16c16c16c0cp-10, 0x1.a01a01a018614p-16, -0x1.27e4fb757bf48p-22,
    0x1.1eed8c16f8507p-29, -0x1.93929de7b0c57p-37, 0x1.aa823eacd524ep-45};
static const real ERF_COEFFICIENTS[] = {
    0x1.06eba8214db68p-3,  -0x1.812746b0379bdp-2,  0x1.ce2f21a040d19p-4,  -0x1.b82ce311fa9c6p-6,
    0x1.565bccf92bf06p-8,  -0x1.c02db03debadep-11, 0x1.f9a2baaa64dfdp-14, -0x1.f4ca4d7ef3882p-17,
    0x1.b97fd448f6d13p-20, -0x1.5c0728c2e1248p-23, 0x1.d71b16ccc25b3p-27, -0x1.abae534ab3d8fp-31};

#else

#define EXP_LARGEST 0x1.62e42ep+6f
#define EXP_SMALLEST -0x1.5d589ep+6f
#define EXPM1_MINUS_ONE -17.5f
#define LN2_HIGH 0x1.62e4p-1f /* 17 bits */
#define LN2_LOW 0x1.7f7d1cp-20f
#define TANH_OF_SOFTPLUS_ONE 20.0f
#define NORMAL_LIMIT 14.0f
#define ERFC_CENTER 2.0f
#define ERF_ONE 4.0f
#define TWO_THIRDS_LOW -0x1.555556p-26f
#define HALF_PI_PARTS {0x1.921fb6p+0f, -0x1.777a5cp-25f, -0x1.ee59dap-50f}
#define LARGEST_ANGLE 0x1p19f
static const real EXP_COEFFICIENTS[] = {0x1.0p-1f, 0x1.5554b0p-3f, 0x1.555484p-5f, 0x1.1227e6p-7f,
                                        0x1.6d9b44p-10f};
static const real LOG_COEFFICIENTS[] = {0x1.55557ap-1f, 0x1.995ec8p-2f, 0x1.31e1c8p-2f};
static const real ERFC_COEFFICIENTS[] = {
    0x1.058672p+0f,  -0x1.5fd386p-1f, 0x1.1e2ddap-2f,   -0x1.2a87eap-5f,
    -0x1.6059cap-6f, 0x1.a863eap-8f,  0x1.9171d4p-9f,   -0x1.b3e51cp-11f,
    -0x1.36aa00p-11f, 0x1.838bdep-15f, 0x1.21c5dap-14f};
static const real POWER_COEFFICIENTS[] = {0x1.999a00p-2f, 0x1.245294p-2f, 0x1.df9dc4p-3f};
static const real SIN_COEFFICIENTS[] = {-0x1.555542p-3f, 0x1.110632p-7f, -0x1.98e76ap-13f};
static const real COS_COEFFICIENTS[] = {0x1.555548p-5f, -0x1.6c0adep-10f, 0x1.998ab4p-16f};
static const real ERF_COEFFICIENTS[] = {0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2cf8p-4f,
                                        -0x1.b7f90ep-6f, 0x1.5405b8p-8f, -0x1.a3f708p-11f,
                                        0x1.496a04p-14f};

#endif

#define EPSILON_OF_ONE REAL(1.0 / ((uint64_t)1 << MANTISSA_BITS))
/* Below this, x^3 is nothing beside x, and so is x^2 if it is squared. */
#define TINY REAL(1.0 / ((uint64_t)1 << (MANTISSA_BITS / 2 + 2)))

#define POLYNOMIAL(x, c) vec_polynomial(x, c, sizeof(c) / sizeof(c[0]))

/* c[0] + c[1] x + c[2] x^2 + ... */
FNN_INLINE vec vec_polynomial(vec x, const real *c, size_t terms) {
  vec y = vec_set(c[terms - 1]);
#pragma GCC unroll 32
  for (size_t k = terms - 1; k > 0; k--) y = vec_fma(y, x, vec_set(c[k - 1]));
  return y;
}

/* x = n log(2) + r with |r| <= log(2)/2: returns r, and n + ROUNDER in *shifted. */
FNN_INLINE vec exp_remainder(vec x, vec *shifted) {
  vec t = vec_fma(x, vec_set(REAL(0x1.71547652b82fep+0)), vec_set(ROUNDER));
  vec n = vec_sub(t, vec_set(ROUNDER));
  *shifted = t;
  return vec_fnma(n, vec_set(LN2_LOW), vec_fnma(n, vec_set(LN2_HIGH), x));
}

/* expm1(r) for |r| <= log(2)/2. */
FNN_INLINE vec expm1_unit(vec r) {
  return vec_fma(vec_mul(r, r), POLYNOMIAL(r, EXP_COEFFICIENTS), r);
}

/* exp(x) = 2^n exp(r) with |r| <= log(2)/2: returns expm1(r) and n, in the low bits of *shifted. */
FNN_INLINE vec exp_reduced(vec x, vint *shifted) {
  vec t, r = exp_remainder(x, &t);
  *shifted = vec_bits(t);
  return expm1_unit(r);
}

/* exp(x): inf above the range, 0 below. 1.05 ULP (double 0.97). */
FNN_MATH vec vec_exp(vec x) {
  vint n;
  vec p = vec_add(vec_set(1), exp_reduced(x, &n));
  vec y = vec_from_bits(vint_add(vec_bits(p), vint_shl_mantissa(n)));
  y = vec_fma(x, vec_zero(), y); /* NaN stays NaN */
  y = vec_select(vec_gt(x, vec_set(EXP_LARGEST)), vec_set(INFINITE), y);
  return vec_select(vec_lt(x, vec_set(EXP_SMALLEST)), vec_zero(), y);
}

/* exp(x) - 1 for x <= 0, with a small relative error near 0. 0.95 ULP (double 1.10). */
FNN_MATH vec vec_expm1_negative(vec x) {
  vint n;
  vec p = exp_reduced(vec_max(vec_set(EXPM1_MINUS_ONE), x), &n);
  vec s = vec_from_bits(vint_add(vec_bits(vec_set(1)), vint_shl_mantissa(n))); /* 2^n */
  return vec_fma(s, p, vec_sub(s, vec_set(1)));
}

/* exp(x) - 1; inf above the range of exp. 1.61 ULP (double 1.77). */
FNN_MATH vec vec_expm1(vec x) {
  vint n;
  vec p = exp_reduced(vec_max(vec_set(EXPM1_MINUS_ONE), x), &n);
  /* 2^(n-1), since 2^n may be infinite where the result is not. */
  vec s = vec_from_bits(vint_add(vec_bits(vec_set(REAL(0.5))), vint_shl_mantissa(n)));
  vec y = vec_fma(s, p, vec_sub(s, vec_set(REAL(0.5))));
  y = vec_add(y, y);
  y = vec_select(vec_gt(x, vec_set(EXP_LARGEST)), vec_set(INFINITE), y);
  return vec_select(vec_lt(vec_abs(x), vec_set(REAL(0.25) * EPSILON_OF_ONE)), x, y);
}

/* n log(2) + log(1 + f) for sqrt(1/2) <= 1 + f <= sqrt(2), from log((1+s)/(1-s)), s = f/(2+f). */
FNN_INLINE vec log_reduced(vec f, vec n) {
  vec s = vec_div(f, vec_add(vec_set(2), f));
  vec z = vec_mul(s, s);
  vec r = vec_mul(z, POLYNOMIAL(z, LOG_COEFFICIENTS)); /* log((1+s)/(1-s)) = 2s + s r */
  vec h = vec_mul(vec_mul(vec_set(REAL(0.5)), f), f);  /* 2s = f - h + s h */
  vec small = vec_fma(s, vec_add(h, r), vec_mul(n, vec_set(LN2_LOW)));
  return vec_fma(n, vec_set(LN2_HIGH), vec_sub(f, vec_sub(h, small)));
}

/* x = 2^n (1 + f) with sqrt(1/2) <= 1 + f <= sqrt(2), for normal x > 0: returns f. */
FNN_INLINE vec split_exponent(vec x, vec *n) {
  /* The exponent after moving sqrt(1/2) to where 1 was. */
  vint root = vec_bits(vec_set(REAL(0x1.6a09e667f3bcdp-1)));
  vint i = vint_add(vec_bits(x), vint_sub(vec_bits(vec_set(1)), root));
  *n = vec_from_int(vint_sub(vint_shr_mantissa(i), vint_set(EXPONENT_BIAS)));
  vint m = vint_add(vint_and(i, vint_set(((sint)1 << MANTISSA_BITS) - 1)), root);
  return vec_sub(vec_from_bits(m), vec_set(1));
}

/* The same for subnormal x too. */
FNN_INLINE vec split_any_exponent(vec x, vec *n) {
  const real scale = REAL((uint64_t)1 << (MANTISSA_BITS + 1));
  vmask subnormal = vec_lt(x, vec_set(REAL_MIN_NORMAL));
  vec f = split_exponent(vec_select(subnormal, vec_mul(x, vec_set(scale)), x), n);
  *n = vec_sub(*n, vec_where(subnormal, vec_set(MANTISSA_BITS + 1)));
  return f;
}

/* log(x): -inf at 0, NaN below. 0.84 ULP (double 0.76). */
FNN_MATH vec vec_log(vec x) {
  vec n, f = split_any_exponent(x, &n);
  vec y = log_reduced(f, n);
  y = vec_select(vec_lt(x, vec_set(INFINITE)), y, x); /* inf and NaN */
  y = vec_select(vec_eq(x, vec_zero()), vec_set(-INFINITE), y);
  return vec_select(vec_lt(x, vec_zero()), vec_set(NOT_A_NUMBER), y);
}

/* log(1 + x) for 0 <= x <= 1, with a small relative error near 0. 1.39 ULP (double 1.01). */
FNN_MATH vec vec_log1p_unit(vec x) {
  vmask big = vec_gt(x, vec_set(REAL(0x1.a827999fcef32p-2))); /* sqrt(2) - 1 */
  vec half = vec_set(REAL(0.5));
  return log_reduced(vec_select(big, vec_fma(half, x, vec_neg(half)), x),
                     vec_where(big, vec_set(1)));
}

/* log(1 + x): -inf at -1, NaN below. With u = 1 + x = 2^n (1 + f), what rounding lost in u is added
 * to f; if n is 0, that gives back x. 1.40 ULP (double 1.25). */
FNN_MATH vec vec_log1p(vec x) {
  vec one = vec_set(1), u = vec_add(one, x), n, f = split_exponent(u, &n);
  vec again = vec_sub(u, one);
  vec lost = vec_add(vec_sub(one, vec_sub(u, again)), vec_sub(x, again));
  vint scale = vint_sub(vec_bits(one), vint_shl_mantissa(vec_bits(vec_add(n, vec_set(ROUNDER)))));
  lost = vec_mul(lost, vec_from_bits(scale)); /* by 2^-n */
  f = vec_add(f, vec_where(vec_lt(x, vec_set(REAL(1) / (EPSILON_OF_ONE * EPSILON_OF_ONE))), lost));
  vec y = log_reduced(f, n);
  y = vec_select(vec_lt(x, vec_set(INFINITE)), y, x);
  y = vec_select(vec_lt(vec_abs(x), vec_set(REAL(0.25) * EPSILON_OF_ONE)), x, y);
  y = vec_select(vec_eq(x, vec_set(-1)), vec_set(-INFINITE), y);
  return vec_select(vec_lt(x, vec_set(-1)), vec_set(NOT_A_NUMBER), y);
}

/* tanh(x) = -t/(2 + t) with t = expm1(-2|x|), with the sign of x. 2.50 ULP (double 2.50). */
FNN_MATH vec vec_tanh(vec x) {
  vec t = vec_expm1_negative(vec_mul(vec_set(-2), vec_abs(x)));
  return vec_with_sign(vec_abs(vec_div(t, vec_add(vec_set(2), t))), x);
}

/* sigmoid(x) = 1/(1 + exp(-x)), given e = exp(-|x|). 2.41 ULP (double 2.33). */
FNN_INLINE vec sigmoid_from(vec x, vec e) {
  vec one = vec_set(1);
  return vec_div(vec_select(vec_ge(x, vec_zero()), one, e), vec_add(one, e));
}

FNN_MATH vec vec_sigmoid(vec x) { return sigmoid_from(x, vec_exp(vec_neg(vec_abs(x)))); }

/* log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|)). 1.65 ULP (double 1.52). */
FNN_MATH vec vec_softplus(vec x) {
  vec e = vec_exp(vec_neg(vec_abs(x)));
  return vec_add(vec_max(vec_zero(), x), vec_log1p_unit(e));
}

/* --- integers: exact in the whole range; a zero has the sign of x ----------------------------- */

/* The nearest, ties to even. */
FNN_INLINE vec vec_rint(vec x) {
  vec magnitude = vec_abs(x), big = vec_set(REAL((uint64_t)1 << MANTISSA_BITS));
  vec y = vec_with_sign(vec_sub(vec_add(magnitude, big), big), x);
  return vec_select(vec_lt(magnitude, big), y, x);
}

FNN_INLINE vec vec_floor(vec x) {
  vec y = vec_rint(x);
  return vec_sub(y, vec_where(vec_gt(y, x), vec_set(1)));
}

FNN_INLINE vec vec_ceil(vec x) { return vec_neg(vec_floor(vec_neg(x))); }

FNN_INLINE vec vec_trunc(vec x) { return vec_with_sign(vec_floor(vec_abs(x)), x); }

/* --- sin and cos ------------------------------------------------------------------------------ */

/* x = q pi/2 + *r + *low with |*r| hardly more than pi/4: returns q + ROUNDER. Cody and Waite's
 * reduction ("Software Manual for the Elementary Functions", 1980): pi/2 in three parts. The first
 * difference is exact, the second one's error is kept. */
FNN_INLINE vec angle_remainder(vec x, vec *r, vec *low) {
  static const real parts[] = HALF_PI_PARTS;
  vec t = vec_fma(x, vec_set(REAL(0x1.45f306dc9c883p-1)), vec_set(ROUNDER));
  vec q = vec_sub(t, vec_set(ROUNDER));
  vec first = vec_fnma(q, vec_set(parts[0]), x);
  vec p = vec_mul(q, vec_set(parts[1])), p_low = vec_fma(q, vec_set(parts[1]), vec_neg(p));
  vec second = vec_sub(first, p), back = vec_sub(second, first);
  vec error = vec_sub(vec_sub(first, vec_sub(second, back)), vec_add(p, back));
  error = vec_fnma(q, vec_set(parts[2]), vec_sub(error, p_low));
  *r = vec_add(second, error);
  *low = vec_add(vec_sub(second, *r), error);
  return t;
}

/* sin(x + quarters pi/2). An angle beyond LARGEST_ANGLE, where neighbouring floats are 1/16 apart
 * (doubles 1/128), counts as 0; an infinite one gives NaN. */
FNN_INLINE vec sin_of(vec x, sint quarters) {
  vec r, low, one = vec_set(1);
  vec inside = vec_where(vec_le(vec_abs(x), vec_set(LARGEST_ANGLE)), x);
  vint q = vint_add(vec_bits(angle_remainder(inside, &r, &low)), vint_set(quarters));
  vec z = vec_mul(r, r), half = vec_mul(vec_set(REAL(0.5)), z);
  vec sine = vec_add(r, vec_fma(vec_mul(r, z), POLYNOMIAL(z, SIN_COEFFICIENTS), low));
  vec w = vec_sub(one, half), lost = vec_sub(vec_sub(one, w), half); /* 1 - r^2/2 */
  vec rest = vec_fnma(r, low, vec_mul(vec_mul(z, z), POLYNOMIAL(z, COS_COEFFICIENTS)));
  vec cosine = vec_add(w, vec_add(lost, rest));
  vmask odd = vec_gt(vec_from_int(vint_and(q, vint_set(1))), vec_zero());
  vmask negative = vec_gt(vec_from_int(vint_and(q, vint_set(2))), vec_zero());
  vec y = vec_select(odd, cosine, sine);
  y = vec_select(negative, vec_neg(y), y);
  return vec_fma(x, vec_zero(), y); /* NaN, and inf * 0 */
}

/* sin(x). 0.92 ULP (double 0.85). */
FNN_MATH vec vec_sin(vec x) {
  return vec_select(vec_lt(vec_abs(x), vec_set(TINY)), x, sin_of(x, 0));
}

/* cos(x). 0.93 ULP (double 0.85). */
FNN_MATH vec vec_cos(vec x) { return sin_of(x, 1); }

/* --- power ------------------------------------------------------------------------------------ */

/* log(x) for finite x > 0, and in *low what it lacks: together 8 to 12 bits more than a real has.
 * With s = f/(2+f), log(1+f) = 2 s + s^3 (2/3 + s^2 P(s^2)), all but P in two parts (as in N. Shibata
 * and F. Petrogalli, "SLEEF", IEEE Transactions on Parallel and Distributed Systems 31(6), 2020). */
FNN_INLINE vec log_in_two(vec x, vec *low) {
  vec n, f = split_any_exponent(x, &n), two = vec_set(2), c = vec_set(REAL(2.0 / 3));
  vec d = vec_add(two, f), d_low = vec_sub(f, vec_sub(d, two)), reciprocal = vec_div(vec_set(1), d);
  vec s = vec_mul(f, reciprocal);
  vec s_low = vec_mul(vec_fnma(s, d_low, vec_fnma(s, d, f)), reciprocal);
  vec z = vec_mul(s, s), z_low = vec_fma(s, s, vec_neg(z));
  z_low = vec_fma(vec_add(s, s), s_low, z_low);
  vec p = vec_mul(z, POLYNOMIAL(z, POWER_COEFFICIENTS));
  vec k = vec_add(c, p), k_low = vec_add(vec_sub(p, vec_sub(k, c)), vec_set(TWO_THIRDS_LOW));
  vec cube = vec_mul(s, z), cube_low = vec_fma(s, z, vec_neg(cube));
  cube_low = vec_add(cube_low, vec_fma(s, z_low, vec_mul(s_low, z)));
  vec t = vec_mul(cube, k), t_low = vec_fma(cube, k, vec_neg(t));
  t_low = vec_add(t_low, vec_fma(cube, k_low, vec_mul(cube_low, k)));
  /* n log(2) + 2 s + t: each part is smaller than the one before it, or that is 0. */
  vec a = vec_mul(n, vec_set(LN2_HIGH)), b = vec_add(s, s);
  vec sum = vec_add(a, b), lost = vec_sub(b, vec_sub(sum, a));
  vec total = vec_add(sum, t);
  lost = vec_add(lost, vec_sub(t, vec_sub(total, sum)));
  vec rest = vec_add(t_low, vec_fma(n, vec_set(LN2_LOW), vec_add(s_low, s_low)));
  rest = vec_add(lost, rest);
  vec high = vec_add(total, rest);
  *low = vec_sub(rest, vec_sub(high, total));
  return high;
}

/* a^b = exp(b log|a|), with a sign if a is negative and b odd; the special cases are those of C's
 * pow (Annex F), as in NumPy. Results below the smallest normal number are 0.
 * 1.23 ULP (double 1.13). */
FNN_MATH vec vec_power(vec a, vec b) {
  const vec one = vec_set(1), zero = vec_zero(), infinite = vec_set(INFINITE);
  const vec half = vec_set(REAL(0.5)), magnitude = vec_abs(a);
  vec low, l = log_in_two(magnitude, &low);
  /* More than the largest exponent with the least logarithm. */
  const vec most = vec_set(REAL((uint64_t)1 << (MANTISSA_BITS + 11)));
  vec e = vec_max(vec_neg(most), vec_min(most, b));
  vec product = vec_mul(e, l);
  vec product_low = vec_fma(e, low, vec_fma(e, l, vec_neg(product)));
  const vec limit = vec_set(2 * EXP_LARGEST);
  vec t, r = exp_remainder(vec_max(vec_neg(limit), vec_min(limit, product)), &t);
  vec p = vec_add(one, expm1_unit(vec_add(r, product_low)));
  vec y = vec_from_bits(vint_add(vec_bits(p), vint_shl_mantissa(vec_bits(t))));
  /* The exponent of y as it should be. */
  vec n = vec_sub(vec_sub(t, vec_set(ROUNDER)), vec_where(vec_lt(p, one), one));
  y = vec_select(vec_gt(n, vec_set(EXPONENT_BIAS)), infinite, y);
  y = vec_select(vec_lt(n, vec_set(1 - EXPONENT_BIAS)), zero, y);
  vmask falls = vec_lt(b, zero);
  y = vec_select(vec_eq(magnitude, infinite), vec_select(falls, zero, infinite), y);
  y = vec_select(vec_eq(a, zero), vec_select(falls, infinite, zero), y);
  /* An odd number is whole, and its half is not. */
  vmask whole = vec_eq(vec_rint(b), b);
  vec halved = vec_mul(half, b);
  vec sign = vec_select(vec_eq(vec_rint(halved), halved), zero, vec_where(whole, a));
  y = vec_with_sign(y, sign);
  vmask imaginary = mask_and(vec_lt(a, zero), vec_lt(magnitude, infinite));
  y = vec_select(imaginary, vec_select(whole, y, vec_set(NOT_A_NUMBER)), y);
  y = vec_select(mask_and(vec_eq(a, a), vec_eq(b, b)), y, vec_set(NOT_A_NUMBER));
  return vec_select(vec_eq(a, one), one, vec_select(vec_eq(b, zero), one, y));
}

/* --- the normal distribution and erf ---------------------------------------------------------- */

/* erfc(a)/2 for a >= 0, square = a^2 but for what rounding lost: exp(-a^2) P(t)/(a + K)/2 with
 * t = (a - K)/(a + K) (the substitution of Shepherd and Laframboise, "Chebyshev approximation of
 * (1 + 2x) exp(x^2) erfc x", Mathematics of Computation 36, 1981). *e becomes exp(-a^2). */
FNN_INLINE vec half_erfc(vec a, vec square, vec lost, vec *e) {
  *e = vec_exp(vec_neg(square));
  *e = vec_fnma(*e, lost, *e);
  vec above = vec_sub(a, vec_set(ERFC_CENTER)), sum = vec_add(a, vec_set(ERFC_CENTER));
  vec r = vec_div(vec_set(1), sum);
  vec t = vec_mul(above, r);
  t = vec_fma(vec_fnma(t, sum, above), r, t); /* as good as a second division */
  return vec_mul(vec_mul(POLYNOMIAL(t, ERFC_COEFFICIENTS), vec_mul(r, vec_set(REAL(0.5)))), *e);
}

/* erf(x): x + x P(x^2) up to 1, then 1 - erfc(x). 1.21 ULP (double 1.11). */
FNN_MATH vec vec_erf(vec x) {
  const vec one = vec_set(1), magnitude = vec_abs(x);
  vec a = vec_min(vec_set(ERF_ONE), magnitude), e;
  vec square = vec_mul(a, a), lost = vec_fma(a, a, vec_neg(square));
  vec tail = half_erfc(a, square, lost, &e);
  vec outer = vec_with_sign(vec_sub(one, vec_add(tail, tail)), x);
  vec inner = vec_fma(x, POLYNOMIAL(square, ERF_COEFFICIENTS), x);
  inner = vec_with_sign(vec_abs(inner), x);
  return vec_select(vec_lt(magnitude, one), inner, vec_select(vec_eq(x, x), outer, x));
}

/* The normal distribution's probability of lying below x, and its density at x if asked for:
 * erfc(a)/2 with a = |x|/sqrt(2), or 1 less that. 5.5 ULP (double 5.6), also in the far tail; the
 * density 2.8 ULP. */
FNN_MATH vec vec_normal(vec x, vec *density) {
  vec magnitude = vec_min(vec_set(NORMAL_LIMIT), vec_abs(x)), e;
  vec a = vec_mul(magnitude, vec_set(REAL(0.70710678118654752440)));
  vec half = vec_mul(magnitude, vec_set(REAL(0.5)));
  vec square = vec_mul(half, magnitude); /* x^2/2, and what rounding lost */
  vec lost = vec_fma(half, magnitude, vec_neg(square));
  vec tail = half_erfc(a, square, lost, &e);
  if (density) *density = vec_mul(e, vec_set(REAL(0.39894228040143267794)));
  return vec_select(vec_gt(x, vec_zero()), vec_sub(vec_set(1), tail), tail);
}

/* One number's log, and lane 0 of a vector. */
FNN_INLINE real vec_first(vec a) {
  real x;
  vec_store_n(&x, a, 1);
  return x;
}
static inline __attribute__((unused)) real log_of(real x) { return vec_first(vec_log(vec_set(x))); }

#endif
