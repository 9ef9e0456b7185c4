/* What the files of the interpreter of maps share: map.c does the elementwise steps itself. */
#ifndef FNN_MAP_H
#define FNN_MAP_H

#include "internal.h"

/* sum to argmin: of (outer, middle, inner) along the middle (map_reduce.c). */
void KERNEL(map_reduce)(const fnn_step *s, real *to, const real *a, size_t outer);
/* expand to matmul (map_move.c). */
void KERNEL(map_move)(const fnn_step *s, real *to, const real *a, const real *b, size_t outer,
                      size_t rows);

/* n elements of one number, and a copy of n elements. Nothing past them is read or written. */
FNN_INLINE void fill_run(real *to, real x, size_t n) {
  const vec v = vec_set(x);
  if (n < LANES) {
    vec_store_n(to, v, n);
    return;
  }
  for (size_t j = 0; j + LANES < n; j += LANES) vec_store(to + j, v);
  vec_store(to + n - LANES, v);
}

FNN_INLINE void copy_run(real *to, const real *from, size_t n) {
  if (n < LANES) {
    vec_store_n(to, vec_load_n(from, n), n);
    return;
  }
  for (size_t j = 0; j + LANES < n; j += LANES) vec_store(to + j, vec_load(from + j));
  vec_store(to + n - LANES, vec_load(from + n - LANES));
}

/* NaN if either is NaN, as in NumPy; the first if they are equal. Not vec_max, see there. */
FNN_INLINE vec maximum_of(vec a, vec b) {
  return vec_select(vec_eq(a, a), vec_select(vec_ge(a, b), a, b), a);
}

FNN_INLINE vec minimum_of(vec a, vec b) {
  return vec_select(vec_eq(a, a), vec_select(vec_le(a, b), a, b), a);
}

#endif
