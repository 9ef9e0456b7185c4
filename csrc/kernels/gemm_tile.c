/* The micro-kernel of every matrix product, and the transposing copy that feeds it.
 *
 *   C[i,j] = (accumulate ? C[i,j] : 0) + sum_p A[i,p] B[p,j]        i < m, j < n, p < k
 *
 * A tile of C lives in registers while p runs; each element is one chain of fused multiply-adds in
 * the order of p, so neither the tile's shape nor the vector's width can change a bit. A is read an
 * element at a time and broadcast, with any strides (along its rows, or along its columns); B is read
 * in vectors along its rows. Per p and tile: m broadcasts, r loads, m r multiply-adds (r registers).
 * Few rows take more vectors, so that about eight chains always hide the latency of the adder.
 *
 * Cost: 2 m n k FLOPs; (m + n) k elements read from cache.
 */
#include <stdint.h>

#include "kernels.h"

#include "../simd/simd.h"

/* ROWS[v]: the most rows of a tile of v vectors. VECTORS[m]: the vectors of a panel of m rows; the
 * last for more. NEAR: for more, if B stays in L1, where it may be read more often: three rows of
 * two AVX2 vectors take a load less than six of one. (7 to 9 rows have two, as tiles of four rows
 * and one vector are too few sums.) */
#if defined(FNN_ISA_AVX512)
#define ROWS {0, 8, 8, 8, 4, 1, 1, 1, 1}
#define VECTORS {0, 8, 4, 4, 4, 3}
#define NEAR 3
#elif defined(FNN_ISA_AVX2)
#define ROWS {0, 6, 3, 2, 1, 1, 1}
#define VECTORS {0, 6, 3, 2, 1, 1, 1, 2, 2, 2, 1}
#define NEAR 2
#elif defined(FNN_ISA_NEON)
#define ROWS {0, 6, 3, 1, 1}
#define VECTORS {0, 4, 2, 2, 1}
#define NEAR 1
#else
#define ROWS {0, 4}
#define VECTORS {0, 1}
#define NEAR 1
#endif
static const unsigned char rows_of[] = ROWS, vectors_of[] = VECTORS;

_Static_assert(sizeof(rows_of) - 1 <= PANEL_VECTORS, "scratch memory");
_Static_assert(SPARSE_VECTORS <= MOST_VECTORS, "scratch memory and sums");

/* Registers of columns: a last one that is not whole holds `n - j * REG_LANES` of them. */
#define MOST_REGISTERS (MOST_VECTORS * FNN_REGS)

static inline __attribute__((always_inline)) reg load(const real *at, size_t j, size_t whole,
                                                      size_t n) {
  return j < whole ? reg_load(at + j * REG_LANES)
                   : reg_load_n(at + j * REG_LANES, (ptrdiff_t)n - (ptrdiff_t)(j * REG_LANES));
}

/* sum += a column of A times a row of B, of which the shorter stays in registers. */
static inline __attribute__((always_inline)) void
add_products(const size_t m, const size_t regs, const size_t whole, reg (*sum)[MOST_REGISTERS],
             const real *a, size_t a_row, const real *b, size_t n) {
  if (m < regs) {
    reg x[TILE_ROWS];
#pragma GCC unroll 8
    for (size_t i = 0; i < m; i++)
      x[i] = reg_set(a[i * a_row]);
#pragma GCC unroll 32
    for (size_t j = 0; j < regs; j++) {
      const reg row = load(b, j, whole, n);
#pragma GCC unroll 8
      for (size_t i = 0; i < m; i++)
        sum[i][j] = reg_fma(x[i], row, sum[i][j]);
    }
  } else {
    reg row[TILE_ROWS];
#pragma GCC unroll 8
    for (size_t j = 0; j < regs; j++)
      row[j] = load(b, j, whole, n);
#pragma GCC unroll 8
    for (size_t i = 0; i < m; i++) {
      const reg x = reg_set(a[i * a_row]);
#pragma GCC unroll 8
      for (size_t j = 0; j < regs; j++)
        sum[i][j] = reg_fma(x, row[j], sum[i][j]);
    }
  }
}

/* With m, vectors and edge constant this unrolls into straight-line code. `edge`: the last vector
 * holds fewer than FNN_LANES columns. `listed`: the row of B that column p of A belongs to begins
 * at offsets[p]; else they are b_row apart. */
