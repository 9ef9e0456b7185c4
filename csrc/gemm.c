/* Blocking and packing around the micro-kernel. Blind to instruction sets: all it knows is the
 * kernel table. Blocks change where operands lie and when partial sums rest in memory, never the
 * order of a sum: p runs upwards for every element of C.
 *
 * The loops, from outside (BLIS's five, see Van Zee and van de Geijn, ACM TOMS 41(3), 2015):
 *   columns of C
 *     p, so that all rows use a packed block of B while a cache has it; all, if C is not stored
 *       rows of C, so that a block of C (and a packed block of A) stays in L2, or in L3 if it is wide
 *         p in steps of at most K_BLOCK, so that a packed block of A stays in L2
 *           panels of B
 *             tiles of rows
 */
#include <stdint.h>
#include <string.h>

#include "gemm.h"

#define K_BLOCK 512           /* steps after which partial sums go to C and A is packed anew */
#define A_BLOCK (24 * 1024)   /* most elements of a block of A, whose rows are packed with a gap */
#define A_SCRATCH (A_BLOCK + C_ROWS * 3 * FNN_LANES)
#define B_BLOCK (512 * 1024)  /* most elements of a packed block of B */
#define B_WIDTH 4             /* a block of B is at most so many times as wide as C is high */
#define PAGE 4096             /* rows of B whole pages apart share a few cache sets: then, and */
#define PACK_B_ROWS 64        /* with enough rows of C to pay for it, B is packed; */
#define PACK_B_MANY_ROWS 512  /* with so many always: its rows lie on as many pages */
#define PACK_B_STEPS 8        /* rows of B that are packed at a time: they follow in a panel; */
#define PACK_B_AHEAD (12 * FNN_LANES) /* so many columns ahead they are asked for */
#define NEAR_STEPS 64         /* panels of B that are so short stay in L1, */
#define NEAR_BYTES (16 * 1024) /* half of it */
#define TURN_ROWS (2 * FNN_LANES)
#define TURN_ELEMENTS (64 * 1024)
#define PACK_A_STEPS 48       /* shorter columns of A are read where they lie, */
#define PACK_A_COLUMNS 128    /* and its rows too, unless they are whole pages apart and often used */

static int is_paged(size_t row) { return row * sizeof(real) % PAGE == 0; }

/* Whether B stays in L1 while a panel's tiles are made. Rows whose distance is a multiple of a high
 * power of two compete for few sets. */
static int is_near(const FN(fnn_product) *s, int packed) {
  const size_t row = s->b_row * sizeof(real);
  return s->k <= NEAR_STEPS && (packed || s->k * (row & -row) <= NEAR_BYTES);
}

int FN(fnn_packs_b)(const FN(fnn_product) *s, size_t m) {
  return s->b_transposed || (is_paged(s->b_row) && m >= PACK_B_ROWS);
}

FN(fnn_blocking) FN(fnn_choose_blocking)(const FN(fnn_product) *s, size_t m, size_t n) {
  FN(fnn_blocking) block = {.pack_b = FN(fnn_packs_b)(s, m) || m >= PACK_B_MANY_ROWS};
  block.width = FN(fnn_kernel_table)()->panel_width(m, n, is_near(s, block.pack_b));
  block.pack_a = s->a_step == 1 ? s->a_row != 1 && is_paged(s->a_row) && n >= PACK_A_COLUMNS
                                : s->k >= PACK_A_STEPS;
  /* A C that is stored may be left unfinished while all its rows use a shallow, wide block of B. */
  const size_t depths = block.pack_b && s->c ? block_count(s->k, K_BLOCK) : 1;
  block.depth = (s->k + depths - 1) / depths;
  size_t most = C_COLUMNS;
  if (block.pack_b && s->c)
    most = greatest(least(B_BLOCK / greatest(block.depth, 1), B_WIDTH * m), C_COLUMNS);
  else if (block.pack_b)
    most = least(B_BLOCK / greatest(s->k, 1) / FNN_LANES * FNN_LANES, C_COLUMNS);
  block.columns = block_length(n, most);
  return block;
}

