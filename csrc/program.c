/* Runs a program: for every batch of a job it gathers the rows, then goes through the forward
 * operations, the losses and metrics, the backward operations with the optimizer's updates, and
 * the running sums.
 *
 * All threads run all of it (SPMD). An operation divides its output among them and is one of three
 * kinds: ROWS, if a thread reads and writes only its own samples of the batch; PARAMETERS, if it
 * reads the whole batch and writes its own part of the parameters and their gradients; WHOLE, if it
 * reads what others wrote. Threads wait for each other only between operations of different kinds
 * and before a WHOLE one; a step of a small network has two such places. To that end all gradients
 * of tensors are made first, then those of the dense layers' parameters (no parameter gets gradients
 * from both a dense and another operation).
 *
 * Processors are never equally fast, so the samples of a large batch and the kernels' elements are
 * divided while they are worked on: who is done with his own share helps others (take). Small batches
 * are divided evenly. Work is divided over outputs, never over a sum, so the bits do not depend on
 * it.
 *
 * Compiled once per element type.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "gemm.h"
#include "threads.h"

typedef enum { CLEAN = 0, ROWS, PARAMETERS, WHOLE } reach;

typedef struct {
  const fnn_program *program;
  const fnn_job *job;
  char *scratch;
  size_t scratch_bytes;
  size_t done;
  atomic_int result;
} run_state;

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
  real *scratch;
  size_t elements;     /* of the kernels that are divided while they are trained; 0: evenly */
  size_t n;            /* samples of this batch */
  size_t first, last;  /* this thread's samples */
  const double *c;     /* coefficients of this step */
  double mark;         /* when the last part that was timed ended */
  fnn_random random;
} worker;

static void barrier(worker *w) {
  fnn_barrier(w->team);
  w->since = CLEAN;
  w->values_visible = 1;
}

/* To be called before an operation of this reach. */
static void enter(worker *w, reach next) {
  if (w->since != CLEAN && (w->since != next || next == WHOLE))
    barrier(w);
  w->since = next;
}

static real *at(const fnn_tensor *t, size_t sample) { return (real *)t->value + sample * t->stride; }
static real *grad_at(const fnn_tensor *t, size_t sample) {
  return (real *)t->grad + sample * t->stride;
}
static size_t size_of(const fnn_tensor *t) { return t->rows * t->features; }

/* The distance of two runs of `features` elements, all samples' runs being counted in one go. */
static size_t run_stride(const fnn_tensor *t) { return t->rows == 1 ? t->stride : t->features; }

/* Rows that follow one another are one row. */
static void join(size_t *rows, size_t *n, size_t row) {
  if (row == *n) {
    *n *= *rows;
    *rows = 1;
  }
}

/* This thread's share of n things in units of `unit`. */
static void share(const worker *w, size_t n, size_t unit, size_t *from, size_t *to) {
  const size_t units = (n + unit - 1) / unit;
  *from = units * (size_t)w->thread / (size_t)w->threads * unit;
  *to = units * ((size_t)w->thread + 1) / (size_t)w->threads * unit;
  if (*to > n)
    *to = n;
  if (*from > n)
    *from = n;
}

/* ---- dividing work while it is done ---------------------------------------------------------- */

/* What is left of a thread's share of a phase: things from..to, `from` in the upper half. Its owner
 * takes parts off the front; who has finished takes them off the others' backs. So every thread
 * keeps nearly the same part of the weights from step to step, and none waits long for a slower one.
 * Between phases all are empty. */
typedef _Atomic uint64_t remaining;

static remaining *remaining_of(const worker *w, int thread) {
  const run_state *run = w->run;
  return (remaining *)(run->scratch + ((size_t)thread + 1) * run->scratch_bytes - FNN_CACHE_LINE);
}

static void offer(const worker *w, size_t from, size_t to) {
  atomic_store_explicit(remaining_of(w, w->thread), (uint64_t)from << 32 | to, memory_order_relaxed);
}

