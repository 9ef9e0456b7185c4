/* Scaling, merging, dropout and conversion: exact results. */
#include "check.h"

static void scale_and_add(void) {
  label("scale and add");
  for (size_t s = 0; s < COUNT(SIZES); s++) {
    const size_t n = SIZES[s];
    const real factor = (real)1.7, offset = (real)-0.3;
    const real *x = numbers(0, n, -9, 9, 1), *before = numbers(1, n, -9, 9, 1);
    FOR_TABLES {
      real *y = output(2, n), *z = copy_of(3, before, n), *sum = copy_of(4, before, n);
      k->scale(y, x, factor, offset, n, 0);
      k->scale(z, x, factor, offset, n, 1);
      k->add(sum, x, n);
      agree(y, n);
      agree(z, n);
      agree(sum, n);
      for (size_t i = 0; i < n && !flushing; i++) {
        const real once = sizeof(real) == 4 ? (real)fmaf((float)x[i], (float)factor, (float)offset)
                                            : (real)fma(x[i], factor, offset);
        check(bits_of(y[i]) == bits_of(once), "scale[%zu]", i);
        check(bits_of(z[i]) == bits_of((real)(before[i] + once)), "accumulated scale[%zu]", i);
        check(bits_of(sum[i]) == bits_of((real)(before[i] + x[i])), "add[%zu]", i);
      }
    }
  }
}

static void sums_of_rows(void) {
  for (size_t n = 1; n < 12 * FNN_LANES; n += n < 20 ? 1 : 13)
    for (size_t rows = 0; rows < 4; rows++) {
      label("add_rows n=%zu rows=%zu", n, rows);
      const size_t x_row = n + 3;
      const real *x = numbers(0, rows ? (rows - 1) * x_row + n : 0, -9, 9, 0);
      const real *before = numbers(1, n, -9, 9, 0);
      FOR_TABLES {
        real *y = copy_of(2, before, n);
        k->add_rows(y, x, x_row, rows, n);
        agree(y, n);
        for (size_t j = 0; j < n; j++) {
          real want = before[j];
          for (size_t i = 0; i < rows; i++) want += x[i * x_row + j];
          check(bits_of(y[j]) == bits_of(want), "[%zu]", j);
        }
      }
    }
}

/* The fused multiply-add on its hardest inputs: sums that all but cancel, or lie next to a tie. */
static void multiply_adds(void) {
  label("multiply-add");
  for (int repeat = 0; repeat < 4000; repeat++) {
    const int bits = repeat % 23 + 1; /* of the factors' mantissas */
    const double grid = ldexp(1, bits);
    const real factor = (real)(round(uniform(1, 2) * grid) / grid);
    real *x = numbers(0, 16, 1, 2, 0), offset;
    for (int i = 0; i < 16; i++) x[i] = (real)(round((double)x[i] * grid) / grid);
    offset = -(factor * x[0]);
    if (repeat % 3 == 1) offset = (real)ldexp(uniform(-1, 1), repeat % 60 - 30);
    if (repeat % 3 == 2) offset = (real)ldexp(repeat % 2 ? 1 : -1, repeat % 120 - 60);
    for (int i = 8; i < 16; i++) x[i] = (real)ldexp((double)x[i], repeat % 300 - 150);
    FOR_TABLES {
      real *y = output(1, 16);
      k->scale(y, x, factor, offset, 16, 0);
      agree(y, 16);
      for (int i = 0; i < 16 && !flushing; i++) {
        const real once = sizeof(real) == 4 ? (real)fmaf((float)x[i], (float)factor, (float)offset)
                                            : (real)fma(x[i], factor, offset);
        check(bits_of(y[i]) == bits_of(once), "%a * %a + %a = %a, not %a", (double)x[i],
              (double)factor, (double)offset, (double)once, (double)y[i]);
      }
    }
  }
}