size_t FN(fnn_gemm_scratch)(size_t n, size_t k) {
  if (n == 1) /* see column() */
    n = C_COLUMNS;
  const size_t b = least(k * (up(n, FNN_LANES) + PANEL_VECTORS * FNN_LANES),
                         B_BLOCK + k * PANEL_VECTORS * FNN_LANES);
  const size_t dense = C_ROWS * C_COLUMNS + A_SCRATCH + up(b, FNN_LANES);
  return greatest(dense, FN(fnn_gemm_sparse_scratch)(n, k));
}

/* Rows of B, which may lie whole pages apart: the processor must be told that they will be read. */
static void ask(const real *b, size_t b_row, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j += FNN_LANES)
      __builtin_prefetch(b + i * b_row + j);
}

void FN(fnn_pack_b)(real *to, const FN(fnn_product) *s, size_t p0, size_t p1, size_t n0, size_t n1,
                    size_t width) {
  const size_t step = (p1 - p0) * width;
  if (s->b_transposed) {
    const FN(fnn_kernels) *kernels = FN(fnn_kernel_table)();
    for (size_t j = n0; j < n1; j += width, to += step)
      kernels->transpose(to, width, s->b + j * s->b_row + p0, s->b_row, least(width, n1 - j),
                         p1 - p0);
    return;
  }
  for (size_t p = p0; p < p1; p += PACK_B_STEPS) { /* B is read nearly as it lies in memory */
    const size_t steps = least(PACK_B_STEPS, p1 - p);
    real *panel = to + (p - p0) * width;
    for (size_t j = n0; j < n1; j += width, panel += step) {
      const real *from = s->b + p * s->b_row + j;
      const size_t n = least(width, n1 - j);
      if (j + PACK_B_AHEAD < n1)
        ask(from + PACK_B_AHEAD, s->b_row, steps, least(n, n1 - j - PACK_B_AHEAD));
      else if (p + 2 * PACK_B_STEPS <= p1 && n0 + PACK_B_AHEAD <= n1) /* the next rows */
        ask(from + PACK_B_STEPS * s->b_row - (n1 - n0 - PACK_B_AHEAD), s->b_row, steps, n);
      for (size_t i = 0; i < steps; i++)
        if (n == FNN_LANES) /* a size that is known needs no call */
          memcpy(panel + i * width, from + i * s->b_row, FNN_LANES * sizeof(real));
        else
          memcpy(panel + i * width, from + i * s->b_row, n * sizeof(real));
    }
  }
}

/* to: m rows of k elements, `row` apart. */
static void pack_a(real *to, size_t row, const real *a, size_t a_row, size_t a_step, size_t m,
                   size_t k) {
  if (a_step == 1)
    for (size_t i = 0; i < m; i++)
      memcpy(to + i * row, a + i * a_row, k * sizeof(real));
  else
    for (size_t p = 0; p < k; p += FNN_LANES) /* few steps at a time, whose lines stay in L1 */
      FN(fnn_kernel_table)()->transpose(to + p, row, a + p * a_step, a_step,
                                        least(FNN_LANES, k - p), m);
}

/* Where an operand of a block lies: A by rows and steps of p; B by rows, and if it is packed by
 * panels (`step`: the distance of two; 0: not packed). */
typedef struct {
  const real *from;
  size_t row, step;
} operand;

/* far: C may be in no cache. */
static void block_of_panels(real *c, size_t c_row, operand a, operand b, operand written, size_t m,
                            size_t n, size_t k, size_t width, int accumulate, int far) {
  const FN(fnn_kernels) *kernels = FN(fnn_kernel_table)();
  FN(fnn_panel) panel = {
      .c = c, .c_row = c_row, .a = a.from, .a_row = a.row, .a_step = a.step,
      .b = b.from, .b_row = b.row, .m = m, .k = k, .accumulate = accumulate, .far = far,
      .written = written.from, .written_row = written.row,
  };
  for (size_t j = 0; j < n; j += panel.n) {
    panel.n = least(width, n - j);
    /* A vector by itself takes a load for each multiply-add: 64 columns are 2 + 2, not 3 + 1. */
    if (!b.step && width > 2 * FNN_LANES && n - j > width && n - j <= width + FNN_LANES)
      panel.n = width - FNN_LANES;
    kernels->gemm_panel(&panel);
    panel.c += panel.n;
    panel.b += b.step ? b.step : panel.n;
    if (panel.written)
      panel.written += panel.n;
  }
}