/* Takes half of what is left of somebody's share, but between `fewest` and `most`; 0: nothing is
 * left. */
static int take(const worker *w, size_t fewest, size_t most, size_t *from, size_t *to) {
  for (int k = 0; k < w->threads; k++) {
    remaining *share = remaining_of(w, (w->thread + k) % w->threads);
    uint64_t old = atomic_load_explicit(share, memory_order_relaxed), left;
    do {
      *from = old >> 32, *to = (uint32_t)old;
      if (*from >= *to)
        break;
      size_t part = least((*to - *from) / 2, most);
      if (part < fewest)
        part = fewest;
      if (part < *to - *from) {
        if (k == 0)
          *to = *from + part;
        else
          *from = *to - part;
      }
      left = k == 0 ? (uint64_t)*to << 32 | (uint32_t)old : (old & ~(uint64_t)UINT32_MAX) | *from;
    } while (!atomic_compare_exchange_weak_explicit(share, &old, left, memory_order_relaxed,
                                                    memory_order_relaxed));
    if (*from < *to)
      return 1;
  }
  return 0;
}

/* ---- gathering ------------------------------------------------------------------------------ */

#ifdef FNN_DOUBLE
#define OWN_TYPE FNN_SRC_F64
#else
#define OWN_TYPE FNN_SRC_F32
#endif

/* Whether a sample lies in memory as in the tensor. */
static int is_plain(const fnn_feed *feed) {
  return feed->type == OWN_TYPE &&
         (feed->dimensions == 0 ||
          (feed->dimensions == 1 && feed->strides[0] == (ptrdiff_t)sizeof(real)));
}

static real *gather_sample(const worker *w, real *to, const char *from, const fnn_feed *feed,
                           size_t dimension) {
  if (feed->dimensions == 0) {
    w->kernels->convert(to, from, 0, feed->type, 1);
    return to + 1;
  }
  const size_t n = feed->shape[dimension];
  const ptrdiff_t stride = feed->strides[dimension];
  if (dimension + 1 == feed->dimensions) {
    w->kernels->convert(to, from, stride, feed->type, n);
    return to + n;
  }
  for (size_t i = 0; i < n; i++)
    to = gather_sample(w, to, from + (ptrdiff_t)i * stride, feed, dimension + 1);
  return to;
}

/* The rows of a shuffled epoch lie anywhere in memory, so they are fetched ahead of their use. */
#define AHEAD 8 /* samples */

static const char *sample(const worker *w, const fnn_feed *feed, size_t position) {
  const int64_t row = w->job->rows ? w->job->rows[position] : (int64_t)(w->job->first + position);
  return (const char *)feed->data + (ptrdiff_t)row * feed->row_stride;
}

static void gather(worker *w, size_t begin) {
  enter(w, ROWS);
  const size_t feeds = w->job->mode == FNN_PREDICT ? w->program->n_inputs : w->program->n_feeds;
  for (size_t f = 0; f < feeds; f++) {
    const fnn_feed *feed = &w->program->feeds[f];
    const fnn_tensor *tensor = &w->program->tensors[feed->tensor];
    const int plain = is_plain(feed);
    const size_t size = size_of(tensor);
    for (size_t i = w->first; i < w->last; i++) {
      const char *from = sample(w, feed, begin + i);
      if (i + AHEAD < w->last)
        __builtin_prefetch(sample(w, feed, begin + i + AHEAD));
      if (!plain)
        gather_sample(w, at(tensor, i), from, feed, 0);
      else if (size == 1)
        memcpy(at(tensor, i), from, sizeof(real)); /* a move: the size is known */
      else
        memcpy(at(tensor, i), from, size * sizeof(real));
    }
  }
}

/* ---- zeros ---------------------------------------------------------------------------------- */

#define LOOK_AT 8 /* rows */

static float look(const real *a, size_t row, size_t rows, size_t features) {
  const size_t looks = rows < LOOK_AT ? rows : LOOK_AT;
  size_t nonzero = 0;
  for (size_t l = 0; l < looks; l++) {
    const real *from = a + rows * l / looks * row;
    for (size_t j = 0; j < features; j++)
      nonzero += from[j] != 0;
  }
  return (float)nonzero / (float)(looks * features);
}

