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
#define COPIED ((size_t)32 << 20) /* bytes a thread: more than its share of any cache */

typedef struct {
  char *memory;     /* NULL: multiply-adds */
  double amount;    /* of operations or bytes, of one thread and round */
  double best;      /* seconds */
} peak;

static void region(void *context, fnn_team *team, int thread, int threads) {
  peak *p = context;
  real x[3] = {(real)1e-3, (real)1e-3, 0};
  (void)threads;
  for (int round = 0; round < ROUNDS; round++) {
    fnn_barrier(team);
    const double start = fnn_seconds();
    if (p->memory) {
      char *from = p->memory + 2 * (size_t)thread * COPIED;
      memcpy(from + COPIED, from, COPIED);
    } else {
      const size_t n = FN(fnn_kernel_table)()->multiply_adds(x, MULTIPLY_ADDS);
      if (thread == 0)
        p->amount = 2.0 * (double)n;
    }
    fnn_barrier(team);
    if (thread == 0 && (round == 0 || fnn_seconds() - start < p->best))
      p->best = fnn_seconds() - start;
  }
}

double FN(fnn_peak)(int threads, int copying);
double FN(fnn_peak)(int threads, int copying) {
  peak p = {.amount = 2.0 * (double)COPIED};
  if (copying) {
    p.memory = malloc(2 * (size_t)threads * COPIED);
    if (!p.memory)
      return 0;
    memset(p.memory, 1, 2 * (size_t)threads * COPIED);
  }
  fnn_parallel(threads, region, &p);
  free(p.memory);
  return threads * p.amount / p.best;
}