real *FN(fnn_packed_block)(real *scratch) { return scratch + C_ROWS * C_COLUMNS + A_SCRATCH; }

void FN(fnn_gemm_block)(const FN(fnn_product) *s, const FN(fnn_blocking) *block, const real *packed,
                        size_t m0, size_t m1, size_t n0, size_t n1, size_t p0, size_t p1,
                        real *scratch) {
  real *const a_scratch = scratch + C_ROWS * C_COLUMNS;
  const size_t parts = block_count(p1 - p0, K_BLOCK);
  const size_t longest = (p1 - p0 + parts - 1) / parts;
  const size_t row_blocks = block_count(m1 - m0, least(A_BLOCK / greatest(longest, 1), C_ROWS));
  size_t a_row = up(longest, FNN_LANES) + FNN_LANES;
  if (is_paged(a_row))
    a_row += FNN_LANES;
  for (size_t r = 0; r < row_blocks; r++) {
    const size_t i0 = m0 + (m1 - m0) * r / row_blocks;
    const size_t i1 = m0 + (m1 - m0) * (r + 1) / row_blocks;
    real *c = s->c ? s->c + i0 * s->c_row + n0 : scratch;
    const size_t c_row = s->c ? s->c_row : block->columns;
    for (size_t part = 0; part < parts; part++) {
      const size_t p = p0 + (p1 - p0) * part / parts;
      const size_t steps = p0 + (p1 - p0) * (part + 1) / parts - p;
      operand a = {s->a + i0 * s->a_row + p * s->a_step, s->a_row, s->a_step};
      if (block->pack_a) {
        pack_a(a_scratch, a_row, a.from, s->a_row, s->a_step, i1 - i0, steps);
        a = (operand){a_scratch, a_row, 1};
      }
      const operand b = packed ? (operand){packed + (p - p0) * block->width, block->width,
                                           (p1 - p0) * block->width}
                               : (operand){s->b + p * s->b_row + n0, s->b_row, 0};
      const operand written = {s->written ? s->written + i0 * s->c_row + n0 : NULL, s->c_row, 0};
      const int accumulate = s->accumulate || p > 0;
      block_of_panels(c, c_row, a, b, written, i1 - i0, n1 - n0, steps, block->width,
                      accumulate, s->c && (packed || accumulate));
    }
    if (s->epilogue && p1 == s->k)
      s->epilogue(s->context, c, c_row, i0, i1, n0, n1);
  }
}

static void dense(const FN(fnn_product) *s, size_t m0, size_t m1, size_t n0, size_t n1,
                  real *scratch) {
  const FN(fnn_blocking) block = FN(fnn_choose_blocking)(s, m1 - m0, n1 - n0);
  real *packed = block.pack_b ? FN(fnn_packed_block)(scratch) : NULL;
  for (size_t j = n0; j < n1; j += block.columns) {
    const size_t j1 = least(j + block.columns, n1);
    size_t p = 0;
    do { /* at least once: k = 0 still writes zeros */
      const size_t p1 = least(p + block.depth, s->k);
      if (packed)
        FN(fnn_pack_b)(packed, s, p, p1, j, j1, block.width);
      FN(fnn_gemm_block)(s, &block, packed, m0, m1, j, j1, p, p1, scratch);
      p = p1;
    } while (p < s->k);
  }
}

/* A product may be run turned over, C' = B'A', with the same chains of multiply-adds. */
static FN(fnn_product) turned(const FN(fnn_product) *s) {
  const int lies_as_row = s->a_row == 1 || s->m == 1;
  return (FN(fnn_product)){
      .m = s->n, .n = s->m, .k = s->k,
      .a = s->b, .a_row = s->b_transposed ? s->b_row : 1, .a_step = s->b_transposed ? 1 : s->b_row,
      .b = s->a, .b_row = lies_as_row ? s->a_step : s->a_row, .b_transposed = !lies_as_row,
      .context = (void *)s,
  };
}

static void column_epilogue(void *context, real *block, size_t row, size_t i0, size_t i1, size_t j0,
                            size_t j1) {
  const FN(fnn_product) *s = context;
  (void)row, (void)i0, (void)i1;
  s->epilogue(s->context, block, 1, j0, j1, 0, 1);
}

