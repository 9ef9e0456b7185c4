/* Maps: every step by itself, and several in order. Elementwise steps against scalar C, reductions
 * against the order that kernels/map_reduce.c promises, moves against their definition. */
#include "check.h"

static const size_t LENGTHS[] = {1, 2, 9, 15, 16, 17, 64, 513};
static int covered[FNN_STEPS];

static const char *step_name(int code) { return fnn_name(FNN_LIST_STEPS, code); }

/* s with a, b, c as registers (NULL: unused), of a tile of `rows` samples. */
static void run_step(const kernels *k, fnn_step s, real *to, const real *a, const real *b,
                     const real *c, size_t rows) {
  real *registers[] = {(real *)(uintptr_t)c, to, (real *)(uintptr_t)a, (real *)(uintptr_t)b};
  covered[s.code] = 1;
  s.to = 1;
  s.a = a ? 2 : -1;
  s.b = b ? 3 : -1;
  s.c = c ? 0 : -1;
  k->map(&s, 1, registers, rows);
}

/* --- elementwise ------------------------------------------------------------------------------ */

#ifdef FNN_DOUBLE
#define LARGEST_ANGLE 0x1p45
#else
#define LARGEST_ANGLE 0x1p19
#endif

static long double angle(real x) { return !isfinite(x) ? NAN : fabs(x) <= LARGEST_ANGLE ? x : 0; }

/* NumPy's npy_divmod. */
static real divided(real a, real b, real *mod) {
  real r = (real)fmod(a, b), quotient, y;
  *mod = r;
  if (b == 0) return a / b;
  quotient = (a - r) / b;
  if (r != 0) {
    if ((b < 0) != (r < 0)) {
      *mod = r + b;
      quotient -= 1;
    }
  } else {
    *mod = (real)copysign(0, b);
  }
  if (quotient == 0) return (real)copysign(0, a / b);
  y = (real)floor(quotient);
  return quotient - y > (real)0.5 ? y + 1 : y;
}

static real larger(real a, real b) { return a != a || a >= b ? a : b; }
static real smaller(real a, real b) { return a != a || a <= b ? a : b; }

/* What a code does to numbers; *limit: the largest error in ULP, 0 if the result is exact. */
static long double wanted(int code, real a, real b, real c, double *limit) {
  const long double x = a;
  real mod;
  *limit = 0;
  switch (code) {
    case FNN_STEP_COPY: return a;
    case FNN_STEP_NEGATIVE: return -a;
    case FNN_STEP_ABS: return fabsl(x);
    case FNN_STEP_SIGN: return a != a ? a : (a > 0) - (a < 0);
    case FNN_STEP_SQUARE: return (real)(a * a);
    case FNN_STEP_SQRT: return sizeof(real) == 4 ? (real)sqrtf((float)a) : (real)sqrt(a);
    case FNN_STEP_RECIPROCAL: return (real)(1 / a);
    case FNN_STEP_EXP: *limit = 2; return expl(x);
    case FNN_STEP_EXPM1: *limit = 3; return expm1l(x);
    case FNN_STEP_LOG: *limit = 2; return logl(x);
    case FNN_STEP_LOG1P: *limit = 3; return log1pl(x);
    case FNN_STEP_SIN: *limit = 2; return sinl(angle(a));
    case FNN_STEP_COS: *limit = 2; return cosl(angle(a));
    case FNN_STEP_TANH: *limit = 3; return tanhl(x);
    case FNN_STEP_SIGMOID: *limit = 3; return 1 / (1 + expl(-x));
    case FNN_STEP_SOFTPLUS: *limit = 3; return isnan(a) ? x : fmaxl(x, 0) + log1pl(expl(-fabsl(x)));
    case FNN_STEP_ERF: *limit = 3; return erfl(x);
    case FNN_STEP_FLOOR: return floorl(x);
    case FNN_STEP_CEIL: return ceill(x);
    case FNN_STEP_ROUND: return rintl(x);
    case FNN_STEP_TRUNC: return truncl(x);
    case FNN_STEP_ISNAN: return isnan(a) != 0;
    case FNN_STEP_ISFINITE: return isfinite(a) != 0;
    case FNN_STEP_LOGICAL_NOT: return !a;
    case FNN_STEP_ADD: return (real)(a + b);
    case FNN_STEP_SUBTRACT: return (real)(a - b);
    case FNN_STEP_MULTIPLY: return (real)(a * b);
    case FNN_STEP_DIVIDE: return (real)(a / b);
    case FNN_STEP_FLOOR_DIVIDE: return divided(a, b, &mod);
    case FNN_STEP_MOD: divided(a, b, &mod); return mod;
    case FNN_STEP_POWER: *limit = 3; return powl(x, b);
    case FNN_STEP_MAXIMUM: return larger(a, b);
    case FNN_STEP_MINIMUM: return smaller(a, b);
    case FNN_STEP_EQUAL: return a == b;
    case FNN_STEP_NOT_EQUAL: return a != b;
    case FNN_STEP_LESS: return a < b;
    case FNN_STEP_LESS_EQUAL: return a <= b;
    case FNN_STEP_GREATER: return a > b;
    case FNN_STEP_GREATER_EQUAL: return a >= b;
    case FNN_STEP_LOGICAL_AND: return a != 0 && b != 0;
    case FNN_STEP_LOGICAL_OR: return a != 0 || b != 0;
    case FNN_STEP_LOGICAL_XOR: return (a != 0) != (b != 0);
    case FNN_STEP_CHAIN: return a == 0 ? 0 : (real)(a * b);
    case FNN_STEP_CHAIN_DIVIDE: return a == 0 ? 0 : (real)(a / b);
    case FNN_STEP_WHERE: return a != 0 ? b : c;
    case FNN_STEP_CLIP: return smaller(larger(a, b), c);
  }
  return NAN;
}

