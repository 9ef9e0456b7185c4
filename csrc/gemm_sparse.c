/* Matrix products whose A is mostly zeros: pictures on an empty background, one-hot columns, bags of
 * words, what relu leaves. Only the terms of A's other elements are computed. Leaving out a term of
 * zero does not change a chain of fused multiply-adds (unless B is not finite, or the sum itself is
 * a zero, whose sign may differ), so a product has the same bits as gemm.c would give it.
 *
 * The loops, from outside:
 *   rows of C, of whose A the other elements are listed once
 *     columns of C and rows of them, so that a block of C that is not stored stays in L2
 *       panels of B's columns, as wide as a row of accumulators
 *         p in steps that keep the panel's part of B in L1
 *           rows
 *
 * Cost: 2 n FLOPs for every element of A that is not zero, at about half the rate of a dense tile,
 * because a row of B that was loaded serves one row of C only; m k compares, once. With
 * skips_zero_rows, rows of zeros cost these compares only.
 */
#include "gemm.h"

#define C_SCRATCH (32 * 1024) /* elements of a block of C that only the epilogue sees: in L2 */
#define LISTED (512 * 1024)   /* elements of A listed at a time, if all of them were not zero */
#define ROWS 512              /* rows of C at a time */
/* Elements of a panel of B, whose rows are then rounded up; the zeros leave gaps in it. */
#define PANEL (40 * 1024 / sizeof(real))

typedef struct {
  size_t rows, depth; /* of one list: the rows of C, and the columns of A between two starts */
  real *values;
  uint32_t *offsets;  /* of rows of B, counted from the block's first */
  uint32_t *starts;   /* of block p and row i in the list: starts[p*rows + i] */
} list;

static size_t rows_listed(size_t k) {
  return k <= LISTED / ROWS ? ROWS : k < LISTED ? LISTED / k : 1;
}
/* At most, and no less than for a smaller k: scratch memory is made for the largest batch. */
static size_t elements_listed(size_t k) {
  return up(greatest(least(ROWS * k, LISTED), k), FNN_LANES) +
         FNN_LANES; /* a vector may be written past the end */
}
static size_t starts_of(size_t k) {
  return up(elements_listed(k) / FNN_LANES + ROWS + 2, FNN_LANES);
}

/* Elements of a packed panel of B, on any instruction set. */
static size_t packed(size_t n, size_t k) {
  return k * least(up(n, FNN_LANES), MOST_VECTORS * FNN_LANES);
}

size_t FN(fnn_gemm_sparse_scratch)(size_t n, size_t k) {
  const size_t integers = elements_listed(k) + starts_of(k);
  return C_SCRATCH + packed(n, k) + PANEL + elements_listed(k) +
         up(integers * sizeof(uint32_t) / sizeof(real), FNN_LANES);
}

/* Lists rows i0.. of A, for a B whose rows are b_row apart. `turned` holds FNN_LANES x depth elements,
 * for an A that lies by columns. */
static void list_nonzeros(list *to, const FN(fnn_product) *s, size_t i0, size_t b_row,
                          real *turned) {
  const FN(fnn_kernels) *kernels = FN(fnn_kernel_table)();
  uint32_t count = 0, *start = to->starts;
  for (size_t p = 0; p < s->k; p += to->depth) {
    const size_t depth = least(to->depth, s->k - p);
    for (size_t i = 0; i < to->rows; i += FNN_LANES) {
      const size_t rows = least(FNN_LANES, to->rows - i);
      const real *a = s->a + (i0 + i) * s->a_row + p * s->a_step;
      size_t a_row = s->a_row;
      if (s->a_step != 1) {
        kernels->transpose(turned, depth, a, s->a_step, depth, rows);
        a = turned;
        a_row = depth;
      }
      for (size_t r = 0; r < rows; r++, a += a_row) {
        *start++ = count;
        count += (uint32_t)kernels->nonzeros(to->values + count, to->offsets + count, a, depth);
      }
    }
  }
  *start = count;
  for (uint32_t t = 0; t < count; t++)
    to->offsets[t] *= (uint32_t)b_row;
}

