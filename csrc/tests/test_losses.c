/* Losses, gradients and accuracies of rows: values against Keras's formulas in long double,
 * gradients against central differences of those. */
#include "check.h"

#define CLIP_LOW ((long double)(real)1e-7)
#define CLIP_HIGH ((long double)(real)(1 - 1e-7))

static long double clip(long double p) {
  return p < CLIP_LOW ? CLIP_LOW : p > CLIP_HIGH ? CLIP_HIGH : p;
}

static long double smoothed(int kind, real t, const fnn_row_options *o, size_t n) {
  const long double s = (real)o->smoothing;
  const int binary = kind == FNN_BINARY_CROSSENTROPY || kind == FNN_BINARY_CROSSENTROPY_LOGITS;
  return t * (1 - s) + (binary ? s / 2 : s / (long double)n);
}

static int sparse(int kind) {
  return kind == FNN_SPARSE_CATEGORICAL_CROSSENTROPY ||
         kind == FNN_SPARSE_CATEGORICAL_CROSSENTROPY_LOGITS;
}

static int logits(int kind) { return kind >= FNN_BINARY_CROSSENTROPY_LOGITS; }

static long double oracle(int kind, const real *t, const long double *p, const fnn_row_options *o,
                          size_t n) {
  long double value = 0, sum = 0, largest = -INFINITY;
  const long double delta = (real)o->delta;
  for (size_t j = 0; j < n; j++) {
    sum += p[j];
    if (p[j] > largest) largest = p[j];
  }
  if (logits(kind)) {
    sum = 0;
    for (size_t j = 0; j < n; j++) sum += expl(p[j] - largest);
  }
  for (size_t j = 0; j < n; j++) {
    const long double target = sparse(kind) ? (real)j == t[0] : smoothed(kind, t[j], o, n);
    const long double d = sparse(kind) ? 0 : p[j] - t[j], a = fabsl(d);
    switch (kind) {
      case FNN_MEAN_SQUARED_ERROR: value += d * d; break;
      case FNN_MEAN_ABSOLUTE_ERROR: value += a; break;
      case FNN_HUBER: value += a <= delta ? d * d / 2 : delta * a - delta * delta / 2; break;
      case FNN_BINARY_CROSSENTROPY:
        value -= target * logl(clip(p[j])) + (1 - target) * logl(1 - clip(p[j]));
        break;
      case FNN_BINARY_CROSSENTROPY_LOGITS:
        value += (p[j] > 0 ? p[j] : 0) - p[j] * target + log1pl(expl(-fabsl(p[j])));
        break;
      case FNN_CATEGORICAL_CROSSENTROPY:
      case FNN_SPARSE_CATEGORICAL_CROSSENTROPY:
        if (target != 0) value -= target * logl(clip(p[j] / sum));
        break;
      default:
        if (target != 0) value -= target * (p[j] - largest - logl(sum));
    }
  }
  const int mean = kind <= FNN_BINARY_CROSSENTROPY || kind == FNN_BINARY_CROSSENTROPY_LOGITS;
  return mean ? value / (long double)n : value;
}

static long double probability_of(int kind, const real *p, size_t i, size_t n) {
  long double largest = -INFINITY, sum = 0;
  if (kind == FNN_BINARY_CROSSENTROPY_LOGITS) return 1 / (1 + expl(-(long double)p[i]));
  for (size_t j = 0; j < n; j++)
    if (p[j] > largest) largest = p[j];
  for (size_t j = 0; j < n; j++) sum += expl(p[j] - largest);
  return expl(p[i] - largest) / sum;
}

static real loss_row(const kernels *k, int kind, real *dp, real *q, const real *t, const real *p,
                     real scale, const fnn_row_options *o, size_t n, int accumulate) {
  real value;
  k->loss_rows(kind, &value, dp, q, t, n, p, n, scale, o, 1, n, accumulate);
  return value;
}

static real row_value(const kernels *k, int kind, const real *t, const real *p,
                      const fnn_row_options *o, size_t n) {
  real value;
  k->row_values(kind, &value, t, n, p, n, o, 1, n);
  return value;
}

