/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011). A word is a function of key and counter, so it does not
 * matter who draws it. */
#ifndef FNN_RANDOM_H
#define FNN_RANDOM_H

#include "../simd/simd.h"

#define PHILOX_COUNTERS 16
#define PHILOX_WORDS (4 * PHILOX_COUNTERS)

/* The words of counters first .. first + 15 (64 bits, the high half of the counter being step and
 * stream), in order. Ten rounds of 2 multiplications and 6 other operations for 4 words. */
static inline void philox(uint32_t words[PHILOX_WORDS], fnn_random random, uint64_t first) {
  /* One counter in each 64-bit lane, its words in the low halves; what is above never matters. */
  uint64_t x[4][PHILOX_COUNTERS];
  for (uint64_t i = 0; i < PHILOX_COUNTERS; i++) {
    x[0][i] = first + i;
    x[1][i] = (first + i) >> 32;
  }
  const wreg multiplier0 = wreg_set(0xD2511F53u), multiplier2 = wreg_set(0xCD9E8D57u);
  for (size_t i = 0; i < PHILOX_COUNTERS; i += sizeof(wreg) / 8) {
    wreg x0 = wreg_load(&x[0][i]), x1 = wreg_load(&x[1][i]);
    wreg x2 = wreg_set(random.step), x3 = wreg_set(random.stream);
    uint32_t key0 = (uint32_t)random.seed, key1 = (uint32_t)(random.seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
      const wreg p = wreg_mul(x0, multiplier0), q = wreg_mul(x2, multiplier2);
      x0 = wreg_xor(wreg_xor(wreg_high(q), x1), wreg_set(key0));
      x1 = q;
      x2 = wreg_xor(wreg_xor(wreg_high(p), x3), wreg_set(key1));
      x3 = p;
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    wreg_store(&x[0][i], x0);
    wreg_store(&x[1][i], x1);
    wreg_store(&x[2][i], x2);
    wreg_store(&x[3][i], x3);
  }
  for (size_t i = 0; i < PHILOX_COUNTERS; i++)
    for (size_t k = 0; k < 4; k++) words[4 * i + k] = (uint32_t)x[k][i];
}

#endif
