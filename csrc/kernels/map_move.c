/* Steps of maps that move elements, and products of small matrices. With M the samples of the tile,
 * outer is multiplied by M where by_row is 1, the middle of expand and matmul where it is 2:
 *
 *   expand  to[o,i,k] = a[o,k]                          to (outer, middle, inner)
 *   slice   to[o,i,k] = a[o, start + i*stride, k]       a (outer, length, inner), i < middle
 *   place   to[o, start + i*stride, k] = a[o,i,k]       to (outer, length, inner), i < middle; its
 *                                                       other elements stay
 *   swap    to[o,j,i,k] = a[o,i,j,k]                    a (outer, middle, length, inner)
 *   pick    to[o,i] = a[o, b[o,i]]                      a (outer, middle), b (outer, length); b is
 *                                                       truncated; NaN where it is no place of a
 *   matmul  to[o,i,k] = sum a[o,i,p] b[o,p,k]           a (outer, middle, length), one chain of fused
 *                                                       multiply-adds over p, as in gemm_tile.c
 *
 * `to` is no operand of these. Each is bound by loads and stores. Where what is written is
 * contiguous, a short run is stored as a whole vector, of which the next run overwrites the rest. */
#include "map.h"
#include "vmath.h"

/* How many of `count` runs, `step` elements apart, a vector at each start does not reach past the
 * end of the last one, n elements long. */
FNN_INLINE size_t within_reach(size_t count, size_t step, size_t n) {
  if (!count || n >= LANES) return count;
  const size_t tail = LANES - n;
  const size_t over = step ? (tail + step - 1) / step : count;
  return over < count ? count - over : 0;
}

FNN_INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* --- runs of n elements, `to_step` and `from_step` apart -------------------------------------- */

static void copy_runs(real *to, size_t to_step, const real *from, size_t from_step, size_t n,
                      size_t count) {
  size_t i = 0;
  if (to_step == n && from_step == n) {
    copy_run(to, from, n * count);
  } else if (n == 1) {
    for (; i < count; i++) to[i * to_step] = from[i * from_step];
  } else if (n >= LANES) {
    for (; i < count; i++) copy_run(to + i * to_step, from + i * from_step, n);
  } else {
    const size_t loads = within_reach(count, from_step, n);
    const size_t stores = to_step == n ? smaller(loads, within_reach(count, n, n)) : 0;
    for (; i < stores; i++) vec_store(to + i * n, vec_load(from + i * from_step));
    for (; i < loads; i++) vec_store_n(to + i * to_step, vec_load(from + i * from_step), n);
    for (; i < count; i++) vec_store_n(to + i * to_step, vec_load_n(from + i * from_step, n), n);
  }
}

/* Run i is `n` times from[i]; the runs follow one another. */
static void fill_runs(real *to, const real *from, size_t n, size_t count) {
  const size_t stores = within_reach(count, n, n);
  size_t i = 0;
  if (n <= REG_LANES)
    for (; i < stores; i++, to += n) reg_store(to, reg_set(from[i]));
  else if (n < LANES)
    for (; i < stores; i++, to += n) vec_store(to, vec_set(from[i]));
  for (; i < count; i++, to += n) fill_run(to, from[i], n);
}

/* from[0..n) `times` times, one after the other. */
FNN_INLINE void repeat_run(real *to, const real *from, size_t n, size_t times) {
  size_t i = 0, whole = n;
  vec v = vec_zero();
  if (n >= LANES) {
    for (; i < times; i++) copy_run(to + i * n, from, n);
    return;
  }
  if (times * n <= LANES) {
    v = vec_load_n(from, n);
  } else {
    real pattern[LANES];
    whole = LANES / n * n;
    for (size_t j = 0, k = 0; j < LANES; j++, k = k + 1 < n ? k + 1 : 0) pattern[j] = from[k];
    v = vec_load(pattern);
  }
  const size_t total = times * n;
  for (; i + LANES <= total; i += whole) vec_store(to + i, v);
  for (; i < total; i += whole) vec_store_n(to + i, v, smaller(whole, total - i));
}

/* --- steps ------------------------------------------------------------------------------------ */

static void expand(real *to, const real *a, size_t outer, size_t middle, size_t inner) {
  if (middle == 1)
    copy_run(to, a, outer * inner);
  else if (inner == 1)
    fill_runs(to, a, middle, outer);
  else
    for (size_t o = 0; o < outer; o++)
      repeat_run(to + o * middle * inner, a + o * inner, inner, middle);
}

