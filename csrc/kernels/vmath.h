/* exp, expm1, log, log1p, tanh, sigmoid and their relatives on vectors: our own polynomials, from
 * exact IEEE operations only, so the same bits everywhere.
 *
 * Coefficients come from fit_polynomials.py. With each function stands its largest error that
 * benchmarks/ulp.py found, in units of the last place (ULP) of the result: for float, of all 2^32
 * arguments for exp, log, tanh and sigmoid and of every 17th for the others; for double, of millions
 * of random ones. Subnormal results of exp are flushed to 0; NaN gives NaN.
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

#else

#define EXP_LARGEST 0x1.62e42ep+6f
#define EXP_SMALLEST -0x1.5d589ep+6f
#define EXPM1_MINUS_ONE -17.5f
#define LN2_HIGH 0x1.62e4p-1f /* 17 bits */
#define LN2_LOW 0x1.7f7d1cp-20f
#define TANH_OF_SOFTPLUS_ONE 20.0f
#define NORMAL_LIMIT 14.0f
#define ERFC_CENTER 2.0f
static const real EXP_COEFFICIENTS[] = {0x1.0p-1f, 0x1.5554b0p-3f, 0x1.555484p-5f, 0x1.1227e6p-7f,
                                        0x1.6d9b44p-10f};
static const real LOG_COEFFICIENTS[] = {0x1.55557ap-1f, 0x1.995ec8p-2f, 0x1.31e1c8p-2f};
static const real ERFC_COEFFICIENTS[] = {
    0x1.058672p+0f,  -0x1.5fd386p-1f, 0x1.1e2ddap-2f,   -0x1.2a87eap-5f,
    -0x1.6059cap-6f, 0x1.a863eap-8f,  0x1.9171d4p-9f,   -0x1.b3e51cp-11f,
    -0x1.36aa00p-11f, 0x1.838bdep-15f, 0x1.21c5dap-14f};

#endif

#define POLYNOMIAL(x, c) vec_polynomial(x, c, sizeof(c) / sizeof(c[0]))

/* c[0] + c[1] x + c[2] x^2 + ... */
FNN_INLINE vec vec_polynomial(vec x, const real *c, size_t terms) {
  vec y = vec_set(c[terms - 1]);
#pragma GCC unroll 32
  for (size_t k = terms - 1; k > 0; k--) y = vec_fma(y, x, vec_set(c[k - 1]));
  return y;
}

/* exp(x) = 2^n exp(r) with |r| <= log(2)/2: returns expm1(r) and n, in the low bits of *shifted. */
FNN_INLINE vec exp_reduced(vec x, vint *shifted) {
  vec t = vec_fma(x, vec_set(REAL(0x1.71547652b82fep+0)), vec_set(ROUNDER));
  vec n = vec_sub(t, vec_set(ROUNDER));
  vec r = vec_fnma(n, vec_set(LN2_LOW), vec_fnma(n, vec_set(LN2_HIGH), x));
  *shifted = vec_bits(t);
  return vec_fma(vec_mul(r, r), POLYNOMIAL(r, EXP_COEFFICIENTS), r);
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

/* n log(2) + log(1 + f) for sqrt(1/2) <= 1 + f <= sqrt(2), from log((1+s)/(1-s)), s = f/(2+f). */
FNN_INLINE vec log_reduced(vec f, vec n) {
  vec s = vec_div(f, vec_add(vec_set(2), f));
  vec z = vec_mul(s, s);
  vec r = vec_mul(z, POLYNOMIAL(z, LOG_COEFFICIENTS)); /* log((1+s)/(1-s)) = 2s + s r */
  vec h = vec_mul(vec_mul(vec_set(REAL(0.5)), f), f);  /* 2s = f - h + s h */
  vec small = vec_fma(s, vec_add(h, r), vec_mul(n, vec_set(LN2_LOW)));
  return vec_fma(n, vec_set(LN2_HIGH), vec_sub(f, vec_sub(h, small)));
}

/* log(x): -inf at 0, NaN below. 0.84 ULP (double 0.76). */
FNN_MATH vec vec_log(vec x) {
  const real scale = REAL((uint64_t)1 << (MANTISSA_BITS + 1));
  vmask subnormal = vec_lt(x, vec_set(REAL_MIN_NORMAL));
  vec scaled = vec_select(subnormal, vec_mul(x, vec_set(scale)), x);
  /* x = 2^n (1 + f): the exponent after moving sqrt(1/2) to where 1 was. */
  vint root = vec_bits(vec_set(REAL(0x1.6a09e667f3bcdp-1)));
  vint i = vint_add(vec_bits(scaled), vint_sub(vec_bits(vec_set(1)), root));
  vec n = vec_from_int(vint_sub(vint_shr_mantissa(i), vint_set(EXPONENT_BIAS)));
  n = vec_sub(n, vec_where(subnormal, vec_set(MANTISSA_BITS + 1)));
  vint m = vint_add(vint_and(i, vint_set(((sint)1 << MANTISSA_BITS) - 1)), root);
  vec y = log_reduced(vec_sub(vec_from_bits(m), vec_set(1)), n);
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

/* The normal distribution's probability of lying below x, and its density at x if asked for:
 * erfc(a)/2 with a = |x|/sqrt(2), or 1 less that; erfc(a) = exp(-a^2) P(t)/(a + K) with
 * t = (a - K)/(a + K) (the substitution of Shepherd and Laframboise, "Chebyshev approximation of
 * (1 + 2x) exp(x^2) erfc x", Mathematics of Computation 36, 1981). 5.5 ULP (double 5.6), also in the
 * far tail; the density 2.8 ULP. */
FNN_MATH vec vec_normal(vec x, vec *density) {
  vec magnitude = vec_min(vec_set(NORMAL_LIMIT), vec_abs(x));
  vec a = vec_mul(magnitude, vec_set(REAL(0.70710678118654752440)));
  vec half = vec_mul(magnitude, vec_set(REAL(0.5)));
  vec square = vec_mul(half, magnitude); /* x^2/2, and what rounding lost */
  vec lost = vec_fma(half, magnitude, vec_neg(square));
  vec e = vec_exp(vec_neg(square));
  e = vec_fnma(e, lost, e);
  vec above = vec_sub(a, vec_set(ERFC_CENTER)), sum = vec_add(a, vec_set(ERFC_CENTER));
  vec r = vec_div(vec_set(1), sum);
  vec t = vec_mul(above, r);
  t = vec_fma(vec_fnma(t, sum, above), r, t); /* as good as a second division */
  vec p = vec_mul(POLYNOMIAL(t, ERFC_COEFFICIENTS), vec_mul(r, vec_set(REAL(0.5))));
  vec tail = vec_mul(p, e);
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
