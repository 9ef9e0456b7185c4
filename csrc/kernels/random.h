/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011). A word is a function of key and counter, so it does not
 * matter who draws it. Plain integer C, which compilers vectorise. */
#ifndef FNN_RANDOM_H
#define FNN_RANDOM_H

#include "kernels.h"

#define PHILOX_COUNTERS 16
#define PHILOX_WORDS (4 * PHILOX_COUNTERS)

/* The words of counters first .. first + 15 (64 bits, the high half of the counter being step and
 * stream), in order. About 40 operations a word. */
static inline void philox(uint32_t words[PHILOX_WORDS], fnn_random random, uint64_t first) {
  uint32_t x0[PHILOX_COUNTERS], x1[PHILOX_COUNTERS], x2[PHILOX_COUNTERS], x3[PHILOX_COUNTERS];
  uint32_t key0 = (uint32_t)random.seed, key1 = (uint32_t)(random.seed >> 32);
  for (int i = 0; i < PHILOX_COUNTERS; i++) {
    x0[i] = (uint32_t)(first + (uint64_t)i);
    x1[i] = (uint32_t)((first + (uint64_t)i) >> 32);
    x2[i] = random.step;
    x3[i] = random.stream;
  }
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < PHILOX_COUNTERS; i++) {
      uint64_t p = (uint64_t)0xD2511F53u * x0[i], q = (uint64_t)0xCD9E8D57u * x2[i];
      x0[i] = (uint32_t)(q >> 32) ^ x1[i] ^ key0;
      x1[i] = (uint32_t)q;
      x2[i] = (uint32_t)(p >> 32) ^ x3[i] ^ key1;
      x3[i] = (uint32_t)p;
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  for (int i = 0; i < PHILOX_COUNTERS; i++) {
    words[4 * i] = x0[i];
    words[4 * i + 1] = x1[i];
    words[4 * i + 2] = x2[i];
    words[4 * i + 3] = x3[i];
  }
}

#endif
