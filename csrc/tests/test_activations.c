/* Activations: values against libm in long double, derivatives against central differences. */
#include "check.h"

static long double sigmoid(long double x) { return 1 / (1 + expl(-x)); }

static long double softplus(long double x) {
  return (x > 0 ? x : 0) + log1pl(expl(-fabsl(x)));
}

static long double clamp(long double x, long double low, long double high) {
  return x < low ? low : x > high ? high : x;
}

static long double oracle(int activation, long double x, long double slope) {
  const long double scale = 1.0507009873554804934193349852946L;
  const long double alpha = 1.6732632423543772848170429916717L;
  if (isnan(x)) return x;
  switch (activation) {
    case FNN_LINEAR: return x;
    case FNN_RELU: return x > 0 ? x : 0;
    case FNN_LEAKY_RELU: return x > 0 ? x : slope * x;
    case FNN_RELU6: return clamp(x, 0, 6);
    case FNN_SIGMOID: return sigmoid(x);
    case FNN_HARD_SIGMOID: return clamp(x / 6 + 0.5L, 0, 1);
    case FNN_TANH: return tanhl(x);
    case FNN_SOFTPLUS: return softplus(x);
    case FNN_SOFTSIGN: return x / (1 + fabsl(x));
    case FNN_ELU: return x > 0 ? x : slope * expm1l(x);
    case FNN_SELU: return scale * (x > 0 ? x : alpha * expm1l(x));
    case FNN_EXPONENTIAL: return expl(x);
    case FNN_SILU: return x * sigmoid(x);
    case FNN_GELU: return 0.5L * x * erfcl(-x * sqrtl(0.5L));
    case FNN_MISH: return x * tanhl(softplus(x));
  }
  abort();
}

/* Bounds of the error in units of the last place. */
static double limit_of(int activation) {
  switch (activation) {
    case FNN_SIGMOID:
    case FNN_TANH: return 3;
    case FNN_HARD_SIGMOID: return 1e9; /* cancellation at -3; see below */
    case FNN_SOFTPLUS: return 3;
    case FNN_ELU:
    case FNN_SELU: return 3;
    case FNN_EXPONENTIAL: return 2;
    case FNN_SILU: return 4;
    case FNN_GELU: return 6;
    case FNN_MISH: return 6;
    case FNN_SOFTSIGN: return 1.5;
    default: return 1;
  }
}

static void forward(void) {
  for (int activation = 0; activation < FNN_SOFTMAX; activation++)
    for (size_t s = 0; s < COUNT(SIZES); s++)
      for (int variant = 0; variant < 4; variant++) { /* bias, in place */
        const size_t n = SIZES[s];
        const real slope = (real)0.3;
        const real *x = numbers(0, n, -10, 10, 1);
        const real *bias = variant & 1 ? numbers(1, n, -1, 1, 0) : NULL;
        label("forward %d n=%zu variant=%d", activation, n, variant);
        FOR_TABLES {
          real *y = variant & 2 ? copy_of(2, x, n) : output(2, n);
          k->activation_forward(y, variant & 2 ? y : x, bias, activation, slope, 1, n, n);
          agree(y, n);
          for (size_t i = 0; i < n && table == 0 && !flushing; i++) {
            const real z = bias ? x[i] + bias[i] : x[i];
            const long double expected = oracle(activation, z, slope);
            if (activation == FNN_HARD_SIGMOID)
              within("y", i, y[i], expected, 2 * EPSILON);
            else if (isinf(z) && (activation == FNN_SOFTSIGN || (z < 0 && activation >= FNN_SILU)))
              check(isnan(y[i]), "not NaN at infinity");
            else if (z < (real)-80 && (activation == FNN_SILU || activation == FNN_MISH))
              within("y", i, y[i], expected, 4 * EPSILON * fabsl(expected) + 2000 * SMALLEST);
            else
              near("y", i, y[i], expected, limit_of(activation));
          }
        }
      }
}

/* A kink makes no difference quotient. */
static int near_kink(int activation, real x) {
  if (activation == FNN_HARD_SIGMOID) return fabs(fabs((double)x) - 3) < 1e-2;
  if (activation == FNN_RELU6 && fabs((double)x - 6) < 1e-2) return 1;
  return fabs((double)x) < 1e-2;
}

static void backward(void) {
  for (int activation = 0; activation < FNN_SOFTMAX; activation++)
    for (size_t s = 0; s < COUNT(SIZES); s++)
      for (int variant = 0; variant < 4; variant++) { /* accumulate, in place */
        const size_t n = SIZES[s];
        const int accumulate = variant & 1, in_place = variant & 2;
        const real slope = (real)0.3;
        const real *x = numbers(0, n, -8, 8, 0), *dy = numbers(1, n, -2, 2, 0);
        const real *before = numbers(3, n, -1, 1, 0);
        if (accumulate && in_place) continue;
        label("backward %d n=%zu variant=%d", activation, n, variant);
        FOR_TABLES {
          real *y = output(2, n);
          k->activation_forward(y, x, NULL, activation, slope, 1, n, n);
          real *dx = in_place ? copy_of(4, dy, n) : accumulate ? copy_of(4, before, n) : output(4, n);
          k->activation_backward(dx, in_place ? dx : dy, activation >= FNN_SILU ? x : NULL, y,
                                 activation, slope, 1, n, n, n, accumulate);
          agree(dx, n);
          for (size_t i = 0; i < n && table == 0 && !flushing; i++) {
            const long double h = 1e-5L;
            long double d = (oracle(activation, x[i] + h, slope) - oracle(activation, x[i] - h, slope)) /
                            (2 * h);
            if (near_kink(activation, x[i])) continue;
            d = (accumulate ? before[i] : 0) + d * dy[i];
            within("y", i, dx[i], d, (10 * EPSILON + 3e-10L) * (activation == FNN_EXPONENTIAL ? 6000 : 2));
          }
        }
      }
}

