/* The order of the rows in an epoch. */
#include "kernels/kernels.h"

#define STREAM UINT32_MAX /* of the generator: those of dropout count from 0 */

void fnn_shuffle(int64_t *rows, size_t n, uint64_t seed, uint32_t step) {
  const fnn_random random = {seed, step, STREAM};
  FN(fnn_kernel_table)()->shuffle(rows, n, random);
}
