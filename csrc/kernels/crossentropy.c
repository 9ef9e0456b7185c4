/* Crossentropies from logits, and their gradients, a row after the other. t target, x logits, n
 * features. Keras's formulas: the binary one is a mean over the features, the categorical ones are
 * sums over the classes. Nothing is clipped. */
#include "internal.h"
#include "softmax.h"

/* Where the gradient goes: d = (accumulate ? d : 0) + scale * slope; nowhere if d is NULL.
 * `values`: not NULL if the features are rows of one feature each, whose values go there. It holds
 * no vector: a function that is passed one leaves the registers' upper halves in use, which slows
 * down every SSE instruction of its caller. */
typedef struct {
  real *d;
  real scale;
  int accumulate;
  real *values;
} sink;

#define PUT(s, slope)                                                                             \
  do {                                                                                            \
    if ((s).d) {                                                                                  \
      vec slope_ = (slope), scale_ = vec_set((s).scale);                                          \
      STORE((s).d, (s).accumulate ? vec_fma(slope_, scale_, LOAD((s).d))                          \
                                  : vec_mul(slope_, scale_));                                     \
    }                                                                                             \
  } while (0)

/* The mean of max(x, 0) - x t + log(1 + exp(-|x|)). The slopes are per feature: the sink's scale
 * holds the 1/n. */
static real binary(sink s, real *probability, const real *t, const real *x, size_t n) {
  vec sum = vec_zero();
  LONG_SPAN(n, vec target = LOAD(t); vec z = LOAD(x); vec e = vec_exp(vec_neg(vec_abs(z)));
       vec value = vec_add(vec_fnma(z, target, vec_max(vec_zero(), z)), vec_log1p_unit(e));
       sum = vec_add(sum, INSIDE(value, vec_zero()));
       if (s.values) { STORE(s.values, sum); sum = vec_zero(); }
       vec q = sigmoid_from(z, e);
       if (probability) STORE(probability, q); PUT(s, vec_sub(q, target)););
  return vec_sum(sum) / (real)n;
}

/* -sum t log(softmax(x)) = log(sum(exp(x - max))) sum(t) - sum(t (x - max)) */
static real categorical(sink s, real *probability, const real *t, const real *x, size_t n) {
  const real largest = row_max(x, n);
  vec shift = vec_set(largest), picked = vec_zero(), targets = vec_zero();
  LONG_SPAN(n, vec target = LOAD(t); vec logit = INSIDE(vec_sub(LOAD(x), shift), vec_zero());
       picked = vec_fma(target, logit, picked); targets = vec_add(targets, target););
  const real sum = row_exp_sum(probability, x, largest, n), target_sum = vec_sum(targets);
  const real value = log_of(sum) * target_sum - vec_sum(picked);
  if (probability || s.d) {
    vec divisor = vec_set(sum), factor = vec_set(target_sum);
    LONG_SPAN(n, vec e = probability ? LOAD(probability) : vec_exp(vec_sub(LOAD(x), shift));
         vec q = vec_div(e, divisor); if (probability) STORE(probability, q);
         PUT(s, vec_sub(vec_mul(factor, q), LOAD(t))););
  }
  return value;
}

/* A class number as an index; n if it is none of 0 .. n-1 (NaN, negative, too large). */
FNN_INLINE size_t class_of(real label, size_t n) {
  return label >= 0 && label < (real)n ? (size_t)label : n;
}

/* 1 in the lane of element k, if the vector that starts at element j has it; 0 elsewhere. */
FNN_INLINE vec one_hot(size_t k, size_t j) {
  static const real numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return vec_where(vec_eq(vec_load(numbers), vec_set((real)k - (real)j)), vec_set(1));
}

/* The same with t = 1 for one class; a negative label is of none, and counts as 0. */
static real sparse_categorical(sink s, real *probability, real label, const real *x, size_t n) {
  const size_t k = class_of(label, n);
  const real largest = row_max(x, n), logit = k < n ? x[k] - largest : NOT_A_NUMBER;
  const real sum = row_exp_sum(probability, x, largest, n);
  const real value = label < 0 ? 0 : log_of(sum) - logit;
  if (k == n) {
    SPAN(n, PUT(s, vec_set(label < 0 ? 0 : NOT_A_NUMBER)););
    s.d = NULL;
  }
  if (probability || s.d) {
    const vec divisor = vec_set(sum), shift = vec_set(largest);
    LONG_SPAN(n, vec e = probability ? LOAD(probability) : vec_exp(vec_sub(LOAD(x), shift));
         vec q = vec_div(e, divisor); if (probability) STORE(probability, q);
         PUT(s, vec_sub(q, one_hot(k, j))););
  }
  return value;
}

static real of_row(int kind, sink s, real *probability, const real *t, const real *x, size_t n) {
  switch ((fnn_crossentropy)kind) {
    case FNN_CROSSENTROPY_BINARY: return binary(s, probability, t, x, n);
    case FNN_CROSSENTROPY_CATEGORICAL: return categorical(s, probability, t, x, n);
    case FNN_CROSSENTROPY_SPARSE_CATEGORICAL: return sparse_categorical(s, probability, *t, x, n);
    case FNN_CROSSENTROPIES: break;
  }
  return NOT_A_NUMBER;
}

void KERNEL(crossentropy)(int kind, real *values, real *dx, real *probability, const real *t,
                          size_t t_row, const real *x, size_t row, real scale, size_t rows,
                          size_t n, int accumulate) {
  const int is_mean = kind == FNN_CROSSENTROPY_BINARY;
  sink s = {dx, is_mean ? scale / (real)n : scale, accumulate, NULL};
  const int together = is_mean && n == 1 && row == 1 && t_row == 1;
  if (together) {
    s.values = values;
    n = rows;
    rows = rows > 0;
  }
  for (size_t i = 0; i < rows; i++, t += t_row, x += row) {
    const real value = of_row(kind, s, probability, t, x, n);
    if (!together)
      values[i] = value;
    s.d += s.d ? row : 0;
    probability += probability ? row : 0;
  }
}