static int operands_of(int code) {
  return code < FNN_STEP_ADD ? 1 : code < FNN_STEP_WHERE ? 2 : 3;
}

static void check_elements(int code, const real *y, const real *a, const real *b, const real *c,
                           int uniform, size_t n) {
  for (size_t i = 0; i < n && !flushing; i++) {
    double limit;
    const real p = a[uniform & 1 ? 0 : i], q = b[uniform & 2 ? 0 : i], r = c[uniform & 4 ? 0 : i];
    const long double want = wanted(code, p, q, r, &limit);
    check(limit ? ulps(y[i], want) <= limit : bits_of(y[i]) == bits_of((real)want),
          "[%zu] = %.17g, expected %.17Lg, of %.17g, %.17g, %.17g", i, (double)y[i], want,
          (double)p, (double)q, (double)r);
  }
}

static real *operand(int slot, size_t n, int uniform, double low, double high) {
  real *array = numbers(slot, uniform ? FNN_LANES : n, low, high, 1);
  if (uniform)
    for (size_t i = 1; i < FNN_LANES; i++) array[i] = array[0];
  return array;
}

static void elementwise(void) {
  for (int code = 0; code < FNN_STEP_SUM; code++)
    for (int uniform = 0; uniform < 1 << operands_of(code); uniform++)
      for (size_t s = 0; s < COUNT(LENGTHS); s++)
        for (size_t rows = 1; rows <= 3; rows += 2) {
          const size_t n = LENGTHS[s] * rows;
          const double high = s % 2 ? 3 : 60;
          const real *a = operand(0, n, uniform & 1, -high, high);
          real *b = operand(1, n, uniform & 2, -9, 9);
          const real *c = operand(2, n, uniform & 4, -9, 9);
          const fnn_step step = {.code = code, .uniform = uniform, .by_row = rows > 1,
                                 .outer = LENGTHS[s]};
          for (size_t i = 0; i < n && !(uniform & 3); i += 4) b[i] = a[i];
          label("%s n=%zu uniform=%d", step_name(code), n, uniform);
          FOR_TABLES {
            const int operands = operands_of(code);
            real *y = output(3, n);
            run_step(k, step, y, a, operands > 1 ? b : NULL, operands > 2 ? c : NULL, rows);
            agree(y, n);
            check_elements(code, y, a, b, c, uniform, n);
            for (int to = 0; to < operands; to++) { /* in place */
              const real *all[] = {a, b, c};
              if (uniform >> to & 1) continue;
              real *z = copy_of(4, all[to], n);
              all[to] = z;
              run_step(k, step, z, all[0], operands > 1 ? all[1] : NULL, operands > 2 ? all[2] : NULL,
                       rows);
              for (size_t i = 0; i < n; i++)
                check(bits_of(z[i]) == bits_of(y[i]), "in place of %d: [%zu]", to, i);
            }
          }
        }
}

