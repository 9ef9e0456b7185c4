/* AVX2 + FMA: one register is a ymm of 8 floats or 4 doubles, two make a vector. */
#include <immintrin.h>

#define FNN_REGS 2
typedef __m256i ireg;
#ifdef FNN_DOUBLE
typedef __m256d reg;
#define PS(op) _mm256_##op##_pd
#define EPI(op) _mm256_##op##_epi64
#define reg_bits(a) _mm256_castpd_si256(a)
#define reg_from_bits(a) _mm256_castsi256_pd(a)
#define ireg_set(x) _mm256_set1_epi64x(x)
#define FNN_IOTA _mm256_set_epi64x(3, 2, 1, 0)
#else
typedef __m256 reg;
#define PS(op) _mm256_##op##_ps
#define EPI(op) _mm256_##op##_epi32
#define reg_bits(a) _mm256_castps_si256(a)
#define reg_from_bits(a) _mm256_castsi256_ps(a)
#define ireg_set(x) _mm256_set1_epi32(x)
#define FNN_IOTA _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0)
#endif
typedef reg mreg; /* a mask: all bits of a lane set or clear */

#define reg_load(p) PS(loadu)(p)
#define reg_store(p, a) PS(storeu)(p, a)
#define reg_set(x) PS(set1)(x)
#define reg_add(a, b) PS(add)(a, b)
#define reg_sub(a, b) PS(sub)(a, b)
#define reg_mul(a, b) PS(mul)(a, b)
#define reg_div(a, b) PS(div)(a, b)
#define reg_max(a, b) PS(max)(a, b)
#define reg_min(a, b) PS(min)(a, b)
#define reg_sqrt(a) PS(sqrt)(a)
#define reg_fma(a, b, c) PS(fmadd)(a, b, c)
#define reg_fnma(a, b, c) PS(fnmadd)(a, b, c)
#define reg_lt(a, b) PS(cmp)(a, b, _CMP_LT_OQ)
#define reg_le(a, b) PS(cmp)(a, b, _CMP_LE_OQ)
#define reg_eq(a, b) PS(cmp)(a, b, _CMP_EQ_OQ)
#define reg_not_lt(a, b) PS(cmp)(a, b, _CMP_NLT_UQ)
#define mask_and_reg(a, b) PS(and)(a, b)
#define mask_bits_reg(m) ((uint32_t)PS(movemask)(m))
#define mask_first_reg(n) reg_from_bits(EPI(cmpgt)(ireg_set((sint)(n)), FNN_IOTA))
#define reg_select(m, a, b) PS(blendv)(b, a, m)
#define reg_where(m, a) PS(and)(m, a)
#define ireg_add(a, b) EPI(add)(a, b)
#define ireg_sub(a, b) EPI(sub)(a, b)
#define ireg_and(a, b) _mm256_and_si256(a, b)
#define ireg_or(a, b) _mm256_or_si256(a, b)
#define ireg_xor(a, b) _mm256_xor_si256(a, b)
#define ireg_shl(a, n) EPI(slli)(a, n)
#define ireg_shr(a, n) EPI(srli)(a, n)

FNN_INLINE reg reg_load_n(const real *p, ptrdiff_t n) {
  return PS(maskload)(p, reg_bits(mask_first_reg(n)));
}

/* By halves rather than by a masked store, which is slow on many CPUs. */
FNN_INLINE void reg_store_n(real *p, reg a, ptrdiff_t n) {
#ifdef FNN_DOUBLE
  if (n >= 4) {
    reg_store(p, a);
    return;
  }
  __m128d half = _mm256_castpd256_pd128(a);
  if (n & 2) {
    _mm_storeu_pd(p, half);
    half = _mm256_extractf128_pd(a, 1);
    p += 2;
  }
  if (n & 1) _mm_store_sd(p, half);
#else
  if (n >= 8) {
    reg_store(p, a);
    return;
  }
  __m128 half = _mm256_castps256_ps128(a);
  if (n & 4) {
    _mm_storeu_ps(p, half);
    half = _mm256_extractf128_ps(a, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi((__m64 *)(void *)p, half);
    half = _mm_movehl_ps(half, half);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, half);
#endif
}

#ifdef FNN_DOUBLE
#define FNN_TREE(name, op)                                                                        \
  FNN_INLINE real name(reg a) {                                                                   \
    __m128d s = _mm_##op##_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));            \
    return _mm_cvtsd_f64(_mm_##op##_pd(s, _mm_unpackhi_pd(s, s)));                                \
  }
#else
#define FNN_TREE(name, op)                                                                        \
  FNN_INLINE real name(reg a) {                                                                   \
    __m128 s = _mm_##op##_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));             \
    s = _mm_##op##_ps(s, _mm_movehl_ps(s, s));                                                    \
    return _mm_cvtss_f32(_mm_##op##_ps(s, _mm_shuffle_ps(s, s, 1)));                              \
  }
#endif
FNN_TREE(reg_sum, add)
FNN_TREE(reg_max_across, max)

/* 64-bit integers, for random.h; wreg_mul multiplies the low halves of each lane. */
typedef __m256i wreg;
#define wreg_load(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define wreg_store(p, a) _mm256_storeu_si256((__m256i *)(void *)(p), a)
#define wreg_set(x) _mm256_set1_epi64x((int64_t)(x))
#define wreg_mul(a, b) _mm256_mul_epu32(a, b)
#define wreg_xor(a, b) _mm256_xor_si256(a, b)
#define wreg_high(a) _mm256_srli_epi64(a, 32)
