/* All operations but the dense ones. */
#include <string.h>

#include "worker.h"

static void activate(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const int accumulate = op->x_mode == FNN_ACCUMULATE;
  enter(w, ROWS);
  size_t rows = by_row(op->activation) ? x->rows : 1;
  const size_t n = size_of(x) / rows;
  for (size_t i = w->first; i < w->last; i++)
    if (!op->backward)
      w->kernels->activation_forward(at(y, i), at(x, i), NULL, op->activation, (real)op->a, rows, n,
                                     n);
    else if (op->x_mode != FNN_SKIP)
      w->kernels->activation_backward(grad_at(x, i), grad_at(y, i), at(x, i), at(y, i),
                                      op->activation, (real)op->a, rows, n, n, n, accumulate);
}

/* The sample by which words are numbered: in a training within the batch of the step; outside, where
 * the same rows give the same numbers whoever asks, the row of the data. */
static uint64_t element_of(const worker *w, size_t i) {
  const fnn_job *job = w->job;
  const size_t k = w->begin + i;
  return job->mode == FNN_TRAIN ? i : job->rows ? (uint64_t)job->rows[k] : job->first + k;
}

static void draw(worker *w, const fnn_op *op) {
  const fnn_tensor *y = &w->program->tensors[op->y];
  const size_t size = size_of(y);
  size_t rows = w->last - w->first, n = size;
  fnn_random random = w->random;
  random.stream = (uint32_t)op->stream;
  enter(w, ROWS);
  if (w->job->mode != FNN_TRAIN)
    random.step = 0;
  else
    join(&rows, &n, y->stride);
  for (size_t i = w->first; i < w->first + rows; i++)
    w->kernels->uniform(at(y, i), random, element_of(w, i) * size, n);
}

static void dropout(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const size_t size = size_of(x);
  size_t rows = w->last - w->first, n = size;
  fnn_random random = w->random;
  random.stream = (uint32_t)op->stream;
  enter(w, ROWS);
  if (w->job->mode != FNN_TRAIN)
    random.step = 0;
  else if (x->stride == y->stride)
    join(&rows, &n, x->stride);
  for (size_t i = w->first; i < w->first + rows; i++)
    if (op->backward) {
      if (op->x_mode != FNN_SKIP)
        w->kernels->dropout(grad_at(x, i), grad_at(y, i), op->a, random, i * size, n,
                            op->x_mode == FNN_ACCUMULATE);
    } else {
      w->kernels->dropout(at(y, i), at(x, i), op->a, random, element_of(w, i) * size, n, 0);
    }
}

/* Rows of a table by their numbers. All threads wait until all have looked at theirs: nothing must come
 * of a batch in which a number is wrong. Returns not 0 if one is. */
static int take(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const fnn_param *table = &w->program->params[op->kernel];
  const size_t count = size_of(x), n = table->columns;
  uint64_t wrong = UINT64_MAX;
  enter(w, ROWS);
  for (size_t i = w->first; i < w->last; i++)
    for (size_t k = 0; k < count; k++) {
      const real number = at(x, i)[k];
      real *to = at(y, i) + k * n;
      if (number >= 0 && number < (real)table->rows && (real)(size_t)number == number)
        memcpy(to, (real *)table->value + (size_t)number * table->ld, n * sizeof(real));
      else if (wrong == UINT64_MAX)
        wrong = i * count + k;
    }
  for (uint64_t known = atomic_load(&w->run->wrong); wrong < known;)
    if (atomic_compare_exchange_weak(&w->run->wrong, &known, wrong))
      break;
  barrier(w);
  w->since = WHOLE; /* so that nobody looks for the next operation before all have read `wrong` */
  wrong = atomic_load(&w->run->wrong);
  if (wrong == UINT64_MAX)
    return 0;
  if (w->thread == 0) {
    const size_t sample = (size_t)wrong / count, k = w->begin + sample;
    fnn_fault *fault = w->job->fault;
    if (fault) {
      fault->op = op;
      fault->row = w->job->rows ? (uint64_t)w->job->rows[k] : w->job->first + k;
      fault->value = (double)at(x, sample)[(size_t)wrong % count];
    }
    atomic_store(&w->run->result, FNN_FAULT);
  }
  return 1;
}

/* The gradient of a table: that of each row of y goes to the row it came from, in their order; each
 * thread has its own rows of the table. */
static void take_backward(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const fnn_param *table = &w->program->params[op->kernel];
  const size_t count = size_of(x), n = table->columns;
  enter(w, WHOLE);
  if (op->kernel_mode == FNN_SKIP)
    return;
  size_t from, to;
  share(w, table->rows, 1, &from, &to);
  if (op->kernel_mode != FNN_ACCUMULATE && from < to)
    memset((real *)table->grad + from * table->ld, 0, (to - from) * table->ld * sizeof(real));
  for (size_t i = 0; i < w->n && from < to; i++)
    for (size_t k = 0; k < count; k++) {
      const size_t row = (size_t)at(x, i)[k];
      if (row >= from && row < to)
        w->kernels->add((real *)table->grad + row * table->ld, grad_at(y, i) + k * n, n);
    }
}

/* The caller's own code runs on the calling thread while the others wait. */
int FN(fnn_call)(worker *w, int phase, size_t index) {
  enter(w, WHOLE);
  if (w->thread == 0) {
    fnn_pause();
    const int result = w->program->callback(w->program->context, phase, index, w->n,
                                            w->job->mode == FNN_TRAIN);
    fnn_resume();
    if (result)
      atomic_store(&w->run->result, result);
  }
  barrier(w);
  w->since = WHOLE; /* so that nobody writes `result` before all have read it */
  return atomic_load(&w->run->result);
}

int FN(fnn_execute)(worker *w, const fnn_op *op, int phase, size_t index) {
  switch ((fnn_code)op->code) {
  case FNN_DENSE:
    if (op->backward)
      FN(fnn_dense_backward)(w, op);
    else
      FN(fnn_dense_forward)(w, op);
    break;
  case FNN_ACTIVATE:
    activate(w, op);
    break;
  case FNN_RANDOM:
    draw(w, op);
    break;
  case FNN_DROPOUT:
    dropout(w, op);
    break;
  case FNN_TAKE:
    if (!op->backward)
      return take(w, op);
    take_backward(w, op);
    break;
  case FNN_UPDATE: /* after all gradients */
    break;
  case FNN_CALL:
    return FN(fnn_call)(w, phase, index);
  case FNN_MAP:
    FN(fnn_map)(w, op);
    break;
  case FNN_REDUCE:
    FN(fnn_reduce)(w, op);
    break;
  case FNN_CROSSENTROPY:
    FN(fnn_crossentropy)(w, op);
    break;
  case FNN_OPERATIONS:
    break;
  }
  return 0;
}
