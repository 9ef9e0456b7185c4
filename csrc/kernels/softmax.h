/* The softmax of a row, shared by the activation and the crossentropies so that both give the same
 * bits: exp(x - max) / sum(exp(x - max)). */
#ifndef FNN_SOFTMAX_H
#define FNN_SOFTMAX_H

#include "vmath.h"

FNN_INLINE real row_max(const real *x, size_t n) {
  vec largest = vec_set(-INFINITE);
  SPAN(n, largest = vec_max(INSIDE(LOAD(x), vec_set(-INFINITE)), largest););
  return vec_max_across(largest);
}

/* Sum of exp(x - max); the terms are kept in y unless it is NULL. y may be x. */
static inline real row_exp_sum(real *y, const real *x, real largest, size_t n) {
  vec sum = vec_zero(), shift = vec_set(largest);
  LONG_SPAN(n, vec e = vec_exp(vec_sub(LOAD(x), shift)); if (y) STORE(y, e);
            sum = vec_add(sum, INSIDE(e, vec_zero())););
  return vec_sum(sum);
}

#endif
