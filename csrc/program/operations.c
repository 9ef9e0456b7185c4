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

static void prelu(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const fnn_param *alpha = &w->program->params[op->kernel];
  if (!op->backward) {
    enter(w, ROWS);
    for (size_t i = w->first; i < w->last; i++)
      w->kernels->prelu_forward(at(y, i), at(x, i), alpha->value, size_of(x));
    return;
  }
  /* dalpha is a sum over the batch: each thread makes its columns of it, row by row. */
  enter(w, WHOLE);
  size_t from, to;
  share(w, size_of(x), FNN_LANES, &from, &to);
  if (from >= to)
    return;
  const int learn = op->kernel_mode != FNN_SKIP;
  real *dalpha = learn ? (real *)alpha->grad + from : NULL;
  if (learn && op->kernel_mode != FNN_ACCUMULATE)
    memset(dalpha, 0, (to - from) * sizeof(real));
  for (size_t i = 0; i < w->n; i++)
    w->kernels->prelu_backward(op->x_mode == FNN_SKIP ? NULL : grad_at(x, i) + from, dalpha,
                               grad_at(y, i) + from, at(x, i) + from, (real *)alpha->value + from,
                               to - from, op->x_mode == FNN_ACCUMULATE);
}

static void scale(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  enter(w, ROWS);
  for (size_t i = w->first; i < w->last; i++)
    if (!op->backward)
      w->kernels->scale(at(y, i), at(x, i), (real)op->a, (real)op->b, size_of(x), 0);
    else if (op->x_mode != FNN_SKIP)
      w->kernels->scale(grad_at(x, i), grad_at(y, i), (real)op->a, 0, size_of(x),
                        op->x_mode == FNN_ACCUMULATE);
}

static void dropout(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const size_t size = size_of(x);
  size_t rows = w->last - w->first, n = size;
  fnn_random random = w->random;
  random.stream = (uint32_t)op->stream;
  enter(w, ROWS);
  if (x->stride == y->stride)
    join(&rows, &n, x->stride);
  for (size_t i = w->first; i < w->first + rows; i++)
    if (op->backward) {
      if (op->x_mode != FNN_SKIP)
        w->kernels->dropout(grad_at(x, i), grad_at(y, i), op->a, random, i * size, n,
                            op->x_mode == FNN_ACCUMULATE);
    } else if (w->job->mode == FNN_TRAIN)
      w->kernels->dropout(at(y, i), at(x, i), op->a, random, i * size, n, 0);
    else
      memcpy(at(y, i), at(x, i), n * sizeof(real));
}

static void concatenate(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  enter(w, ROWS);
  if (op->backward && op->x_mode == FNN_SKIP)
    return;
  for (size_t i = w->first; i < w->last; i++)
    for (size_t o = 0; o < op->outer; o++) {
      const size_t in = o * op->inner, out = o * op->row + op->offset;
      if (!op->backward)
        memcpy(at(y, i) + out, at(x, i) + in, op->inner * sizeof(real));
      else if (op->x_mode == FNN_ACCUMULATE)
        w->kernels->add(grad_at(x, i) + in, grad_at(y, i) + out, op->inner);
      else
        memcpy(grad_at(x, i) + in, grad_at(y, i) + out, op->inner * sizeof(real));
    }
}

static void merge(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *z = &w->program->tensors[op->z];
  const fnn_tensor *y = &w->program->tensors[op->y];
  enter(w, ROWS);
  for (size_t i = w->first; i < w->last; i++)
    if (!op->backward)
      w->kernels->merge(at(y, i), at(x, i), at(z, i), op->merge, size_of(x));
    else
      w->kernels->merge_backward(op->x_mode == FNN_SKIP ? NULL : grad_at(x, i),
                                 op->x_mode == FNN_ACCUMULATE,
                                 op->z_mode == FNN_SKIP ? NULL : grad_at(z, i),
                                 op->z_mode == FNN_ACCUMULATE, grad_at(y, i), at(x, i), at(z, i),
                                 op->merge, size_of(x));
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
  case FNN_PRELU:
    prelu(w, op);
    break;
  case FNN_SCALE:
    scale(w, op);
    break;
  case FNN_DROPOUT:
    dropout(w, op);
    break;
  case FNN_CONCATENATE:
    concatenate(w, op);
    break;
  case FNN_MERGE:
    merge(w, op);
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
