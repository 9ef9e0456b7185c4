/* Activation functions and their derivatives, over rows of a matrix.
 *
 * Cost per vector of 16 floats: one load, one store and the function; exp is about 15 operations,
 * sigmoid and tanh one division more. */
#include "internal.h"
#include "softmax.h"

#define SELU_SCALE REAL(1.0507009873554804934)
#define SELU_SCALE_ALPHA REAL(1.7580993408473768600) /* scale times alpha = 1.67326324235437728 */

/* --- functions -------------------------------------------------------------------------------- */

FNN_INLINE vec linear(vec x, vec slope) {
  (void)slope;
  return x;
}

/* x < 0 ? 0 : x, so NaN stays NaN. */
FNN_INLINE vec relu(vec x, vec slope) {
  (void)slope;
  return vec_where(vec_not_lt(x, vec_zero()), x);
}

FNN_INLINE vec leaky_relu(vec x, vec slope) {
  return vec_select(vec_gt(x, vec_zero()), x, vec_mul(x, slope));
}

FNN_INLINE vec relu6(vec x, vec slope) {
  return vec_select(vec_gt(x, vec_set(6)), vec_set(6), relu(x, slope));
}

FNN_INLINE vec sigmoid(vec x, vec slope) {
  (void)slope;
  return vec_sigmoid(x);
}

/* relu6(x + 3)/6 */
FNN_INLINE vec hard_sigmoid(vec x, vec slope) {
  vec y = vec_fma(x, vec_set(REAL(1.0 / 6)), vec_set(REAL(0.5)));
  return vec_select(vec_gt(y, vec_set(1)), vec_set(1), relu(y, slope));
}

FNN_INLINE vec tanh_(vec x, vec slope) {
  (void)slope;
  return vec_tanh(x);
}

FNN_INLINE vec softplus(vec x, vec slope) {
  (void)slope;
  return vec_softplus(x);
}

FNN_INLINE vec softsign(vec x, vec slope) {
  (void)slope;
  return vec_div(x, vec_add(vec_set(1), vec_abs(x)));
}

FNN_INLINE vec elu(vec x, vec slope) {
  vec negative = vec_mul(slope, vec_expm1_negative(vec_min(vec_zero(), x)));
  return vec_select(vec_gt(x, vec_zero()), x, negative);
}

FNN_INLINE vec selu(vec x, vec slope) {
  (void)slope;
  vec negative = vec_mul(vec_set(SELU_SCALE_ALPHA), vec_expm1_negative(vec_min(vec_zero(), x)));
  return vec_select(vec_gt(x, vec_zero()), vec_mul(x, vec_set(SELU_SCALE)), negative);
}

FNN_INLINE vec exponential(vec x, vec slope) {
  (void)slope;
  return vec_exp(x);
}

/* x sigmoid(x) */
FNN_INLINE vec silu(vec x, vec slope) {
  (void)slope;
  return vec_mul(x, vec_sigmoid(x));
}

/* x P(normal < x), not the approximation by tanh */
FNN_INLINE vec gelu(vec x, vec slope) {
  (void)slope;
  return vec_mul(x, vec_normal(x, NULL));
}

/* x tanh(softplus(x)) = x m/(m + 2) with m = (1 + exp(x))^2 - 1 = e (e + 2) */
FNN_INLINE vec mish(vec x, vec slope) {
  (void)slope;
  vec e = vec_exp(vec_min(vec_set(TANH_OF_SOFTPLUS_ONE), x));
  vec m = vec_mul(e, vec_add(e, vec_set(2)));
  return vec_mul(x, vec_div(m, vec_add(m, vec_set(2))));
}

/* --- derivatives, from the output y (silu, gelu and mish: from the input x) ------------------- */

FNN_INLINE vec linear_derivative(vec y, vec slope) {
  (void)y, (void)slope;
  return vec_set(1);
}

FNN_INLINE vec relu_derivative(vec y, vec slope) {
  (void)slope;
  return vec_where(vec_gt(y, vec_zero()), vec_set(1));
}

FNN_INLINE vec leaky_relu_derivative(vec y, vec slope) {
  return vec_select(vec_gt(y, vec_zero()), vec_set(1), slope);
}

/* v where low < y < high, else 0 */
FNN_INLINE vec between(vec y, real low, real high, real v) {
  vmask inside = mask_and(vec_gt(y, vec_set(low)), vec_lt(y, vec_set(high)));
  return vec_where(inside, vec_set(v));
}