/* A single column would leave all lanes but one idle. */
static void column(const FN(fnn_product) *s, size_t m0, size_t m1, real *scratch) {
  FN(fnn_product) row = turned(s);
  row.c = s->c;
  row.c_row = s->m;
  row.accumulate = s->accumulate;
  row.epilogue = s->epilogue ? column_epilogue : NULL;
  dense(&row, 0, 1, m0, m1, scratch);
}

static void turn_back(void *context, real *block, size_t row, size_t i0, size_t i1, size_t j0,
                      size_t j1) {
  const FN(fnn_product) *s = context;
  real *c = s->c + j0 * s->c_row + i0;
  FN(fnn_kernel_table)()->transpose(c, s->c_row, block, row, i1 - i0, j1 - j0);
  if (s->epilogue)
    s->epilogue(s->context, c, s->c_row, j0, j1, i0, i1);
}

/* Few rows times a B that is transposed: it is cheaper to turn over A and C, if that leaves few lanes
 * idle. */
static int turns(const FN(fnn_product) *s, size_t m) {
  return s->b_transposed && s->c && !s->accumulate && m <= TURN_ROWS &&
         up(m, FNN_LANES) - m <= FNN_LANES / 4 && m * s->k <= TURN_ELEMENTS;
}

static void one_sum(const FN(fnn_product) *s, size_t m0, size_t m1, size_t n0, size_t n1,
                    real *scratch) {
  if (s->a_sparse && s->k && s->b_row <= LONGEST_B_ROW) {
    FN(fnn_gemm_sparse)(s, m0, m1, n0, n1, scratch);
  } else if (s->n == 1 && (!s->c || s->c_row == 1)) {
    column(s, m0, m1, scratch);
  } else if (s->b_transposed && s->k == 1 && s->b_row == 1) { /* a column is a row */
    FN(fnn_product) plain = *s;
    plain.b_transposed = 0;
    dense(&plain, m0, m1, n0, n1, scratch);
  } else if (turns(s, m1 - m0)) {
    FN(fnn_product) by_columns = turned(s);
    by_columns.epilogue = turn_back;
    dense(&by_columns, n0, n1, m0, m1, scratch);
  } else {
    dense(s, m0, m1, n0, n1, scratch);
  }
}

FN(fnn_product) FN(fnn_half)(const FN(fnn_product) *s, int half) {
  FN(fnn_product) part = *s;
  const size_t middle = s->k / 2;
  part.in_halves = 0;
  part.epilogue = NULL;
  part.k = half ? s->k - middle : middle;
  if (half) {
    part.a += middle * s->a_step;
    part.b += middle * (s->b_transposed ? 1 : s->b_row);
  }
  return part;
}

void FN(fnn_add_half)(const FN(fnn_product) *s, const real *block, size_t row, size_t i0, size_t i1,
                      size_t j0, size_t j1) {
  const FN(fnn_kernels) *kernels = FN(fnn_kernel_table)();
  real *c = s->c + i0 * s->c_row + j0;
  const int whole = row == s->c_row && row == j1 - j0; /* rows that follow one another are one */
  const size_t rows = whole ? 1 : i1 - i0, n = whole ? (i1 - i0) * row : j1 - j0;
  for (size_t i = 0; i < rows; i++)
    kernels->add(c + i * s->c_row, block + i * row, n);
  if (s->epilogue)
    s->epilogue(s->context, c, s->c_row, i0, i1, j0, j1);
}

static void add_half(void *context, real *block, size_t row, size_t i0, size_t i1, size_t j0,
                     size_t j1) {
  FN(fnn_add_half)(context, block, row, i0, i1, j0, j1);
}

void FN(fnn_gemm)(const FN(fnn_product) *s, size_t m0, size_t m1, size_t n0, size_t n1,
                  real *scratch) {
  if (m0 >= m1 || n0 >= n1)
    return;
  if (s->in_halves) {
    const FN(fnn_product) first = FN(fnn_half)(s, 0);
    FN(fnn_product) second = FN(fnn_half)(s, 1);
    second.c = NULL;
    second.epilogue = add_half;
    second.context = (void *)s;
    one_sum(&first, m0, m1, n0, n1, scratch);
    one_sum(&second, m0, m1, n0, n1, scratch);
  } else {
    one_sum(s, m0, m1, n0, n1, scratch);
  }
}
