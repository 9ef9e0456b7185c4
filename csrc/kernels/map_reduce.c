/* Steps of maps that reduce: (outer, middle, inner) along its middle to (outer, inner).
 *
 * Order. If inner is 1 (along a row): of a sum, element j goes to lane j modulo LANES in order, all
 * starting from 0; at the end lane i is added to lane i + LANES/2, then halves of that, as vec_sum
 * does. A product likewise, starting from 1. If inner is more, both go over the middle in order. max
 * and min are NaN if any element is; argmax and argmin are the first of the largest or smallest, the
 * first NaN if there is one, as in NumPy. A uniform source counts as rows of equal elements.
 *
 * Rows of up to LANES elements are transposed, LANES at a time, and reduced side by side: adding the
 * lanes of each row would take far longer than its elements. */
#include "map.h"
#include "vmath.h"

#define FEW_ROWS 4 /* fewer are faster by themselves than transposed */

/* The steps that keep one element, by code. */
FNN_INLINE int is_arg(int code) { return code == FNN_STEP_ARGMAX || code == FNN_STEP_ARGMIN; }

FNN_INLINE vec fold(int code, vec so_far, vec x) {
  switch (code) {
    case FNN_STEP_SUM: return vec_add(so_far, x);
    case FNN_STEP_PROD: return vec_mul(so_far, x);
    case FNN_STEP_MAX: return maximum_of(so_far, x);
    default: return minimum_of(so_far, x);
  }
}

/* The best elements so far and where they stand; x stands at j. */
FNN_INLINE void find(int code, vec *best, vec *place, vec x, vec j) {
  /* NaN is better than all numbers, and nothing is better than NaN. */
  vmask worse = code == FNN_STEP_ARGMAX ? vec_le(x, *best) : vec_ge(x, *best);
  vmask beatable = vec_eq(*best, *best);
  *place = vec_select(worse, *place, vec_select(beatable, j, *place));
  *best = vec_select(worse, *best, vec_select(beatable, x, *best));
}

/* --- side by side: to[k] from x[j*row + k], j < middle, k < n --------------------------------- */

FNN_INLINE void in_order(const int code, real *to, const real *x, size_t row, size_t middle,
                         size_t n) {
  SPAN(n, const real *from = x + j; vec y = part == LANES ? vec_load(from) : vec_load_n(from, part);
       vec place = vec_zero(); if (code == FNN_STEP_SUM) y = vec_add(vec_zero(), y);
       for (size_t i = 1; i < middle; i++) {
         from += row;
         vec next = part == LANES ? vec_load(from) : vec_load_n(from, part);
         if (is_arg(code))
           find(code, &y, &place, next, vec_set((real)i));
         else
           y = fold(code, y, next);
       } STORE(to, is_arg(code) ? place : y););
}

/* The tree of vec_sum, of rows of n <= LANES elements that lie transposed in x, which is spoilt. */
FNN_INLINE vec tree(const int code, real *x, size_t n) {
  for (size_t half = LANES / 2; half; half /= 2)
    if (n > half) {
      for (size_t i = 0; i + half < n; i++) {
        real *p = x + i * LANES;
        vec_store(p, fold(code, vec_load(p), vec_load(p + half * LANES)));
      }
      n = half;
    }
  return vec_load(x);
}

/* A row by itself, in the order of the code below. */
FNN_INLINE real short_row(const int code, const real *x, size_t n) {
  if (code == FNN_STEP_SUM) return vec_sum(vec_add(vec_zero(), vec_load_n(x, n)));
  size_t best = 0;
  for (size_t j = 1; j < n; j++) {
    const real p = x[best], q = x[j];
    const int worse = code == FNN_STEP_MAX || code == FNN_STEP_ARGMAX ? q <= p : q >= p;
    best = (p == p) & !worse ? j : best;
  }
  return is_arg(code) ? (real)best : x[best];
}

FNN_INLINE void short_rows(const int code, real *to, const real *a, size_t rows, size_t n) {
  real columns[LANES * LANES] __attribute__((aligned(64)));
  const size_t whole = (n + REG_LANES - 1) / REG_LANES * REG_LANES;
  for (size_t done = 0; done < rows; done += LANES) {
    const size_t part = rows - done < LANES ? rows - done : LANES;
    if (part < LANES) {
      if (part < FEW_ROWS && code != FNN_STEP_PROD) {
        for (size_t i = done; i < rows; i++) to[i] = short_row(code, a + i * n, n);
        return;
      }
      memset(columns, 0, n * LANES * sizeof(real));
    }
    /* Columns past the row's end, of the next row, are read by nobody, but whole registers are
     * transposed faster. */
    const size_t wide = (rows - done - part) * n >= whole - n ? whole : n;
    KERNEL(transpose)(columns, LANES, a + done * n, n, part, wide);
    if (code == FNN_STEP_SUM) /* -0 becomes 0, as it does in lanes that start from 0 */
      vec_store_n(to + done, vec_add(tree(code, columns, n), vec_zero()), part);
    else if (code == FNN_STEP_PROD)
      vec_store_n(to + done, tree(code, columns, n), part);
    else
      in_order(code, to + done, columns, LANES, n, part);
  }
}

