/* The interpreter of maps: straight-line steps over the registers of a tile of samples.
 *
 * A step is one loop over a register of some hundreds of elements, which stay in L1, so that what
 * fetching and choosing a step costs is shared by all of them: the idea of numexpr's virtual machine
 * (pydata/numexpr, numexpr/interp_body.cpp). A step costs some nanoseconds and, where it is plain
 * arithmetic, what loading and storing its elements does.
 *
 * Shapes, with m the samples of the tile: an elementwise step is of `outer` elements, times m if
 * by_row is 1: to[i] = f(a[i], b[i], c[i]). An operand with its bit in `uniform` is one number in
 * all lanes of a vector. `to` may be an operand. Nothing past the last element is read or written:
 * a register may lie within a tensor whose next rows belong to other threads.
 *
 * What is not plain from its name:
 *   sign             -1, 0 or 1; NaN of NaN
 *   round            to the nearest, ties to even, as numpy.rint; floor, ceil, round and trunc of
 *                    what is not 0 give 0 with its sign
 *   floor_divide     numpy.floor_divide
 *   mod              numpy.mod: the sign of the divisor; exact but for adding the divisor
 *   power            C's pow, also for infinities and NaN
 *   maximum, minimum NaN if either is NaN
 *   comparisons      1 or 0; with NaN all are 0, but not_equal is 1
 *   logical_...      of a != 0: NaN is true
 *   chain            a == 0 ? 0 : a * b, and chain_divide a == 0 ? 0 : a / b: derivatives, which stay
 *                    zero whatever infinity or NaN they are multiplied with
 *   where            a != 0 ? b : c
 *   clip             minimum(maximum(a, b), c)
 * The other steps: map_reduce.c and map_move.c. */
#include "map.h"
#include "vmath.h"

FNN_INLINE vec truth(vmask m) { return vec_where(m, vec_set(1)); }
FNN_INLINE vec opposite(vmask m) { return vec_select(m, vec_zero(), vec_set(1)); }
FNN_INLINE vmask is_zero(vec a) { return vec_eq(a, vec_zero()); }

FNN_INLINE vec sign_of(vec a) {
  vec one = vec_with_sign(vec_set(1), a);
  return vec_select(is_zero(a), vec_zero(), vec_select(vec_eq(a, a), one, a));
}

FNN_INLINE vec and_of(vec a, vec b) {
  return vec_select(is_zero(a), vec_zero(), opposite(is_zero(b)));
}

FNN_INLINE vec or_of(vec a, vec b) {
  return vec_select(is_zero(a), opposite(is_zero(b)), vec_set(1));
}

FNN_INLINE vec xor_of(vec a, vec b) {
  return vec_select(is_zero(a), opposite(is_zero(b)), truth(is_zero(b)));
}

FNN_INLINE vec chain(vec a, vec result) { return vec_select(is_zero(a), vec_zero(), result); }

#define FAR REAL((uint64_t)1 << (MANTISSA_BITS - 3))

/* fmod(a, b), exactly: by long division, with quotients below FAR, whose remainders are exact. */
FNN_INLINE vec remainder_of(vec a, vec b) {
  const vec infinite = vec_set(INFINITE), size = vec_abs(a), divisor = vec_abs(b);
  const vmask finite = vec_lt(size, infinite);
  const vmask ordinary = mask_and(vec_gt(divisor, vec_zero()), vec_lt(divisor, infinite));
  const vec least = vec_select(ordinary, divisor, vec_set(1));
  vec r = vec_where(finite, size), step = least;
  size_t turns = 1;
  for (;; turns++) {
    vec further = vec_mul(step, vec_set(FAR));
    vmask more = vec_le(further, r);
    if (vec_max_across(truth(more)) == 0) break;
    step = vec_select(more, further, step);
  }
  while (turns--) {
    r = vec_fnma(vec_round(vec_div(r, step)), step, r);
    r = vec_add(r, vec_where(vec_lt(r, vec_zero()), step));
    vec nearer = vec_mul(step, vec_set(1 / FAR));
    step = vec_select(vec_gt(step, least), nearer, step);
  }
  r = vec_select(ordinary, r, vec_select(vec_eq(divisor, infinite), size, vec_set(NOT_A_NUMBER)));
  return vec_with_sign(vec_select(finite, r, vec_set(NOT_A_NUMBER)), a);
}

/* Where a remainder r of the sign of the dividend has not that of the divisor b: `other`. */
FNN_INLINE vec where_signs_differ(vec r, vec b, vec other, vec same) {
  vec below = vec_select(vec_gt(r, vec_zero()), other, same);
  vec above = vec_select(vec_lt(r, vec_zero()), other, same);
  return vec_select(vec_lt(b, vec_zero()), below, above);
}

FNN_INLINE vec mod_of(vec a, vec b) {
  vec r = remainder_of(a, b);
  return vec_select(is_zero(r), vec_with_sign(vec_zero(), b),
                    where_signs_differ(r, b, vec_add(r, b), r));
}

FNN_INLINE vec floor_divide_of(vec a, vec b) {
  const vec one = vec_set(1), quotient = vec_div(a, b), r = remainder_of(a, b);
  vec q = vec_div(vec_sub(a, r), b);
  q = where_signs_differ(r, b, vec_sub(q, one), q);
  vec y = vec_floor(q); /* q is whole but for rounding */
  y = vec_add(y, vec_where(vec_gt(vec_sub(q, y), vec_set(REAL(0.5))), one));
  y = vec_select(is_zero(q), vec_with_sign(vec_zero(), quotient), y);
  return vec_select(is_zero(b), quotient, y);
}