FNN_INLINE vec relu6_derivative(vec y, vec slope) {
  (void)slope;
  return between(y, 0, 6, 1);
}

FNN_INLINE vec sigmoid_derivative(vec y, vec slope) {
  (void)slope;
  return vec_mul(y, vec_sub(vec_set(1), y));
}

FNN_INLINE vec hard_sigmoid_derivative(vec y, vec slope) {
  (void)slope;
  return between(y, 0, 1, REAL(1.0 / 6));
}

FNN_INLINE vec tanh_derivative(vec y, vec slope) {
  (void)slope;
  return vec_fnma(y, y, vec_set(1));
}

/* sigmoid(x) = 1 - exp(-softplus(x)) */
FNN_INLINE vec softplus_derivative(vec y, vec slope) {
  (void)slope;
  return vec_neg(vec_expm1_negative(vec_neg(y)));
}

/* 1/(1 + |x|)^2 = (1 - |y|)^2 */
FNN_INLINE vec softsign_derivative(vec y, vec slope) {
  (void)slope;
  vec root = vec_sub(vec_set(1), vec_abs(y));
  return vec_mul(root, root);
}

FNN_INLINE vec elu_derivative(vec y, vec slope) {
  return vec_select(vec_gt(y, vec_zero()), vec_set(1), vec_add(y, slope));
}

FNN_INLINE vec selu_derivative(vec y, vec slope) {
  (void)slope;
  vec negative = vec_add(y, vec_set(SELU_SCALE_ALPHA));
  return vec_select(vec_gt(y, vec_zero()), vec_set(SELU_SCALE), negative);
}

FNN_INLINE vec exponential_derivative(vec y, vec slope) {
  (void)slope;
  return y;
}

/* s (1 + x (1 - s)) with s = sigmoid(x) */
FNN_INLINE vec silu_derivative(vec x, vec slope) {
  (void)slope;
  vec one = vec_set(1), s = vec_sigmoid(x);
  return vec_mul(s, vec_fma(x, vec_sub(one, s), one));
}

/* P(normal < x) + x density(x) */
FNN_INLINE vec gelu_derivative(vec x, vec slope) {
  (void)slope;
  vec density, below = vec_normal(x, &density);
  return vec_fma(x, density, below);
}

/* (m + 4 x e (1 + e)/(m + 2))/(m + 2), with e and m of mish */
FNN_INLINE vec mish_derivative(vec x, vec slope) {
  (void)slope;
  vec limited = vec_min(vec_set(TANH_OF_SOFTPLUS_ONE), x), two = vec_set(2);
  vec e = vec_exp(limited);
  vec m = vec_mul(e, vec_add(e, two)), m2 = vec_add(m, two);
  vec q = vec_div(vec_mul(vec_mul(vec_set(4), e), vec_add(vec_set(1), e)), m2);
  return vec_div(vec_fma(limited, q, m), m2);
}

/* --- softmaxes, one row ----------------------------------------------------------------------- */

static void softmax_forward(real *y, const real *x, const real *bias, size_t n, int logarithm) {
  if (bias) {
    SPAN(n, STORE(y, vec_add(LOAD(x), LOAD(bias))););
    x = y;
  }
  real largest = row_max(x, n);
  if (logarithm) {
    vec shift = vec_set(largest), log_sum = vec_set(log_of(row_exp_sum(NULL, x, largest, n)));
    SPAN(n, STORE(y, vec_sub(vec_sub(LOAD(x), shift), log_sum)););
  } else {
    vec sum = vec_set(row_exp_sum(y, x, largest, n));
    SPAN(n, STORE(y, vec_div(LOAD(y), sum)););
  }
}

/* dx = y (dy - sum(dy y)), or dx = dy - exp(y) sum(dy) */
static void softmax_backward(real *dx, const real *dy, const real *y, size_t n, int accumulate,
                             int logarithm) {
  vec total = vec_zero();
  if (logarithm) {
    SPAN(n, total = vec_add(total, LOAD(dy)););
    total = vec_set(vec_sum(total));
    LONG_SPAN(n, vec d = vec_fnma(vec_exp(LOAD(y)), total, LOAD(dy));
         STORE(dx, accumulate ? vec_add(LOAD(dx), d) : d););
  } else {
    SPAN(n, total = vec_fma(LOAD(dy), LOAD(y), total););
    total = vec_set(vec_sum(total));
    SPAN(n, vec d = vec_mul(LOAD(y), vec_sub(LOAD(dy), total));
         STORE(dx, accumulate ? vec_add(LOAD(dx), d) : d););
  }
}