/* Where a run of rows from `row` on ends, all with elements or all without; `row` if there is none. */
static size_t end_of_run(const list *l, size_t k, size_t row, size_t end, int filled) {
  for (; row < end; row++) {
    const uint32_t *start = l->starts + row;
    uint32_t count = 0;
    for (size_t p = 0; p < k; p += l->depth, start += l->rows)
      count += start[1] - start[0];
    if ((count > 0) != filled)
      break;
  }
  return row;
}

void FN(fnn_gemm_sparse)(const FN(fnn_product) *s, size_t m0, size_t m1, size_t n0, size_t n1,
                         real *scratch) {
  const FN(fnn_kernels) *kernels = FN(fnn_kernel_table)();
  const size_t width = block_length(n1 - n0, (size_t)kernels->sparse_vectors * FNN_LANES);
  /* What only the epilogue sees lies in L2, in rows that are long enough for it; a C that is stored
   * is finished panel by panel, so that B is read only once. */
  const size_t block = s->c ? width : least(up(n1 - n0, FNN_LANES), C_COLUMNS / width * width);
  const size_t rows = s->c ? ROWS : C_SCRATCH / block; /* of which all share a packed B */
  /* Only if it must be where runs of rows that are not zero may be too short to pay for it. */
  const int pack_b = FN(fnn_packs_b)(s, s->skips_zero_rows ? 1 : least(rows, m1 - m0));
  real *const c_scratch = scratch;
  real *const b_scratch = c_scratch + C_SCRATCH;
  real *const turned = b_scratch + packed(s->n, s->k);
  const size_t b_row = pack_b ? width : s->b_row;
  const size_t most = UINT32_MAX / b_row / FNN_LANES * FNN_LANES; /* lengths are rounded up to it */
  const size_t depth = block_length(s->k, least(PANEL / width, most));
  list nonzero = {.depth = depth, .values = turned + PANEL};
  nonzero.offsets = (uint32_t *)(nonzero.values + elements_listed(s->k));
  nonzero.starts = nonzero.offsets + elements_listed(s->k);

  const size_t lists = (m1 - m0 + rows_listed(s->k) - 1) / rows_listed(s->k);
  for (size_t l = 0; l < lists; l++) {
    const size_t i0 = m0 + (m1 - m0) * l / lists, i1 = m0 + (m1 - m0) * (l + 1) / lists;
    nonzero.rows = i1 - i0;
    list_nonzeros(&nonzero, s, i0, b_row, turned);

    for (size_t jc = n0; jc < n1; jc += block) {
      const size_t jc1 = least(jc + block, n1);
      for (size_t ic = i0, ic1; ic < i1; ic = ic1) {
        if (s->skips_zero_rows)
          ic = i0 + end_of_run(&nonzero, s->k, ic - i0, i1 - i0, 0);
        ic1 = least(ic + rows, i1);
        if (s->skips_zero_rows)
          ic1 = i0 + end_of_run(&nonzero, s->k, ic - i0, ic1 - i0, 1);
        if (ic == ic1)
          break;
        real *c = s->c ? s->c + ic * s->c_row + jc : c_scratch;
        const size_t c_row = s->c ? s->c_row : block;
        for (size_t j = jc; j < jc1; j += width) {
          const size_t columns = least(width, jc1 - j);
          if (pack_b)
            FN(fnn_pack_b)(b_scratch, s, 0, s->k, j, j + columns, width);
          const real *b = pack_b ? b_scratch : s->b + j;
          for (size_t p = 0; p < s->k; p += depth) {
            const uint32_t *starts = nonzero.starts + p / depth * nonzero.rows + (ic - i0);
            kernels->gemm_sparse(c + (j - jc), c_row, starts, nonzero.values, nonzero.offsets,
                                 b + p * b_row, ic1 - ic, columns, s->accumulate || p > 0);
          }
        }
        if (s->epilogue)
          s->epilogue(s->context, c, c_row, ic, ic1, jc, jc1);
      }
    }
  }
}
