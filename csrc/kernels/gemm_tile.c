/* The micro-kernel of every matrix product, and the transposing copy that feeds it.
 *
 *   C[i,j] = (accumulate ? C[i,j] : 0) + sum_p A[i,p] B[p,j]        i < m, j < n, p < k
 *
 * A tile of C lives in registers while p runs; each element is one chain of fused multiply-adds in
 * the order of p, so neither the tile's shape nor the vector's width can change a bit. A is read an
 * element at a time and broadcast, with any strides (along its rows, or along its columns); B is read
 * in vectors along its rows. Per p and tile: m broadcasts, v loads, m v multiply-adds.
 * Few rows take more vectors, so that about eight chains always hide the latency of the adder.
 *
 * Cost: 2 m n k FLOPs; (m + n) k elements read from cache.
 */
#include "kernels.h"

#include "../simd/simd.h"

#if defined(FNN_ISA_AVX512)
#define ROWS_OF_VECTORS {0, 8, 4, 4, 4, 3, 3, 3, 3}
#elif defined(FNN_ISA_AVX2)
#define ROWS_OF_VECTORS {0, 6, 3, 2, 1, 1, 1}
#elif defined(FNN_ISA_NEON)
#define ROWS_OF_VECTORS {0, 4, 2, 2, 1, 1, 1}
#else
#define ROWS_OF_VECTORS {0, 1, 1, 1, 1}
#endif

const unsigned char KERNEL(tile_vectors)[TILE_ROWS + 1] = ROWS_OF_VECTORS;

_Static_assert(SPARSE_VECTORS <= MOST_VECTORS, "scratch memory and sums");

/* sum += a column of A times a row of B. */
static inline __attribute__((always_inline)) void
add_products(const size_t m, const size_t v, const int edge, vec (*sum)[MOST_VECTORS],
             const real *a, size_t a_row, const real *b, size_t last) {
  vec row[MOST_VECTORS];
#pragma GCC unroll 20
  for (size_t j = 0; j < v; j++)
    row[j] = edge && j == v - 1 ? vec_load_n(b + j * FNN_LANES, last) : vec_load(b + j * FNN_LANES);
#pragma GCC unroll 8
  for (size_t i = 0; i < m; i++) {
    const vec x = vec_set(a[i * a_row]);
#pragma GCC unroll 20
    for (size_t j = 0; j < v; j++)
      sum[i][j] = vec_fma(x, row[j], sum[i][j]);
  }
}

/* With m, v and edge constant this unrolls into straight-line code. `edge`: the last vector holds
 * fewer than FNN_LANES columns. `listed`: the row of B that column p of A belongs to begins
 * at offsets[p]; else they are b_row apart. */
static inline __attribute__((always_inline)) void
tile(const size_t m, const size_t v, const int edge, const int listed, real *c, size_t c_row,
     const real *a, size_t a_row, size_t a_step, const uint32_t *offsets, const real *b,
     size_t b_row, size_t n, size_t k, int accumulate) {
  vec sum[TILE_ROWS][MOST_VECTORS];
  const size_t last = n - (v - 1) * FNN_LANES;

#pragma GCC unroll 8
  for (size_t i = 0; i < m; i++)
#pragma GCC unroll 20
    for (size_t j = 0; j < v; j++) {
      const real *at = c + i * c_row + j * FNN_LANES;
      sum[i][j] = !accumulate              ? vec_zero()
                  : edge && j == v - 1 ? vec_load_n(at, last)
                                           : vec_load(at);
    }
  if (listed)
    for (size_t p = 0; p < k; p++, a += a_step) {
      const real *row = b + offsets[p];
      __asm__("" : "+r"(row)); /* else gcc adds up the address of each vector by itself */
      add_products(m, v, edge, sum, a, a_row, row, last);
    }
  else
#pragma GCC unroll 4
    for (size_t p = 0; p < k; p++, a += a_step, b += b_row)
      add_products(m, v, edge, sum, a, a_row, b, last);
#pragma GCC unroll 8
  for (size_t i = 0; i < m; i++)
#pragma GCC unroll 20
    for (size_t j = 0; j < v; j++) {
      real *at = c + i * c_row + j * FNN_LANES;
      if (edge && j == v - 1)
        vec_store_n(at, sum[i][j], last);
      else
        vec_store(at, sum[i][j]);
    }
}

typedef void (*tile_function)(real *, size_t, const real *, size_t, size_t, const real *, size_t,
                              size_t, size_t, int);

#define TILE(m, v)                                                                                 \
  static void tile_##m##x##v(real *c, size_t c_row, const real *a, size_t a_row, size_t a_step,    \
                             const real *b, size_t b_row, size_t n, size_t k, int accumulate) {    \
    if (n == v * FNN_LANES)                                                                        \
      tile(m, v, 0, 0, c, c_row, a, a_row, a_step, NULL, b, b_row, n, k, accumulate);              \
    else                                                                                           \
      tile(m, v, 1, 0, c, c_row, a, a_row, a_step, NULL, b, b_row, n, k, accumulate);              \
  }

