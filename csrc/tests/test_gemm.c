/* Blocked, packed and sparse products against one chain of scalar multiply-adds for each element, or
 * the sum of two: equal to the bit, whatever the blocking, the part of the result asked for and the
 * zeros of A. */
#include "gemm.h"

#include "check.h"

static real multiply_add(real a, real b, real c) {
  return sizeof(real) == 4 ? (real)fmaf((float)a, (float)b, (float)c) : (real)fma(a, b, c);
}

static real *filled(size_t n, double density) {
  real *array = malloc((n ? n : 1) * sizeof(real));
  for (size_t i = 0; i < n; i++)
    array[i] = uniform(0, 1) < density ? (real)uniform(-1, 1) : 0;
  return array;
}

typedef struct {
  real *c;
  size_t row, seen;
} collector;

static void collect(void *context, real *block, size_t row, size_t i0, size_t i1, size_t j0,
                    size_t j1) {
  collector *to = context;
  for (size_t i = i0; i < i1; i++)
    for (size_t j = j0; j < j1; j++) {
      to->c[i * to->row + j] = block[(i - i0) * row + (j - j0)];
      to->seen++;
    }
}

enum { A_BY_COLUMNS = 1, B_TRANSPOSED = 2, ACCUMULATE = 4, SCRATCH_C = 8, SPARSE = 16, PART = 32,
       IN_HALVES = 64, SKIPS_ZERO_ROWS = 128, VARIANTS = 256 };

static void product(size_t m, size_t n, size_t k, size_t padding, double density, int variant) {
  const size_t a_row = variant & A_BY_COLUMNS ? 1 : k + padding;
  const size_t a_step = variant & A_BY_COLUMNS ? m + padding : 1;
  const size_t b_row = (variant & B_TRANSPOSED ? k : n) + padding, c_row = n + padding;
  const size_t b_rows = variant & B_TRANSPOSED ? n : k;
  const size_t m0 = variant & PART ? m / 3 : 0, n0 = variant & PART ? n / 2 / FNN_LANES * FNN_LANES : 0;
  real *a = filled((m + padding) * (k + padding), density), *b = filled(b_rows * b_row, 1);
  real *before = filled(m * c_row, 1), *c = malloc((m * c_row + 1) * sizeof(real));
  real *scratch = malloc(FN(fnn_gemm_scratch)(n, k) * sizeof(real));
  real *want = malloc((m * c_row + 1) * sizeof(real));
  memcpy(want, before, m * c_row * sizeof(real));
  size_t seen_rows = 0;
  for (size_t i = m0; i < m; i++) {
    int zero = 1;
    for (size_t p = 0; p < k; p++)
      zero &= a[i * a_row + p * a_step] == 0;
    if (zero && k && variant & SKIPS_ZERO_ROWS)
      continue;
    seen_rows++;
    for (size_t j = n0; j < n; j++) {
      real sum = variant & ACCUMULATE ? before[i * c_row + j] : 0, first_half = 0;
      for (size_t p = 0; p < k; p++) {
        if (variant & IN_HALVES && p == k / 2) {
          first_half = sum;
          sum = 0;
        }
        sum = multiply_add(a[i * a_row + p * a_step],
                           b[variant & B_TRANSPOSED ? j * b_row + p : p * b_row + j], sum);
      }
      want[i * c_row + j] = variant & IN_HALVES ? first_half + sum : sum;
    }
  }

  collector seen = {c, c_row, 0};
  const FN(fnn_product) s = {
      .m = m, .n = n, .k = k, .a = a, .a_row = a_row, .a_step = a_step, .b = b, .b_row = b_row,
      .b_transposed = !!(variant & B_TRANSPOSED), .c = variant & SCRATCH_C ? NULL : c,
      .c_row = c_row, .accumulate = !!(variant & ACCUMULATE), .a_sparse = !!(variant & SPARSE),
      .in_halves = !!(variant & IN_HALVES), .skips_zero_rows = !!(variant & SKIPS_ZERO_ROWS),
      .epilogue = collect, .context = &seen,
  };
  rewind_expectations();
  for (table = 0; table < table_count; table++, next_expectation = 0) {
    label("product %s %zu x %zu x %zu variant %d", tables[table]->isa, m, n, k, variant);
    memcpy(c, before, m * c_row * sizeof(real));
    seen.seen = 0;
    FN(fnn_gemm)(&s, m0, m, n0, n, scratch);
    check(seen.seen == seen_rows * (n - n0), "the epilogue saw %zu elements", seen.seen);
    size_t different = 0;
    for (size_t i = 0; i < m * c_row; i++)
      different += bits_of(c[i]) != bits_of(want[i]);
    check(different == 0, "%zu elements differ", different);
    agree(c, m * c_row);
  }
  free(a), free(b), free(c), free(before), free(scratch), free(want);
}

