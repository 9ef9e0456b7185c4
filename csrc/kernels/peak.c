/* The most multiply-adds that a core can do: chains in registers that wait for nothing else. */
#include "internal.h"

#if defined(FNN_ISA_PORTABLE)
#define CHAINS 2
#elif FNN_REGS == 1
#define CHAINS 12
#else
#define CHAINS 6 /* of two or four registers */
#endif

/* Makes the compiler believe that a vector has changed. */
#if defined(__x86_64__) && !defined(FNN_SIMD_EMULATION)
#define KEEP_REG(r) __asm__ volatile("" : "+x"(r))
#elif defined(__aarch64__)
#define KEEP_REG(r) __asm__ volatile("" : "+w"(r))
#else
#define KEEP_REG(r) __asm__ volatile("" : "+m"(r))
#endif
#if FNN_REGS == 1
#define KEEP(v) KEEP_REG((v).r0)
#elif FNN_REGS == 2
#define KEEP(v) KEEP_REG((v).r0); KEEP_REG((v).r1)
#else
#define KEEP(v) KEEP_REG((v).r0); KEEP_REG((v).r1); KEEP_REG((v).r2); KEEP_REG((v).r3)
#endif

#define STEPS 16

/* Adds x[0]*x[1] to each of CHAINS vectors n times STEPS times; returns the number of multiply-adds. */
size_t KERNEL(multiply_adds)(real *x, size_t n) {
  const vec a = vec_set(x[0]), b = vec_set(x[1]);
  vec sum[CHAINS];
#pragma GCC unroll 12
  for (size_t c = 0; c < CHAINS; c++) sum[c] = vec_zero();
  for (size_t i = 0; i < n; i++) {
#pragma GCC unroll 16
    for (size_t j = 0; j < STEPS; j++)
#pragma GCC unroll 12
      for (size_t c = 0; c < CHAINS; c++) sum[c] = vec_fma(a, b, sum[c]);
    /* The chains are alike, and the compiler must not notice. */
#pragma GCC unroll 12
    for (size_t c = 0; c < CHAINS; c++) { KEEP(sum[c]); }
  }
  for (size_t c = 1; c < CHAINS; c++) sum[0] = vec_add(sum[0], sum[c]);
  x[2] = vec_sum(sum[0]);
  return n * STEPS * CHAINS * LANES;
}