static inline __attribute__((always_inline)) void
tile(const size_t m, const size_t vectors, const int edge, const int listed, real *c, size_t c_row,
     const real *a, size_t a_row, size_t a_step, const uint32_t *offsets, const real *b,
     size_t b_row, size_t n, size_t k, int accumulate) {
  const size_t regs = vectors * FNN_REGS, whole = edge ? regs - FNN_REGS : regs;
  reg sum[TILE_ROWS][MOST_REGISTERS];

#pragma GCC unroll 8
  for (size_t i = 0; i < m; i++)
#pragma GCC unroll 32
    for (size_t j = 0; j < regs; j++)
      sum[i][j] = accumulate ? load(c + i * c_row, j, whole, n) : reg_set(0);
  if (listed)
    for (size_t p = 0; p < k; p++, a += a_step) {
      const real *row = b + offsets[p];
      __asm__("" : "+r"(row)); /* else gcc adds up the address of each vector by itself */
      add_products(m, regs, whole, sum, a, a_row, row, n);
    }
  else
#pragma GCC unroll 4
    for (size_t p = 0; p < k; p++, a += a_step, b += b_row)
      add_products(m, regs, whole, sum, a, a_row, b, n);
#pragma GCC unroll 8
  for (size_t i = 0; i < m; i++)
#pragma GCC unroll 32
    for (size_t j = 0; j < regs; j++) {
      real *at = c + i * c_row + j * REG_LANES;
      if (j < whole)
        reg_store(at, sum[i][j]);
      else if (n > j * REG_LANES)
        reg_store_n(at, sum[i][j], (ptrdiff_t)(n - j * REG_LANES));
    }
}

/* Asks for the cache lines of these rows, which need not begin with one, in order to write them
 * (prefetchw, if the instruction set has it; nothing on Intel before Broadwell). */
static __attribute__((noinline)) void fetch(const real *c, size_t c_row, size_t rows,
                                            size_t columns) {
  const uintptr_t line = FNN_LANES * sizeof(real);
  for (size_t i = 0; i < rows; i++, c += c_row)
    for (uintptr_t at = (uintptr_t)c / line * line; at < (uintptr_t)(c + columns); at += line)
      __builtin_prefetch((const void *)at, 1);
}

/* `count` tiles one below the other, from row i on: what they share is set up once. */
static inline __attribute__((always_inline)) void
tiles_below(const size_t m, const size_t v, const int edge, const FN(fnn_panel) *s, size_t i,
            size_t count) {
  const size_t c_row = s->c_row, a_row = s->a_row, a_step = s->a_step, written_row = s->written_row;
  const real *a = s->a + i * a_row, *written = s->written;
  real *c = s->c + i * c_row;
  if (written)
    written += i * written_row;
  for (; count; count--, i += m, c += m * c_row, a += m * a_row) {
    if (s->far && i + m < s->m) {
      const size_t left = s->m - i - m;
      fetch(c + m * c_row, c_row, left < m ? left : m, s->n);
    }
    if (written) {
      fetch(written, written_row, m, s->n);
      written += m * written_row;
    }
    tile(m, v, edge, 0, c, c_row, a, a_row, a_step, NULL, s->b, s->b_row, s->n, s->k,
         s->accumulate);
  }
}

typedef void (*tile_function)(const FN(fnn_panel) *, size_t, size_t);

#define TILE(m, v)                                                                                 \
  static void tile_##m##x##v(const FN(fnn_panel) *s, size_t i, size_t count) {                     \
    tiles_below(m, v, 0, s, i, count);                                                             \
  }                                                                                                \
  static void edge_##m##x##v(const FN(fnn_panel) *s, size_t i, size_t count) {                     \
    tiles_below(m, v, 1, s, i, count);                                                             \
  }