/* Extreme inputs must give the same bits, whatever they are. */
static void backward_wild(void) {
  label("backward of extreme values");
  for (int activation = 0; activation < FNN_SOFTMAX; activation++) {
    const real *x = numbers(0, 100, -8, 8, 1), *dy = numbers(1, 100, -2, 2, 1);
    FOR_TABLES {
      real *dx = output(2, 100);
      k->activation_backward(dx, dy, x, x, activation, (real)0.3, 1, 100, 100, 100, 0);
      agree(dx, 100);
    }
  }
}

static void softmaxes(void) {
  for (size_t s = 0; s < COUNT(SIZES); s++)
    for (int logarithm = 0; logarithm < 2; logarithm++)
      for (int variant = 0; variant < 4; variant++) { /* bias, wide range */
        const size_t n = SIZES[s];
        const int activation = logarithm ? FNN_LOG_SOFTMAX : FNN_SOFTMAX;
        const double range = variant & 2 ? 300 : 3;
        const real *x = numbers(0, n, -range, range, 0), *dy = numbers(1, n, -1, 1, 0);
        const real *bias = variant & 1 ? numbers(2, n, -1, 1, 0) : NULL;
        label("softmax log=%d n=%zu variant=%d", logarithm, n, variant);
        FOR_TABLES {
          real *y = output(3, n), *dx = output(4, n);
          k->activation_forward(y, x, bias, activation, 0, 1, n, n);
          k->activation_backward(dx, dy, NULL, y, activation, 0, 1, n, n, n, 0);
          agree(y, n);
          agree(dx, n);
          real *again = copy_of(5, dx, n);
          k->activation_backward(again, dy, NULL, y, activation, 0, 1, n, n, n, 1);
          agree(again, n);
          long double largest = -INFINITY, sum = 0, total = 0, z[100];
          for (size_t i = 0; i < n; i++) {
            z[i] = bias ? x[i] + bias[i] : x[i];
            if (z[i] > largest) largest = z[i];
          }
          for (size_t i = 0; i < n; i++) sum += expl(z[i] - largest);
          for (size_t i = 0; i < n; i++)
            total += dy[i] * (logarithm ? 1 : expl(z[i] - largest) / sum);
          for (size_t i = 0; i < n && table == 0 && !flushing; i++) {
            const long double q = expl(z[i] - largest) / sum;
            const long double expected = logarithm ? z[i] - largest - logl(sum) : q;
            /* x - max loses up to half a unit of |x|, which exp turns into a relative error. */
            within("y", i, y[i], expected,
                   logarithm ? 600 * EPSILON : (long double)q * range * 4 * EPSILON + SMALLEST);
            within("y", i, dx[i], logarithm ? dy[i] - q * total : q * (dy[i] - total),
                   8 * range * EPSILON + SMALLEST);
            within("y", i, again[i], 2 * (long double)dx[i], 4 * EPSILON);
          }
        }
      }
  label("softmax of extreme values");
  for (int i = 0; i < 20; i++) {
    const real *x = numbers(0, 33, -8, 8, 1);
    FOR_TABLES {
      real *y = output(1, 33);
      k->activation_forward(y, x, NULL, FNN_SOFTMAX, 0, 1, 33, 33);
      agree(y, 33);
      k->activation_forward(y, x, NULL, FNN_LOG_SOFTMAX, 0, 1, 33, 33);
      agree(y, 33);
    }
  }
}

/* Rows of a matrix are the rows one by one, and what lies between them is left alone. */
static void rows(void) {
  const size_t count = 3, n = 21, row = 25, y_row = 23;
  for (int activation = 0; activation <= FNN_LOG_SOFTMAX; activation++) {
    const real *x = numbers(0, count * row, -8, 8, 0), *bias = numbers(1, n, -1, 1, 0);
    const real *dy = numbers(2, count * row, -1, 1, 0), *z = numbers(3, count * y_row, -1, 1, 0);
    label("rows %d", activation);
    FOR_TABLES {
      real *y = copy_of(4, x, count * row), *one_y = copy_of(5, x, count * row);
      real *dx = copy_of(6, dy, count * row), *one_dx = copy_of(7, dy, count * row);
      k->activation_forward(y, y, bias, activation, (real)0.3, count, row, n);
      k->activation_backward(dx, dx, z, z, activation, (real)0.3, count, row, y_row, n, 0);
      for (size_t i = 0; i < count; i++) {
        real *a = one_y + i * row, *b = one_dx + i * row;
        k->activation_forward(a, a, bias, activation, (real)0.3, 1, 0, n);
        k->activation_backward(b, b, z + i * y_row, z + i * y_row, activation, (real)0.3, 1, 0, 0, n,
                               0);
      }
      check(!memcmp(y, one_y, count * row * sizeof(real)), "forward differs");
      check(!memcmp(dx, one_dx, count * row * sizeof(real)), "backward differs");
    }
  }
}

static void cases(void) {
  forward();
  backward();
  backward_wild();
  softmaxes();
  rows();
}

int main(void) { return run(cases); }
