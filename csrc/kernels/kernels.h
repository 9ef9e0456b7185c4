/* The kernel table: everything that is compiled once per instruction set and element type.
 *
 * Every file of kernels/ is compiled with one of FNN_ISA_AVX512, FNN_ISA_AVX2, FNN_ISA_NEON,
 * FNN_ISA_PORTABLE and with FNN_DOUBLE defined or not; `real` is the element type. The drivers
 * (program/, gemm.c) see only this table and never name an instruction set.
 *
 * All spans are contiguous; n may be any value including 0; nothing past n is read or written.
 * No kernel allocates, calls libm, or depends on how its caller divides work into spans (row
 * functions always get whole rows).
 */
#ifndef FNN_KERNELS_H
#define FNN_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "../fastnn.h"

#ifdef FNN_DOUBLE
typedef double real;
#define FN(name) name##_f64
#else
typedef float real;
#define FN(name) name##_f32
#endif

#define FNN_LANES (64 / sizeof(real)) /* lanes of the virtual vector: 16 floats or 8 doubles */
#define PANEL_VECTORS 8 /* of the widest panel */
#define MOST_VECTORS 20 /* of a row of sums in registers, on any instruction set: 320 floats */

/* A state of the counter-based generator: word i is number i % 4 of
 * Philox4x32-10(key = seed, counter = {i / 4 (64 bit), step, stream}). */
typedef struct {
  uint64_t seed;
  uint32_t step, stream;
} fnn_random;

/* C[i,j] = (accumulate ? C[i,j] : 0) + sum_p A[i*a_row + p*a_step] * B[p*b_row + j], p < k
 * increasing, one FMA chain each; any number of rows i < m, columns j < n <= panel_width(1, n, 0). */
typedef struct FN(fnn_panel) {
  real *c;
  size_t c_row;
  const real *a;
  size_t a_row, a_step;
  const real *b;
  size_t b_row;
  size_t m, n, k;
  int accumulate;
  int far;             /* C may be in no cache */
  const real *written; /* NULL, or [i,j] at written[i*written_row+j] will be written soon */
  size_t written_row;
} FN(fnn_panel);

typedef struct FN(fnn_kernels) {
  const char *isa;

  /* --- gemm_tile.c ----------------------------------------------------------------------- */
  int tile_rows; /* most rows a tile may have: a good unit to divide rows by */
  /* The best width of a panel for m x n elements of C, in whole vectors. near: B stays in L1. */
  size_t (*panel_width)(size_t m, size_t n, int near);
  void (*gemm_panel)(const FN(fnn_panel) *panel);
  int sparse_vectors; /* vectors of columns that gemm_sparse takes */
  /* Rows of C from the elements of A that are not zero; row i has starts[i] to starts[i+1]:
   * C[i,j] = (accumulate ? C[i,j] : 0) + sum_t values[t] * B[offsets[t] + j],
   * j < n <= sparse_vectors*FNN_LANES. */
  void (*gemm_sparse)(real *c, size_t c_row, const uint32_t *starts, const real *values,
                      const uint32_t *offsets, const real *b, size_t m, size_t n,
                      int accumulate);
  /* Lists the elements of a[0..n) that are not zero, and where they stand; returns their number.
   * Up to FNN_LANES more may be written. */
  size_t (*nonzeros)(real *values, uint32_t *steps, const real *a, size_t n);
  /* to[p*to_row + j] = from[j*from_row + p], p < k, j < n: a transposing copy. */
  void (*transpose)(real *to, size_t to_row, const real *from, size_t from_row, size_t n, size_t k);

  /* --- activations.c --------------------------------------------------------------------- */
  /* y = f(x + bias) for rows of n elements, `row` apart; bias may be NULL; y may be x. */
  void (*activation_forward)(real *y, const real *x, const real *bias, int activation, real slope,
                             size_t rows, size_t row, size_t n);
  /* dx = (accumulate ? dx : 0) + dy f'(x). Uses y where f' can be had from it; x is read only by
   * silu, gelu and mish (NULL otherwise). dx may be dy. Rows of dx and dy are `row` apart, those of
   * x and y `y_row`. */
  void (*activation_backward)(real *dx, const real *dy, const real *x, const real *y,
                              int activation, real slope, size_t rows, size_t row, size_t y_row,
                              size_t n, int accumulate);

  /* --- elementwise.c --------------------------------------------------------------------- */
  void (*scale)(real *y, const real *x, real factor, real offset, size_t n, int accumulate);
                                   /* y = (accumulate ? y : 0) + (x*factor + offset) */
  void (*add)(real *y, const real *x, size_t n);                   /* y += x */
  void (*add_rows)(real *y, const real *x, size_t x_row, size_t rows, size_t n);
                                   /* y += each row of x, one after the other */
  /* y[i] = word first + i as a number between 0 and 1. */
  void (*uniform)(real *y, fnn_random random, uint64_t first, size_t n);
  /* Inverted dropout of elements first..first+n of a tensor: y = keep ? x/(1-rate) : 0; element
   * e is kept if half e % 2 (first the lower 16 bits) of word e / 2 is at least floor(rate * 2^16).
   * Forward and backward are the same function. */
  void (*dropout)(real *y, const real *x, double rate, fnn_random random, uint64_t first, size_t n,
                  int accumulate);
  /* Puts rows[0..n), n < 2^32, into a random order. */
  void (*shuffle)(int64_t *rows, size_t n, fnn_random random);
  /* y[j] = (real)x[j], x of the given source type with a stride in bytes. */
  void (*convert)(real *y, const void *x, ptrdiff_t stride, int source_type, size_t n);

  /* --- crossentropy.c -------------------------------------------------------------------- */
  /* values[i] for targets t and logits x of row i of n features; rows are t_row and `row` apart.
   * Sparse targets are one number; all others have n. dx = (accumulate ? dx : 0) + scale dvalue/dx.
   * dx may be NULL (evaluation), and so may `probability`, to which sigmoid or softmax of the
   * logits go; the rows of both are `row` apart. */
  void (*crossentropy)(int kind, real *values, real *dx, real *probability, const real *t,
                       size_t t_row, const real *x, size_t row, real scale, size_t rows, size_t n,
                       int accumulate);

  /* --- updates.c ------------------------------------------------------------------------- */
  /* One optimizer step of rows x n parameters, whose rows and those of the slots are `row` elements
   * apart; c has FNN_COEFFICIENTS entries (see ops.def). */
  void (*update)(int rule, real *w, const real *g, size_t g_row, real *const *slots,
                 const double *c, size_t rows, size_t row, size_t n);

  /* --- map.c ----------------------------------------------------------------------------- */
  /* Does n steps in order for a tile of `rows` samples; register k lies at registers[k]. */
  void (*map)(const fnn_step *steps, size_t n, real *const *registers, size_t rows);

  /* --- peak.c ---------------------------------------------------------------------------- */
  /* Nothing but multiply-adds of x[0] and x[1], whose sum goes to x[2]; returns their number. */
  size_t (*multiply_adds)(real *x, size_t n);
} FN(fnn_kernels);

extern const FN(fnn_kernels) FN(fnn_kernels_avx512), FN(fnn_kernels_avx2), FN(fnn_kernels_neon),
    FN(fnn_kernels_portable);

/* The table of the instruction set chosen at load time (cpu.c). */
const FN(fnn_kernels) *FN(fnn_kernel_table)(void);

#endif