/* clang-format off */
#define T(m, v) {tile_##m##x##v, edge_##m##x##v}
#if defined(FNN_ISA_AVX512)
TILE(1,1) TILE(1,2) TILE(1,3) TILE(1,4) TILE(1,5) TILE(1,6) TILE(1,7) TILE(1,8)
TILE(2,1) TILE(2,2) TILE(2,3) TILE(2,4)
TILE(3,1) TILE(3,2) TILE(3,3) TILE(3,4)
TILE(4,1) TILE(4,2) TILE(4,3) TILE(4,4)
TILE(5,1) TILE(5,2) TILE(5,3)
TILE(6,1) TILE(6,2) TILE(6,3)
TILE(7,1) TILE(7,2) TILE(7,3)
TILE(8,1) TILE(8,2) TILE(8,3)
static const tile_function tiles[TILE_ROWS + 1][9][2] = {
  {{0}},
  {{0}, T(1,1), T(1,2), T(1,3), T(1,4), T(1,5), T(1,6), T(1,7), T(1,8)},
  {{0}, T(2,1), T(2,2), T(2,3), T(2,4)},
  {{0}, T(3,1), T(3,2), T(3,3), T(3,4)},
  {{0}, T(4,1), T(4,2), T(4,3), T(4,4)},
  {{0}, T(5,1), T(5,2), T(5,3)},
  {{0}, T(6,1), T(6,2), T(6,3)},
  {{0}, T(7,1), T(7,2), T(7,3)},
  {{0}, T(8,1), T(8,2), T(8,3)},
};
#elif defined(FNN_ISA_AVX2)
TILE(1,1) TILE(1,2) TILE(1,3) TILE(1,4) TILE(1,5) TILE(1,6)
TILE(2,1) TILE(2,2) TILE(2,3)
TILE(3,1) TILE(3,2)
TILE(4,1) TILE(5,1) TILE(6,1)
static const tile_function tiles[TILE_ROWS + 1][7][2] = {
  {{0}},
  {{0}, T(1,1), T(1,2), T(1,3), T(1,4), T(1,5), T(1,6)},
  {{0}, T(2,1), T(2,2), T(2,3)},
  {{0}, T(3,1), T(3,2)},
  {{0}, T(4,1)}, {{0}, T(5,1)}, {{0}, T(6,1)},
};
#elif defined(FNN_ISA_NEON)
TILE(1,1) TILE(1,2) TILE(1,3) TILE(1,4)
TILE(2,1) TILE(2,2)
TILE(3,1) TILE(3,2)
TILE(4,1) TILE(5,1) TILE(6,1)
static const tile_function tiles[TILE_ROWS + 1][5][2] = {
  {{0}},
  {{0}, T(1,1), T(1,2), T(1,3), T(1,4)},
  {{0}, T(2,1), T(2,2)},
  {{0}, T(3,1), T(3,2)},
  {{0}, T(4,1)}, {{0}, T(5,1)}, {{0}, T(6,1)},
};
#else
TILE(1,1) TILE(2,1) TILE(3,1) TILE(4,1)
static const tile_function tiles[TILE_ROWS + 1][2][2] = {
  {{0}}, {{0}, T(1,1)}, {{0}, T(2,1)}, {{0}, T(3,1)}, {{0}, T(4,1)},
};
#endif
/* clang-format on */

size_t KERNEL(panel_width)(size_t m, size_t n, int near) {
  const size_t listed = sizeof(vectors_of) - 1;
  if (near && m >= listed && n % (NEAR * FNN_LANES) == 0)
    return NEAR * FNN_LANES;
  return FNN_LANES * vectors_of[m < listed ? m : listed];
}

/* Tiles are of nearly equal height: 32 rows are 6+6+5+5+5+5, never 6+6+6+6+6+2. */
void KERNEL(gemm_panel)(const FN(fnn_panel) *s) {
  if (!s->m || !s->n)
    return;
  const size_t vectors = (s->n + FNN_LANES - 1) / FNN_LANES;
  const int edge = s->n % FNN_LANES != 0;
  const size_t count = (s->m + rows_of[vectors] - 1) / rows_of[vectors];
  const size_t height = s->m / count, higher = s->m % count;
  if (higher)
    tiles[height + 1][vectors][edge](s, 0, higher);
  tiles[height][vectors][edge](s, higher * (height + 1), count - higher);
}

/* A row of C after the other: a row of B that was loaded serves one of them only. */
static inline __attribute__((always_inline)) void
sparse_rows(const size_t v, const int edge, real *c, size_t c_row, const uint32_t *starts,
            const real *values, const uint32_t *offsets, const real *b, size_t m, size_t n,
            int accumulate) {
  for (size_t i = 0; i < m; i++, c += c_row)
    if (!accumulate || starts[i + 1] > starts[i])
      tile(1, v, edge, 1, c, 0, values + starts[i], 0, 1, offsets + starts[i], b, 0, n,
           starts[i + 1] - starts[i], accumulate);
}

/* No code for more vectors than this instruction set has sums for. */
#define SPARSE_ROWS(v)                                                                             \
  case v:                                                                                          \
    if (v > SPARSE_VECTORS)                                                                        \
      break;                                                                                       \
    if (n == v * FNN_LANES)                                                                        \
      sparse_rows(v, 0, c, c_row, starts, values, offsets, b, m, n, accumulate);                   \
    else                                                                                           \
      sparse_rows(v, 1, c, c_row, starts, values, offsets, b, m, n, accumulate);                   \
    break;

