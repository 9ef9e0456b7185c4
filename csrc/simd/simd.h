/* The virtual vector: 64 bytes, LANES = 16 floats or 8 doubles, on every instruction set.
 *
 * A vec is FNN_REGS hardware registers (1 zmm, 2 ymm, 4 NEON or SSE). The header of each
 * instruction set defines the operations of one register (reg_...); this file makes vectors of them,
 * so that a kernel is written once. Every operation is IEEE-exact or a bit operation, and every
 * reduction is one fixed tree, so a kernel gives the same bits everywhere. (The payload and sign of
 * a NaN may differ.)
 *
 * Compile with exactly one of FNN_ISA_AVX512, FNN_ISA_AVX2, FNN_ISA_NEON, FNN_ISA_PORTABLE, with
 * FNN_DOUBLE for double, and always with -ffp-contract=off.
 */
#ifndef FNN_SIMD_H
#define FNN_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../kernels/kernels.h"

#define FNN_INLINE static inline __attribute__((always_inline, unused))
#define LANES ((size_t)FNN_LANES)

/* An integer as wide as `real`, and the layout of its bits. */
#ifdef FNN_DOUBLE
typedef int64_t sint;
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define REAL_MIN_NORMAL 0x1p-1022
#else
typedef int32_t sint;
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define REAL_MIN_NORMAL 0x1p-126f
#endif
#define REAL(x) ((real)(x)) /* a constant of the element type */

/* KERNEL(name): the name of a function compiled for this instruction set and element type. */
#if defined(FNN_ISA_AVX512)
#define FNN_ISA_NAME "avx512"
#define FNN_ISA_SUFFIX(name) name##_avx512
#define TILE_ROWS 8 /* most rows of a GEMM tile: as many accumulators as the registers hold */
#define SPARSE_VECTORS MOST_VECTORS /* of a row of a sparse product */
#include "avx512.h"
#elif defined(FNN_ISA_AVX2)
#define FNN_ISA_NAME "avx2"
#define FNN_ISA_SUFFIX(name) name##_avx2
#define TILE_ROWS 6
#define SPARSE_VECTORS 7
#include "avx2.h"
#elif defined(FNN_ISA_NEON)
#define FNN_ISA_NAME "neon"
#define FNN_ISA_SUFFIX(name) name##_neon
#define TILE_ROWS 6
#define SPARSE_VECTORS 4
#include "neon.h"
#elif defined(FNN_ISA_PORTABLE)
#define FNN_ISA_NAME "portable"
#define FNN_ISA_SUFFIX(name) name##_portable
#define TILE_ROWS 4
#define SPARSE_VECTORS 1
#include "portable.h"
#else
#error "define one of FNN_ISA_AVX512, FNN_ISA_AVX2, FNN_ISA_NEON, FNN_ISA_PORTABLE"
#endif
#define FNN_KERNEL_EXPAND(name) FN(name)
#define KERNEL(name) FNN_KERNEL_EXPAND(FNN_ISA_SUFFIX(name))

/* vec, vint, vmask: FNN_REGS registers; EACH applies a register operation to all of them. */
#define REG_LANES (LANES / FNN_REGS)
#if FNN_REGS == 1
typedef struct { reg r0; } vec;
typedef struct { ireg r0; } vint;
typedef struct { mreg r0; } vmask;
#define EACH(type, f) ((type){f(0)})
#elif FNN_REGS == 2
typedef struct { reg r0, r1; } vec;
typedef struct { ireg r0, r1; } vint;
typedef struct { mreg r0, r1; } vmask;
#define EACH(type, f) ((type){f(0), f(1)})
#elif FNN_REGS == 4
typedef struct { reg r0, r1, r2, r3; } vec;
typedef struct { ireg r0, r1, r2, r3; } vint;
typedef struct { mreg r0, r1, r2, r3; } vmask;
#define EACH(type, f) ((type){f(0), f(1), f(2), f(3)})
#endif

/* --- loading and storing: no alignment is needed ------------------------------------------- */

FNN_INLINE vec vec_load(const real *p) {
#define F(k) reg_load(p + k * REG_LANES)
  return EACH(vec, F);
#undef F
}

FNN_INLINE void vec_store(real *p, vec a) {
  reg_store(p, a.r0);
#if FNN_REGS > 1
  reg_store(p + REG_LANES, a.r1);
#endif
#if FNN_REGS > 2
  reg_store(p + 2 * REG_LANES, a.r2);
  reg_store(p + 3 * REG_LANES, a.r3);
#endif
}

