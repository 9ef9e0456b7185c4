/* Losses, their gradients and accuracies, a row after the other. n features, t target, p prediction.
 *
 * Keras's formulas: regression losses and binary crossentropy are means over the features, the
 * categorical crossentropies sums over the classes. On probabilities, categorical crossentropy
 * first divides by their sum, then every crossentropy clips to [1e-7, 1 - 1e-7]; its gradient is
 * that of the clipped expression, 0 outside. The *_LOGITS losses are exact and clip nothing. */
#include "internal.h"
#include "softmax.h"

#define CLIP_LOW REAL(1e-7)
#define CLIP_HIGH REAL(1 - 1e-7)

/* Where the gradient goes: d = (accumulate ? d : 0) + scale * slope; nowhere if d is NULL. `values`:
 * not NULL if the features are rows of one feature each, whose values go there. It holds no vector: a
 * function that is passed one leaves the registers' upper halves in use, which slows down every SSE
 * instruction of its caller. */
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

/* --- means over the features: the slopes are per feature, the sink's scale holds the 1/n ------ */

/* What has been summed is a row's value, if each feature is one. */
#define KEEP(s, sum)                                                                              \
  do {                                                                                            \
    if ((s).values) {                                                                             \
      STORE((s).values, sum);                                                                     \
      sum = vec_zero();                                                                           \
    }                                                                                             \
  } while (0)

static real mean_squared_error(sink s, const real *t, const real *p, size_t n) {
  vec sum = vec_zero();
  SPAN(n, vec d = vec_sub(LOAD(p), LOAD(t)); sum = vec_fma(d, d, sum); KEEP(s, sum);
       PUT(s, vec_add(d, d)););
  return vec_sum(sum) / (real)n;
}

/* The sign of d as -1, 0 or 1; NaN stays NaN. */
FNN_INLINE vec sign_of(vec d) {
  return vec_select(vec_eq(d, vec_zero()), vec_zero(),
                    vec_select(vec_eq(d, d), vec_with_sign(vec_set(1), d), d));
}

static real mean_absolute_error(sink s, const real *t, const real *p, size_t n) {
  vec sum = vec_zero();
  SPAN(n, vec d = vec_sub(LOAD(p), LOAD(t)); sum = vec_add(sum, vec_abs(d)); KEEP(s, sum);
       PUT(s, sign_of(d)););
  return vec_sum(sum) / (real)n;
}

/* |d| <= delta ? d^2/2 : delta |d| - delta^2/2 */
static real huber(sink s, const real *t, const real *p, real width, size_t n) {
  vec sum = vec_zero(), delta = vec_set(width), half = vec_set(REAL(0.5));
  SPAN(n, vec d = vec_sub(LOAD(p), LOAD(t)); vec a = vec_abs(d);
       /* c (a - c/2) with c = min(a, delta) serves both cases; NaN stays NaN. */
       vec c = vec_min(delta, a); sum = vec_fma(c, vec_fnma(half, c, a), sum);
       KEEP(s, sum); PUT(s, vec_with_sign(c, d)););
  return vec_sum(sum) / (real)n;
}

/* -t log(p) - (1 - t) log(1 - p) */
static real binary_crossentropy(sink s, const real *t, const real *p, real smoothing, size_t n) {
  vec sum = vec_zero(), one = vec_set(1), low = vec_set(CLIP_LOW), high = vec_set(CLIP_HIGH);
  const vec keep = vec_set(1 - smoothing), share = vec_set(smoothing * REAL(0.5));
  LONG_SPAN(n, vec target = vec_fma(LOAD(t), keep, share); vec q = LOAD(p);
       vmask inside = mask_and(vec_le(low, q), vec_le(q, high));
       vec clipped = vec_min(high, vec_max(low, q)); vec rest = vec_sub(one, clipped);
       vec value = vec_mul(vec_sub(one, target), vec_log(rest));
       value = vec_fma(target, vec_log(clipped), value);
       sum = vec_sub(sum, INSIDE(value, vec_zero())); KEEP(s, sum);
       PUT(s, vec_where(inside, vec_div(vec_sub(clipped, target), vec_mul(clipped, rest)))););
  return vec_sum(sum) / (real)n;
}

/* max(x, 0) - x t + log(1 + exp(-|x|)) */
static real binary_crossentropy_logits(sink s, real *probability, const real *t, const real *x,
                                       real smoothing, size_t n) {
  vec sum = vec_zero();
  const vec keep = vec_set(1 - smoothing), share = vec_set(smoothing * REAL(0.5));
  LONG_SPAN(n, vec target = vec_fma(LOAD(t), keep, share); vec z = LOAD(x);
       vec e = vec_exp(vec_neg(vec_abs(z)));
       vec value = vec_add(vec_fnma(z, target, vec_max(vec_zero(), z)), vec_log1p_unit(e));
       sum = vec_add(sum, INSIDE(value, vec_zero())); KEEP(s, sum); vec q = sigmoid_from(z, e);
       if (probability) STORE(probability, q); PUT(s, vec_sub(q, target)););
  return vec_sum(sum) / (real)n;
}