/* clang-format off */
void KERNEL(gemm_sparse)(real *c, size_t c_row, const uint32_t *starts, const real *values,
                         const uint32_t *offsets, const real *b, size_t m, size_t n,
                         int accumulate) {
  switch ((n + FNN_LANES - 1) / FNN_LANES) {
    SPARSE_ROWS(1) SPARSE_ROWS(2) SPARSE_ROWS(3) SPARSE_ROWS(4) SPARSE_ROWS(5)
    SPARSE_ROWS(6) SPARSE_ROWS(7) SPARSE_ROWS(8) SPARSE_ROWS(9) SPARSE_ROWS(10)
    SPARSE_ROWS(11) SPARSE_ROWS(12) SPARSE_ROWS(13) SPARSE_ROWS(14) SPARSE_ROWS(15)
    SPARSE_ROWS(16) SPARSE_ROWS(17) SPARSE_ROWS(18) SPARSE_ROWS(19) SPARSE_ROWS(20)
  }
}
/* clang-format on */

size_t KERNEL(nonzeros)(real *values, uint32_t *steps, const real *a, size_t n) {
  size_t count = 0;
  LONG_SPAN(n, { count += vec_list_nonzeros(values + count, steps + count, LOAD(a), (uint32_t)j); });
  return count;
}

/* A square of registers turned over: elements change places within parts of 16 bytes, then parts. At
 * an edge only so many rows and columns are there. */
static inline __attribute__((always_inline)) void
square(real *to, size_t to_row, const real *from, size_t from_row, const size_t rows,
       const size_t columns) {
  reg r[REG_LANES];
#pragma GCC unroll 16
  for (size_t i = 0; i < REG_LANES; i++) {
    const real *row = from + (i < rows ? i : rows - 1) * from_row;
    r[i] = columns == REG_LANES ? reg_load(row) : reg_load_n(row, (ptrdiff_t)columns);
  }
#pragma GCC unroll 4
  for (size_t q = 0; q < REG_LANES; q += PART_LANES) {
#ifdef FNN_DOUBLE
    const reg a = r[q];
    r[q] = reg_zip_low(a, r[q + 1]), r[q + 1] = reg_zip_high(a, r[q + 1]);
#else
    const reg a = reg_zip_low(r[q], r[q + 1]), b = reg_zip_high(r[q], r[q + 1]);
    const reg c = reg_zip_low(r[q + 2], r[q + 3]), d = reg_zip_high(r[q + 2], r[q + 3]);
    r[q] = reg_zip_pairs_low(a, c), r[q + 1] = reg_zip_pairs_high(a, c);
    r[q + 2] = reg_zip_pairs_low(b, d), r[q + 3] = reg_zip_pairs_high(b, d);
#endif
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < PART_LANES; i++)
    reg_turn_parts(r + i, PART_LANES);
#pragma GCC unroll 16
  for (size_t i = 0; i < REG_LANES; i++)
    if (i < columns) {
      if (rows == REG_LANES)
        reg_store(to + i * to_row, r[i]);
      else
        reg_store_n(to + i * to_row, r[i], (ptrdiff_t)rows);
    }
}

static __attribute__((noinline)) void
squares(real *to, size_t to_row, const real *from, size_t from_row, size_t count) {
  for (; count; count--, from += REG_LANES, to += REG_LANES * to_row) {
    __asm__("" : "+r"(from), "+r"(to)); /* else gcc keeps the addresses of all rows in memory */
    square(to, to_row, from, from_row, REG_LANES, REG_LANES);
  }
}

static __attribute__((noinline)) void
square_at_edge(real *to, size_t to_row, const real *from, size_t from_row, size_t rows,
               size_t columns) {
  square(to, to_row, from, from_row, rows, columns);
}

#define TOGETHER (4 * REG_LANES) /* steps: the lines of the copy are complete before long */

void KERNEL(transpose)(real *to, size_t to_row, const real *from, size_t from_row, size_t n,
                       size_t k) {
  for (size_t line = 0; line < n; line += LANES)
    for (size_t p0 = 0; p0 < k; p0 += TOGETHER) {
      const size_t p1 = k - p0 < TOGETHER ? k : p0 + TOGETHER;
      for (size_t j = line; j < n && j < line + LANES; j += REG_LANES) {
        const size_t rows = n - j < REG_LANES ? n - j : REG_LANES;
        size_t p = p0;
        if (rows == REG_LANES) {
          squares(to + p * to_row + j, to_row, from + j * from_row + p, from_row,
                  (p1 - p) / REG_LANES);
          p += (p1 - p) / REG_LANES * REG_LANES;
        }
        for (; p < p1; p += REG_LANES)
          square_at_edge(to + p * to_row + j, to_row, from + j * from_row + p, from_row, rows,
                         p1 - p < REG_LANES ? p1 - p : REG_LANES);
      }
    }
}