static void row(int kind, size_t n, int variant) {
  const fnn_row_options options = {variant & 1 ? 0.1 : 0, 0.7, 0.5};
  const int range = variant & 2 ? 30 : 2; /* of logits */
  const int probabilities = kind >= FNN_BINARY_CROSSENTROPY && !logits(kind);
  const real scale = (real)0.37;
  real *p = probabilities ? numbers(0, n, 0.05, 1, 0) : numbers(0, n, -range, range, 0);
  if (probabilities && variant & 2) {
    for (size_t i = 1; i < n; i += 3) p[i] = i % 2 ? 0 : 1; /* outside the clip range, or so */
    if (kind == FNN_BINARY_CROSSENTROPY)
      for (size_t i = 0; i < n; i += 5) p[i] = (real)2e-8;
  }
  real *t = numbers(1, sparse(kind) ? 1 : n, 0, 1, 0);
  if (sparse(kind)) t[0] = (real)(size_t)uniform(0, (double)n - 0.01);
  if (kind == FNN_BINARY_CROSSENTROPY || kind == FNN_BINARY_CROSSENTROPY_LOGITS)
    for (size_t i = 0; i < n; i++) t[i] = t[i] > (real)0.5;
  const real *before = numbers(2, n, -1, 1, 0);
  label("loss %d n=%zu variant=%d", kind, n, variant);
  FOR_TABLES {
    real *dp = output(3, n), *q = output(4, n), *more = copy_of(5, before, n), *dp2 = output(6, n);
    const real value = loss_row(k, kind, dp, logits(kind) ? q : NULL, t, p, scale, &options, n, 0);
    const real same[3] = {
        row_value(k, kind, t, p, &options, n),
        loss_row(k, kind, dp2, NULL, t, p, scale, &options, n, 0),
        loss_row(k, kind, more, NULL, t, p, scale, &options, n, 1),
    };
    for (int i = 0; i < 3; i++) check(bits_of(same[i]) == bits_of(value), "value by way %d", i);
    check(!memcmp(dp, dp2, n * sizeof *dp), "gradient with and without probabilities");
    agree(&value, 1);
    agree(dp, n);
    agree(more, n);
    if (logits(kind)) {
      agree(q, n);
      real *by_activation = output(7, n);
      k->activation_forward(by_activation, p, NULL,
                            kind == FNN_BINARY_CROSSENTROPY_LOGITS ? FNN_SIGMOID : FNN_SOFTMAX, 0,
                            1, n, n);
      check(!memcmp(q, by_activation, n * sizeof *q), "probabilities are the activation's bits");
    }
    if (flushing || table) continue;

    long double x[100];
    for (size_t i = 0; i < n; i++) x[i] = p[i];
    const long double expected = oracle(kind, t, x, &options, n);
    const long double size = fabsl(expected) + (logits(kind) ? range : 1);
    within("value", 0, value, expected, size * 16 * EPSILON);
    for (size_t i = 0; i < n; i++) {
      const long double at = x[i], room = kind == FNN_BINARY_CROSSENTROPY ? fminl(at, 1 - at) : at;
      const long double h = 1e-6L * (probabilities ? fmaxl(room, 1e-3L) : 1);
      x[i] = at + h;
      long double d = oracle(kind, t, x, &options, n);
      x[i] = at - h;
      d = (d - oracle(kind, t, x, &options, n)) / (2 * h) * scale;
      x[i] = at;
      /* Where a step would cross a kink there is nothing to compare with. */
      if ((kind == FNN_BINARY_CROSSENTROPY && (at < 1e-2L || at > 0.99L))) {
        if (at < CLIP_LOW || at > CLIP_HIGH) check(dp[i] == 0, "gradient where clipped");
        continue;
      }
      if (kind == FNN_HUBER && fabsl(fabsl(at - t[i]) - 0.7L) < 1e-5L) continue;
      if (probabilities && kind != FNN_BINARY_CROSSENTROPY && (at == 0 || n == 1)) continue;
      const long double tolerance = (fabsl(d) + 1) * (range * 16 * EPSILON + 1e-9L);
      within("dp", i, dp[i], d, tolerance);
      within("accumulated dp", i, more[i], before[i] + d, tolerance);
      if (logits(kind))
        within("probability", i, q[i], probability_of(kind, p, i, n), range * 8 * EPSILON);
    }
  }
}

/* Many rows in one go have the bits of each by itself, also where rows are numbers, and what lies
 * between them is not touched. */
