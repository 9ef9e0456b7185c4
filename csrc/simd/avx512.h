/* AVX-512 (F, DQ, BW, VL): one zmm is a vector of 16 floats or 8 doubles; masks are k registers. */
#ifndef FNN_SIMD_EMULATION /* the tests define it, having included an emulation of the intrinsics */
#include <immintrin.h>
#endif

#define FNN_REGS 1
typedef __m512i ireg;
#ifdef FNN_DOUBLE
typedef __m512d reg;
typedef __mmask8 mreg;
#define PS(op) _mm512_##op##_pd
#define EPI(op) _mm512_##op##_epi64
#define MASK(op) _mm512_##op##_pd_mask
#define reg_bits(a) _mm512_castpd_si512(a)
#define reg_from_bits(a) _mm512_castsi512_pd(a)
#else
typedef __m512 reg;
typedef __mmask16 mreg;
#define PS(op) _mm512_##op##_ps
#define EPI(op) _mm512_##op##_epi32
#define MASK(op) _mm512_##op##_ps_mask
#define reg_bits(a) _mm512_castps_si512(a)
#define reg_from_bits(a) _mm512_castsi512_ps(a)
#endif

#define reg_load(p) PS(loadu)(p)
#define reg_store(p, a) PS(storeu)(p, a)
#define reg_load_n(p, n) PS(maskz_loadu)(mask_first_reg(n), p)
#define reg_store_n(p, a, n) PS(mask_storeu)(p, mask_first_reg(n), a)
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
#define reg_lt(a, b) MASK(cmp)(a, b, _CMP_LT_OQ)
#define reg_le(a, b) MASK(cmp)(a, b, _CMP_LE_OQ)
#define reg_eq(a, b) MASK(cmp)(a, b, _CMP_EQ_OQ)
#define reg_not_lt(a, b) MASK(cmp)(a, b, _CMP_NLT_UQ)
#define mask_and_reg(a, b) ((mreg)((a) & (b)))
#define mask_first_reg(n) ((mreg)((1u << (n)) - 1)) /* 0 <= n <= 16 */
#define reg_select(m, a, b) PS(mask_blend)(m, b, a)
#define reg_where(m, a) PS(maskz_mov)(m, a)
#define ireg_set(x) EPI(set1)(x)
#define ireg_add(a, b) EPI(add)(a, b)
#define ireg_sub(a, b) EPI(sub)(a, b)
#define ireg_and(a, b) _mm512_and_si512(a, b)
#define ireg_or(a, b) _mm512_or_si512(a, b)
#define ireg_xor(a, b) _mm512_xor_si512(a, b)
#define ireg_shl(a, n) EPI(slli)(a, n)
#define ireg_shr(a, n) EPI(srli)(a, n)

/* Not _mm512_reduce_...: the order of the tree is part of the contract. */
#ifdef FNN_DOUBLE
#define FNN_TREE(name, op)                                                                        \
  FNN_INLINE real name(reg a) {                                                                   \
    __m256d h = _mm256_##op##_pd(_mm512_castpd512_pd256(a), _mm512_extractf64x4_pd(a, 1));        \
    __m128d s = _mm_##op##_pd(_mm256_castpd256_pd128(h), _mm256_extractf128_pd(h, 1));            \
    return _mm_cvtsd_f64(_mm_##op##_pd(s, _mm_unpackhi_pd(s, s)));                                \
  }
#else
#define FNN_TREE(name, op)                                                                        \
  FNN_INLINE real name(reg a) {                                                                   \
    __m256d high = _mm512_extractf64x4_pd(_mm512_castps_pd(a), 1);                                \
    __m256 h = _mm256_##op##_ps(_mm512_castps512_ps256(a), _mm256_castpd_ps(high));               \
    __m128 s = _mm_##op##_ps(_mm256_castps256_ps128(h), _mm256_extractf128_ps(h, 1));             \
    s = _mm_##op##_ps(s, _mm_movehl_ps(s, s));                                                    \
    return _mm_cvtss_f32(_mm_##op##_ps(s, _mm_shuffle_ps(s, s, 1)));                              \
  }
#endif
FNN_TREE(reg_sum, add)
FNN_TREE(reg_max_across, max)

#define FNN_ZIPS
#define reg_zip_low(a, b) PS(unpacklo)(a, b)
#define reg_zip_high(a, b) PS(unpackhi)(a, b)
#ifdef FNN_DOUBLE
#define PICK_PARTS(a, b, which) _mm512_shuffle_f64x2(a, b, which)
#else
#define FNN_PAIRS(op, a, b)                                                                       \
  _mm512_castpd_ps(_mm512_##op##_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)))
#define reg_zip_pairs_low(a, b) FNN_PAIRS(unpacklo, a, b)
#define reg_zip_pairs_high(a, b) FNN_PAIRS(unpackhi, a, b)
#define PICK_PARTS(a, b, which) _mm512_shuffle_f32x4(a, b, which)
#endif
/* Parts 0 and 2 of a, then of b; or 1 and 3. */
#define EVEN_PARTS(a, b) PICK_PARTS(a, b, 0x88)
#define ODD_PARTS(a, b) PICK_PARTS(a, b, 0xdd)
FNN_INLINE void reg_turn_parts(reg *r, size_t step) {
  const reg even = EVEN_PARTS(r[0], r[step]), even2 = EVEN_PARTS(r[2 * step], r[3 * step]);
  const reg odd = ODD_PARTS(r[0], r[step]), odd2 = ODD_PARTS(r[2 * step], r[3 * step]);
  r[0] = EVEN_PARTS(even, even2), r[step] = EVEN_PARTS(odd, odd2);
  r[2 * step] = ODD_PARTS(even, even2), r[3 * step] = ODD_PARTS(odd, odd2);
}

/* By way of a general register: a mask that GCC 12 widens within the comparison loses the zeros
 * above it when it is spilled, so that bits of the stack are counted (seen under TSan). */
FNN_INLINE unsigned mask_bits(mreg m) {
  __asm__("" : "+r"(m));
  return m;
}

#define FNN_LISTS_NONZEROS
FNN_INLINE size_t reg_list_nonzeros(real *values, uint32_t *numbers, reg a, uint32_t first) {
  const mreg nonzero = MASK(cmp)(a, PS(setzero)(), _CMP_NEQ_UQ);
  const __m512i iota = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i lanes = _mm512_add_epi32(iota, _mm512_set1_epi32((int)first));
  /* By way of a register: compressing into memory is slow on some CPUs. */
  reg_store(values, PS(maskz_compress)(nonzero, a));
#ifdef FNN_DOUBLE
  _mm256_storeu_si256((__m256i *)(void *)numbers,
                      _mm256_maskz_compress_epi32(nonzero, _mm512_castsi512_si256(lanes)));
#else
  _mm512_storeu_si512(numbers, _mm512_maskz_compress_epi32(nonzero, lanes));
#endif
  return (size_t)__builtin_popcount(mask_bits(nonzero));
}

/* 64-bit integers, for random.h; wreg_mul multiplies the low halves of each lane. */
typedef __m512i wreg;
#define wreg_load(p) _mm512_loadu_si512((const void *)(p))
#define wreg_store(p, a) _mm512_storeu_si512((void *)(p), a)
#define wreg_set(x) _mm512_set1_epi64((int64_t)(x))
#define wreg_mul(a, b) _mm512_mul_epu32(a, b)
#define wreg_xor(a, b) _mm512_xor_si512(a, b)
#define wreg_high(a) _mm512_srli_epi64(a, 32)