/* Each special number, and others, with each. */
static void pairs(void) {
  static const real others[] = {2, (real)-2, (real)0.5, (real)-0.5, (real)1.5, (real)2.5, -7, 5,
                                (real)1e-3, (real)1.0000001, 1e6, (real)-1e6, 16777215, 4194305, 1e9};
  enum { SPECIAL = COUNT(special_values), ALL = SPECIAL + COUNT(others) };
  for (int code = 0; code < FNN_STEP_WHERE; code++) {
    real *a = output(0, ALL * ALL), *b = output(1, ALL * ALL);
    for (size_t i = 0; i < ALL * ALL; i++) {
      const size_t p = i / ALL, q = i % ALL;
      a[i] = p < SPECIAL ? special_values[p] : others[p - SPECIAL];
      b[i] = q < SPECIAL ? special_values[q] : others[q - SPECIAL];
    }
    label("%s of pairs", step_name(code));
    FOR_TABLES {
      real *y = output(2, ALL * ALL);
      const fnn_step step = {.code = code, .outer = ALL * ALL};
      run_step(k, step, y, a, operands_of(code) > 1 ? b : NULL, NULL, 1);
      agree(y, ALL * ALL);
      check_elements(code, y, a, b, a, 0, ALL * ALL);
    }
  }
}

/* What the random numbers above hardly meet: halves, large numbers, results that over- or underflow. */
static void hard_elements(void) {
  enum { N = 2000 };
  for (int code = 0; code < FNN_STEP_WHERE; code++) {
    real *a = output(0, N), *b = output(1, N);
    for (size_t i = 0; i < N; i++) {
      const int p = (int)uniform(-60, 60), q = (int)uniform(-4, 8);
      a[i] = (real)ldexp(uniform(1, 2), p);
      b[i] = (real)ldexp(uniform(-2, 2), q);
      if (i % 3 == 0) a[i] = (real)(round(uniform(-100, 100)) / 2);
      if (i % 5 == 0) a[i] = (real)(round(uniform(-1e3, 1e3)) * 1.57079632679489661923);
      if (i % 6 == 1) b[i] = (real)round(uniform(-20, 20));
    }
    label("%s of hard numbers", step_name(code));
    FOR_TABLES {
      real *y = output(2, N);
      const fnn_step step = {.code = code, .outer = N};
      run_step(k, step, y, a, operands_of(code) > 1 ? b : NULL, NULL, 1);
      agree(y, N);
      check_elements(code, y, a, b, a, 0, N);
    }
  }
}

/* --- reductions ------------------------------------------------------------------------------- */

/* Of n numbers `step` apart, in the order that is promised. */
static real reduced(int code, const real *x, size_t n, size_t step, int in_lanes) {
  const int smallest = code == FNN_STEP_MIN || code == FNN_STEP_ARGMIN;
  if (code == FNN_STEP_SUM || code == FNN_STEP_PROD) {
    const real start = code == FNN_STEP_PROD;
    real lanes[FNN_LANES];
    for (size_t i = 0; i < FNN_LANES; i++) lanes[i] = start;
    for (size_t j = 0; j < n; j++) {
      real *lane = &lanes[in_lanes ? j % FNN_LANES : 0];
      *lane = code == FNN_STEP_SUM ? *lane + x[j * step] : *lane * x[j * step];
    }
    for (size_t half = FNN_LANES / 2; half && in_lanes; half /= 2)
      for (size_t i = 0; i < half; i++)
        lanes[i] = code == FNN_STEP_SUM ? lanes[i] + lanes[i + half] : lanes[i] * lanes[i + half];
    return lanes[0];
  }
  size_t best = 0;
  for (size_t j = 1; j < n; j++) {
    const real p = x[j * step], q = x[best * step];
    if (q == q && (p != p || (smallest ? p < q : p > q))) best = j;
  }
  if (code == FNN_STEP_ARGMAX || code == FNN_STEP_ARGMIN) return (real)best;
  return x[best * step];
}

