/* Runs a program: for every batch of a job it gathers the rows, then goes through the forward
 * operations, the losses and metrics, the backward operations with the optimizer's updates, and
 * the running sums.
 *
 * All threads run all of it (SPMD). An operation divides its output among them and is one of three
 * kinds: ROWS, if a thread reads and writes only its own samples of the batch; PARAMETERS, if it
 * reads the whole batch and writes its own part of the parameters and their gradients; WHOLE, if it
 * reads what others wrote. Threads wait for each other only between operations of different kinds,
 * before a WHOLE one and where they pack weights together; a step of a small network has two such
 * places. To that end all gradients of tensors are made first, then those of the dense layers'
 * parameters (no parameter gets gradients from both a dense and another operation).
 *
 * Processors are never equally fast, so the samples of a large batch and the kernels' elements are
 * divided while they are worked on: who is done with his own share helps others (divide.c). Small
 * batches are divided evenly. Work is divided over outputs, and over sums only at a place that
 * their length decides (dense.c), so the bits do not depend on it.
 *
 * The files here, which share worker.h: gather.c, dense.c, operations.c, map.c, losses.c, updates.c do
 * the parts of a step; divide.c divides work while it is done. Compiled once per element type.
 */
#include <string.h>

#include "../gemm.h"
#include "worker.h"

static void copy_outputs(worker *w, size_t begin) {
  enter(w, ROWS);
  for (size_t k = 0; k < w->program->n_outputs; k++) {
    const fnn_tensor *t = &w->program->tensors[w->program->outputs[k]];
    const size_t size = size_of(t);
    for (size_t i = w->first; i < w->last; i++)
      memcpy((real *)w->job->outputs[k] + (begin + i) * size, at(t, i), size * sizeof(real));
  }
}

/* The time since the last call belongs to this part. */
static void timed(worker *w, size_t part) {
  if (w->job->times && w->thread == 0) {
    const double now = fnn_seconds();
    w->job->times[part] += now - w->mark;
    w->mark = now;
  }
}

static int runs_forward(const worker *w, const fnn_op *op) {
  return !(op->folded && w->job->mode != FNN_PREDICT);
}

/* What a batch passes through before parameters get their gradients: gathering (number 0), forward
 * operations, then outputs are copied, or come losses and metrics, and backward operations, or outside
 * of trainings what variables are assigned. */
typedef struct {
  const fnn_op *op; /* NULL: gathering, or the outputs */
  int phase;
  size_t index, time;
} stage;

static size_t stages(const worker *w) {
  const fnn_program *p = w->program;
  const fnn_mode mode = w->job->mode;
  return 1 + p->n_ops + (mode == FNN_PREDICT ? w->job->outputs != NULL : p->n_scoring) +
         (mode == FNN_TRAIN ? p->n_backward : p->n_closing);
}

static stage stage_at(const worker *w, size_t k) {
  const fnn_program *p = w->program;
  const size_t forward = FNN_TIME_OPERATIONS, backward = forward + p->n_ops;
  if (k == 0)
    return (stage){NULL, 0, 0, FNN_TIME_GATHER};
  if (--k < p->n_ops)
    return (stage){&p->ops[k], 0, k, forward + k};
  k -= p->n_ops;
  if (w->job->mode == FNN_PREDICT) {
    if (w->job->outputs && k-- == 0)
      return (stage){NULL, 1, 0, FNN_TIME_SUMS};
  } else if (k < p->n_scoring) {
    return (stage){&p->scoring[k], p->scoring[k].phase, (size_t)p->scoring[k].index,
                   FNN_TIME_LOSSES};
  } else {
    k -= p->n_scoring;
  }
  if (w->job->mode != FNN_TRAIN)
    return (stage){&p->closing[k], 1, k, FNN_TIME_SUMS};
  return (stage){&p->backward[k], 1, k, backward + k};
}