/* Whether a product should leave out the zeros of this tensor, for a result of so many columns. A
 * few rows of the first batch decide, so that it depends on the data only and not on the division of
 * the work; later jobs that do not ask to look again keep to it. */
static int sparse(worker *w, int tensor, int grad, size_t columns) {
  fnn_tensor *t = &w->program->tensors[tensor];
  float *density = grad ? &t->grad_density : &t->density;
  if (*density < 0) {
    barrier(w);
    if (w->thread == 0)
      *density = look(grad ? t->grad : t->value, run_stride(t), w->n * t->rows, t->features);
    barrier(w);
    w->since = WHOLE;
  }
  return fnn_is_sparse(w->program->type, *density, columns);
}

/* ---- dense ---------------------------------------------------------------------------------- */

/* The optimizer's step for `rows` rows of n parameters from element `offset` on. */
static void update_block(const worker *w, const fnn_param *p, const real *g, size_t g_row,
                         size_t offset, size_t rows, size_t n) {
  real *slots[FNN_MAX_SLOTS];
  for (int s = 0; s < FNN_MAX_SLOTS; s++)
    slots[s] = p->slots[s] ? (real *)p->slots[s] + offset : NULL;
  if (g_row == p->ld)
    join(&rows, &n, p->ld);
  w->kernels->update(w->program->rule, (real *)p->value + offset, g, g_row, slots, w->c, rows, p->ld,
                     n);
}

typedef struct {
  const worker *w;
  const fnn_op *op;
} dense_context;

static int by_row(int activation) {
  return activation == FNN_SOFTMAX || activation == FNN_LOG_SOFTMAX;
}

static void dense_forward_epilogue(void *context, real *block, size_t row, size_t i0, size_t i1,
                                   size_t j0, size_t j1) {
  const dense_context *d = context;
  const fnn_op *op = d->op;
  const real *bias = op->bias < 0 ? NULL : (real *)d->w->program->params[op->bias].value + j0;
  const int activation = by_row(op->activation) ? FNN_LINEAR : op->activation;
  size_t rows = i1 - i0, n = j1 - j0;
  if (bias && row == 1) { /* one column: a number is added to all of it */
    d->w->kernels->scale(block, block, 1, *bias, rows, 0);
    bias = NULL;
  }
  if (!bias)
    join(&rows, &n, row);
  d->w->kernels->activation_forward(block, block, bias, activation, (real)op->a, rows, row, n);
}

#define MANY_ROWS 32        /* for each thread */
#define FEW_WEIGHTS 32768   /* that each thread may as well read all of */

/* Whether a product of few samples and many weights is divided by columns of the result, so that
 * each thread reads its own part of the weights; else it is divided by samples, and no thread waits
 * for another. */
static int by_columns(const worker *w, size_t rows, size_t columns, size_t depth) {
  return w->threads > 1 && rows < MANY_ROWS * (size_t)w->threads &&
         columns >= 2 * FNN_LANES * (size_t)w->threads && columns * depth > FEW_WEIGHTS;
}

/* y = activation(x W + b) */
static void dense_forward(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const fnn_param *kernel = &w->program->params[op->kernel];
  const size_t runs = x->rows, m = w->n * runs, n = kernel->columns;
  dense_context context = {w, op};
  const FN(fnn_product) product = {
      .a_sparse = sparse(w, op->x, 0, n),
      .m = m, .n = n, .k = kernel->rows,
      .a = x->value, .a_row = run_stride(x), .a_step = 1,
      .b = kernel->value, .b_row = kernel->ld,
      .c = y->value, .c_row = run_stride(y),
      .epilogue = op->bias >= 0 || op->activation != FNN_LINEAR ? dense_forward_epilogue : NULL,
      .context = &context,
  };
  if (by_columns(w, m, n, kernel->rows)) {
    size_t from, to;
    enter(w, WHOLE);
    share(w, n, FNN_LANES, &from, &to);
    FN(fnn_gemm)(&product, 0, m, from, to, w->scratch);
  } else {
    enter(w, ROWS);
    FN(fnn_gemm)(&product, w->first * runs, w->last * runs, 0, n, w->scratch);
  }
  if (by_row(op->activation)) {
    enter(w, ROWS);
    real *own = at(y, w->first);
    w->kernels->activation_forward(own, own, NULL, op->activation, (real)op->a,
                                   (w->last - w->first) * runs, product.c_row, n);
  }
}