static void reductions(void) {
  static const size_t inners[] = {1, 2, 17};
  for (int code = FNN_STEP_SUM; code <= FNN_STEP_ARGMIN; code++)
    for (size_t s = 0; s < COUNT(LENGTHS); s++)
      for (size_t t = 0; t < COUNT(inners); t++)
        for (size_t outer = 1; outer <= 3; outer += 2)
          for (size_t rows = 1; rows <= 18; rows += rows == 1 ? 2 : 15) {
            const size_t middle = LENGTHS[s], inner = inners[t];
            const size_t results = outer * rows * inner, sample = outer * middle * inner;
            if (results * middle * sizeof(real) > SLOT_BYTES - 64) continue;
            const fnn_step step = {.code = code, .by_row = 1, .outer = outer, .middle = middle,
                                   .inner = inner};
            for (int wild = 0; wild < 2; wild++) {
              real *a = numbers(0, results * middle, -1.3, 1.3, wild);
              for (size_t i = 0; i < results * middle; i += 5) a[i] = (real)(i % 3); /* ties */
              label("%s of (%zu x %zu, %zu, %zu)", step_name(code), outer, rows, middle, inner);
              FOR_TABLES {
                real *y = output(1, results);
                run_step(k, step, y, a, NULL, NULL, rows);
                agree(y, results);
                for (size_t i = 0; i < results; i++) {
                  const real *x = a + i / inner * middle * inner + i % inner;
                  const real want = reduced(code, x, middle, inner, inner == 1);
                  if (flushing) continue;
                  check(y[i] == want || (y[i] != y[i] && want != want), "[%zu] = %.9g, not %.9g", i,
                        (double)y[i], (double)want);
                  if (code == FNN_STEP_SUM)
                    check(bits_of(y[i]) == bits_of(want), "bits of [%zu]", i);
                }
                for (size_t row = 0; row < rows; row++) { /* a tile of one sample each */
                  real *z = output(2, outer * inner);
                  run_step(k, step, z, a + row * sample, NULL, NULL, 1);
                  for (size_t i = 0; i < outer * inner; i++)
                    check(bits_of(z[i]) == bits_of(y[row * outer * inner + i]),
                          "[%zu] of row %zu by itself", i, row);
                }
              }
            }
          }
}

static void reductions_of_one_number(void) {
  for (int code = FNN_STEP_SUM; code <= FNN_STEP_ARGMIN; code++)
    for (size_t middle = 0; middle < 60; middle += middle < 20 ? 1 : 13) {
      real *a = output(0, FNN_LANES), *many = output(1, middle);
      const real number = (real)1.1;
      const fnn_step step = {.code = code, .uniform = 1, .by_row = 1, .outer = 2, .middle = middle,
                             .inner = 1};
      for (size_t i = 0; i < FNN_LANES; i++) a[i] = number;
      for (size_t i = 0; i < middle; i++) many[i] = number;
      label("%s of %zu times one number", step_name(code), middle);
      FOR_TABLES {
        real *y = output(2, 6);
        run_step(k, step, y, a, NULL, NULL, 3);
        agree(y, 6);
        real want = middle ? reduced(code, many, middle, 1, 1) : code == FNN_STEP_PROD;
        if (!middle && code == FNN_STEP_MAX) want = (real)-INFINITY;
        if (!middle && code == FNN_STEP_MIN) want = (real)INFINITY;
        for (int i = 0; i < 6; i++) check(y[i] == want, "[%d] = %g", i, (double)y[i]);
      }
    }
}

/* --- moving ----------------------------------------------------------------------------------- */

