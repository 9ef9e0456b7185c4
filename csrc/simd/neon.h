/* NEON of AArch64: one register is 4 floats or 2 doubles, four make a vector.
 *
 * One difference from x86 remains while denormals are flushed: a result that is denormal before
 * rounding and would round up to the smallest normal number is flushed here and kept there. */
#include <arm_neon.h>

#define FNN_REGS 4
#ifdef FNN_DOUBLE
typedef float64x2_t reg;
typedef uint64x2_t ireg;
#define VF(op) v##op##q_f64
#define VU(op) v##op##q_u64
#define reg_bits(a) vreinterpretq_u64_f64(a)
#define reg_from_bits(a) vreinterpretq_f64_u64(a)
#define reg_set(x) vdupq_n_f64(x)
#define ireg_set(x) vdupq_n_u64((uint64_t)(x))
#define ireg_shl(a, n) vshlq_n_u64(a, n)
#define ireg_shr(a, n) vshrq_n_u64(a, n)
#else
typedef float32x4_t reg;
typedef uint32x4_t ireg;
#define VF(op) v##op##q_f32
#define VU(op) v##op##q_u32
#define reg_bits(a) vreinterpretq_u32_f32(a)
#define reg_from_bits(a) vreinterpretq_f32_u32(a)
#define reg_set(x) vdupq_n_f32(x)
#define ireg_set(x) vdupq_n_u32((uint32_t)(x))
#define ireg_shl(a, n) vshlq_n_u32(a, n)
#define ireg_shr(a, n) vshrq_n_u32(a, n)
#endif
typedef ireg mreg; /* a mask: all bits of a lane set or clear */

FNN_INLINE reg reg_load(const real *p) { return VF(ld1)(p); }
FNN_INLINE void reg_store(real *p, reg a) { VF(st1)(p, a); }
FNN_INLINE reg reg_add(reg a, reg b) { return VF(add)(a, b); }
FNN_INLINE reg reg_sub(reg a, reg b) { return VF(sub)(a, b); }
FNN_INLINE reg reg_mul(reg a, reg b) { return VF(mul)(a, b); }
FNN_INLINE reg reg_div(reg a, reg b) { return VF(div)(a, b); }
FNN_INLINE reg reg_sqrt(reg a) { return VF(sqrt)(a); }
FNN_INLINE reg reg_fma(reg a, reg b, reg c) { return VF(fma)(c, a, b); }
FNN_INLINE reg reg_fnma(reg a, reg b, reg c) { return VF(fms)(c, a, b); }
FNN_INLINE mreg reg_lt(reg a, reg b) { return VF(clt)(a, b); }
FNN_INLINE mreg reg_le(reg a, reg b) { return VF(cle)(a, b); }
FNN_INLINE mreg reg_eq(reg a, reg b) { return VF(ceq)(a, b); }
FNN_INLINE mreg reg_not_lt(reg a, reg b) { return VU(eor)(VF(clt)(a, b), ireg_set(-1)); }
FNN_INLINE mreg mask_and_reg(mreg a, mreg b) { return VU(and)(a, b); }
FNN_INLINE reg reg_select(mreg m, reg a, reg b) { return VF(bsl)(m, a, b); }
FNN_INLINE reg reg_where(mreg m, reg a) { return reg_from_bits(VU(and)(m, reg_bits(a))); }
/* Not vmaxq: its result differs from a > b ? a : b for NaN and for zeros of both signs. */
FNN_INLINE reg reg_max(reg a, reg b) { return reg_select(VF(cgt)(a, b), a, b); }
FNN_INLINE reg reg_min(reg a, reg b) { return reg_select(VF(clt)(a, b), a, b); }
FNN_INLINE ireg ireg_add(ireg a, ireg b) { return VU(add)(a, b); }
FNN_INLINE ireg ireg_sub(ireg a, ireg b) { return VU(sub)(a, b); }
FNN_INLINE ireg ireg_and(ireg a, ireg b) { return VU(and)(a, b); }
FNN_INLINE ireg ireg_or(ireg a, ireg b) { return VU(orr)(a, b); }
FNN_INLINE ireg ireg_xor(ireg a, ireg b) { return VU(eor)(a, b); }

/* Out of line: rarely run, and long. */
static __attribute__((noinline, unused)) reg reg_load_n(const real *p, ptrdiff_t n) {
  real lanes[16 / sizeof(real)] = {0};
  for (ptrdiff_t i = 0; i < n && i < (ptrdiff_t)(16 / sizeof(real)); i++) lanes[i] = p[i];
  return reg_load(lanes);
}

static __attribute__((noinline, unused)) void reg_store_n(real *p, reg a, ptrdiff_t n) {
  real lanes[16 / sizeof(real)];
  reg_store(lanes, a);
  for (ptrdiff_t i = 0; i < n && i < (ptrdiff_t)(16 / sizeof(real)); i++) p[i] = lanes[i];
}

FNN_INLINE mreg mask_first_reg(ptrdiff_t n) {
#ifdef FNN_DOUBLE
  static const int64_t iota[2] = {0, 1};
  return vcltq_s64(vld1q_s64(iota), vdupq_n_s64(n));
#else
  static const int32_t iota[4] = {0, 1, 2, 3};
  return vcltq_s32(vld1q_s32(iota), vdupq_n_s32((int32_t)n));
#endif
}

#ifdef FNN_DOUBLE
FNN_INLINE real reg_sum(reg a) { return vgetq_lane_f64(a, 0) + vgetq_lane_f64(a, 1); }

FNN_INLINE real reg_max_across(reg a) {
  real x = vgetq_lane_f64(a, 0), y = vgetq_lane_f64(a, 1);
  return x > y ? x : y;
}
#else
FNN_INLINE real reg_sum(reg a) {
  float32x2_t s = vadd_f32(vget_low_f32(a), vget_high_f32(a));
  return vget_lane_f32(s, 0) + vget_lane_f32(s, 1);
}

FNN_INLINE real reg_max_across(reg a) {
  float32x2_t low = vget_low_f32(a), high = vget_high_f32(a);
  float32x2_t s = vbsl_f32(vcgt_f32(low, high), low, high);
  real x = vget_lane_f32(s, 0), y = vget_lane_f32(s, 1);
  return x > y ? x : y;
}
#endif

/* 64-bit integers, for random.h; wreg_mul multiplies the low halves of each lane. */
typedef uint64x2_t wreg;
#define wreg_load(p) vld1q_u64(p)
#define wreg_store(p, a) vst1q_u64(p, a)
#define wreg_set(x) vdupq_n_u64(x)
#define wreg_mul(a, b) vmull_u32(vmovn_u64(a), vmovn_u64(b))
#define wreg_xor(a, b) veorq_u64(a, b)
#define wreg_high(a) vshrq_n_u64(a, 32)