/* The operands' next vector, or what is left of them. */
#define NEXT(p) (part == LANES ? vec_load(p) : vec_load_n(p, part))
#define A NEXT(a)
#define B NEXT(b)
#define C NEXT(c)

#define STEP(CODE, result)                                                                        \
  case FNN_STEP_##CODE:                                                                           \
    for (; n >= LANES; n -= LANES, to += LANES, a += a_next, b += b_next, c += c_next) {          \
      const size_t part = LANES;                                                                  \
      vec_store(to, result);                                                                      \
    }                                                                                             \
    if (n) {                                                                                      \
      const size_t part = n;                                                                      \
      vec_store_n(to, result, part);                                                              \
    }                                                                                             \
    break;
/* The same with one copy of what is long. */
#define LONG_STEP(CODE, result)                                                                   \
  case FNN_STEP_##CODE:                                                                           \
    while (n) {                                                                                   \
      const size_t part = n < LANES ? n : LANES;                                                  \
      const vec y = result;                                                                       \
      if (part == LANES)                                                                          \
        vec_store(to, y);                                                                         \
      else                                                                                        \
        vec_store_n(to, y, part);                                                                 \
      n -= part, to += part, a += a_next, b += b_next, c += c_next;                               \
    }                                                                                             \
    break;

void KERNEL(map)(const fnn_step *steps, size_t count, real *const *registers, size_t rows) {
  for (const fnn_step *s = steps; s < steps + count; s++) {
    real *to = registers[s->to];
    /* `to` in place of what is unused: in a prologue other registers may have no memory yet. */
    const real *a = s->a < 0 ? to : registers[s->a], *b = s->b < 0 ? to : registers[s->b];
    const real *c = s->c < 0 ? to : registers[s->c];
    const size_t a_next = s->uniform & 1 ? 0 : LANES, b_next = s->uniform & 2 ? 0 : LANES;
    const size_t c_next = s->uniform & 4 ? 0 : LANES;
    size_t n = s->by_row == 1 ? s->outer * rows : s->outer;
    switch (s->code) {
      STEP(COPY, A)
      STEP(NEGATIVE, vec_neg(A))
      STEP(ABS, vec_abs(A))
      STEP(SIGN, sign_of(A))
      STEP(SQUARE, vec_mul(A, A))
      STEP(SQRT, vec_sqrt(A))
      STEP(RECIPROCAL, vec_div(vec_set(1), A))
      LONG_STEP(EXP, vec_exp(A))
      LONG_STEP(EXPM1, vec_expm1(A))
      LONG_STEP(LOG, vec_log(A))
      LONG_STEP(LOG1P, vec_log1p(A))
      LONG_STEP(SIN, vec_sin(A))
      LONG_STEP(COS, vec_cos(A))
      LONG_STEP(TANH, vec_tanh(A))
      LONG_STEP(SIGMOID, vec_sigmoid(A))
      LONG_STEP(SOFTPLUS, vec_softplus(A))
      LONG_STEP(ERF, vec_erf(A))
      STEP(FLOOR, vec_floor(A))
      STEP(CEIL, vec_ceil(A))
      STEP(ROUND, vec_rint(A))
      STEP(TRUNC, vec_trunc(A))
      STEP(ISNAN, opposite(vec_eq(A, A)))
      STEP(ISFINITE, truth(vec_lt(vec_abs(A), vec_set(INFINITE))))
      STEP(LOGICAL_NOT, truth(is_zero(A)))
      STEP(ADD, vec_add(A, B))
      STEP(SUBTRACT, vec_sub(A, B))
      STEP(MULTIPLY, vec_mul(A, B))
      STEP(DIVIDE, vec_div(A, B))
      LONG_STEP(FLOOR_DIVIDE, floor_divide_of(A, B))
      LONG_STEP(MOD, mod_of(A, B))
      LONG_STEP(POWER, vec_power(A, B))
      STEP(MAXIMUM, maximum_of(A, B))
      STEP(MINIMUM, minimum_of(A, B))
      STEP(EQUAL, truth(vec_eq(A, B)))
      STEP(NOT_EQUAL, opposite(vec_eq(A, B)))
      STEP(LESS, truth(vec_lt(A, B)))
      STEP(LESS_EQUAL, truth(vec_le(A, B)))
      STEP(GREATER, truth(vec_gt(A, B)))
      STEP(GREATER_EQUAL, truth(vec_ge(A, B)))
      STEP(LOGICAL_AND, and_of(A, B))
      STEP(LOGICAL_OR, or_of(A, B))
      STEP(LOGICAL_XOR, xor_of(A, B))
      STEP(CHAIN, chain(A, vec_mul(A, B)))
      STEP(CHAIN_DIVIDE, chain(A, vec_div(A, B)))
      STEP(WHERE, vec_select(is_zero(A), C, B))
      STEP(CLIP, minimum_of(maximum_of(A, B), C))
      case FNN_STEP_SUM:
      case FNN_STEP_PROD:
      case FNN_STEP_MAX:
      case FNN_STEP_MIN:
      case FNN_STEP_ARGMAX:
      case FNN_STEP_ARGMIN: KERNEL(map_reduce)(s, to, a, n); break;
      default: KERNEL(map_move)(s, to, a, b, n, rows); break;
    }
  }
}