/* Stages k to end, for this thread's samples; not 0: stop. */
static int run_stages(worker *w, size_t begin, size_t k, size_t end) {
  for (; k < end; k++) {
    const stage s = stage_at(w, k);
    if (!s.op && s.phase)
      copy_outputs(w, begin);
    else if (!s.op)
      FN(fnn_gather)(w, begin);
    else if (s.phase == 0 && !runs_forward(w, s.op))
      continue;
    else if (FN(fnn_execute)(w, s.op, s.phase, s.index))
      return 1;
    timed(w, s.time);
  }
  return 0;
}

#define FEWEST_SAMPLES 32 /* of a part: for fewer, the weights would be read too often */
#define MOST_SAMPLES 96   /* whose tensors stay in L2 */

static int is_by_sample(const worker *w, const fnn_op *op) {
  if (op->code != FNN_DENSE)
    return op->code != FNN_CALL && op->code != FNN_REDUCE && op->code != FNN_TAKE &&
           !(op->code == FNN_MAP && op->map->alone);
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  if (op->backward && op->x_mode == FNN_SKIP)
    return 1;
  return (op->backward ? y->grad_density : x->density) >= 0 && !FN(fnn_copies_weights)(w, op);
}

/* Whether a large batch can be passed through in parts, which the threads take as they are done
 * with others: no operation of a layer may need the whole batch, still have to look for zeros, or
 * copy many weights for every part. */
static int passes_in_parts(const worker *w) {
  const fnn_program *p = w->program;
  const int train = w->job->mode == FNN_TRAIN;
  if (w->n < MANY_SAMPLES * (size_t)w->threads || w->job->times)
    return 0;
  for (size_t i = 0; i < p->n_ops; i++)
    if (runs_forward(w, &p->ops[i]) && !is_by_sample(w, &p->ops[i]))
      return 0;
  for (size_t i = 0; train && i < p->n_backward; i++)
    if (!is_by_sample(w, &p->backward[i]))
      return 0;
  return 1;
}

/* The batch in parts: from one loss or metric that needs the whole batch to the next. */
static int pass_in_parts(worker *w, size_t begin) {
  const size_t end = stages(w), first = w->first, last = w->last;
  for (size_t k = 0, next; k < end; k = next) {
    const fnn_op *op = stage_at(w, k).op;
    next = k + 1;
    if (op && !is_by_sample(w, op)) {
      if (run_stages(w, begin, k, next))
        return 1;
      continue;
    }
    for (; next < end; next++) {
      op = stage_at(w, next).op;
      if (op && (!is_by_sample(w, op) || (op->code == FNN_MAP && op->map->waits)))
        break;
    }
    enter(w, WHOLE); /* until nobody looks for samples of the last batch, or writes what is read */
    w->since = ROWS;
    w->in_parts = 1;
    FN(fnn_offer)(w, first, last);
    while (FN(fnn_take)(w, FEWEST_SAMPLES, MOST_SAMPLES, &w->first, &w->last) >= 0)
      run_stages(w, begin, k, next);
    w->in_parts = 0;
    w->first = first, w->last = last;
  }
  return 0;
}

/* What maps find for the whole batch is written once, by thread 0, which may have taken no part. */
static void write_whole_results(worker *w) {
  const size_t first = w->first, last = w->last;
  const reach since = w->since;
  w->first = w->last = 0;
  for (size_t k = 0; w->thread == 0 && k < stages(w); k++) {
    const fnn_op *op = stage_at(w, k).op;
    w->since = CLEAN; /* the others do not wait here */
    if (op && op->code == FNN_MAP && !op->map->alone)
      FN(fnn_map)(w, op);
  }
  w->since = since;
  w->first = first, w->last = last;
}

static int step(worker *w, size_t begin) {
  const fnn_program *p = w->program;
  const size_t parameters = FNN_TIME_OPERATIONS + p->n_ops + p->n_backward;
  if (passes_in_parts(w)) {
    if (pass_in_parts(w, begin))
      return 1;
    write_whole_results(w);
    w->values_visible = 0; /* also of a thread that came too late for any */
  } else if (run_stages(w, begin, 0, stages(w))) {
    return 1;
  }
  if (w->job->mode == FNN_PREDICT)
    return 0;
  if (w->job->mode == FNN_TRAIN) {
    for (size_t i = 0; i < p->n_backward; i++)
      if (p->backward[i].code == FNN_DENSE) {
        FN(fnn_dense_parameters)(w, &p->backward[i]);
        timed(w, parameters + i);
      }
    if (w->divided)
      FN(fnn_dense_kernels)(w);
    for (size_t i = 0; i < p->n_backward; i++)
      if (p->backward[i].code == FNN_UPDATE) {
        FN(fnn_update)(w, &p->backward[i]);
        timed(w, parameters + i);
      }
  }
  FN(fnn_sums)(w);
  timed(w, FNN_TIME_SUMS);
  return 0;
}

