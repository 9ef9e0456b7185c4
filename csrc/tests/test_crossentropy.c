/* Crossentropies of rows from logits: values against Keras's formulas in long double, gradients
 * against central differences of those. */
#include "check.h"

enum {
  BINARY = FNN_CROSSENTROPY_BINARY,
  CATEGORICAL = FNN_CROSSENTROPY_CATEGORICAL,
  SPARSE = FNN_CROSSENTROPY_SPARSE_CATEGORICAL,
};

/* log(sum(exp(x))) */
static long double log_sum_exp(const long double *x, size_t n) {
  long double largest = -INFINITY, sum = 0;
  for (size_t j = 0; j < n; j++) largest = fmaxl(largest, x[j]);
  for (size_t j = 0; j < n; j++) sum += expl(x[j] - largest);
  return largest + logl(sum);
}

static long double oracle(int kind, const real *t, const long double *x, size_t n) {
  long double value = 0;
  const long double total = log_sum_exp(x, n);
  for (size_t j = 0; j < n; j++) {
    const long double target = kind == SPARSE ? (real)j == t[0] : t[j];
    if (kind == BINARY)
      value += (x[j] > 0 ? x[j] : 0) - x[j] * target + log1pl(expl(-fabsl(x[j])));
    else if (target != 0)
      value -= target * (x[j] - total);
  }
  return kind == BINARY ? value / (long double)n : value;
}

static long double probability_of(int kind, const long double *x, size_t i, size_t n) {
  return kind == BINARY ? 1 / (1 + expl(-x[i])) : expl(x[i] - log_sum_exp(x, n));
}

static real of_row(const kernels *k, int kind, real *dx, real *q, const real *t, const real *x,
                   real scale, size_t n, int accumulate) {
  real value;
  k->crossentropy(kind, &value, dx, q, t, n, x, n, scale, 1, n, accumulate);
  return value;
}

static void row(int kind, size_t n, int range) {
  const real scale = (real)0.37;
  real *x = numbers(0, n, -range, range, 0), *t = numbers(1, kind == SPARSE ? 1 : n, 0, 1, 0);
  if (kind == SPARSE) t[0] = (real)(size_t)uniform(0, (double)n - 0.01);
  if (kind == BINARY)
    for (size_t i = 0; i < n; i++) t[i] = t[i] > (real)0.5;
  const real *before = numbers(2, n, -1, 1, 0);
  label("kind %d n=%zu range=%d", kind, n, range);
  FOR_TABLES {
    real *dx = output(3, n), *q = output(4, n), *more = copy_of(5, before, n), *dx2 = output(6, n);
    const real value = of_row(k, kind, dx, q, t, x, scale, n, 0);
    const real same[3] = {
        of_row(k, kind, NULL, NULL, t, x, 0, n, 0),
        of_row(k, kind, dx2, NULL, t, x, scale, n, 0),
        of_row(k, kind, more, NULL, t, x, scale, n, 1),
    };
    for (int i = 0; i < 3; i++) check(bits_of(same[i]) == bits_of(value), "value by way %d", i);
    check(!memcmp(dx, dx2, n * sizeof *dx), "gradient with and without probabilities");
    agree(&value, 1);
    agree(dx, n);
    agree(more, n);
    agree(q, n);
    real *by_activation = output(7, n);
    k->activation_forward(by_activation, x, NULL, kind == BINARY ? FNN_SIGMOID : FNN_SOFTMAX, 0, 1,
                          n, n);
    check(!memcmp(q, by_activation, n * sizeof *q), "probabilities are the activation's bits");
    if (flushing || table) continue;

    long double at[100];
    for (size_t i = 0; i < n; i++) at[i] = x[i];
    const long double expected = oracle(kind, t, at, n);
    within("value", 0, value, expected, (fabsl(expected) + range) * 16 * EPSILON);
    for (size_t i = 0; i < n; i++) {
      const long double h = 1e-6L;
      within("probability", i, q[i], probability_of(kind, at, i, n), range * 8 * EPSILON);
      at[i] = x[i] + h;
      long double d = oracle(kind, t, at, n);
      at[i] = x[i] - h;
      d = (d - oracle(kind, t, at, n)) / (2 * h) * scale;
      at[i] = x[i];
      const long double tolerance = (fabsl(d) + 1) * (range * 16 * EPSILON + 1e-9L);
      within("dx", i, dx[i], d, tolerance);
      within("accumulated dx", i, more[i], before[i] + d, tolerance);
    }
  }
}

/* Many rows in one go have the bits of each by itself, also where rows are numbers, and what lies
 * between them is not touched. */