/* Philox4x32-10 as its authors state it: one counter at a time. */
static void philox(uint32_t x[4], fnn_random random, uint64_t counter) {
  uint32_t key[2] = {(uint32_t)random.seed, (uint32_t)(random.seed >> 32)};
  x[0] = (uint32_t)counter;
  x[1] = (uint32_t)(counter >> 32);
  x[2] = random.step;
  x[3] = random.stream;
  for (int round = 0; round < 10; round++) {
    const uint64_t p = (uint64_t)0xD2511F53u * x[0], q = (uint64_t)0xCD9E8D57u * x[2];
    x[0] = (uint32_t)(q >> 32) ^ x[1] ^ key[0];
    x[1] = (uint32_t)q;
    x[2] = (uint32_t)(p >> 32) ^ x[3] ^ key[1];
    x[3] = (uint32_t)p;
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
}

/* The known answers that Random123, the authors' own library, publishes with Philox. */
static void known_words(void) {
  static const uint32_t zeros[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  static const uint32_t ones[] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
  static const uint32_t pi[] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
  uint32_t words[4];
  label("Philox");
  philox(words, (fnn_random){0, 0, 0}, 0);
  check(!memcmp(words, zeros, sizeof zeros), "zeros");
  philox(words, (fnn_random){UINT64_MAX, UINT32_MAX, UINT32_MAX}, UINT64_MAX);
  check(!memcmp(words, ones, sizeof ones), "ones");
  philox(words, (fnn_random){0x299f31d0a4093822u, 0x13198a2e, 0x03707344}, 0x85a308d3243f6a88u);
  check(!memcmp(words, pi, sizeof pi), "pi");
}

static uint32_t word_of(fnn_random random, uint64_t element) {
  uint32_t words[4];
  philox(words, random, element / 4);
  return words[element % 4];
}

/* So many rows that a few words are drawn in vain. */
static void shuffle(void) {
  const fnn_random random = {1234567890123456789u, 5, UINT32_MAX};
  const size_t sizes[] = {0, 1, 2, 3, 65, 300000};
  for (size_t s = 0; s < COUNT(sizes); s++) {
    const size_t n = sizes[s];
    int64_t *want = malloc((n + 1) * sizeof *want), *rows = malloc((n + 1) * sizeof *rows);
    size_t drawn = 0;
    for (size_t i = 0; i <= n; i++)
      want[i] = (int64_t)i;
    for (uint64_t left = n; left > 1; left--) {
      uint64_t product;
      do
        product = word_of(random, drawn++) * left;
      while ((product & UINT32_MAX) < (UINT64_C(1) << 32) % left);
      const int64_t row = want[left - 1];
      want[left - 1] = want[product >> 32];
      want[product >> 32] = row;
    }
    label("shuffle n=%zu", n);
    check(n < 300000 || drawn > n, "no word was drawn in vain");
    FOR_TABLES {
      for (size_t i = 0; i <= n; i++)
        rows[i] = (int64_t)i;
      k->shuffle(rows, n, random);
      check(!memcmp(rows, want, (n + 1) * sizeof *rows), "another order");
    }
    free(want), free(rows);
  }
}

static uint32_t half_of(fnn_random random, uint64_t element) {
  return word_of(random, element / 2) >> 16 * (element % 2) & 0xffff;
}

/* Exactly the middle of the part of (0, 1) that a word's upper bits name. */
static void uniform_numbers(void) {
  static const uint64_t firsts[] = {0, 1, 62, 127, 4294967290u * 4, 34359738369u};
  const fnn_random random = {123456789012345u, 77, 3};
  for (size_t f = 0; f < COUNT(firsts); f++)
    for (size_t s = 0; s < COUNT(SIZES); s++) {
      const size_t n = SIZES[s];
      label("uniform from %llu n=%zu", (unsigned long long)firsts[f], n);
      FOR_TABLES {
        real *y = output(0, n);
        k->uniform(y, random, firsts[f], n);
        agree(y, n);
        for (size_t i = 0; i < n; i++) {
          const uint32_t word = word_of(random, firsts[f] + i);
          const double want = sizeof(real) == 4 ? (double)((word >> 9) * 2 + 1) / 16777216
                                                : ((double)word * 2 + 1) / 8589934592;
          check((double)y[i] == want, "%a, not %a", (double)y[i], want);
        }
      }
    }
}

static void dropout(void) {
  static const uint64_t firsts[] = {0, 1, 62, 127, 4294967290u * 8, 34359738369u};
  static const double rates[] = {0, 0.3, 0.5, 0.999, 1};
  const fnn_random random = {123456789012345u, 77, 3};
  for (size_t f = 0; f < COUNT(firsts); f++)
    for (size_t r = 0; r < COUNT(rates); r++)
      for (size_t s = 0; s < COUNT(SIZES); s++) {
        const size_t n = SIZES[s];
        const double rate = rates[r];
        const real *x = numbers(0, n, -9, 9, 0), *before = numbers(1, n, -9, 9, 0);
        const real factor = rate < 1 ? (real)(1 / (1 - rate)) : 0;
        label("dropout %g from %llu n=%zu", rate,
                 (unsigned long long)firsts[f], n);
        FOR_TABLES {
          real *y = output(2, n), *z = copy_of(3, before, n), *in_place = copy_of(4, x, n);
          k->dropout(y, x, rate, random, firsts[f], n, 0);
          k->dropout(z, x, rate, random, firsts[f], n, 1);
          /* In two calls it must be the same. */
          k->dropout(in_place, in_place, rate, random, firsts[f], n / 3, 0);
          k->dropout(in_place + n / 3, in_place + n / 3, rate, random, firsts[f] + n / 3,
                     n - n / 3, 0);
          agree(y, n);
          agree(z, n);
          for (size_t i = 0; i < n; i++) {
            const int keep = (double)half_of(random, firsts[f] + i) >= floor(rate * 65536);
            const real want = keep ? x[i] * factor : 0;
            check(y[i] == want, "y[%zu]", i);
            check(z[i] == before[i] + want, "accumulated y[%zu]", i);
            check(in_place[i] == want, "y in place [%zu]", i);
          }
        }
      }
  long kept = 0;
  for (uint64_t i = 0; i < 20000; i++) kept += half_of(random, i) >= (uint32_t)(0.3 * 65536);
  check(labs(kept - 14000) < 300, "kept %ld of 20000 at rate 0.3", kept);
}

#define CONVERSION(type, source, low, high)                                                       \
  for (size_t s = 0; s < COUNT(SIZES); s++)                                                       \
    for (int step = -1; step <= 3; step++) {                                                      \
      const size_t n = SIZES[s], reach = (size_t)abs(step);                                       \
      const size_t count = n ? (n - 1) * reach + 1 : 0;                                           \
      type *x = bytes_slot(0, count, sizeof(type));                                               \
      for (size_t i = 0; i < count; i++) x[i] = (type)uniform(low, high);                         \
      if (count) x[0] = (type)(low), x[count - 1] = (type)(high);                                 \
      const type *start = step < 0 && count ? x + count - 1 : x;                                  \
      label("convert " #type);                                                                  \
      FOR_TABLES {                                                                                \
        real *y = output(1, n);                                                                   \
        k->convert(y, start, step * (ptrdiff_t)sizeof(type), source, n);                          \
        agree(y, n);                                                                              \
        for (size_t i = 0; i < n && !flushing; i++)                                               \
          check(bits_of(y[i]) == bits_of((real)start[(ptrdiff_t)i * step]), "[%zu]", i);          \
      }                                                                                           \
    }

static void conversions(void) {
  CONVERSION(float, FNN_SRC_F32, -3e38, 3e38)
  CONVERSION(double, FNN_SRC_F64, -1e300, 1e39)
  CONVERSION(double, FNN_SRC_F64, -1, 1)
  CONVERSION(uint8_t, FNN_SRC_U8, 0, 255)
  CONVERSION(int8_t, FNN_SRC_I8, -128, 127)
  CONVERSION(uint16_t, FNN_SRC_U16, 0, 65535)
  CONVERSION(int16_t, FNN_SRC_I16, -32768, 32767)
  CONVERSION(uint32_t, FNN_SRC_U32, 0, 4294967295.0)
  CONVERSION(int32_t, FNN_SRC_I32, -2147483648.0, 2147483647.0)
  CONVERSION(uint64_t, FNN_SRC_U64, 0, 18446744073709549568.0)
  CONVERSION(int64_t, FNN_SRC_I64, -9223372036854775808.0, 9223372036854774784.0)
  label("convert bool");
  const uint8_t truth[] = {0, 1, 255, 2, 0};
  FOR_TABLES {
    real *y = output(1, 5);
    k->convert(y, truth, 1, FNN_SRC_BOOL, 5);
    for (int i = 0; i < 5; i++) check(y[i] == (truth[i] != 0), "[%d]", i);
  }
}

/* Every fifth byte of an unaligned record. */
static void unaligned(void) {
  label("convert unaligned");
  char bytes[64];
  for (int i = 0; i < 64; i++) bytes[i] = (char)i;
  FOR_TABLES {
    real *y = output(0, 5);
    k->convert(y, bytes + 1, 5, FNN_SRC_I32, 5);
    for (int i = 0; i < 5; i++) {
      int32_t value;
      memcpy(&value, bytes + 1 + 5 * i, 4);
      check(y[i] == (real)value, "[%d]", i);
    }
  }
}

static void cases(void) {
  scale_and_add();
  sums_of_rows();
  multiply_adds();
  known_words();
  uniform_numbers();
  dropout();
  shuffle();
  conversions();
  unaligned();
}

int main(void) { return run(cases); }