static void many_rows(int kind, size_t n, size_t gap) {
  enum { MOST = 40 };
  const size_t row = n + gap, t_row = (sparse(kind) ? 1 : n) + gap;
  const fnn_row_options o = {0.1, 0.7, 0.5};
  const real *p = numbers(0, MOST * row, 0.01, 1, 0), *before = numbers(2, MOST * row, -1, 1, 0);
  real *t = numbers(1, MOST * t_row, 0, 1, 0);
  if (sparse(kind))
    for (size_t i = 0; i < MOST; i++) t[i * t_row] = (real)(i % (n + 1)); /* n: there is no such */
  for (size_t rows = 0; rows <= MOST; rows += rows < 20 ? 1 : 7)
    for (int accumulate = 0; accumulate < 2; accumulate++) {
      FOR_TABLES {
        label("%zu rows, loss %d n=%zu gap=%zu", rows, kind, n, gap);
        real *values = output(3, rows), *dp = copy_of(4, before, rows * row);
        real *q = copy_of(5, before, rows * row), *only_values = output(6, rows);
        k->loss_rows(kind, values, dp, logits(kind) ? q : NULL, t, t_row, p, row, (real)0.37, &o,
                     rows, n, accumulate);
        k->row_values(kind, only_values, t, t_row, p, row, &o, rows, n);
        check(!memcmp(values, only_values, rows * sizeof *values), "values without gradients");
        check_before();
        real *d = copy_of(7, before, rows * row), *r = copy_of(6, before, rows * row);
        for (size_t i = 0; i < rows; i++) {
          const real value = loss_row(k, kind, d + i * row, logits(kind) ? r + i * row : NULL,
                                      t + i * t_row, p + i * row, (real)0.37, &o, n, accumulate);
          check(bits_of(value) == bits_of(values[i]), "value of row %zu", i);
        }
        check(!memcmp(dp, d, rows * row * sizeof *d), "gradients");
        check(!memcmp(q, r, rows * row * sizeof *r), "probabilities");
      }
    }
}

/* On probabilities outside the clip range a categorical crossentropy has the gradient of the
 * others only: here p = (1, 0), so the sum is 1 and both are clipped. */
static void clipped_classes(void) {
  label("clipped classes");
  const real p[2] = {1, 0}, one_hot[2] = {0, 1}, class = 1;
  const fnn_row_options o = {0, 1, 0.5};
  const long double expected = -logl(CLIP_LOW);
  FOR_TABLES {
    real dp[2] = {9, 9};
    near("value", 0, loss_row(k, FNN_CATEGORICAL_CROSSENTROPY, dp, NULL, one_hot, p, 1, &o, 2, 0),
         expected, 2);
    check(dp[0] == 0 && dp[1] == 0, "gradient");
    dp[0] = dp[1] = 9;
    near("value", 1, loss_row(k, FNN_SPARSE_CATEGORICAL_CROSSENTROPY, dp, NULL, &class, p, 1, &o, 2, 0),
         expected, 2);
    check(dp[0] == 0 && dp[1] == 0, "gradient of the sparse one");
  }
}

static void unknown_classes(void) {
  static const double labels[] = {-1, 5, 1e9, NAN, -0.5, INFINITY};
  const int kinds[] = {FNN_SPARSE_CATEGORICAL_CROSSENTROPY,
                       FNN_SPARSE_CATEGORICAL_CROSSENTROPY_LOGITS};
  const fnn_row_options o = {0, 1, 0.5};
  label("unknown class");
  for (size_t i = 0; i < COUNT(labels); i++)
    for (int kind = 0; kind < 2; kind++) {
      const real *p = numbers(0, 5, 0.1, 1, 0), class = (real)labels[i];
      FOR_TABLES {
        real *dp = output(1, 5), *q = output(2, 5);
        check(isnan(loss_row(k, kinds[kind], dp, q, &class, p, 1, &o, 5, 0)), "value is not NaN");
        check(isnan(row_value(k, kinds[kind], &class, p, &o, 5)), "value is not NaN");
        check(row_value(k, FNN_SPARSE_CATEGORICAL_ACCURACY, &class, p, &o, 5) == 0, "accuracy");
      }
    }
}

