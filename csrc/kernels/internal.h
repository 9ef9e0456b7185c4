/* What the files of kernels/ share: the vector, and the prototype of every entry of the table. */
#ifndef FNN_KERNELS_INTERNAL_H
#define FNN_KERNELS_INTERNAL_H

#include "../simd/simd.h"

size_t KERNEL(panel_width)(size_t, size_t, int);
void KERNEL(gemm_panel)(const FN(fnn_panel) *);
void KERNEL(gemm_sparse)(real *c, size_t c_row, const uint32_t *starts, const real *values,
                         const uint32_t *offsets, const real *b, size_t m, size_t n,
                         int accumulate);
size_t KERNEL(nonzeros)(real *values, uint32_t *steps, const real *a, size_t n);
void KERNEL(transpose)(real *to, size_t to_row, const real *from, size_t from_row, size_t n,
                       size_t k);

void KERNEL(activation_forward)(real *y, const real *x, const real *bias, int activation,
                                real slope, size_t rows, size_t row, size_t n);
void KERNEL(activation_backward)(real *dx, const real *dy, const real *x, const real *y,
                                 int activation, real slope, size_t rows, size_t row, size_t y_row,
                                 size_t n, int accumulate);

void KERNEL(scale)(real *y, const real *x, real factor, real offset, size_t n, int accumulate);
void KERNEL(add)(real *y, const real *x, size_t n);
void KERNEL(add_rows)(real *y, const real *x, size_t x_row, size_t rows, size_t n);
void KERNEL(dropout)(real *y, const real *x, double rate, fnn_random random, uint64_t first,
                     size_t n, int accumulate);
void KERNEL(uniform)(real *y, fnn_random random, uint64_t first, size_t n);
void KERNEL(shuffle)(int64_t *rows, size_t n, fnn_random random);
void KERNEL(convert)(real *y, const void *x, ptrdiff_t stride, int source_type, size_t n);

void KERNEL(crossentropy)(int kind, real *values, real *dx, real *probability, const real *t,
                          size_t t_row, const real *x, size_t row, real scale, size_t rows,
                          size_t n, int accumulate);

void KERNEL(update)(int rule, real *w, const real *g, size_t g_row, real *const *slots,
                    const double *c, size_t rows, size_t row, size_t n);

void KERNEL(map)(const fnn_step *steps, size_t n, real *const *registers, size_t rows);

size_t KERNEL(multiply_adds)(real *x, size_t n);

#endif