/* --- sums over the classes -------------------------------------------------------------------- */

static real row_sum(const real *x, size_t n) {
  vec sum = vec_zero();
  SPAN(n, sum = vec_add(sum, LOAD(x)););
  return vec_sum(sum);
}

/* -sum t log(q), q = clip(p/sum(p)). With T the sum of t where q was not clipped,
 * dvalue/dp = (T - t/q)/sum(p), without the t/q where it was. */
static real categorical_crossentropy(sink s, const real *t, const real *p, real smoothing,
                                     size_t n) {
  vec value = vec_zero(), inner = vec_zero(), low = vec_set(CLIP_LOW), high = vec_set(CLIP_HIGH);
  const vec keep = vec_set(1 - smoothing), share = vec_set(smoothing / (real)n);
  const vec total = vec_set(row_sum(p, n));
#define TARGET vec_fma(LOAD(t), keep, share)
#define INSIDE_CLIP(q) mask_and(vec_le(low, q), vec_le(q, high))
  LONG_SPAN(n, vec target = INSIDE(TARGET, vec_zero()); vec q = vec_div(LOAD(p), total);
       vec clipped = vec_min(high, vec_max(low, q));
       value = vec_sub(value, INSIDE(vec_mul(target, vec_log(clipped)), vec_zero()));
       inner = vec_add(inner, vec_where(INSIDE_CLIP(q), target)););
  if (s.d) {
    inner = vec_set(vec_sum(inner));
    LONG_SPAN(n, vec q = vec_div(LOAD(p), total);
         vec part_of_own = vec_where(INSIDE_CLIP(q), vec_div(TARGET, q));
         PUT(s, vec_div(vec_sub(inner, part_of_own), total)););
  }
  return vec_sum(value);
}

/* -sum t log(softmax(x)) = log(sum(exp(x - max))) sum(t) - sum(t (x - max)) */
static real categorical_crossentropy_logits(sink s, real *probability, const real *t,
                                            const real *x, real smoothing, size_t n) {
  const vec keep = vec_set(1 - smoothing), share = vec_set(smoothing / (real)n);
  const real largest = row_max(x, n);
  vec shift = vec_set(largest), picked = vec_zero(), targets = vec_zero();
  LONG_SPAN(n, vec target = INSIDE(TARGET, vec_zero());
       vec logit = INSIDE(vec_sub(LOAD(x), shift), vec_zero());
       picked = vec_fma(target, logit, picked); targets = vec_add(targets, target););
  const real sum = row_exp_sum(probability, x, largest, n), target_sum = vec_sum(targets);
  const real value = log_of(sum) * target_sum - vec_sum(picked);
  if (probability || s.d) {
    vec divisor = vec_set(sum), factor = vec_set(target_sum);
    LONG_SPAN(n, vec e = probability ? LOAD(probability) : vec_exp(vec_sub(LOAD(x), shift));
         vec q = vec_div(e, divisor); if (probability) STORE(probability, q);
         PUT(s, vec_sub(vec_mul(factor, q), TARGET)););
  }
  return value;
}
#undef TARGET

/* A class number as an index; n if it is none of 0 .. n-1 (NaN, negative, too large). */
FNN_INLINE size_t class_of(real label, size_t n) {
  return label >= 0 && label < (real)n ? (size_t)label : n;
}

/* 1 in the lane of element k, if the vector that starts at element j has it; 0 elsewhere. */
FNN_INLINE vec one_hot(size_t k, size_t j) {
  static const real numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return vec_where(vec_eq(vec_load(numbers), vec_set((real)k - (real)j)), vec_set(1));
}

static real unknown_class(sink s, size_t n) {
  SPAN(n, PUT(s, vec_set(NOT_A_NUMBER)););
  return NOT_A_NUMBER;
}

/* As above with t = 1 for one class: the gradient is (1 - [k = class]/q)/sum(p), or 0. */
static real sparse_categorical_crossentropy(sink s, real label, const real *p, size_t n) {
  const size_t k = class_of(label, n);
  if (k == n) return unknown_class(s, n);
  const real total = row_sum(p, n), q = p[k] / total;
  const int inside = q >= CLIP_LOW && q <= CLIP_HIGH;
  const real clipped = inside || q != q ? q : q < CLIP_LOW ? CLIP_LOW : CLIP_HIGH;
  if (s.d) {
    const vec others = vec_set(inside ? 1 / total : 0);
    const vec own = vec_set(inside ? (1 / q) / total : 0);
    SPAN(n, PUT(s, vec_fnma(one_hot(k, j), own, others)););
  }
  return -log_of(clipped);
}