/* The first n <= LANES lanes; the others are 0. Nothing past p[n-1] is read. */
FNN_INLINE vec vec_load_n(const real *p, size_t n) {
#define F(k) reg_load_n(p + k * REG_LANES, (ptrdiff_t)n - (ptrdiff_t)(k * REG_LANES))
  return EACH(vec, F);
#undef F
}

/* The first n <= LANES lanes. Nothing past p[n-1] is written. */
FNN_INLINE void vec_store_n(real *p, vec a, size_t n) {
  reg_store_n(p, a.r0, (ptrdiff_t)n);
#if FNN_REGS > 1
  if (n > REG_LANES) reg_store_n(p + REG_LANES, a.r1, (ptrdiff_t)(n - REG_LANES));
#endif
#if FNN_REGS > 2
  if (n > 2 * REG_LANES) reg_store_n(p + 2 * REG_LANES, a.r2, (ptrdiff_t)(n - 2 * REG_LANES));
  if (n > 3 * REG_LANES) reg_store_n(p + 3 * REG_LANES, a.r3, (ptrdiff_t)(n - 3 * REG_LANES));
#endif
}

FNN_INLINE vec vec_set(real x) {
#define F(k) reg_set(x)
  return EACH(vec, F);
#undef F
}

FNN_INLINE vec vec_zero(void) { return vec_set(0); }

/* --- arithmetic: each operation rounds once -------------------------------------------------- */

#define FNN_UNARY(name, type, f)                                                                  \
  FNN_INLINE type name(type a) { return EACH(type, f); }
#define FNN_BINARY(name, type, f)                                                                 \
  FNN_INLINE type name(type a, type b) { return EACH(type, f); }
#define FNN_COMPARE(name, f)                                                                      \
  FNN_INLINE vmask name(vec a, vec b) { return EACH(vmask, f); }

#define F(k) reg_add(a.r##k, b.r##k)
FNN_BINARY(vec_add, vec, F)
#undef F
#define F(k) reg_sub(a.r##k, b.r##k)
FNN_BINARY(vec_sub, vec, F)
#undef F
#define F(k) reg_mul(a.r##k, b.r##k)
FNN_BINARY(vec_mul, vec, F)
#undef F
#define F(k) reg_div(a.r##k, b.r##k)
FNN_BINARY(vec_div, vec, F)
#undef F
/* a > b ? a : b and a < b ? a : b, so b if either is NaN. For operands of further arithmetic: while
 * denormals are flushed, some CPUs flush here and some do not. To store the result, compare and
 * select. */
#define F(k) reg_max(a.r##k, b.r##k)
FNN_BINARY(vec_max, vec, F)
#undef F
#define F(k) reg_min(a.r##k, b.r##k)
FNN_BINARY(vec_min, vec, F)
#undef F
#define F(k) reg_sqrt(a.r##k)
FNN_UNARY(vec_sqrt, vec, F)
#undef F

/* a*b + c */
FNN_INLINE vec vec_fma(vec a, vec b, vec c) {
#define F(k) reg_fma(a.r##k, b.r##k, c.r##k)
  return EACH(vec, F);
#undef F
}

/* c - a*b */
FNN_INLINE vec vec_fnma(vec a, vec b, vec c) {
#define F(k) reg_fnma(a.r##k, b.r##k, c.r##k)
  return EACH(vec, F);
#undef F
}

/* --- comparisons (false if either is NaN) and selection: denormals stay as they are ----------- */

#define F(k) reg_lt(a.r##k, b.r##k)
FNN_COMPARE(vec_lt, F)
#undef F
#define F(k) reg_le(a.r##k, b.r##k)
FNN_COMPARE(vec_le, F)
#undef F
#define F(k) reg_eq(a.r##k, b.r##k)
FNN_COMPARE(vec_eq, F)
#undef F
#define F(k) reg_not_lt(a.r##k, b.r##k) /* true if either is NaN */
FNN_COMPARE(vec_not_lt, F)
#undef F
FNN_INLINE vmask vec_gt(vec a, vec b) { return vec_lt(b, a); }
FNN_INLINE vmask vec_ge(vec a, vec b) { return vec_le(b, a); }

#define F(k) mask_and_reg(a.r##k, b.r##k)
FNN_BINARY(mask_and, vmask, F)
#undef F