/* What products can be: only a stored C is in halves or accumulated, and not both; rows are skipped
 * where zeros are known and C is not stored. */
static int possible(int variant) {
  if (variant & SKIPS_ZERO_ROWS && !(variant & SPARSE && variant & SCRATCH_C))
    return 0;
  const int kinds = !!(variant & SCRATCH_C) + !!(variant & ACCUMULATE) + !!(variant & IN_HALVES);
  return kinds <= 1;
}

static void cases(void) {
  static const size_t sizes[][3] = {{1, 1, 1},    {5, 7, 3},     {33, 100, 17},  {32, 65, 300},
                                    {70, 16, 90}, {13, 700, 40}, {150, 97, 129}, {7, 304, 700},
                                    {4, 640, 50}};
  for (size_t s = 0; s < COUNT(sizes); s++)
    for (int variant = 0; variant < VARIANTS; variant++)
      if (possible(variant))
        product(sizes[s][0], sizes[s][1], sizes[s][2], s % 2 ? 3 : 0,
                variant & SPARSE ? (s % 3 == 0 ? 0.0 : 0.2) : 0.9, variant);
  static const size_t narrow[][3] = {{1, 1, 40}, {50, 1, 33}, {1300, 1, 70}, {5, 1, 9000}, {37, 30, 1}};
  for (size_t s = 0; s < COUNT(narrow); s++)
    for (int variant = 0; variant < VARIANTS; variant++)
      for (size_t padding = 0; padding < 3; padding += 2)
        if (possible(variant))
          product(narrow[s][0], narrow[s][1], narrow[s][2], padding, 0.3, variant);
  const size_t page = 4096 / sizeof(real); /* rows whole pages apart, and deep products */
  product(96, page, page, 0, 1, PART);
  product(96, page, 520, 0, 1, PART | B_TRANSPOSED | ACCUMULATE);
  product(96, page, 1100, 0, 1, PART | A_BY_COLUMNS);
  product(96, page, 1100, 0, 1, PART | SCRATCH_C);
  product(130, 530, 1100, 0, 1, B_TRANSPOSED);
  product(144, 530, 1100, 0, 1, A_BY_COLUMNS); /* whole blocks of rows */
  product(144, 530, 1100, 0, 1, A_BY_COLUMNS | SCRATCH_C);
  product(144, 530, 1100, 3, 1, 0);
  product(96, page, 2 * 520, 0, 1, PART | IN_HALVES);
  product(600, 200, 1101, 3, 1, IN_HALVES);
  product(600, 200, 1101, 3, 0.2, IN_HALVES | SPARSE);
  product(140, 560, 1030, 3, 1, B_TRANSPOSED); /* a packed block wider than C_COLUMNS */
  product(70, 40, 2016, 0, 1, A_BY_COLUMNS | B_TRANSPOSED); /* 504 doubles and a gap: a page; */
  product(30, 40, 2050, 0, 1, SCRATCH_C);                   /* five blocks of 410 steps */
  for (int by_columns = 0; by_columns <= A_BY_COLUMNS; by_columns += A_BY_COLUMNS) {
    const int skips = by_columns | SPARSE | SCRATCH_C | SKIPS_ZERO_ROWS;
    product(100, 700, 1300, 1, 0.0005, skips); /* rows with elements in a later block only, */
    product(150, 700, 130, 1, 0.2, skips);     /* and longer runs of rows than a block has */
  }
  product(2 * FNN_LANES, 2, 500, 0, 1, B_TRANSPOSED); /* turned over, or nearly */
  product(2 * FNN_LANES, 100, 600, 3, 1, B_TRANSPOSED);
  product(2 * FNN_LANES - 2, 37, 20, 0, 1, B_TRANSPOSED);
  product(2 * FNN_LANES + 1, 37, 20, 0, 1, B_TRANSPOSED);
  for (int sparse = 0; sparse <= SPARSE; sparse += SPARSE) {
    product(80, page, 30, 0, 0.3, sparse);
    product(600, 20, 11, 1, 0.3, sparse); /* more rows than a list takes */
    product(9, 16, 5000, 1, 0.3, sparse);
    product(3, 20, 0, 1, 0.3, sparse);
  }
}

/* It is made for the largest batch and must do for any smaller one. */
static void scratch_never_shrinks(void) {
  label("scratch of longer sums");
  for (size_t n = 1; n < 400; n = 3 * n + 1)
    for (size_t k = 1, before = 0; k < 25000; k++) {
      const size_t now = FN(fnn_gemm_scratch)(n, k);
      check(now >= before, "%zu columns, %zu steps: %zu after %zu", n, k, now, before);
      before = now;
    }
}

static void all(void) {
  cases();
  scratch_never_shrinks();
}

int main(void) { return run(all); }
