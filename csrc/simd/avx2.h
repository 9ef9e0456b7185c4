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

/* fnn_set_bits[m]: the numbers of the bits that are set in m, a byte each, lowest first. */
#define FNN_COUNT(m) (((m)&1) + ((m) >> 1 & 1) + ((m) >> 2 & 1) + ((m) >> 3 & 1) + \
                      ((m) >> 4 & 1) + ((m) >> 5 & 1) + ((m) >> 6 & 1))
#define FNN_BIT(m, i) ((uint64_t)((m) >> (i) & 1) * (i) << 8 * FNN_COUNT((m) & ((1u << (i)) - 1)))
#define FNN_BITS(m) (FNN_BIT(m, 0) | FNN_BIT(m, 1) | FNN_BIT(m, 2) | FNN_BIT(m, 3) | \
                     FNN_BIT(m, 4) | FNN_BIT(m, 5) | FNN_BIT(m, 6) | FNN_BIT(m, 7))
#define FNN_BITS_4(m) FNN_BITS(m), FNN_BITS((m) + 1), FNN_BITS((m) + 2), FNN_BITS((m) + 3)
#define FNN_BITS_16(m) FNN_BITS_4(m), FNN_BITS_4((m) + 4), FNN_BITS_4((m) + 8), FNN_BITS_4((m) + 12)
#define FNN_BITS_64(m) FNN_BITS_16(m), FNN_BITS_16((m) + 16), FNN_BITS_16((m) + 32), FNN_BITS_16((m) + 48)
static const uint64_t fnn_set_bits[256] __attribute__((unused)) = {
    FNN_BITS_64(0u), FNN_BITS_64(64u), FNN_BITS_64(128u), FNN_BITS_64(192u)};

#define FNN_ZIPS
#define reg_zip_low(a, b) PS(unpacklo)(a, b)
#define reg_zip_high(a, b) PS(unpackhi)(a, b)
#ifndef FNN_DOUBLE
#define FNN_PAIRS(op, a, b)                                                                       \
  _mm256_castpd_ps(_mm256_##op##_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)))
#define reg_zip_pairs_low(a, b) FNN_PAIRS(unpacklo, a, b)
#define reg_zip_pairs_high(a, b) FNN_PAIRS(unpackhi, a, b)
#endif
#ifdef FNN_DOUBLE
#define PICK_PARTS(a, b, which) _mm256_permute2f128_pd(a, b, which)
#else
#define PICK_PARTS(a, b, which) _mm256_permute2f128_ps(a, b, which)
#endif
FNN_INLINE void reg_turn_parts(reg *r, size_t step) {
  const reg first = r[0];
  r[0] = PICK_PARTS(first, r[step], 0x20), r[step] = PICK_PARTS(first, r[step], 0x31);
}

#define FNN_LISTS_NONZEROS
FNN_INLINE size_t reg_list_nonzeros(real *values, uint32_t *numbers, reg a, uint32_t first) {
  const reg nonzero = PS(cmp)(a, PS(setzero)(), _CMP_NEQ_UQ);
  const int mask = PS(movemask)(nonzero);
  const __m128i bits = _mm_loadl_epi64((const __m128i *)(const void *)&fnn_set_bits[mask]);
#ifdef FNN_DOUBLE
  const int words = _mm256_movemask_ps(_mm256_castpd_ps(nonzero)); /* two a lane */
  const __m128i order = _mm_loadl_epi64((const __m128i *)(const void *)&fnn_set_bits[words]);
  const __m128i lanes = _mm_add_epi32(_mm_cvtepu8_epi32(bits), _mm_set1_epi32((int)first));
  reg_store(values, reg_from_bits(_mm256_permutevar8x32_epi32(reg_bits(a), _mm256_cvtepu8_epi32(order))));
  _mm_storeu_si128((__m128i *)(void *)numbers, lanes);
#else
  const __m256i lanes = _mm256_cvtepu8_epi32(bits);
  reg_store(values, _mm256_permutevar8x32_ps(a, lanes));
  _mm256_storeu_si256((__m256i *)(void *)numbers, _mm256_add_epi32(lanes, _mm256_set1_epi32((int)first)));
#endif
  return (size_t)__builtin_popcount((unsigned)mask);
}

/* 64-bit integers, for random.h; wreg_mul multiplies the low halves of each lane. */
typedef __m256i wreg;
#define wreg_load(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define wreg_store(p, a) _mm256_storeu_si256((__m256i *)(void *)(p), a)
#define wreg_set(x) _mm256_set1_epi64x((int64_t)(x))
#define wreg_mul(a, b) _mm256_mul_epu32(a, b)
#define wreg_xor(a, b) _mm256_xor_si256(a, b)
#define wreg_high(a) _mm256_srli_epi64(a, 32)
