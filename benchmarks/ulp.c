/* Largest errors of csrc/kernels/vmath.h, printed for ulp.py: one line "name error x" a function.
 *
 * Compiled for one instruction set (all give the same bits) and one element type. The oracle is
 * libm in the next wider type. Arguments: step, and the one function to measure if not all.
 * float: every step-th bit pattern. double: `step` random numbers, one half with any bits and one
 * between -50 and 50.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../csrc/kernels/vmath.h"

#ifdef FNN_DOUBLE
typedef long double wide;
#define W(f) f##l
#define EPSILON 0x1p-52
#else
typedef double wide;
#define W(f) f
#define EPSILON 0x1p-23
#endif

static vec density(vec x) {
  vec d;
  vec_normal(x, &d);
  return d;
}

static vec probability(vec x) { return vec_normal(x, NULL); }

/* Powers, by the base and by the exponent. */
static vec power_of(vec x) { return vec_power(x, vec_set(REAL(-2.7))); }
static vec power_to(vec x) { return vec_power(vec_set(REAL(1.7)), x); }
static wide exact_power_of(wide x) { return W(pow)(x, (wide)REAL(-2.7)); }
static wide exact_power_to(wide x) { return W(pow)((wide)REAL(1.7), x); }

static wide exact_sigmoid(wide x) { return 1 / (1 + W(exp)(-x)); }
static wide exact_softplus(wide x) { return (x > 0 ? x : 0) + W(log1p)(W(exp)(-W(fabs)(x))); }
static wide exact_density(wide x) { return W(exp)(-x * x / 2) * 0.39894228040143267793994605993L; }
static wide exact_probability(wide x) {
  return W(erfc)(-x * 0.70710678118654752440084436210L) / 2;
}

typedef struct {
  const char *name;
  vec (*f)(vec);
  wide (*exact)(wide);
  real low, high; /* the domain; beyond it only NaN is tried */
} function;

static const function functions[] = {
    {"exp", vec_exp, W(exp), -INFINITY, INFINITY},
    {"expm1 (x <= 0)", vec_expm1_negative, W(expm1), -INFINITY, 0},
    {"expm1", vec_expm1, W(expm1), -INFINITY, INFINITY},
    {"log", vec_log, W(log), -INFINITY, INFINITY},
    {"log1p (0 <= x <= 1)", vec_log1p_unit, W(log1p), 0, 1},
    {"log1p", vec_log1p, W(log1p), -INFINITY, INFINITY},
    {"tanh", vec_tanh, W(tanh), -INFINITY, INFINITY},
    {"sigmoid", vec_sigmoid, exact_sigmoid, -INFINITY, INFINITY},
    {"softplus", vec_softplus, exact_softplus, -INFINITY, INFINITY},
    {"sin", vec_sin, W(sin), -LARGEST_ANGLE, LARGEST_ANGLE},
    {"cos", vec_cos, W(cos), -LARGEST_ANGLE, LARGEST_ANGLE},
    {"erf", vec_erf, W(erf), -INFINITY, INFINITY},
    {"power (x^-2.7)", power_of, exact_power_of, -INFINITY, INFINITY},
    {"power (1.7^x)", power_to, exact_power_to, -INFINITY, INFINITY},
    {"normal probability", probability, exact_probability, -INFINITY, INFINITY},
    {"normal density", density, exact_density, -INFINITY, INFINITY},
};

/* In units of the last place of the exact result. Flushing a denormal result is no error. */
static double error_of(real actual, wide exact) {
  if (isnan(exact)) return isnan(actual) ? 0 : INFINITY;
  const wide size = W(fabs)(exact);
  if (size < (wide)REAL_MIN_NORMAL && actual == 0) return 0;
  if (isinf((real)exact)) return actual == (real)exact ? 0 : INFINITY;
  if (!isfinite(actual)) return INFINITY;
  int exponent;
  W(frexp)(size < (wide)REAL_MIN_NORMAL ? (wide)REAL_MIN_NORMAL : size, &exponent);
  return (double)(W(fabs)((wide)actual - exact) / W(ldexp)((wide)EPSILON, exponent - 1));
}

static double worst;
static real worst_at;

static void measure(const function *f, const real *x) {
  real y[LANES];
  vec_store(y, f->f(vec_load(x)));
  for (size_t i = 0; i < LANES; i++) {
    const double error = error_of(y[i], f->exact(x[i]));
    if (error > worst) worst = error, worst_at = x[i];
  }
}

/* A number as the function may be given it. */
static real allowed(const function *f, real x) {
  return x < f->low || x > f->high ? (real)NAN : x;
}

static uint64_t random_bits(void) {
  static uint64_t state = 1;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return state ^ state >> 31;
}

int main(int count, char **arguments) {
  const uint64_t step = count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
  for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
    const function *f = &functions[k];
    if (count > 2 && strcmp(arguments[2], f->name)) continue;
    real x[LANES];
    worst = 0;
    worst_at = 0;
#ifdef FNN_DOUBLE
    for (uint64_t i = 0; i < step; i += LANES / 2) {
      for (size_t j = 0; j < LANES; j += 2) {
        const uint64_t bits = random_bits();
        memcpy(&x[j], &bits, sizeof bits);
        x[j] = allowed(f, x[j]);
        x[j + 1] = allowed(f, (real)(random_bits() >> 11) * 0x1p-53 * (f->high == 1 ? 1 : 100) -
                                  (f->high == 1 ? 0 : 50));
      }
      measure(f, x);
    }
#else
    for (uint64_t bits = 0; bits < (uint64_t)1 << 32;) {
      for (size_t j = 0; j < LANES; j++, bits += step) {
        const uint32_t low = (uint32_t)bits;
        memcpy(&x[j], &low, sizeof low);
        x[j] = allowed(f, x[j]);
      }
      measure(f, x);
    }
#endif
    printf("%s\t%.3f\t%.17g\n", f->name, worst, (double)worst_at);
    fflush(stdout);
  }
  return 0;
}
