/* One thread's view of a run, and what the files of program/ share. Internal; see program.c. */
#ifndef FNN_WORKER_H
#define FNN_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "../gemm.h"
#include "../threads.h"

typedef enum { CLEAN = 0, ROWS, PARAMETERS, WHOLE } reach;

typedef struct {
  const fnn_program *program;
  const fnn_job *job;
  char *scratch;
  size_t scratch_bytes;
  size_t done;
  atomic_int result;
  _Atomic uint64_t wrong; /* the first element of a batch that names no row of a table */
} run_state;

/* What is left of a thread's share of a phase (divide.c): things from..to, `from` in the upper half;
 * in the last cache line of its scratch. Between phases all are empty. */
typedef _Atomic uint64_t remaining;

static inline remaining *remaining_of(const run_state *run, int thread) {
  return (remaining *)(run->scratch + ((size_t)thread + 1) * run->scratch_bytes - FNN_CACHE_LINE);
}

/* One thread's view of the run. */
typedef struct {
  run_state *run;
  const fnn_program *program;
  const fnn_job *job;
  const FN(fnn_kernels) *kernels;
  fnn_team *team;
  int thread, threads;
  reach since;         /* what has been done since the last barrier */
  int values_visible;  /* a barrier has passed since the losses wrote their row values */
  int in_parts;        /* samples are a part that was taken: no waiting */
  real *scratch;
  int divided;         /* the kernels are divided while they are trained, not evenly */
  size_t begin;        /* the batch's first row of the job */
  size_t n;            /* its samples */
  size_t first, last;  /* this thread's samples */
  const double *c;     /* coefficients of this step */
  double mark;         /* when the last part that was timed ended */
  fnn_random random;
} worker;

static inline void barrier(worker *w) {
  fnn_barrier(w->team);
  w->since = CLEAN;
  w->values_visible = 1;
}

/* To be called before an operation of this reach. */
static inline void enter(worker *w, reach next) {
  if (w->since != CLEAN && (w->since != next || next == WHOLE))
    barrier(w);
  w->since = next;
}

static inline real *at(const fnn_tensor *t, size_t sample) {
  return (real *)t->value + sample * t->stride;
}
static inline real *grad_at(const fnn_tensor *t, size_t sample) {
  return (real *)t->grad + sample * t->stride;
}
static inline size_t size_of(const fnn_tensor *t) { return t->rows * t->features; }

/* The distance of two runs of `features` elements, all samples' runs being counted in one go. */
static inline size_t run_stride(const fnn_tensor *t) {
  return t->rows == 1 ? t->stride : t->features;
}

/* Rows that follow one another are one row. */
static inline void join(size_t *rows, size_t *n, size_t row) {
  if (row == *n) {
    *n *= *rows;
    *rows = 1;
  }
}

/* This thread's share of n things in units of `unit`. What cannot be divided evenly is the last
 * threads', but a single unit the first one's. */
static inline void share(const worker *w, size_t n, size_t unit, size_t *from, size_t *to) {
  const size_t units = (n + unit - 1) / unit;
  if (units == 1) {
    *from = w->thread ? n : 0;
    *to = n;
    return;
  }
  *from = units * (size_t)w->thread / (size_t)w->threads * unit;
  *to = units * ((size_t)w->thread + 1) / (size_t)w->threads * unit;
  if (*to > n)
    *to = n;
  if (*from > n)
    *from = n;
}

/* For each thread: rows up to which products may be divided by weights, so that threads wait for
 * each other; the same if B is packed, for more rows threads share it; and samples, which have a row
 * or more, from which on a batch may pass in parts. */
#define FEW_ROWS 64
#define FEW_ROWS_PACKED 191
#define MANY_SAMPLES 192
_Static_assert(FEW_ROWS < MANY_SAMPLES && FEW_ROWS_PACKED < MANY_SAMPLES,
               "a thread would wait for one that has no part left");

/* Activations that need a whole row. */
static inline int by_row(int activation) {
  return activation == FNN_SOFTMAX || activation == FNN_LOG_SOFTMAX;
}

/* divide.c: a phase's things from..to are this thread's share; the next part of anybody's share to
 * do, half of what is left of it, but between `fewest` and `most`. Returns whose it is; -1: nothing
 * is left. */
void FN(fnn_offer)(const worker *w, size_t from, size_t to);
int FN(fnn_take)(const worker *w, size_t fewest, size_t most, size_t *from, size_t *to);

/* gather.c: this thread's samples of the batch that begins at row `begin` of the job. */
void FN(fnn_gather)(worker *w, size_t begin);

/* dense.c: the pass forward; the pass backward but for the parameters; the gradients of a layer's
 * parameters, evenly divided, only the bias if the kernels are divided while they are trained; the
 * gradients of all kernels; whether to divide the kernels while they are trained; whether a product
 * with this layer's weights, in this direction, copies many of them. */
void FN(fnn_dense_forward)(worker *w, const fnn_op *op);
void FN(fnn_dense_backward)(worker *w, const fnn_op *op);
void FN(fnn_dense_parameters)(worker *w, const fnn_op *op);
void FN(fnn_dense_kernels)(worker *w);
int FN(fnn_divides_kernels)(const worker *w);
int FN(fnn_copies_weights)(const worker *w, const fnn_op *op);

/* operations.c: any operation in either direction; the caller's own code. Not 0: stop. */
int FN(fnn_execute)(worker *w, const fnn_op *op, int phase, size_t index);
int FN(fnn_call)(worker *w, int phase, size_t index);

/* losses.c: a loss that is a superop, its gradient too; the running sums of losses and metrics. */
void FN(fnn_crossentropy)(worker *w, const fnn_op *op);
void FN(fnn_sums)(worker *w);

/* map.c: a map on this thread's samples; a reduction along the batch; elements of scratch memory. */
void FN(fnn_map)(worker *w, const fnn_op *op);
void FN(fnn_reduce)(worker *w, const fnn_op *op);
size_t FN(fnn_map_scratch)(const fnn_map *map);

/* updates.c: the optimizer's step for `rows` rows of n parameters from element `offset` on; for all
 * of one parameter. */
void FN(fnn_update_block)(const worker *w, const fnn_param *p, const real *g, size_t g_row,
                          size_t offset, size_t rows, size_t n);
void FN(fnn_update)(worker *w, const fnn_op *op);

#endif