static const size_t SHAPES[][3] = { /* outer, middle, inner */
    {1, 1, 1}, {1, 9, 1}, {3, 2, 1}, {9, 15, 1}, {2, 64, 1}, {5, 16, 1}, {1, 7, 2}, {1, 3, 9},
    {2, 3, 5}, {4, 17, 3}, {1, 4, 15}, {3, 2, 16}, {2, 5, 17}, {1, 2, 64}, {7, 1, 3}, {2, 3, 8},
};

static void same(const real *y, const real *want, size_t n) {
  for (size_t i = 0; i < n; i++)
    check(bits_of(y[i]) == bits_of(want[i]), "[%zu] = %g, not %g", i, (double)y[i],
          (double)want[i]);
}

static void expansions(void) {
  for (size_t s = 0; s < COUNT(SHAPES); s++)
    for (int by_row = 0; by_row <= 2; by_row++)
      for (size_t rows = 1; rows <= 5; rows += 4)
        for (int one = 0; one < 2; one++) {
          const size_t outer = SHAPES[s][0] * (by_row == 1 ? rows : 1);
          const size_t middle = SHAPES[s][1] * (by_row == 2 ? rows : 1), inner = SHAPES[s][2];
          const size_t n = outer * middle * inner;
          const fnn_step step = {.code = FNN_STEP_EXPAND, .uniform = one, .by_row = by_row,
                                 .outer = SHAPES[s][0], .middle = SHAPES[s][1], .inner = inner};
          const real *a = operand(0, outer * inner, one, -9, 9);
          real want[4000];
          for (size_t i = 0; i < n; i++)
            want[i] = a[one ? 0 : i / (middle * inner) * inner + i % inner];
          label("expand to (%zu, %zu, %zu)", outer, middle, inner);
          FOR_TABLES {
            real *y = output(1, n);
            run_step(k, step, y, a, NULL, NULL, rows);
            agree(y, n);
            same(y, want, n);
          }
        }
}

/* Slices, and placing the same elements back among others. */
static void slices(void) {
  static const ptrdiff_t strides[] = {1, 2, 3, -1, -2};
  for (size_t s = 0; s < COUNT(SHAPES); s++)
    for (size_t t = 0; t < COUNT(strides); t++)
      for (size_t rows = 1; rows <= 5; rows += 4)
        for (int one = 0; one < 2; one++) {
          const size_t outer = SHAPES[s][0] * rows, middle = SHAPES[s][1], inner = SHAPES[s][2];
          const ptrdiff_t stride = strides[t];
          const size_t reach = (middle - 1) * (size_t)labs(stride), length = reach + 3;
          const size_t n = outer * middle * inner, all = outer * length * inner;
          const size_t start = 1 + (stride < 0 ? reach : 0);
          if (all * sizeof(real) > SLOT_BYTES - 64) continue;
          fnn_step step = {.code = FNN_STEP_SLICE, .uniform = one, .by_row = 1, .outer = SHAPES[s][0],
                           .middle = middle, .inner = inner, .start = start, .length = length,
                           .stride = stride};
          const real *a = operand(0, all, one, -9, 9), *b = operand(1, n, one, -9, 9);
          const real *before = numbers(2, all, -9, 9, 0);
          static real sliced[8192], placed[8192];
          for (size_t i = 0; i < all; i++) placed[i] = before[i];
          for (size_t i = 0; i < n; i++) {
            const size_t o = i / (middle * inner), j = i / inner % middle;
            const size_t p = (size_t)((ptrdiff_t)(o * length + start) + (ptrdiff_t)j * stride);
            sliced[i] = a[one ? 0 : p * inner + i % inner];
            placed[p * inner + i % inner] = b[one ? 0 : i];
          }
          label("slice %zu:%zu:%td of (%zu, %zu, %zu)", start, middle, stride, outer, length, inner);
          FOR_TABLES {
            real *y = output(3, n), *z = copy_of(4, before, all);
            step.code = FNN_STEP_SLICE;
            run_step(k, step, y, a, NULL, NULL, rows);
            step.code = FNN_STEP_PLACE;
            run_step(k, step, z, b, NULL, NULL, rows);
            agree(y, n);
            agree(z, all);
            same(y, sliced, n);
            same(z, placed, all);
          }
        }
}