/* Lanes 0 to n - 1. */
FNN_INLINE vmask mask_first(size_t n) {
#define F(k) mask_first_reg((ptrdiff_t)n - (ptrdiff_t)(k * REG_LANES))
  return EACH(vmask, F);
#undef F
}

/* m ? a : b */
FNN_INLINE vec vec_select(vmask m, vec a, vec b) {
#define F(k) reg_select(m.r##k, a.r##k, b.r##k)
  return EACH(vec, F);
#undef F
}

/* m ? a : 0 */
FNN_INLINE vec vec_where(vmask m, vec a) {
#define F(k) reg_where(m.r##k, a.r##k)
  return EACH(vec, F);
#undef F
}

/* --- bits ------------------------------------------------------------------------------------- */

FNN_INLINE vint vec_bits(vec a) {
#define F(k) reg_bits(a.r##k)
  return EACH(vint, F);
#undef F
}

FNN_INLINE vec vec_from_bits(vint a) {
#define F(k) reg_from_bits(a.r##k)
  return EACH(vec, F);
#undef F
}

FNN_INLINE vint vint_set(sint x) {
#define F(k) ireg_set(x)
  return EACH(vint, F);
#undef F
}

#define F(k) ireg_add(a.r##k, b.r##k)
FNN_BINARY(vint_add, vint, F)
#undef F
#define F(k) ireg_sub(a.r##k, b.r##k)
FNN_BINARY(vint_sub, vint, F)
#undef F
#define F(k) ireg_and(a.r##k, b.r##k)
FNN_BINARY(vint_and, vint, F)
#undef F
#define F(k) ireg_or(a.r##k, b.r##k)
FNN_BINARY(vint_or, vint, F)
#undef F
#define F(k) ireg_xor(a.r##k, b.r##k)
FNN_BINARY(vint_xor, vint, F)
#undef F

/* Shifts of the unsigned value by a constant. */
#define F(k) ireg_shl(a.r##k, MANTISSA_BITS)
FNN_UNARY(vint_shl_mantissa, vint, F)
#undef F
#define F(k) ireg_shr(a.r##k, MANTISSA_BITS)
FNN_UNARY(vint_shr_mantissa, vint, F)
#undef F
#define F(k) ireg_shr(a.r##k, 1)
FNN_UNARY(vint_half, vint, F)
#undef F

#define SIGN_BIT ((sint)((uint64_t)1 << (8 * sizeof(real) - 1)))

FNN_INLINE vec vec_abs(vec a) {
  return vec_from_bits(vint_and(vec_bits(a), vint_set(~SIGN_BIT)));
}

FNN_INLINE vec vec_neg(vec a) { return vec_from_bits(vint_xor(vec_bits(a), vint_set(SIGN_BIT))); }

/* |a| with the sign of s, for a >= 0. */
FNN_INLINE vec vec_with_sign(vec a, vec s) {
  return vec_from_bits(vint_or(vec_bits(a), vint_and(vec_bits(s), vint_set(SIGN_BIT))));
}

/* Adding ROUNDER rounds |x| < 2^(MANTISSA_BITS - 2) to an integer, ties to even, and leaves that
 * integer in the low bits of the sum: the same on every instruction set, with no conversions. */
#define ROUNDER REAL((uint64_t)3 << (MANTISSA_BITS - 1))

/* The nearest integer, as a real. */
FNN_INLINE vec vec_round(vec x) { return vec_sub(vec_add(x, vec_set(ROUNDER)), vec_set(ROUNDER)); }

/* A small integer (|i| < 2^(MANTISSA_BITS - 2)) as a real. */
FNN_INLINE vec vec_from_int(vint i) {
  vec rounder = vec_set(ROUNDER);
  return vec_sub(vec_from_bits(vint_add(i, vec_bits(rounder))), rounder);
}

#ifndef FNN_LISTS_NONZEROS
FNN_INLINE size_t reg_list_nonzeros(real *values, uint32_t *numbers, reg a, uint32_t first) {
  real lanes[REG_LANES];
  size_t n = 0;
  reg_store(lanes, a);
  for (uint32_t i = 0; i < REG_LANES; i++) {
    values[n] = lanes[i];
    numbers[n] = first + i;
    n += lanes[i] != 0;
  }
  return n;
}
#endif

/* Writes the lanes that are not zero one after the other, and first + their numbers; returns how
 * many there are. What follows them, up to LANES elements in all, may be overwritten. */