/* --- the table's entries ---------------------------------------------------------------------- */

void KERNEL(activation_forward)(real *y, const real *x, const real *bias, int activation,
                                real slope, size_t rows, size_t row, size_t n) {
  const vec s = vec_set(slope);
#define EACH_ROW for (size_t i = 0; i < rows; i++, y += row, x += row)
#define MAP(f)                                                                                    \
  if (bias)                                                                                       \
    EACH_ROW SPAN(n, STORE(y, f(vec_add(LOAD(x), LOAD(bias)), s)););                              \
  else                                                                                            \
    EACH_ROW SPAN(n, STORE(y, f(LOAD(x), s)););                                                   \
  break
#define LONG_MAP(f)                                                                               \
  EACH_ROW LONG_SPAN(n, vec v = LOAD(x); if (bias) v = vec_add(v, LOAD(bias)); STORE(y, f(v, s));); \
  break
  switch (activation) {
    case FNN_LINEAR:
      if (!bias && y == x) break;
      MAP(linear);
    case FNN_RELU: MAP(relu);
    case FNN_LEAKY_RELU: MAP(leaky_relu);
    case FNN_RELU6: MAP(relu6);
    case FNN_SIGMOID: LONG_MAP(sigmoid);
    case FNN_HARD_SIGMOID: MAP(hard_sigmoid);
    case FNN_TANH: LONG_MAP(tanh_);
    case FNN_SOFTPLUS: LONG_MAP(softplus);
    case FNN_SOFTSIGN: MAP(softsign);
    case FNN_ELU: LONG_MAP(elu);
    case FNN_SELU: LONG_MAP(selu);
    case FNN_EXPONENTIAL: LONG_MAP(exponential);
    case FNN_SILU: LONG_MAP(silu);
    case FNN_GELU: LONG_MAP(gelu);
    case FNN_MISH: LONG_MAP(mish);
    default: EACH_ROW softmax_forward(y, x, bias, n, activation == FNN_LOG_SOFTMAX);
  }
#undef EACH_ROW
#undef MAP
#undef LONG_MAP
}

void KERNEL(activation_backward)(real *dx, const real *dy, const real *x, const real *y,
                                 int activation, real slope, size_t rows, size_t row, size_t y_row,
                                 size_t n, int accumulate) {
  const vec s = vec_set(slope);
#define EACH_ROW(from)                                                                            \
  for (size_t i = 0; i < rows; i++, dx += row, dy += row, from += y_row)
#define MAP(f, from)                                                                              \
  if (accumulate)                                                                                 \
    EACH_ROW(from)                                                                                \
      SPAN(n, STORE(dx, vec_fma(LOAD(dy), f##_derivative(LOAD(from), s), LOAD(dx))););            \
  else                                                                                            \
    EACH_ROW(from) SPAN(n, STORE(dx, vec_mul(LOAD(dy), f##_derivative(LOAD(from), s))););         \
  break
#define LONG_MAP(f, from)                                                                         \
  EACH_ROW(from)                                                                                  \
    LONG_SPAN(n, vec d = f##_derivative(LOAD(from), s), g = LOAD(dy);                             \
              STORE(dx, accumulate ? vec_fma(g, d, LOAD(dx)) : vec_mul(g, d)););                  \
  break
  switch (activation) {
    case FNN_LINEAR:
      if (!accumulate && dx == dy) break;
      MAP(linear, y);
    case FNN_RELU: MAP(relu, y);
    case FNN_LEAKY_RELU: MAP(leaky_relu, y);
    case FNN_RELU6: MAP(relu6, y);
    case FNN_SIGMOID: MAP(sigmoid, y);
    case FNN_HARD_SIGMOID: MAP(hard_sigmoid, y);
    case FNN_TANH: MAP(tanh, y);
    case FNN_SOFTPLUS: LONG_MAP(softplus, y);
    case FNN_SOFTSIGN: MAP(softsign, y);
    case FNN_ELU: MAP(elu, y);
    case FNN_SELU: MAP(selu, y);
    case FNN_EXPONENTIAL: MAP(exponential, y);
    case FNN_SILU: LONG_MAP(silu, x);
    case FNN_GELU: LONG_MAP(gelu, x);
    case FNN_MISH: LONG_MAP(mish, x);
    default: EACH_ROW(y) softmax_backward(dx, dy, y, n, accumulate, activation == FNN_LOG_SOFTMAX);
  }
#undef EACH_ROW
#undef MAP
#undef LONG_MAP
}
