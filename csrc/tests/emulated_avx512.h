/* Included before every kernel file by "make avx512": AVX-512 on a CPU that lacks it. */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#include <string.h>

/* Masked loads and stores, and shuffles of 16-byte parts, which SIMDe 0.7 does not have. */
#define MASKED(suffix, type, element, mask)                                                       \
  static inline __attribute__((unused)) type emulated_load_##suffix(mask m, const void *p) {      \
    element lanes[64 / sizeof(element)] = {0};                                                    \
    for (size_t i = 0; i < 64 / sizeof(element); i++)                                             \
      if (m >> i & 1) memcpy(&lanes[i], (const element *)p + i, sizeof(element));                 \
    return simde_mm512_loadu_##suffix(lanes);                                                     \
  }                                                                                               \
  static inline __attribute__((unused)) void emulated_store_##suffix(void *p, mask m, type a) {   \
    element lanes[64 / sizeof(element)];                                                          \
    simde_mm512_storeu_##suffix(lanes, a);                                                        \
    for (size_t i = 0; i < 64 / sizeof(element); i++)                                             \
      if (m >> i & 1) memcpy((element *)p + i, &lanes[i], sizeof(element));                       \
  }
#define SHUFFLED(suffix, type)                                                                    \
  static inline __attribute__((unused)) type emulated_shuffle_##suffix(type a, type b, int which) \
  {                                                                                               \
    char from[2][64], to[64];                                                                     \
    simde_mm512_storeu_##suffix(from[0], a);                                                      \
    simde_mm512_storeu_##suffix(from[1], b);                                                      \
    for (int i = 0; i < 4; i++) memcpy(to + 16 * i, from[i / 2] + 16 * (which >> 2 * i & 3), 16); \
    return simde_mm512_loadu_##suffix(to);                                                        \
  }
SHUFFLED(ps, simde__m512)
SHUFFLED(pd, simde__m512d)
#define _mm512_shuffle_f32x4(a, b, which) emulated_shuffle_ps(a, b, which)
#define _mm512_shuffle_f64x2(a, b, which) emulated_shuffle_pd(a, b, which)
MASKED(ps, simde__m512, float, simde__mmask16)
MASKED(pd, simde__m512d, double, simde__mmask8)
#define _mm512_maskz_loadu_ps(m, p) emulated_load_ps(m, p)
#define _mm512_maskz_loadu_pd(m, p) emulated_load_pd(m, p)
#define _mm512_mask_storeu_ps(p, m, a) emulated_store_ps(p, m, a)
#define _mm512_mask_storeu_pd(p, m, a) emulated_store_pd(p, m, a)