static void dense_dx_epilogue(void *context, real *block, size_t row, size_t i0, size_t i1,
                              size_t j0, size_t j1) {
  const dense_context *d = context;
  const fnn_op *op = d->op;
  const fnn_tensor *x = &d->w->program->tensors[op->x];
  const real *y = (real *)x->value + i0 * run_stride(x) + j0;
  d->w->kernels->activation_backward(block, block, NULL, y, op->derivative,
                                     (real)op->derivative_slope, i1 - i0, row, run_stride(x),
                                     j1 - j0, 0);
}

static void dense_update_epilogue(void *context, real *block, size_t row, size_t i0, size_t i1,
                                  size_t j0, size_t j1) {
  const dense_context *d = context;
  const fnn_param *kernel = &d->w->program->params[d->op->kernel];
  update_block(d->w, kernel, block, row, i0 * kernel->ld + j0, i1 - i0, j1 - j0);
}

/* db = sum of the rows of dz, row by row; each thread sums its columns. */
static void dense_bias_gradient(worker *w, const fnn_op *op, const fnn_tensor *y) {
  const fnn_param *bias = &w->program->params[op->bias];
  size_t from, to;
  share(w, bias->columns, FNN_LANES, &from, &to);
  if (from >= to)
    return;
  real *db = (real *)bias->grad + from;
  if (op->bias_mode != FNN_ACCUMULATE)
    memset(db, 0, (to - from) * sizeof(real));
  const real *dz = (real *)y->grad + from;
  w->kernels->add_rows(db, dz, run_stride(y), w->n * y->rows, to - from);
  if (op->bias_mode == FNN_FUSED)
    update_block(w, bias, db, 0, from, 1, to - from);
}

/* dz = dy f'(y); dx = dz W': divided as the forward product is. */
static void dense_backward(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const fnn_param *kernel = &w->program->params[op->kernel];
  const size_t rows = w->n * x->rows, inputs = kernel->rows, outputs = kernel->columns;
  dense_context context = {w, op};

  if (op->activation != FNN_LINEAR && !op->derivative_done) {
    enter(w, ROWS);
    real *dz = grad_at(y, w->first);
    size_t n = outputs, own = (w->last - w->first) * y->rows;
    if (!by_row(op->activation))
      join(&own, &n, run_stride(y));
    w->kernels->activation_backward(dz, dz, NULL, at(y, w->first), op->activation, (real)op->a, own,
                                    run_stride(y), run_stride(y), n, 0);
  }
  if (op->x_mode == FNN_SKIP)
    return;
  const FN(fnn_product) dx = {
      .a_sparse = sparse(w, op->y, 1, inputs),
      .m = rows, .n = inputs, .k = outputs,
      .a = y->grad, .a_row = run_stride(y), .a_step = 1,
      .b = kernel->value, .b_row = kernel->ld, .b_transposed = 1,
      .c = x->grad, .c_row = run_stride(x), .accumulate = op->x_mode == FNN_ACCUMULATE,
      .epilogue = op->derivative != FNN_LINEAR ? dense_dx_epilogue : NULL,
      .context = &context,
  };
  if (by_columns(w, rows, inputs, outputs)) {
    size_t from, to;
    enter(w, WHOLE);
    share(w, inputs, FNN_LANES, &from, &to);
    FN(fnn_gemm)(&dx, 0, rows, from, to, w->scratch);
  } else {
    enter(w, ROWS);
    FN(fnn_gemm)(&dx, w->first * x->rows, w->last * x->rows, 0, inputs, w->scratch);
  }
}

