/* Scaling and sums of tensors, dropout, and the conversion of a program's input rows.
 * All are bound by memory except dropout (random.h). */
#include "internal.h"
#include "random.h"

void KERNEL(scale)(real *y, const real *x, real factor, real offset, size_t n, int accumulate) {
  const vec f = vec_set(factor), o = vec_set(offset);
  if (accumulate)
    SPAN(n, STORE(y, vec_add(LOAD(y), vec_fma(LOAD(x), f, o))););
  else
    SPAN(n, STORE(y, vec_fma(LOAD(x), f, o)););
}

void KERNEL(add)(real *y, const real *x, size_t n) {
  SPAN(n, STORE(y, vec_add(LOAD(y), LOAD(x))););
}

void KERNEL(add_rows)(real *y, const real *x, size_t x_row, size_t rows, size_t n) {
  size_t done = 0;
  for (; done + 4 * LANES <= n; done += 4 * LANES, x += 4 * LANES, y += 4 * LANES) {
    vec a = vec_load(y), b = vec_load(y + LANES), c = vec_load(y + 2 * LANES);
    vec d = vec_load(y + 3 * LANES);
    const real *from = x;
    for (size_t i = 0; i < rows; i++, from += x_row) {
      a = vec_add(a, vec_load(from));
      b = vec_add(b, vec_load(from + LANES));
      c = vec_add(c, vec_load(from + 2 * LANES));
      d = vec_add(d, vec_load(from + 3 * LANES));
    }
    vec_store(y, a);
    vec_store(y + LANES, b);
    vec_store(y + 2 * LANES, c);
    vec_store(y + 3 * LANES, d);
  }
  SPAN(n - done, vec sum = LOAD(y); const real *from = x;
       for (size_t i = 0; i < rows; i++, from += x_row) sum = vec_add(sum, LOAD(from));
       STORE(y, sum););
}

#define DRAWS (2 * PHILOX_WORDS) /* of words: 16 bits for each element */

void KERNEL(dropout)(real *y, const real *x, double rate, fnn_random random, uint64_t first,
                     size_t n, int accumulate) {
  const uint32_t limit = (uint32_t)(rate * 65536.0);
  const real kept = REAL(1 / (1 - rate));
  uint32_t words[PHILOX_WORDS];
  real factors[DRAWS]; /* what each element is multiplied by: 0 if dropped */
  if (limit >= 65536) { /* all are dropped */
    SPAN(accumulate ? 0 : n, STORE(y, vec_zero()););
    return;
  }
  for (size_t done = 0; done < n;) {
    const uint64_t element = first + done;
    const size_t skip = element % 8;
    const size_t count = n - done < DRAWS - skip ? n - done : DRAWS - skip;
    philox(words, random, element / 8);
    for (size_t i = 0; i < PHILOX_WORDS; i++) {
      factors[2 * i] = (words[i] & 0xffff) >= limit ? kept : 0;
      factors[2 * i + 1] = words[i] >> 16 >= limit ? kept : 0;
    }
    const real *from = x + done, *factor = factors + skip;
    real *to = y + done;
    SPAN(count, vec f = LOAD(factor);
         vec v = vec_where(vec_gt(f, vec_zero()), vec_mul(LOAD(from), f));
         STORE(to, accumulate ? vec_add(LOAD(to), v) : v););
    done += count;
  }
}

/* Numbers between 0 and 1, never either: the middle of one of 2^23 (float) or 2^32 equal parts. All
 * steps are exact. */
void KERNEL(uniform)(real *y, fnn_random random, uint64_t first, size_t n) {
  const int dropped = sizeof(real) == 4 ? 9 : 0;
  const real part = REAL(1) / (real)((uint64_t)1 << (32 - dropped));
  uint32_t words[PHILOX_WORDS];
  for (size_t done = 0; done < n;) {
    const uint64_t element = first + done;
    const size_t skip = element % 4;
    const size_t count = n - done < PHILOX_WORDS - skip ? n - done : PHILOX_WORDS - skip;
    philox(words, random, element / 4);
    for (size_t i = 0; i < count; i++)
      y[done + i] = ((real)(words[skip + i] >> dropped) + REAL(0.5)) * part;
    done += count;
  }
}

/* Fisher and Yates's shuffle, from the back (Durstenfeld, Communications of the ACM 7(7), 1964).
 * Each place is drawn without bias from one word, rarely more (Lemire, ACM TOMACS 29(1), 2019); the
 * words are those of the generator in order. */
void KERNEL(shuffle)(int64_t *rows, size_t n, fnn_random random) {
  uint32_t words[PHILOX_WORDS];
  size_t drawn = 0;
  for (size_t left = n; left > 1;) {
    if (drawn % PHILOX_WORDS == 0)
      philox(words, random, drawn / 4);
    const uint32_t places = (uint32_t)left;
    const uint64_t product = (uint64_t)words[drawn++ % PHILOX_WORDS] * places;
    if ((uint32_t)product < places && (uint32_t)product < -places % places)
      continue; /* drawn again */
    const size_t place = product >> 32;
    const int64_t row = rows[--left];
    rows[left] = rows[place];
    rows[place] = row;
  }
}

/* One loop for each source type; elements need not be aligned. */
#define CONVERT(type)                                                                             \
  if (stride == (ptrdiff_t)sizeof(type))                                                          \
    for (size_t j = 0; j < n; j++) {                                                              \
      type value;                                                                                 \
      memcpy(&value, from + j * sizeof value, sizeof value);                                      \
      y[j] = (real)value;                                                                         \
    }                                                                                             \
  else                                                                                            \
    for (size_t j = 0; j < n; j++) {                                                              \
      type value;                                                                                 \
      memcpy(&value, from + (ptrdiff_t)j * stride, sizeof value);                                 \
      y[j] = (real)value;                                                                         \
    }                                                                                             \
  break

void KERNEL(convert)(real *y, const void *x, ptrdiff_t stride, int source_type, size_t n) {
  const unsigned char *from = x;
  switch (source_type) {
    case FNN_SRC_F32: CONVERT(float);
    case FNN_SRC_F64: CONVERT(double);
    case FNN_SRC_U8: CONVERT(uint8_t);
    case FNN_SRC_I8: CONVERT(int8_t);
    case FNN_SRC_U16: CONVERT(uint16_t);
    case FNN_SRC_I16: CONVERT(int16_t);
    case FNN_SRC_U32: CONVERT(uint32_t);
    case FNN_SRC_I32: CONVERT(int32_t);
    case FNN_SRC_U64: CONVERT(uint64_t);
    case FNN_SRC_I64: CONVERT(int64_t);
    case FNN_SRC_BOOL:
      for (size_t j = 0; j < n; j++) y[j] = from[(ptrdiff_t)j * stride] != 0;
      break;
  }
}
