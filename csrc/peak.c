/* What this machine can do at most, to measure a program against: the two lines of its roofline
 * (Williams, Waterman and Patterson, Communications of the ACM 52(4), 2009).
 *
 * Compiled once per element type.
 */
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "threads.h"

#define ROUNDS 9
#define MULTIPLY_ADDS 20000 /* passes: a millisecond or more */
#define COPIED ((size_t)128 << 20) /* bytes in all: more than a cache holds */

typedef struct {
  char *memory; /* NULL: multiply-adds */
  double rate;  /* the best of the rounds, operations or bytes a second */
} peak;

static void region(void *context, fnn_team *team, int thread, int threads) {
  peak *p = context;
  real x[3] = {(real)1e-3, (real)1e-3, 0};
  const size_t part = COPIED / (size_t)threads;
  for (int round = 0; round < ROUNDS; round++) {
    double amount = 2.0 * (double)part;
    fnn_barrier(team);
    const double start = fnn_seconds();
    if (p->memory)
      memcpy(p->memory + COPIED + (size_t)thread * part, p->memory + (size_t)thread * part, part);
    else
      amount = 2.0 * (double)FN(fnn_kernel_table)()->multiply_adds(x, MULTIPLY_ADDS);
    fnn_barrier(team);
    const double rate = threads * amount / (fnn_seconds() - start);
    if (thread == 0 && rate > p->rate)
      p->rate = rate;
  }
}

double FN(fnn_peak)(int threads, int copying);
double FN(fnn_peak)(int threads, int copying) {
  peak p = {0};
  if (copying) {
    p.memory = malloc(2 * COPIED);
    if (!p.memory)
      return 0;
    memset(p.memory, 1, 2 * COPIED);
  }
  fnn_parallel(threads, region, &p);
  free(p.memory);
  return p.rate;
}