/* --- one row after the other ------------------------------------------------------------------ */

static const real iota[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* The lanes of one vector, as reals. */
FNN_INLINE real across(const int code, vec y) {
  real lanes[LANES];
  if (code == FNN_STEP_SUM) return vec_sum(y);
  vec_store(lanes, y);
  for (size_t half = LANES / 2; half; half /= 2)
    for (size_t i = 0; i < half; i++) {
      const real p = lanes[i], q = lanes[i + half];
      if (code == FNN_STEP_PROD)
        lanes[i] = p * q;
      else
        lanes[i] = (p == p) & !(code == FNN_STEP_MAX ? p >= q : p <= q) ? q : p;
    }
  return lanes[0];
}

FNN_INLINE real arg_across(const int code, vec best, vec place) {
  real lanes[LANES], places[LANES];
  size_t found = 0;
  vec_store(lanes, best);
  vec_store(places, place);
  for (size_t i = 1; i < LANES; i++) {
    const real x = lanes[i], y = lanes[found];
    const int better = y == y && !(code == FNN_STEP_ARGMAX ? x <= y : x >= y);
    if (better || ((x == y || (x != x && y != y)) && places[i] < places[found])) found = i;
  }
  return places[found];
}

/* A row of n >= LANES elements; next is LANES, or 0 if they are all one number. */
FNN_INLINE real row_of(const int code, const real *x, size_t n, size_t next) {
  vec y = vec_load(x), place = vec_load(iota), j = place;
  if (code == FNN_STEP_SUM) y = vec_add(vec_zero(), y);
  while ((n -= LANES)) {
    const size_t part = n < LANES ? n : LANES;
    x += next;
    vec v = part == LANES ? vec_load(x) : vec_load_n(x, part);
    if (is_arg(code)) {
      j = vec_add(j, vec_set(LANES));
      find(code, &y, &place, INSIDE(v, y), j);
    } else if (code == FNN_STEP_SUM) {
      y = vec_add(y, v);
    } else {
      y = fold(code, y, INSIDE(v, code == FNN_STEP_PROD ? vec_set(1) : y));
    }
    if (part < LANES) break;
  }
  return is_arg(code) ? arg_across(code, y, place) : across(code, y);
}

FNN_INLINE void reduce(const int code, const fnn_step *s, real *to, const real *a, size_t outer) {
  const size_t middle = s->middle, inner = s->inner;
  if (s->uniform & 1) {
    real same[LANES], x;
    if (middle >= LANES)
      x = row_of(code, a, middle, 0);
    else
      short_rows(code, same, a, 1, middle), x = same[0];
    fill_run(to, x, outer * inner);
  } else if (inner > 1) {
    for (size_t o = 0; o < outer; o++)
      in_order(code, to + o * inner, a + o * middle * inner, inner, middle, inner);
  } else if (middle > LANES) {
    for (size_t o = 0; o < outer; o++) to[o] = row_of(code, a + o * middle, middle, LANES);
  } else if (middle > 1) {
    short_rows(code, to, a, outer, middle);
  } else {
    in_order(code, to, a, 0, 1, outer);
  }
}

void KERNEL(map_reduce)(const fnn_step *s, real *to, const real *a, size_t outer) {
  if (!s->middle) { /* of nothing */
    const real none = s->code == FNN_STEP_PROD  ? 1
                      : s->code == FNN_STEP_MAX ? -INFINITE
                      : s->code == FNN_STEP_MIN ? INFINITE
                                                : 0;
    fill_run(to, none, outer * s->inner);
    return;
  }
  switch (s->code) {
    case FNN_STEP_SUM: reduce(FNN_STEP_SUM, s, to, a, outer); break;
    case FNN_STEP_PROD: reduce(FNN_STEP_PROD, s, to, a, outer); break;
    case FNN_STEP_MAX: reduce(FNN_STEP_MAX, s, to, a, outer); break;
    case FNN_STEP_MIN: reduce(FNN_STEP_MIN, s, to, a, outer); break;
    case FNN_STEP_ARGMAX: reduce(FNN_STEP_ARGMAX, s, to, a, outer); break;
    case FNN_STEP_ARGMIN: reduce(FNN_STEP_ARGMIN, s, to, a, outer); break;
  }
}