FNN_INLINE size_t vec_list_nonzeros(real *values, uint32_t *numbers, vec a, uint32_t first) {
  size_t n = reg_list_nonzeros(values, numbers, a.r0, first);
#if FNN_REGS > 1
  n += reg_list_nonzeros(values + n, numbers + n, a.r1, first + (uint32_t)REG_LANES);
#endif
#if FNN_REGS > 2
  n += reg_list_nonzeros(values + n, numbers + n, a.r2, first + 2 * (uint32_t)REG_LANES);
  n += reg_list_nonzeros(values + n, numbers + n, a.r3, first + 3 * (uint32_t)REG_LANES);
#endif
  return n;
}

/* --- parts of 16 bytes ------------------------------------------------------------------------ */

#define PART_LANES (16 / sizeof(real))

/* reg_turn_parts: part i of register j, every `step`-th of an array, and part j of register i change
 * places. The others interleave, in every part, the lower or upper halves of two registers, by
 * elements or (of floats) by pairs of them. */
#ifndef FNN_ZIPS
#define reg_turn_parts(r, step) ((void)(r)) /* registers of one part */
#ifdef __clang__
#define FNN_PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define FNN_PICK(a, b, ...) __builtin_shuffle(a, b, (ireg){__VA_ARGS__})
#endif
#ifdef FNN_DOUBLE
#define reg_zip_low(a, b) FNN_PICK(a, b, 0, 2)
#define reg_zip_high(a, b) FNN_PICK(a, b, 1, 3)
#else
#define reg_zip_low(a, b) FNN_PICK(a, b, 0, 4, 1, 5)
#define reg_zip_high(a, b) FNN_PICK(a, b, 2, 6, 3, 7)
#define reg_zip_pairs_low(a, b) FNN_PICK(a, b, 0, 1, 4, 5)
#define reg_zip_pairs_high(a, b) FNN_PICK(a, b, 2, 3, 6, 7)
#endif
#endif

/* --- reductions: lane i with lane i + LANES/2, then halves of that, down to one --------------- */

FNN_INLINE real vec_sum(vec a) {
#if FNN_REGS == 4
  return reg_sum(reg_add(reg_add(a.r0, a.r2), reg_add(a.r1, a.r3)));
#elif FNN_REGS == 2
  return reg_sum(reg_add(a.r0, a.r1));
#else
  return reg_sum(a.r0);
#endif
}

FNN_INLINE real vec_max_across(vec a) {
#if FNN_REGS == 4
  return reg_max_across(reg_max(reg_max(a.r0, a.r2), reg_max(a.r1, a.r3)));
#elif FNN_REGS == 2
  return reg_max_across(reg_max(a.r0, a.r1));
#else
  return reg_max_across(a.r0);
#endif
}

/* --- walking over a span ---------------------------------------------------------------------- */

/* Runs the statements for every whole vector of a span of n elements and then for its tail. In
 * them, j is the first element; LOAD, STORE and the constant or small `part` serve both cases. */
#define SPAN(n, ...)                                                                              \
  do {                                                                                            \
    const size_t span_ = (n);                                                                     \
    size_t j = 0;                                                                                 \
    for (; j + LANES <= span_; j += LANES) {                                                      \
      const size_t part = LANES;                                                                  \
      (void)part;                                                                                 \
      __VA_ARGS__                                                                                 \
    }                                                                                             \
    if (j < span_) {                                                                              \
      const size_t part = span_ - j;                                                              \
      __VA_ARGS__                                                                                 \
    }                                                                                             \
  } while (0)
/* The same with one copy of the statements, for long ones. */
#define LONG_SPAN(n, ...)                                                                         \
  do {                                                                                            \
    const size_t span_ = (n);                                                                     \
    for (size_t j = 0; j < span_; j += LANES) {                                                   \
      const size_t part = span_ - j < LANES ? span_ - j : LANES;                                  \
      (void)part;                                                                                 \
      __VA_ARGS__                                                                                 \
    }                                                                                             \
  } while (0)
#define LOAD(p) (part == LANES ? vec_load((p) + j) : vec_load_n((p) + j, part))
#define STORE(p, v) (part == LANES ? vec_store((p) + j, v) : vec_store_n((p) + j, v, part))
/* v in the lanes of the span, `other` in those past its end. */
#define INSIDE(v, other) (part == LANES ? (v) : vec_select(mask_first(part), v, other))

#endif