static int trains_kernel(const fnn_op *op) {
  return op->code == FNN_DENSE && op->kernel_mode != FNN_SKIP;
}
static size_t elements_of(const worker *w, const fnn_op *op) {
  const fnn_param *kernel = &w->program->params[op->kernel];
  return kernel->rows * kernel->columns;
}

/* The row (or column) of W that its element number e belongs to, in whole tiles. Neighbouring parts
 * of the elements thus become neighbouring parts of W. */
static size_t line_of(size_t e, size_t lines, size_t length, size_t unit) {
  return e >= lines * length ? lines : e / length / unit * unit;
}

/* dW = x' dz, and the optimizer's step, if it needs nothing else, for about elements from..to. */
static void dense_kernel_gradient(worker *w, const fnn_op *op, size_t from, size_t to) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const fnn_param *kernel = &w->program->params[op->kernel];
  const size_t inputs = kernel->rows, outputs = kernel->columns;
  dense_context context = {w, op};
  const int fused = op->kernel_mode == FNN_FUSED;
  const FN(fnn_product) dw = {
      .a_sparse = sparse(w, op->x, 0, outputs),
      .m = inputs, .n = outputs, .k = w->n * x->rows,
      .a = x->value, .a_row = 1, .a_step = run_stride(x),
      .b = y->grad, .b_row = run_stride(y),
      .c = fused ? NULL : kernel->grad, .c_row = kernel->ld,
      .accumulate = op->kernel_mode == FNN_ACCUMULATE,
      .epilogue = fused ? dense_update_epilogue : NULL,
      .context = &context,
  };
  if (inputs >= 2 * FNN_LANES * (size_t)w->threads || inputs >= outputs) {
    const size_t unit = outputs == 1 ? FNN_LANES : (size_t)w->kernels->tile_rows;
    FN(fnn_gemm)(&dw, line_of(from, inputs, outputs, unit), line_of(to, inputs, outputs, unit), 0,
                 outputs, w->scratch);
  } else {
    FN(fnn_gemm)(&dw, 0, inputs, line_of(from, outputs, inputs, FNN_LANES),
                 line_of(to, outputs, inputs, FNN_LANES), w->scratch);
  }
}

/* The parameters' gradients of one dense layer, evenly divided; only the bias if the kernels are
 * divided while they are trained. */
static void dense_parameters(worker *w, const fnn_op *op) {
  const int biased = op->bias >= 0 && op->bias_mode != FNN_SKIP;
  if (!biased && !trains_kernel(op))
    return;
  enter(w, PARAMETERS);
  if (biased)
    dense_bias_gradient(w, op, &w->program->tensors[op->y]);
  if (trains_kernel(op) && !w->elements) {
    const size_t elements = elements_of(w, op), t = (size_t)w->thread, threads = (size_t)w->threads;
    dense_kernel_gradient(w, op, elements * t / threads, elements * (t + 1) / threads);
  }
}

#define LEAST_ELEMENTS 4096 /* that are worth being taken by themselves */

/* How many elements of kernels to divide while they are trained: 0, if the work is too little, if
 * every part of it is to be timed, or if a kernel's gradient has several contributions, whose order
 * must stay. */
static size_t elements_to_divide(const worker *w) {
  const fnn_program *p = w->program;
  size_t elements = 0;
  for (size_t i = 0; i < p->n_backward; i++)
    if (trains_kernel(&p->backward[i])) {
      if (p->backward[i].kernel_mode == FNN_ACCUMULATE)
        return 0;
      elements += elements_of(w, &p->backward[i]);
    }
  return w->threads > 1 && !w->job->times && elements <= UINT32_MAX &&
                 elements > 2 * LEAST_ELEMENTS * (size_t)w->threads
             ? elements
             : 0;
}

