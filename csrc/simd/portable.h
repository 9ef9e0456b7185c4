/* Portable: 16-byte registers in the vector extensions of GCC and Clang, for any CPU.
 *
 * Without a hardware FMA, float's is had exactly in double: the product of two floats is exact
 * there, and a sum rounded to odd there rounds to the right float (Boldo and Melquiond, "Emulation
 * of FMA and correctly rounded sums: proved algorithms using rounding to odd", IEEE Transactions
 * on Computers 57(4), 2008). double's is C11 fma().
 */
#include <math.h>

#define FNN_REGS 4
typedef sint ireg __attribute__((vector_size(16)));
typedef real reg __attribute__((vector_size(16)));
typedef ireg mreg; /* a mask: all bits of a lane set or clear */

#ifdef FNN_DOUBLE
#define FNN_SPLAT(x) {x, x}
#define FNN_IOTA ((ireg){0, 1})
#define FNN_UINT uint64_t
#else
#define FNN_SPLAT(x) {x, x, x, x}
#define FNN_IOTA ((ireg){0, 1, 2, 3})
#define FNN_UINT uint32_t
#endif
typedef FNN_UINT ureg __attribute__((vector_size(16)));

FNN_INLINE reg reg_load(const real *p) {
  reg a;
  memcpy(&a, p, sizeof a);
  return a;
}

FNN_INLINE void reg_store(real *p, reg a) { memcpy(p, &a, sizeof a); }

/* Out of line: rarely run, and long. */
static __attribute__((noinline, unused)) reg reg_load_n(const real *p, ptrdiff_t n) {
  reg a = FNN_SPLAT(0);
  if (n >= (ptrdiff_t)(sizeof a / sizeof *p)) return reg_load(p);
  for (ptrdiff_t i = 0; i < n; i++) a[i] = p[i];
  return a;
}

static __attribute__((noinline, unused)) void reg_store_n(real *p, reg a, ptrdiff_t n) {
  if (n >= (ptrdiff_t)(sizeof a / sizeof *p))
    reg_store(p, a);
  else
    for (ptrdiff_t i = 0; i < n; i++) p[i] = a[i];
}

FNN_INLINE reg reg_set(real x) { return (reg)FNN_SPLAT(x); }
FNN_INLINE ireg ireg_set(sint x) { return (ireg)FNN_SPLAT(x); }

#define reg_bits(a) ((ireg)(a))
#define reg_from_bits(a) ((reg)(a))
#define reg_add(a, b) ((a) + (b))
#define reg_sub(a, b) ((a) - (b))
#define reg_mul(a, b) ((a) * (b))
#define reg_div(a, b) ((a) / (b))
#define reg_lt(a, b) ((a) < (b))
#define reg_le(a, b) ((a) <= (b))
#define reg_eq(a, b) ((a) == (b))
#define reg_not_lt(a, b) (~((a) < (b)))
#define mask_and_reg(a, b) ((a) & (b))
#define ireg_and(a, b) ((a) & (b))
#define ireg_or(a, b) ((a) | (b))
#define ireg_xor(a, b) ((a) ^ (b))
#define ireg_add(a, b) ((ireg)((ureg)(a) + (ureg)(b))) /* unsigned: wraps around */
#define ireg_sub(a, b) ((ireg)((ureg)(a) - (ureg)(b)))
#define ireg_shl(a, n) ((ireg)((ureg)(a) << (n)))
#define ireg_shr(a, n) ((ireg)((ureg)(a) >> (n)))

FNN_INLINE mreg mask_first_reg(ptrdiff_t n) { return FNN_IOTA < ireg_set((sint)n); }

FNN_INLINE reg reg_where(mreg m, reg a) { return (reg)((ireg)a & m); }

FNN_INLINE reg reg_select(mreg m, reg a, reg b) { return (reg)(((ireg)a & m) | ((ireg)b & ~m)); }

FNN_INLINE reg reg_max(reg a, reg b) { return reg_select(a > b, a, b); }
FNN_INLINE reg reg_min(reg a, reg b) { return reg_select(a < b, a, b); }

#ifdef FNN_DOUBLE

FNN_INLINE reg reg_sqrt(reg a) { return (reg){sqrt(a[0]), sqrt(a[1])}; }

static __attribute__((noinline, unused)) reg reg_fma(reg a, reg b, reg c) {
  return (reg){fma(a[0], b[0], c[0]), fma(a[1], b[1], c[1])};
}

FNN_INLINE real reg_sum(reg a) { return a[0] + a[1]; }
FNN_INLINE real reg_max_across(reg a) { return a[0] > a[1] ? a[0] : a[1]; }

#else

FNN_INLINE reg reg_sqrt(reg a) {
  return (reg){sqrtf(a[0]), sqrtf(a[1]), sqrtf(a[2]), sqrtf(a[3])};
}

typedef double pair __attribute__((vector_size(16)));
typedef uint64_t upair __attribute__((vector_size(16)));

/* a*b + c, where the product is exact, rounded to odd: towards zero, last bit set if inexact. */
FNN_INLINE pair fma_to_odd(pair a, pair b, pair c) {
  pair p = a * b, s = p + c, t = s - p;
  pair e = (p - (s - t)) + (c - t);           /* the exact error of s (Knuth's two-sum) */
  upair inexact = (upair)(e < 0) | (upair)(e > 0); /* false for the NaN that infinities leave */
  upair too_far = ((upair)e ^ (upair)s) >> 63;     /* the error points back towards zero */
  return (pair)(((upair)s - (inexact & too_far)) | (inexact & 1));
}

/* Not inline: it is 60 instructions. */
static __attribute__((noinline, unused)) reg reg_fma(reg a, reg b, reg c) {
  pair lo = fma_to_odd((pair){a[0], a[1]}, (pair){b[0], b[1]}, (pair){c[0], c[1]});
  pair hi = fma_to_odd((pair){a[2], a[3]}, (pair){b[2], b[3]}, (pair){c[2], c[3]});
  return (reg){(float)lo[0], (float)lo[1], (float)hi[0], (float)hi[1]};
}

FNN_INLINE real reg_sum(reg a) { return (a[0] + a[2]) + (a[1] + a[3]); }

FNN_INLINE real reg_max_across(reg a) {
  real x = a[0] > a[2] ? a[0] : a[2], y = a[1] > a[3] ? a[1] : a[3];
  return x > y ? x : y;
}

#endif

FNN_INLINE reg reg_fnma(reg a, reg b, reg c) { return reg_fma(-a, b, c); }

/* 64-bit integers, for random.h; wreg_mul multiplies the low halves of each lane. */
typedef uint64_t wreg __attribute__((vector_size(16)));
#define wreg_set(x) ((wreg){x, x})
#define wreg_mul(a, b) (((a) & wreg_set(UINT32_MAX)) * ((b) & wreg_set(UINT32_MAX)))
#define wreg_xor(a, b) ((a) ^ (b))
#define wreg_high(a) ((a) >> 32)

FNN_INLINE wreg wreg_load(const uint64_t *p) {
  wreg a;
  memcpy(&a, p, sizeof a);
  return a;
}

FNN_INLINE void wreg_store(uint64_t *p, wreg a) { memcpy(p, &a, sizeof a); }