static void many_rows(int kind, size_t n, size_t gap) {
  enum { MOST = 40 };
  const size_t row = n + gap, t_row = (kind == SPARSE ? 1 : n) + gap;
  const real *x = numbers(0, MOST * row, -3, 3, 0), *before = numbers(2, MOST * row, -1, 1, 0);
  real *t = numbers(1, MOST * t_row, 0, 1, 0);
  if (kind == SPARSE)
    for (size_t i = 0; i < MOST; i++) t[i * t_row] = (real)(i % (n + 1)); /* n: there is no such */
  for (size_t rows = 0; rows <= MOST; rows += rows < 20 ? 1 : 7)
    for (int accumulate = 0; accumulate < 2; accumulate++) {
      FOR_TABLES {
        label("%zu rows, kind %d n=%zu gap=%zu", rows, kind, n, gap);
        real *values = output(3, rows), *dx = copy_of(4, before, rows * row);
        real *q = copy_of(5, before, rows * row), *only_values = output(6, rows);
        k->crossentropy(kind, values, dx, q, t, t_row, x, row, (real)0.37, rows, n, accumulate);
        k->crossentropy(kind, only_values, NULL, NULL, t, t_row, x, row, 0, rows, n, 0);
        check(!memcmp(values, only_values, rows * sizeof *values), "values without gradients");
        check_before();
        real *d = copy_of(7, before, rows * row), *r = copy_of(6, before, rows * row);
        for (size_t i = 0; i < rows; i++) {
          const real value = of_row(k, kind, d + i * row, r + i * row, t + i * t_row, x + i * row,
                                    (real)0.37, n, accumulate);
          check(bits_of(value) == bits_of(values[i]), "value of row %zu", i);
        }
        check(!memcmp(dx, d, rows * row * sizeof *d), "gradients");
        check(!memcmp(q, r, rows * row * sizeof *r), "probabilities");
      }
    }
}

static void unknown_classes(void) {
  static const double labels[] = {-1, 5, 1e9, NAN, -0.5, INFINITY, -INFINITY};
  label("unknown class");
  for (size_t i = 0; i < COUNT(labels); i++) {
    const real *x = numbers(0, 5, -3, 3, 0), class = (real)labels[i];
    FOR_TABLES
    for (int accumulate = 0; accumulate < 2; accumulate++) {
      real *dx = output(1, 5), *q = output(2, 5);
      for (int j = 0; j < 5; j++) dx[j] = accumulate ? 3 : NAN;
      const real value = of_row(k, SPARSE, dx, q, &class, x, 1, 5, accumulate);
      check(class < 0 ? value == 0 : isnan(value), "value");
      for (int j = 0; j < 5; j++) {
        check(!isnan(q[j]), "probability %d", j);
        check(class < 0 ? dx[j] == (accumulate ? 3 : 0) : isnan(dx[j]), "gradient %d", j);
      }
    }
  }
}

/* A NaN or an infinity in a prediction is never hidden, and all tables agree on it. */
static void wild(void) {
  label("extreme values");
  for (int kind = 0; kind < FNN_CROSSENTROPIES; kind++)
    for (int i = 0; i < 20; i++) {
      real *x = numbers(0, 33, -8, 8, 1), *t = numbers(1, 33, 0, 1, 0);
      if (kind == SPARSE) t[0] = (real)(i + 1);
      int has_nan = 0;
      for (int j = 0; j < 33; j++) has_nan |= isnan(x[j]);
      FOR_TABLES {
        real *dx = output(2, 33), value = of_row(k, kind, dx, NULL, t, x, 1, 33, 0);
        agree(&value, 1);
        agree(dx, 33);
        if (has_nan) check(isnan(value), "kind %d hides a NaN", kind);
      }
    }
}

/* With one-hot targets the sparse loss is the categorical one, to the bit. */
static void sparse_is_categorical(void) {
  label("sparse and categorical");
  for (size_t s = 1; s < COUNT(SIZES); s++)
    for (int repeat = 0; repeat < 10; repeat++) {
      const size_t n = SIZES[s];
      real *x = numbers(0, n, -9, 9, 0), *t = numbers(1, n, 0, 0, 0);
      const real class = (real)(size_t)uniform(0, (double)n - 0.01);
      t[(size_t)class] = 1;
      if (repeat % 2) x[(size_t)class] = 16; /* a confident, right prediction */
      FOR_TABLES {
        real *d = output(2, n), *e = output(3, n);
        const real a = of_row(k, CATEGORICAL, d, NULL, t, x, (real)0.1, n, 0);
        const real b = of_row(k, SPARSE, e, NULL, &class, x, (real)0.1, n, 0);
        check(a == b, "values %.9g and %.9g", (double)a, (double)b);
        check(!memcmp(d, e, n * sizeof *d), "gradients");
      }
    }
}

static void cases(void) {
  for (int kind = 0; kind < FNN_CROSSENTROPIES; kind++)
    for (size_t s = 1; s < COUNT(SIZES); s++)
      for (int range = 2; range <= 30; range += 28)
        for (int repeat = 0; repeat < 2; repeat++) row(kind, SIZES[s], range);
  for (int kind = 0; kind < FNN_CROSSENTROPIES; kind++)
    for (size_t n = 1; n <= 3; n += 2)
      for (size_t gap = 0; gap < 2; gap++) many_rows(kind, n, gap);
  unknown_classes();
  wild();
  sparse_is_categorical();
}

int main(void) { return run(cases); }