/* The gradients of all kernels, one after the other being one long row of elements. */
static void dense_kernels(worker *w) {
  const fnn_program *p = w->program;
  size_t from, to;
  offer(w, w->elements * (size_t)w->thread / (size_t)w->threads,
        w->elements * ((size_t)w->thread + 1) / (size_t)w->threads);
  while (take(w, LEAST_ELEMENTS, SIZE_MAX, &from, &to)) {
    size_t begin = 0;
    for (size_t i = 0; i < p->n_backward && begin < to; i++)
      if (trains_kernel(&p->backward[i])) {
        const size_t end = begin + elements_of(w, &p->backward[i]);
        if (end > from)
          dense_kernel_gradient(w, &p->backward[i], from > begin ? from - begin : 0,
                                least(to, end) - begin);
        begin = end;
      }
  }
}

/* ---- everything else ------------------------------------------------------------------------ */

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
  fnn_random random = w->random;
  random.stream = (uint32_t)op->stream;
  enter(w, ROWS);
  for (size_t i = w->first; i < w->last; i++)
    if (op->backward) {
      if (op->x_mode != FNN_SKIP)
        w->kernels->dropout(grad_at(x, i), grad_at(y, i), op->a, random, i * size, size,
                            op->x_mode == FNN_ACCUMULATE);
    } else if (w->job->mode == FNN_TRAIN)
      w->kernels->dropout(at(y, i), at(x, i), op->a, random, i * size, size, 0);
    else
      memcpy(at(y, i), at(x, i), size * sizeof(real));
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

static void update(worker *w, const fnn_op *op) {
  const fnn_param *p = &w->program->params[op->kernel];
  enter(w, WHOLE);
  size_t from, to, rows = p->rows, n = p->columns;
  join(&rows, &n, p->ld);
  share(w, rows == 1 ? n : rows, rows == 1 ? FNN_LANES : 1, &from, &to);
  if (from >= to)
    return;
  if (rows == 1)
    update_block(w, p, (real *)p->grad + from, 0, from, 1, to - from);
  else
    update_block(w, p, (real *)p->grad + from * p->ld, p->ld, from * p->ld, to - from, n);
}

