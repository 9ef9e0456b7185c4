/* The steps of ladder.py that are in C: y = x w + b, where x has m rows and k columns, w k rows and
 * n columns, and every array lies in memory row after row. One source, compiled with and without
 * vectors. No two arrays overlap (restrict), or the compiler could not reorder anything.
 */
#include <stddef.h>

#define ARRAYS                                                                                     \
  float *restrict y, const float *restrict x, const float *restrict w, const float *restrict b,    \
      size_t m, size_t n, size_t k

/* Faster than the loops in Python: types are known before it runs, so a multiplication and an
 * addition are two instructions, not two calls that look up types and make objects. */
void naive(ARRAYS) {
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++) {
      float sum = b[j];
      for (size_t p = 0; p < k; p++)
        sum += x[i * k + p] * w[p * n + j];
      y[i * n + j] = sum;
    }
}

/* Faster: w is read along its rows, so every number of a cache line that arrives is used at once;
 * and neighbouring additions belong to different sums, so none waits for the one before it.
 * The same loops compiled for this machine are faster again: eight or sixteen numbers an
 * instruction, and a multiplication and an addition fused into one. */
void along_rows(ARRAYS) {
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++)
      y[i * n + j] = b[j];
    for (size_t p = 0; p < k; p++)
      for (size_t j = 0; j < n; j++)
        y[i * n + j] += x[i * k + p] * w[p * n + j];
  }
}

#define ROWS 6    /* of a tile: 6 x 2 vectors of sums, 2 of w and 1 of x */
#define VECTORS 2 /* take 15 of the 16 registers that AVX2 has */
#define LANES 8   /* floats in a vector */
#define COLUMNS (VECTORS * LANES)

/* aligned(4): a row of w may begin anywhere. */
typedef float vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* `rows` x COLUMNS elements of y, over `depth` columns of x. The sums begin with the bias, or if
 * that is NULL with what y has. Inlined with constant `rows`, so that `sum` becomes registers. */
static inline __attribute__((always_inline)) void
tile(const size_t rows, float *y, const float *x, const float *w, const float *b, size_t n,
     size_t k, size_t depth) {
  vector sum[ROWS][VECTORS];
  for (size_t i = 0; i < rows; i++)
    for (size_t v = 0; v < VECTORS; v++)
      sum[i][v] = *(const vector *)((b ? b : y + i * n) + v * LANES);
#pragma GCC unroll 1 /* so that `sum` fills the registers, and nothing else does */
  for (size_t p = 0; p < depth; p++)
    for (size_t i = 0; i < rows; i++)
      for (size_t v = 0; v < VECTORS; v++)
        sum[i][v] += x[i * k + p] * *(const vector *)(w + p * n + v * LANES);
  for (size_t i = 0; i < rows; i++)
    for (size_t v = 0; v < VECTORS; v++)
      *(vector *)(y + i * n + v * LANES) = sum[i][v];
}

/* Tiles one below the other. The last m % ROWS rows are tiles of a single row. */
static void column_of_tiles(float *y, const float *x, const float *w, const float *b, size_t m,
                            size_t n, size_t k, size_t depth) {
  size_t i = 0;
  for (; i + ROWS <= m; i += ROWS)
    tile(ROWS, y + i * n, x + i * k, w, b, n, k, depth);
  for (; i < m; i++)
    tile(1, y + i * n, x + i * k, w, b, n, k, depth);
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Faster: the sums stay in registers while p runs, where before each was loaded and stored at every
 * step; and a vector of w, once loaded, serves six rows. (n >= 16: the last tile begins at n - 16,
 * and computes a few elements of the one before again.) */
void register_tile(ARRAYS) {
  for (size_t i = 0; i < m; i += ROWS)
    for (size_t j = 0; j < n; j += COLUMNS) {
      const size_t left = least(j, n - COLUMNS);
      column_of_tiles(y + i * n + left, x + i * k, w + left, b + left, least(ROWS, m - i), n, k, k);
    }
}

/* Faster: all rows of x pass over one piece of w, 128 x 16 floats, 8 KiB in the first-level cache,
 * before the next piece is fetched; before, all of w came from a slower cache for every six rows. */
#define DEPTH 128
void panels(ARRAYS) {
  for (size_t j = 0; j < n; j += COLUMNS) {
    const size_t left = least(j, n - COLUMNS);
    for (size_t p = 0; p < k; p += DEPTH)
      column_of_tiles(y + left, x + p, w + p * n + left, p == 0 ? b + left : NULL, m, n, k,
                      least(DEPTH, k - p));
  }
}