static void swaps(void) {
  for (size_t s = 0; s < COUNT(SHAPES); s++)
    for (size_t length = 1; length <= 17; length += length < 5 ? 1 : 6)
      for (size_t rows = 1; rows <= 3; rows += 2)
        for (int one = 0; one < 2; one++) {
          const size_t outer = SHAPES[s][0] * rows, middle = SHAPES[s][1], inner = SHAPES[s][2];
          const size_t n = outer * middle * length * inner;
          if (n * sizeof(real) > SLOT_BYTES - 64) continue;
          const fnn_step step = {.code = FNN_STEP_SWAP, .uniform = one, .by_row = 1,
                                 .outer = SHAPES[s][0], .middle = middle, .inner = inner,
                                 .length = length};
          const real *a = operand(0, n, one, -9, 9);
          static real want[8192];
          for (size_t i = 0; i < n; i++) {
            const size_t j = i / inner % length, m = i / inner / length % middle;
            const size_t o = i / inner / length / middle;
            want[((o * length + j) * middle + m) * inner + i % inner] = a[one ? 0 : i];
          }
          label("swap (%zu, %zu, %zu, %zu)", outer, middle, length, inner);
          FOR_TABLES {
            real *y = output(1, n);
            run_step(k, step, y, a, NULL, NULL, rows);
            agree(y, n);
            same(y, want, n);
          }
        }
}

static void picks(void) {
  static const real places[] = {-1, (real)-0.5, (real)-0.0, (real)1.7, (real)NAN, (real)INFINITY,
                                (real)-INFINITY, (real)1e30, (real)-1e30, 1e9};
  for (int one = 0; one < 4; one++)
    for (size_t s = 0; s < COUNT(LENGTHS); s++)
      for (size_t length = 1; length <= 17; length += 8) {
        const size_t middle = LENGTHS[s], rows = 3, n = rows * length;
        const fnn_step step = {.code = FNN_STEP_PICK, .uniform = one, .by_row = 1, .outer = 1,
                               .middle = middle, .inner = 1, .length = length};
        const real *a = operand(0, rows * middle, one & 1, -9, 9);
        real *b = operand(1, n, one & 2, 0, (double)middle);
        for (size_t i = 0; i < n && !(one & 2); i++)
          b[i] = i % 4 == 3   ? places[i / 4 % COUNT(places)]
                 : i % 4 == 2 ? (real)middle
                              : (real)floor(uniform(0, (double)middle));
        label("pick %zu of %zu", length, middle);
        FOR_TABLES {
          real *y = output(2, n);
          run_step(k, step, y, a, b, NULL, rows);
          agree(y, n);
          for (size_t i = 0; i < n && !flushing; i++) {
            const real x = b[one & 2 ? 0 : i];
            const int inside = x >= 0 && x < (real)middle;
            const real want = !inside       ? (real)NAN
                              : one & 1 ? a[0]
                                            : a[i / length * middle + (size_t)x];
            check(bits_of(y[i]) == bits_of(want), "[%zu] at %g", i, (double)x);
          }
        }
      }
}

static void products(void) {
  static const size_t shapes[][3] = {{1, 1, 1}, {2, 9, 1}, {3, 3, 3}, {7, 15, 16}, {4, 5, 17},
                                     {1, 64, 2}, {13, 2, 9}, {5, 8, 40}};
  for (size_t s = 0; s < COUNT(shapes); s++)
    for (int uniform = 0; uniform < 4; uniform++)
      for (size_t rows = 1; rows <= 3; rows += 2) {
        const size_t middle = shapes[s][0], length = shapes[s][1], inner = shapes[s][2];
        const size_t n = rows * middle * inner;
        const fnn_step step = {.code = FNN_STEP_MATMUL, .uniform = uniform, .by_row = 1, .outer = 1,
                               .middle = middle, .inner = inner, .length = length};
        const real *a = operand(0, rows * middle * length, uniform & 1, -2, 2);
        const real *b = operand(1, rows * length * inner, uniform & 2, -2, 2);
        label("matmul (%zu, %zu) (%zu, %zu) uniform=%d", middle, length, length, inner, uniform);
        FOR_TABLES {
          real *y = output(2, n);
          run_step(k, step, y, a, b, NULL, rows);
          agree(y, n);
          for (size_t i = 0; i < n && !flushing; i++) {
            const size_t o = i / (middle * inner), m = i / inner % middle;
            real sum = 0;
            for (size_t p = 0; p < length; p++) {
              const real u = a[uniform & 1 ? 0 : (o * middle + m) * length + p];
              const real v = b[uniform & 2 ? 0 : (o * length + p) * inner + i % inner];
              sum = sizeof(real) == 4 ? (real)fmaf((float)u, (float)v, (float)sum)
                                      : (real)fma(u, v, sum);
            }
            check(bits_of(y[i]) == bits_of(sum), "[%zu] = %g, not %g", i, (double)y[i], (double)sum);
          }
        }
      }
}