/* The caller's own code runs on the calling thread while the others wait. */
static int call(worker *w, int phase, size_t index) {
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

static int execute(worker *w, const fnn_op *op, int phase, size_t index) {
  switch ((fnn_code)op->code) {
  case FNN_DENSE:
    if (op->backward)
      dense_backward(w, op);
    else
      dense_forward(w, op);
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
    return call(w, phase, index);
  case FNN_OPERATIONS:
    break;
  }
  return 0;
}

/* ---- losses and metrics --------------------------------------------------------------------- */

static double weight_of(const worker *w, const fnn_term *term, size_t sample, size_t run) {
  if (term->weights < 0)
    return 1.0;
  const fnn_tensor *t = &w->program->tensors[term->weights];
  return (double)at(t, sample)[size_of(t) == 1 ? 0 : run];
}

static double sum_of_weights(const worker *w, const fnn_term *term, size_t runs) {
  double sum = 0.0;
  for (size_t i = 0; i < w->n; i++)
    for (size_t r = 0; r < runs; r++)
      sum += weight_of(w, term, i, r);
  return sum;
}

static void evaluate_term(worker *w, const fnn_term *term, int is_loss) {
  const fnn_tensor *p = &w->program->tensors[term->prediction];
  const fnn_tensor *t = &w->program->tensors[term->target];
  const fnn_tensor *q = term->probability < 0 ? NULL : &w->program->tensors[term->probability];
  const fnn_row_options options = {term->smoothing, term->delta, term->threshold};
  const size_t target_row = size_of(t) / p->rows;
  const int learn = w->job->mode == FNN_TRAIN && p->grad && term->mode != FNN_SKIP;
  double scale = term->weight;
  if (is_loss && learn) {
    if (term->reduction == FNN_MEAN)
      scale /= (double)(w->n * p->rows);
    else if (term->reduction == FNN_MEAN_WEIGHTED) {
      enter(w, term->weights < 0 ? ROWS : WHOLE); /* it reads all weights of the batch */
      const double sum = sum_of_weights(w, term, p->rows);
      scale = sum != 0.0 ? scale / sum : 0.0;
    }
  }
  enter(w, ROWS);
  w->values_visible = 0;
  for (size_t i = w->first; i < w->last; i++)
    for (size_t r = 0; r < p->rows; r++) {
      const double weight = weight_of(w, term, i, r);
      const real *prediction = at(p, i) + r * p->features;
      const real *target = at(t, i) + r * target_row;
      real value;
      if (is_loss)
        value = w->kernels->loss_row(
            term->kind, learn ? grad_at(p, i) + r * p->features : NULL,
            q ? at(q, i) + r * p->features : NULL, target, prediction, (real)(scale * weight),
            &options, p->features, term->mode == FNN_ACCUMULATE);
      else
        value = w->kernels->row_value(term->kind, target, prediction, &options, p->features);
      ((real *)term->values)[i * p->rows + r] = value;
    }
}

/* Adds the batch's row values in their order to the running sums. */
static void add_sums(const worker *w, const fnn_term *term, int is_loss, double *sums) {
  const size_t runs = w->program->tensors[term->prediction].rows;
  double values = 0.0;
  for (size_t i = 0; i < w->n; i++)
    for (size_t r = 0; r < runs; r++)
      values += weight_of(w, term, i, r) * (double)((real *)term->values)[i * runs + r];
  if (!is_loss) {
    sums[0] += values;
    sums[1] += sum_of_weights(w, term, runs);
    return;
  }
  const double n = (double)w->n;
  if (term->reduction == FNN_MEAN)
    values /= (double)runs;
  else if (term->reduction == FNN_SUM)
    values *= n;
  else {
    const double sum = sum_of_weights(w, term, runs);
    values = sum != 0.0 ? values / sum * n : 0.0;
  }
  sums[0] += values;
  sums[1] += n;
}

/* ---- the run -------------------------------------------------------------------------------- */

static int losses_and_metrics(worker *w) {
  const fnn_program *p = w->program;
  for (size_t i = 0; i < p->n_losses + p->n_metrics; i++) {
    const int is_loss = i < p->n_losses;
    const size_t index = is_loss ? i : i - p->n_losses;
    const fnn_term *term = is_loss ? &p->losses[index] : &p->metrics[index];
    if (term->kind >= 0)
      evaluate_term(w, term, is_loss);
    else if (call(w, is_loss ? 2 : 3, index))
      return 1;
  }
  return 0;
}

static void sums(worker *w) {
  const fnn_program *p = w->program;
  if (!w->values_visible)
    barrier(w);
  if (w->thread == 0 && w->job->sums)
    for (size_t i = 0; i < p->n_losses + p->n_metrics; i++) {
      const int is_loss = i < p->n_losses;
      const fnn_term *term = is_loss ? &p->losses[i] : &p->metrics[i - p->n_losses];
      if (term->kind >= 0)
        add_sums(w, term, is_loss, w->job->sums + 2 * i);
    }
  w->since = WHOLE; /* the next batch must not overwrite what is still being read */
}

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

/* From the rows of the data to the gradients of all tensors, for this thread's samples. */
static int pass(worker *w, size_t begin) {
  const fnn_program *p = w->program;
  const fnn_mode mode = w->job->mode;
  const size_t forward = FNN_TIME_OPERATIONS, backward = forward + p->n_ops;
  gather(w, begin);
  timed(w, FNN_TIME_GATHER);
  for (size_t i = 0; i < p->n_ops; i++)
    if (runs_forward(w, &p->ops[i])) {
      if (execute(w, &p->ops[i], 0, i))
        return 1;
      timed(w, forward + i);
    }
  if (mode == FNN_PREDICT) {
    if (w->job->outputs)
      copy_outputs(w, begin);
    return 0;
  }
  if (losses_and_metrics(w))
    return 1;
  timed(w, FNN_TIME_LOSSES);
  for (size_t i = 0; mode == FNN_TRAIN && i < p->n_backward; i++) {
    if (execute(w, &p->backward[i], 1, i))
      return 1;
    timed(w, backward + i);
  }
  return 0;
}

#define FEWEST_SAMPLES 32 /* of a part: for fewer, the weights would be read too often */
#define MOST_SAMPLES 96   /* whose tensors stay in L2 */

static int is_by_sample(const worker *w, const fnn_op *op) {
  if (op->code != FNN_DENSE)
    return op->code != FNN_CALL && !(op->code == FNN_PRELU && op->backward);
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  return !op->backward ? x->density >= 0 : op->x_mode == FNN_SKIP || y->grad_density >= 0;
}

/* Whether a large batch can be passed through in parts, which the threads take as they are done with
 * others: no operation may need the whole batch, or still have to look for zeros. */
static int passes_in_parts(const worker *w) {
  const fnn_program *p = w->program;
  const int train = w->job->mode == FNN_TRAIN;
  if (w->n < 2 * MOST_SAMPLES * (size_t)w->threads || w->job->times)
    return 0;
  for (size_t i = 0; i < p->n_ops; i++)
    if (runs_forward(w, &p->ops[i]) && !is_by_sample(w, &p->ops[i]))
      return 0;
  for (size_t i = 0; train && i < p->n_backward; i++)
    if (!is_by_sample(w, &p->backward[i]))
      return 0;
  for (size_t i = 0; w->job->mode != FNN_PREDICT && i < p->n_losses + p->n_metrics; i++) {
    const int is_loss = i < p->n_losses;
    const fnn_term *term = is_loss ? &p->losses[i] : &p->metrics[i - p->n_losses];
    if (term->kind < 0 || (is_loss && train && term->reduction == FNN_MEAN_WEIGHTED))
      return 0;
  }
  return 1;
}

static int step(worker *w, size_t begin) {
  const fnn_program *p = w->program;
  const size_t parameters = FNN_TIME_OPERATIONS + p->n_ops + p->n_backward;
  if (passes_in_parts(w)) {
    enter(w, WHOLE); /* until nobody looks for samples of the last batch */
    w->since = ROWS;
    offer(w, w->first, w->last);
    while (take(w, FEWEST_SAMPLES, MOST_SAMPLES, &w->first, &w->last))
      pass(w, begin);
    w->values_visible = 0; /* also of a thread that came too late for any */
  } else if (pass(w, begin)) {
    return 1;
  }
  if (w->job->mode == FNN_PREDICT)
    return 0;
  if (w->job->mode == FNN_TRAIN) {
    for (size_t i = 0; i < p->n_backward; i++)
      if (p->backward[i].code == FNN_DENSE) {
        dense_parameters(w, &p->backward[i]);
        timed(w, parameters + i);
      }
    if (w->elements)
      dense_kernels(w);
    for (size_t i = 0; i < p->n_backward; i++)
      if (p->backward[i].code == FNN_UPDATE) {
        update(w, &p->backward[i]);
        timed(w, parameters + i);
      }
  }
  sums(w);
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
    w.elements = elements_to_divide(&w);
  size_t number = 0;
  for (size_t begin = 0; begin < job->n; begin += job->batch, number++) {
    const size_t n = job->n - begin < job->batch ? job->n - begin : job->batch;
    if (number && n != w.n)
      w.since = WHOLE; /* a shorter batch: samples change hands */
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
                   .scratch_bytes = scratch_bytes};
  for (int i = 0; i < threads; i++)
    *(remaining *)((char *)scratch + ((size_t)i + 1) * scratch_bytes - FNN_CACHE_LINE) = 0;
  fnn_parallel(threads, region, &run);
  *done = run.done;
  return atomic_load(&run.result);
}

size_t FN(fnn_scratch)(const fnn_program *p, size_t batch) {
  size_t most = 0;
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