static void slice(const fnn_step *s, real *to, const real *a, size_t outer) {
  const size_t middle = s->middle, inner = s->inner, row = s->length * inner;
  a += s->start * inner;
  if (s->stride == 1 || middle == 1) {
    copy_runs(to, middle * inner, a, row, middle * inner, outer);
    return;
  }
  for (size_t o = 0; o < outer; o++, a += row)
    for (size_t i = 0; i < middle; i++, to += inner) {
      const real *from = a + (ptrdiff_t)i * s->stride * (ptrdiff_t)inner;
      if (inner == 1)
        *to = *from;
      else
        copy_run(to, from, inner);
    }
}

static void place(const fnn_step *s, real *to, const real *a, size_t outer, int uniform) {
  const size_t middle = s->middle, inner = s->inner, row = s->length * inner;
  to += s->start * inner;
  if (!uniform && (s->stride == 1 || middle == 1)) {
    copy_runs(to, row, a, middle * inner, middle * inner, outer);
    return;
  }
  for (size_t o = 0; o < outer; o++, to += row)
    for (size_t i = 0; i < middle; i++) {
      real *there = to + (ptrdiff_t)i * s->stride * (ptrdiff_t)inner;
      if (uniform) {
        fill_run(there, *a, inner);
      } else if (inner == 1) {
        *there = *a++;
      } else {
        copy_run(there, a, inner);
        a += inner;
      }
    }
}

static void swap(const fnn_step *s, real *to, const real *a, size_t outer) {
  const size_t middle = s->middle, length = s->length, inner = s->inner;
  const size_t sample = middle * length * inner;
  if (middle == 1 || length == 1) {
    copy_run(to, a, outer * sample);
    return;
  }
  for (size_t o = 0; o < outer; o++, to += sample, a += sample)
    if (inner == 1)
      KERNEL(transpose)(to, middle, a, length, middle, length);
    else
      for (size_t j = 0; j < length; j++)
        copy_runs(to + j * middle * inner, inner, a + j * inner, length * inner, inner, middle);
}

static void pick(const fnn_step *s, real *to, const real *a, const real *b, size_t outer) {
  const size_t a_next = s->uniform & 1 ? 0 : 1, b_next = s->uniform & 2 ? 0 : 1;
  const real end = (real)s->middle;
  for (size_t o = 0; o < outer; o++, a += a_next * s->middle)
    for (size_t i = 0; i < s->length; i++, b += b_next) {
      const real x = *b;
      *to++ = x >= 0 && x < end ? a[a_next * (size_t)(ptrdiff_t)x] : NOT_A_NUMBER;
    }
}

static void matmul(const fnn_step *s, real *to, const real *a, const real *b, size_t outer,
                   size_t middle) {
  const size_t inner = s->inner, length = s->length;
  const size_t a_next = s->uniform & 1 ? 0 : 1, b_next = s->uniform & 2 ? 0 : 1;
  FN(fnn_panel) panel = {.c_row = inner, .a_row = a_next * length, .a_step = a_next,
                         .b_row = b_next * inner, .m = middle, .k = length};
  const size_t width = b_next ? KERNEL(panel_width)(middle, inner, 1) : LANES;
  for (size_t o = 0; o < outer; o++, a += a_next * middle * length, b += b_next * length * inner)
    for (size_t k = 0; k < inner; k += width) {
      panel.c = to + o * middle * inner + k;
      panel.a = a;
      panel.b = b + b_next * k;
      panel.n = smaller(width, inner - k);
      KERNEL(gemm_panel)(&panel);
    }
}

void KERNEL(map_move)(const fnn_step *s, real *to, const real *a, const real *b, size_t outer,
                      size_t rows) {
  const int uniform = s->uniform & 1;
  const size_t middle = s->by_row == 2 ? s->middle * rows : s->middle;
  switch (s->code) {
    case FNN_STEP_EXPAND:
      if (uniform)
        fill_run(to, *a, outer * middle * s->inner);
      else
        expand(to, a, outer, middle, s->inner);
      break;
    case FNN_STEP_SLICE:
      if (uniform)
        fill_run(to, *a, outer * s->middle * s->inner);
      else
        slice(s, to, a, outer);
      break;
    case FNN_STEP_PLACE: place(s, to, a, outer, uniform); break;
    case FNN_STEP_SWAP:
      if (uniform)
        fill_run(to, *a, outer * s->middle * s->length * s->inner);
      else
        swap(s, to, a, outer);
      break;
    case FNN_STEP_PICK: pick(s, to, a, b, outer); break;
    case FNN_STEP_MATMUL: matmul(s, to, a, b, outer, middle); break;
  }
}
