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
  /* Called once for every finished block, rows i0..i1 and columns j0..j1 of C, which begins at
   * `block` with row stride `row`, while it is still in the cache. May be NULL if c is not. */
  void (*epilogue)(void *context, real *block, size_t row, size_t i0, size_t i1, size_t j0,
                   size_t j1);
  void *context;
} FN(fnn_product);

/* Computes rows m0..m1, columns n0..n1 with the scratch memory of one thread. n0 is a multiple of
 * FNN_LANES. */
void FN(fnn_gemm)(const FN(fnn_product) *product, size_t m0, size_t m1, size_t n0, size_t n1,
                  real *scratch);

/* Elements of scratch that one thread needs for a product of these sizes. */
size_t FN(fnn_gemm_scratch)(size_t n, size_t k);

#endif