/* A NaN or an infinity in a prediction is never hidden, and all tables agree on it. */
static void wild(void) {
  const fnn_row_options o = {0.1, 1, 0.5};
  label("extreme values");
  for (int kind = 0; kind < FNN_LOSSES; kind++)
    for (int i = 0; i < 20; i++) {
      real *p = numbers(0, 33, -8, 8, 1), *t = numbers(1, 33, 0, 1, 0);
      if (sparse(kind)) t[0] = (real)(i + 1);
      int has_nan = 0;
      for (int j = 0; j < 33; j++) has_nan |= isnan(p[j]);
      FOR_TABLES {
        real *dp = output(2, 33), value = loss_row(k, kind, dp, NULL, t, p, 1, &o, 33, 0);
        agree(&value, 1);
        agree(dp, 33);
        if (has_nan) check(isnan(value), "loss %d hides a NaN", kind);
      }
    }
}

/* With one-hot targets the sparse loss is the categorical one, to the bit. */
static void sparse_is_categorical(void) {
  const fnn_row_options o = {0, 1, 0.5};
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
        const real a = loss_row(k, FNN_CATEGORICAL_CROSSENTROPY_LOGITS, d, NULL, t, x, (real)0.1, &o,
                                   n, 0);
        const real b = loss_row(k, FNN_SPARSE_CATEGORICAL_CROSSENTROPY_LOGITS, e, NULL, &class, x,
                                   (real)0.1, &o, n, 0);
        check(a == b, "values %.9g and %.9g", (double)a, (double)b);
        check(!memcmp(d, e, n * sizeof *d), "gradients");
      }
    }
}

static void accuracies(void) {
  const fnn_row_options o = {0, 1, 0.4};
  label("accuracies");
  for (size_t s = 1; s < COUNT(SIZES); s++)
    for (int repeat = 0; repeat < 20; repeat++) {
      const size_t n = SIZES[s];
      real *p = numbers(0, n, 0, 1, 0), *t = numbers(1, n, 0, 1, 0);
      real *equal = numbers(2, n, 0, 1, 0);
      size_t best_p = 0, best_t = 0, right = 0, same = 0;
      for (size_t i = 0; i < n; i++) {
        if (repeat % 2) p[i] = (real)((int)(p[i] * 3)) / 4, t[i] = (real)((int)(t[i] * 3)) / 4;
        if (i % 3) equal[i] = p[i];
      }
      for (size_t i = 0; i < n; i++) {
        if (p[i] > p[best_p]) best_p = i;
        if (t[i] > t[best_t]) best_t = i;
        right += (p[i] > (real)0.4) == (t[i] != 0);
        same += equal[i] == p[i];
      }
      if (!repeat) t[best_t = best_p] = 2;
      const real class = (real)(repeat % 3 ? best_p : best_p + 1);
      real *truth = numbers(3, n, 0, 1, 0);
      right = 0;
      for (size_t i = 0; i < n; i++) {
        truth[i] = truth[i] > (real)0.5;
        right += (p[i] > (real)0.4) == (truth[i] != 0);
      }
      FOR_TABLES {
        check(row_value(k, FNN_CATEGORICAL_ACCURACY, t, p, &o, n) == (best_p == best_t), "categorical");
        check(row_value(k, FNN_SPARSE_CATEGORICAL_ACCURACY, &class, p, &o, n) == (repeat % 3 != 0),
              "sparse");
        near("binary", n, row_value(k, FNN_BINARY_ACCURACY, truth, p, &o, n),
             (long double)right / (long double)n, 0.5);
        near("accuracy", n, row_value(k, FNN_ACCURACY, equal, p, &o, n),
             (long double)same / (long double)n, 0.5);
      }
    }
}

static void cases(void) {
  for (int kind = 0; kind < FNN_LOSSES; kind++)
    for (size_t s = 1; s < COUNT(SIZES); s++)
      for (int variant = 0; variant < 4; variant++)
        if (!(sparse(kind) && variant & 1)) row(kind, SIZES[s], variant);
  for (int kind = 0; kind < FNN_LOSSES; kind++)
    for (size_t n = 1; n <= 3; n += 2)
      for (size_t gap = 0; gap < 2; gap++) many_rows(kind, n, gap);
  clipped_classes();
  unknown_classes();
  wild();
  sparse_is_categorical();
  accuracies();
}

int main(void) { return run(cases); }