/* clang-format off */
#if defined(FNN_ISA_AVX512)
TILE(1,1) TILE(1,2) TILE(1,3) TILE(1,4) TILE(1,5) TILE(1,6) TILE(1,7) TILE(1,8)
TILE(2,1) TILE(2,2) TILE(2,3) TILE(2,4)
TILE(3,1) TILE(3,2) TILE(3,3) TILE(3,4)
TILE(4,1) TILE(4,2) TILE(4,3) TILE(4,4)
TILE(5,1) TILE(5,2) TILE(5,3)
TILE(6,1) TILE(6,2) TILE(6,3)
TILE(7,1) TILE(7,2) TILE(7,3)
TILE(8,1) TILE(8,2) TILE(8,3)
static const tile_function tiles[TILE_ROWS + 1][9] = {
  {0},
  {0, tile_1x1, tile_1x2, tile_1x3, tile_1x4, tile_1x5, tile_1x6, tile_1x7, tile_1x8},
  {0, tile_2x1, tile_2x2, tile_2x3, tile_2x4},
  {0, tile_3x1, tile_3x2, tile_3x3, tile_3x4},
  {0, tile_4x1, tile_4x2, tile_4x3, tile_4x4},
  {0, tile_5x1, tile_5x2, tile_5x3},
  {0, tile_6x1, tile_6x2, tile_6x3},
  {0, tile_7x1, tile_7x2, tile_7x3},
  {0, tile_8x1, tile_8x2, tile_8x3},
};
#elif defined(FNN_ISA_AVX2)
TILE(1,1) TILE(1,2) TILE(1,3) TILE(1,4) TILE(1,5) TILE(1,6)
TILE(2,1) TILE(2,2) TILE(2,3)
TILE(3,1) TILE(3,2)
TILE(4,1) TILE(5,1) TILE(6,1)
static const tile_function tiles[TILE_ROWS + 1][7] = {
  {0},
  {0, tile_1x1, tile_1x2, tile_1x3, tile_1x4, tile_1x5, tile_1x6},
  {0, tile_2x1, tile_2x2, tile_2x3},
  {0, tile_3x1, tile_3x2},
  {0, tile_4x1}, {0, tile_5x1}, {0, tile_6x1},
};
#elif defined(FNN_ISA_NEON)
TILE(1,1) TILE(1,2) TILE(1,3) TILE(1,4)
TILE(2,1) TILE(2,2)
TILE(3,1) TILE(3,2)
TILE(4,1) TILE(5,1) TILE(6,1)
static const tile_function tiles[TILE_ROWS + 1][5] = {
  {0},
  {0, tile_1x1, tile_1x2, tile_1x3, tile_1x4},
  {0, tile_2x1, tile_2x2},
  {0, tile_3x1, tile_3x2},
  {0, tile_4x1}, {0, tile_5x1}, {0, tile_6x1},
};
#else
TILE(1,1) TILE(2,1) TILE(3,1) TILE(4,1)
static const tile_function tiles[TILE_ROWS + 1][2] = {
  {0}, {0, tile_1x1}, {0, tile_2x1}, {0, tile_3x1}, {0, tile_4x1},
};
#endif
/* clang-format on */

void KERNEL(gemm_tile)(real *c, size_t c_row, const real *a, size_t a_row, size_t a_step,
                       const real *b, size_t b_row, size_t m, size_t n, size_t k, int accumulate) {
  if (m && n)
    tiles[m][(n + FNN_LANES - 1) / FNN_LANES](c, c_row, a, a_row, a_step, b, b_row, n, k,
                                              accumulate);
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
#define ROWS(v)                                                                                    \
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
    ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) ROWS(9) ROWS(10)
    ROWS(11) ROWS(12) ROWS(13) ROWS(14) ROWS(15) ROWS(16) ROWS(17) ROWS(18) ROWS(19) ROWS(20)
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
square_within(real *to, size_t to_row, const real *from, size_t from_row) {
  square(to, to_row, from, from_row, REG_LANES, REG_LANES);
}

static __attribute__((noinline)) void
square_at_edge(real *to, size_t to_row, const real *from, size_t from_row, size_t rows,
               size_t columns) {
  square(to, to_row, from, from_row, rows, columns);
}

/* Whole cache lines of the copy, one after the other. */
void KERNEL(transpose)(real *to, size_t to_row, const real *from, size_t from_row, size_t n,
                       size_t k) {
  for (size_t line = 0; line < n; line += LANES)
    for (size_t p = 0; p < k; p += REG_LANES)
      for (size_t j = line; j < n && j < line + LANES; j += REG_LANES) {
        const size_t rows = n - j < REG_LANES ? n - j : REG_LANES;
        const size_t columns = k - p < REG_LANES ? k - p : REG_LANES;
        real *corner = to + p * to_row + j;
        if (rows == REG_LANES && columns == REG_LANES)
          square_within(corner, to_row, from + j * from_row + p, from_row);
        else
          square_at_edge(corner, to_row, from + j * from_row + p, from_row, rows, columns);
      }
}
