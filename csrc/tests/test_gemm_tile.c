/* The micro-kernel against one chain of scalar multiply-adds for each element: equal to the bit. */
#include "check.h"

static real multiply_add(real a, real b, real c) {
  return sizeof(real) == 4 ? (real)fmaf((float)a, (float)b, (float)c) : (real)fma(a, b, c);
}

static void panels(void) {
  static const size_t depths[] = {0, 1, 2, 17};
  for (size_t m = 1; m <= 20; m++)
    for (size_t n = 1; n <= 8 * FNN_LANES; n += n < 20 ? 1 : 13)
      for (size_t d = 0; d < COUNT(depths); d++)
        for (int variant = 0; variant < 16; variant++) { /* accumulate, A transposed, asks */
          const size_t depth = depths[d], b_row = n + 3, c_row = n + 5;
          const int accumulate = variant & 1, transposed = variant & 2;
          const size_t a_row = transposed ? 1 : depth + 1, a_step = transposed ? m + 2 : 1;
          const real *a = numbers(0, m * depth + 2 * m + 2 * depth + 2, -1, 1, d == 2);
          const real *b = numbers(1, depth ? (depth - 1) * b_row + n : 0, -1, 1, 0);
          const real *before = numbers(2, (m - 1) * c_row + n, -1, 1, 0);
          for (table = 0; table < table_count; table++) {
            const kernels *k = tables[table];
            if (n > k->panel_width(1, n, 0)) continue;
            label("panel %s m=%zu n=%zu k=%zu variant=%d", k->isa, m, n,
                     depth, variant);
            real *c = copy_of(3, before, (m - 1) * c_row + n);
            k->gemm_panel(&(FN(fnn_panel)){
                .c = c, .c_row = c_row, .a = a, .a_row = a_row, .a_step = a_step, .b = b,
                .b_row = b_row, .m = m, .n = n, .k = depth, .accumulate = accumulate,
                .far = variant & 4, .written = variant & 8 ? before : NULL, .written_row = c_row,
            });
            for (size_t i = 0; i < m; i++)
              for (size_t j = 0; j < (i + 1 < m ? c_row : n); j++) {
                real want = accumulate || j >= n ? before[i * c_row + j] : 0;
                if (j < n && !flushing) {
                  for (size_t p = 0; p < depth; p++)
                    want = multiply_add(a[i * a_row + p * a_step], b[p * b_row + j], want);
                  check(bits_of(c[i * c_row + j]) == bits_of(want), "c[%zu,%zu]", i, j);
                } else if (j >= n) {
                  check(bits_of(c[i * c_row + j]) == bits_of(want), "wrote outside the tile");
                }
              }
            check_before();
          }
        }
}

static void nonzero_elements(void) {
  for (size_t n = 0; n < 100; n += n < 40 ? 1 : 17)
    for (int wild = 0; wild < 2; wild++) {
      real *a = numbers(0, n, -1, 1, wild);
      for (size_t i = 0; i < n; i += 1 + (size_t)uniform(0, 3)) a[i] = (real)(i % 2 ? 0.0 : -0.0);
      size_t want = 0;
      for (size_t i = 0; i < n; i++) want += a[i] != 0;
      FOR_TABLES {
        label("nonzeros %s n=%zu", k->isa, n);
        real *values = output(1, want + FNN_LANES);
        uint32_t *steps = bytes_slot(2, want + FNN_LANES, sizeof(uint32_t));
        check(k->nonzeros(values, steps, a, n) == want, "a wrong count");
        for (size_t i = 0, t = 0; i < n; i++)
          if (a[i] != 0) {
            check(steps[t] == i && bits_of(values[t]) == bits_of(a[i]), "[%zu]", i);
            t++;
          }
        agree(values, want);
      }
    }
}

static void sparse_rows(void) {
  enum { M = 5, MOST = 8 };
  /* all lengths of the last vector, then a half and a whole one behind every number of others */
  for (size_t n = 1; n <= MOST_VECTORS * FNN_LANES; n += n < 2 * FNN_LANES ? 1 : FNN_LANES / 2)
    for (size_t most = 0; most <= MOST; most += 2)
      for (int accumulate = 0; accumulate < 2; accumulate++) {
        const size_t b_row = n + 3, c_row = n + 2;
        uint32_t starts[M + 1] = {0};
        for (size_t i = 0; i < M; i++) /* some rows are empty */
          starts[i + 1] = starts[i] + (uint32_t)uniform(0, (double)most + 0.99);
        const size_t count = starts[M];
        uint32_t *offsets = bytes_slot(0, count, sizeof(uint32_t));
        for (size_t t = 0; t < count; t++)
          offsets[t] = (uint32_t)uniform(0, 9.99) * (uint32_t)b_row;
        const real *values = numbers(1, count, -1, 1, 0);
        const real *b = numbers(2, 9 * b_row + n, -1, 1, 0);
        const real *before = numbers(3, (M - 1) * c_row + n, -1, 1, 0);
        for (table = 0; table < table_count; table++) {
          const kernels *k = tables[table];
          if (n > (size_t)k->sparse_vectors * FNN_LANES) continue;
          label("sparse rows %s n=%zu at most %zu", k->isa, n, most);
          real *c = copy_of(4, before, (M - 1) * c_row + n);
          k->gemm_sparse(c, c_row, starts, values, offsets, b, M, n, accumulate);
          for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < (i + 1 < M ? c_row : n); j++) {
              real want = accumulate || j >= n ? before[i * c_row + j] : 0;
              for (size_t t = starts[i]; j < n && t < starts[i + 1]; t++)
                want = multiply_add(values[t], b[offsets[t] + j], want);
              check((flushing && j < n) || bits_of(c[i * c_row + j]) == bits_of(want),
                    "c[%zu,%zu]", i, j);
            }
          check_before();
        }
      }
}

static void transposes(void) {
  for (size_t n = 1; n <= 2 * FNN_LANES + 1; n++)
    for (size_t rows = 1; rows <= 9; rows++) {
      const size_t to_row = n + 2, from_row = rows + 1;
      label("transpose of %zu x %zu", n, rows);
      const real *from = numbers(0, (n - 1) * from_row + rows, -1, 1, 1);
      FOR_TABLES {
        real *to = output(1, (rows - 1) * to_row + n);
        k->transpose(to, to_row, from, from_row, n, rows);
        for (size_t p = 0; p < rows; p++)
          for (size_t j = 0; j < (p + 1 < rows ? to_row : n); j++)
            check(j < n ? bits_of(to[p * to_row + j]) == bits_of(from[j * from_row + p])
                        : isnan(to[p * to_row + j]), "[%zu,%zu]", p, j);
        agree(to, (rows - 1) * to_row + n);
      }
    }
}

static void cases(void) {
  panels();
  nonzero_elements();
  sparse_rows();
  transposes();
}

int main(void) { return run(cases); }