static real sparse_categorical_crossentropy_logits(sink s, real *probability, real label,
                                                   const real *x, size_t n) {
  const size_t k = class_of(label, n);
  const real largest = row_max(x, n), logit = k < n ? x[k] - largest : NOT_A_NUMBER;
  const real sum = row_exp_sum(probability, x, largest, n);
  const real value = log_of(sum) - logit;
  if (probability || s.d) {
    const vec divisor = vec_set(sum), shift = vec_set(largest);
    LONG_SPAN(n, vec e = probability ? LOAD(probability) : vec_exp(vec_sub(LOAD(x), shift));
         vec q = vec_div(e, divisor); if (probability) STORE(probability, q);
         PUT(s, vec_sub(q, one_hot(k, j))););
    if (k == n) unknown_class(s, n);
  }
  return value;
}

/* --- accuracies ------------------------------------------------------------------------------- */

static real accuracy(const real *t, const real *p, size_t n) {
  vec sum = vec_zero();
  SPAN(n, vec equal = vec_where(vec_eq(LOAD(t), LOAD(p)), vec_set(1));
       sum = vec_add(sum, INSIDE(equal, vec_zero())););
  return vec_sum(sum) / (real)n;
}

static real binary_accuracy(const real *t, const real *p, real threshold, size_t n) {
  vec sum = vec_zero(), limit = vec_set(threshold), one = vec_set(1);
  SPAN(n, vec said = vec_where(vec_gt(LOAD(p), limit), one);
       vec right = vec_where(vec_eq(LOAD(t), said), one);
       sum = vec_add(sum, INSIDE(right, vec_zero())););
  return vec_sum(sum) / (real)n;
}

/* The first of the largest. */
static size_t argmax(const real *x, size_t n) {
  size_t best = 0;
  for (size_t j = 1; j < n; j++)
    if (x[j] > x[best]) best = j;
  return best;
}

/* --- the table's entries ---------------------------------------------------------------------- */

static int is_mean(int kind) {
  return kind <= FNN_BINARY_CROSSENTROPY || kind == FNN_BINARY_CROSSENTROPY_LOGITS;
}

static real loss_of_row(int kind, sink s, real *probability, const real *t, const real *p,
                        const fnn_row_options *o, size_t n) {
  const real smoothing = (real)o->smoothing;
  switch (kind) {
    case FNN_MEAN_SQUARED_ERROR: return mean_squared_error(s, t, p, n);
    case FNN_MEAN_ABSOLUTE_ERROR: return mean_absolute_error(s, t, p, n);
    case FNN_HUBER: return huber(s, t, p, (real)o->delta, n);
    case FNN_BINARY_CROSSENTROPY: return binary_crossentropy(s, t, p, smoothing, n);
    case FNN_CATEGORICAL_CROSSENTROPY: return categorical_crossentropy(s, t, p, smoothing, n);
    case FNN_SPARSE_CATEGORICAL_CROSSENTROPY:
      return sparse_categorical_crossentropy(s, t[0], p, n);
    case FNN_BINARY_CROSSENTROPY_LOGITS:
      return binary_crossentropy_logits(s, probability, t, p, smoothing, n);
    case FNN_CATEGORICAL_CROSSENTROPY_LOGITS:
      return categorical_crossentropy_logits(s, probability, t, p, smoothing, n);
    case FNN_SPARSE_CATEGORICAL_CROSSENTROPY_LOGITS:
      return sparse_categorical_crossentropy_logits(s, probability, t[0], p, n);
  }
  return NOT_A_NUMBER;
}

void KERNEL(loss_rows)(int kind, real *values, real *dp, real *probability, const real *t,
                       size_t t_row, const real *p, size_t row, real scale,
                       const fnn_row_options *o, size_t rows, size_t n, int accumulate) {
  sink s = {dp, is_mean(kind) ? scale / (real)n : scale, accumulate, NULL};
  const int together = is_mean(kind) && n == 1 && row == 1 && t_row == 1;
  if (together) {
    s.values = values;
    n = rows;
    rows = rows > 0;
  }
  for (size_t i = 0; i < rows; i++, t += t_row, p += row) {
    const real value = loss_of_row(kind, s, probability, t, p, o, n);
    if (!together)
      values[i] = value;
    s.d += s.d ? row : 0;
    probability += probability ? row : 0;
  }
}

static real accuracy_of(int kind, const real *t, const real *p, const fnn_row_options *o, size_t n) {
  switch (kind) {
    case FNN_ACCURACY: return accuracy(t, p, n);
    case FNN_BINARY_ACCURACY: return binary_accuracy(t, p, (real)o->threshold, n);
    case FNN_CATEGORICAL_ACCURACY: return argmax(t, n) == argmax(p, n);
    default: return t[0] == (real)argmax(p, n);
  }
}

void KERNEL(row_values)(int kind, real *values, const real *t, size_t t_row, const real *p,
                        size_t row, const fnn_row_options *o, size_t rows, size_t n) {
  if (kind < FNN_LOSSES)
    KERNEL(loss_rows)(kind, values, NULL, NULL, t, t_row, p, row, 0, o, rows, n, 0);
  else
    for (size_t i = 0; i < rows; i++)
      values[i] = accuracy_of(kind, t + i * t_row, p + i * row, o, n);
}