/* --- several steps ---------------------------------------------------------------------------- */

/* Softmax, in steps that overwrite one another's registers. */
static void in_order(void) {
  enum { ROWS = 5, F = 9, N = ROWS * F };
  const fnn_step steps[] = {
      {.code = FNN_STEP_MAX, .to = 1, .a = 0, .by_row = 1, .outer = 1, .middle = F, .inner = 1},
      {.code = FNN_STEP_EXPAND, .to = 2, .a = 1, .by_row = 1, .outer = 1, .middle = F, .inner = 1},
      {.code = FNN_STEP_SUBTRACT, .to = 2, .a = 0, .b = 2, .c = -1, .by_row = 1, .outer = F},
      {.code = FNN_STEP_EXP, .to = 3, .a = 2, .b = -1, .c = -1, .by_row = 1, .outer = F},
      {.code = FNN_STEP_SUM, .to = 1, .a = 3, .by_row = 1, .outer = 1, .middle = F, .inner = 1},
      {.code = FNN_STEP_EXPAND, .to = 2, .a = 1, .by_row = 1, .outer = 1, .middle = F, .inner = 1},
      {.code = FNN_STEP_DIVIDE, .to = 3, .a = 3, .b = 2, .c = -1, .by_row = 1, .outer = F},
  };
  label("softmax");
  const real *x = numbers(0, N, -9, 9, 0);
  FOR_TABLES {
    real *registers[] = {copy_of(1, x, N), output(2, ROWS), output(3, N), output(4, N)};
    k->map(steps, COUNT(steps), registers, ROWS);
    agree(registers[3], N);
    for (size_t i = 0; i < N && !flushing; i++) {
      long double sum = 0;
      for (size_t j = 0; j < F; j++) sum += expl((long double)x[i / F * F + j]);
      near("y", i, registers[3][i], expl((long double)x[i]) / sum, 20);
    }
  }
}

static void names(void) {
  static const struct {
    fnn_list list;
    int count;
    const char *first, *last;
  } lists[] = {
      {FNN_LIST_STEPS, FNN_STEPS, "copy", "matmul"},
      {FNN_LIST_ACTIVATIONS, FNN_ACTIVATIONS, "linear", "log_softmax"},
      {FNN_LIST_RULES, FNN_RULES, "sgd", "amsgrad"},
      {FNN_LIST_CROSSENTROPIES, FNN_CROSSENTROPIES, "binary", "sparse_categorical"},
  };
  for (size_t i = 0; i < COUNT(lists); i++) {
    const fnn_list list = lists[i].list;
    label("names of list %d", list);
    check(!strcmp(fnn_name(list, 0), lists[i].first), "the first one");
    check(!strcmp(fnn_name(list, lists[i].count - 1), lists[i].last), "the last one");
    check(!fnn_name(list, lists[i].count) && !fnn_name(list, -1), "no name is expected");
  }
}

static void cases(void) {
  elementwise();
  pairs();
  hard_elements();
  reductions();
  reductions_of_one_number();
  expansions();
  slices();
  swaps();
  picks();
  products();
  in_order();
  names();
  label("coverage");
  for (int code = 0; code < FNN_STEPS; code++)
    check(covered[code], "%s has no case", step_name(code));
}

int main(void) { return run(cases); }
