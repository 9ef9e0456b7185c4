/* Matrix products over the micro-kernel: blocking and packing. Internal; see gemm.c. */
#ifndef FNN_GEMM_H
#define FNN_GEMM_H

#include "kernels/kernels.h"

/* C (m x n) = [C +] A (m x k) B (k x n).
 * A[i,p] = a[i*a_row + p*a_step]; B[p,j] = b[p*b_row + j], or b[j*b_row + p] if b_transposed. */
typedef struct FN(fnn_product) {
  size_t m, n, k;
  const real *a;
  size_t a_row, a_step;
  const real *b;
  size_t b_row;
  int b_transposed;
  real *c; /* NULL: each finished block goes to a scratch tile that only the epilogue sees */
  size_t c_row;
  int accumulate;
  int in_halves; /* a stored C is two sums: of the first k / 2 steps, rounded down, and of the
                    others; accumulate must be 0 */
  int a_sparse; /* most of A is zero: the terms that it makes zero are left out (gemm_sparse.c) */
  int skips_zero_rows; /* with a_sparse, and a C that is not stored: rows whose A is zero are neither
                          made nor shown to the epilogue */
  /* Called once for every finished block, rows i0..i1 and columns j0..j1 of C, which begins at
   * `block` with row stride `row`, while it is still in the cache. May be NULL if c is not. */
  void (*epilogue)(void *context, real *block, size_t row, size_t i0, size_t i1, size_t j0,
                   size_t j1);
  void *context;
  const real *written; /* NULL, or what the epilogue writes, [i,j] at written[i*c_row+j]: others have
                          read it, so its cache lines are asked for before each tile */
} FN(fnn_product);

/* Computes rows m0..m1, columns n0..n1 with the scratch memory of one thread. n0 is a multiple of
 * FNN_LANES. */
void FN(fnn_gemm)(const FN(fnn_product) *product, size_t m0, size_t m1, size_t n0, size_t n1,
                  real *scratch);

/* For threads that share packed blocks of B: how a dense product of m x n is blocked; room for a
 * packed block in a thread's scratch memory; and rows m0..m1 of one block of columns and steps, of
 * which B is packed (NULL: read where it lies). */
typedef struct {
  size_t columns, depth; /* of a block */
  size_t width;          /* of a panel */
  int pack_b, pack_a;
} FN(fnn_blocking);

FN(fnn_blocking) FN(fnn_choose_blocking)(const FN(fnn_product) *product, size_t m, size_t n);
real *FN(fnn_packed_block)(real *scratch);
void FN(fnn_gemm_block)(const FN(fnn_product) *product, const FN(fnn_blocking) *blocking,
                        const real *packed, size_t m0, size_t m1, size_t n0, size_t n1, size_t p0,
                        size_t p1, real *scratch);

/* For a product in halves that are not computed together: half 0 or 1 of the steps by itself,
 * without an epilogue; and the rest of the work on rows i0..i1 and columns j0..j1, of which C has
 * the first half, and `block`, with row stride `row`, the second. */
FN(fnn_product) FN(fnn_half)(const FN(fnn_product) *product, int half);
void FN(fnn_add_half)(const FN(fnn_product) *product, const real *block, size_t row, size_t i0,
                      size_t i1, size_t j0, size_t j1);

/* Elements of scratch that one thread needs for a product of these sizes. */
size_t FN(fnn_gemm_scratch)(size_t n, size_t k);

/* --- shared by gemm.c and gemm_sparse.c ------------------------------------------------------ */

#define C_ROWS 48     /* most rows of a block of C */
#define C_COLUMNS 512 /* most columns, unless C is stored and B is packed */

static inline size_t least(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t greatest(size_t a, size_t b) { return a > b ? a : b; }
static inline size_t up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

/* How many blocks of at most so many things; at least one. */
static inline size_t block_count(size_t n, size_t most) {
  return n > most ? (n + most - 1) / most : 1;
}

/* Columns or steps of a block: as many as fit, in whole vectors, and all blocks nearly equal. */
static inline size_t block_length(size_t n, size_t most) {
  const size_t blocks = block_count(n, most < FNN_LANES ? FNN_LANES : most);
  return up((n + blocks - 1) / blocks, FNN_LANES);
}

/* Whether B is copied for m rows of C, and the copy of rows p0..p1 and columns n0..n1: panels of
 * `width` columns, whose rows follow one another. */
int FN(fnn_packs_b)(const FN(fnn_product) *product, size_t m);
void FN(fnn_pack_b)(real *to, const FN(fnn_product) *product, size_t p0, size_t p1, size_t n0,
                    size_t n1, size_t width);

/* fnn_gemm for a sparse A, unless the offsets of FNN_LANES rows of B need more than 32 bits. */
#define LONGEST_B_ROW (UINT32_MAX / FNN_LANES)
void FN(fnn_gemm_sparse)(const FN(fnn_product) *product, size_t m0, size_t m1, size_t n0, size_t n1,
                         real *scratch);
size_t FN(fnn_gemm_sparse_scratch)(size_t n, size_t k);

#endif