static void region(void *context, fnn_team *team, int thread, int threads) {
  run_state *run = context;
  const fnn_job *job = run->job;
  worker w = {
      .run = run, .program = run->program, .job = job, .kernels = FN(fnn_kernel_table)(),
      .team = team, .thread = thread, .threads = threads, .values_visible = 1,
      .scratch = (real *)(run->scratch + (size_t)thread * run->scratch_bytes),
      .random = {.seed = job->seed, .step = job->step},
  };
  if (job->times)
    w.mark = fnn_seconds();
  if (job->mode == FNN_TRAIN)
    w.divided = FN(fnn_divides_kernels)(&w);
  size_t number = 0;
  for (size_t begin = 0; begin < job->n; begin += job->batch, number++) {
    const size_t n = job->n - begin < job->batch ? job->n - begin : job->batch;
    if (number && n != w.n)
      w.since = WHOLE; /* a shorter batch: samples change hands */
    w.begin = begin;
    w.n = n;
    w.first = w.n * (size_t)thread / (size_t)threads;
    w.last = w.n * ((size_t)thread + 1) / (size_t)threads;
    w.c = job->coefficients ? job->coefficients + number * FNN_COEFFICIENTS : NULL;
    w.random.step = job->step + (uint32_t)number;
    if (step(&w, begin))
      return;
    if (thread == 0)
      run->done++;
  }
}

int FN(fnn_run)(const fnn_program *program, const fnn_job *job, int threads, void *scratch,
                size_t scratch_bytes, size_t *done);
size_t FN(fnn_scratch)(const fnn_program *program, size_t batch);

int FN(fnn_run)(const fnn_program *program, const fnn_job *job, int threads, void *scratch,
                size_t scratch_bytes, size_t *done) {
  run_state run = {.program = program, .job = job, .scratch = scratch,
                   .scratch_bytes = scratch_bytes, .wrong = UINT64_MAX};
  for (int i = 0; i < threads; i++)
    *remaining_of(&run, i) = 0;
  fnn_parallel(threads, region, &run);
  *done = run.done;
  return atomic_load(&run.result);
}

size_t FN(fnn_scratch)(const fnn_program *p, size_t batch) {
  const fnn_op *lists[] = {p->ops, p->scoring, p->closing, p->backward};
  const size_t lengths[] = {p->n_ops, p->n_scoring, p->n_closing, p->n_backward};
  size_t most = 0;
  for (int list = 0; list < 4; list++)
    for (size_t i = 0; i < lengths[list]; i++)
      if (lists[list][i].code == FNN_MAP) {
        const size_t need = FN(fnn_map_scratch)(lists[list][i].map);
        if (need > most)
          most = need;
      }
  for (int backward = 0; backward < 2; backward++)
    for (size_t i = 0; i < (backward ? p->n_backward : p->n_ops); i++) {
      const fnn_op *op = backward ? &p->backward[i] : &p->ops[i];
      if (op->code != FNN_DENSE)
        continue;
      const fnn_param *kernel = &p->params[op->kernel];
      const size_t rows = batch * p->tensors[op->x].rows;
      const size_t need[3] = {
          FN(fnn_gemm_scratch)(kernel->columns, kernel->rows),
          backward ? FN(fnn_gemm_scratch)(kernel->rows, kernel->columns) : 0,
          backward ? FN(fnn_gemm_scratch)(kernel->columns, rows) : 0,
      };
      for (int k = 0; k < 3; k++)
        if (need[k] > most)
          most = need[k];
    }
  return up(most * sizeof(real), FNN_CACHE_LINE) + FNN_CACHE_LINE; /* the last: remaining_of() */
}
