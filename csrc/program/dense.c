/* Dense layers: y = activation(x W + b) and its gradients, with the optimizer's step. */
#include <string.h>

#include "worker.h"

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

typedef struct {
  const worker *w;
  const fnn_op *op;
} dense_context;

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

#define MANY_WEIGHTS (32 * 1024)

/* Whether many weights meet few samples: then it costs more to move the weights from cache to cache,
 * or to copy them, than to wait for other threads, and each thread should read its own part of them.
 * Else products are divided by samples, unless threads share B. */
static int divides_weights(const worker *w, const FN(fnn_product) *s) {
  const size_t threads = (size_t)w->threads;
  const size_t few = FN(fnn_packs_b)(s, s->m / threads) ? FEW_ROWS_PACKED : FEW_ROWS;
  return threads > 1 && s->m <= few * threads && s->n * s->k > MANY_WEIGHTS;
}

/* By columns of the result; but then every thread would list all zeros that are left out. */
static int by_columns(const worker *w, const FN(fnn_product) *s) {
  return !s->a_sparse && s->n >= 2 * FNN_LANES * (size_t)w->threads;
}

#define SHARED_WEIGHTS (128 * 1024) /* more are worth waiting for each other */

/* Whether there are so many rows that each thread would pack all of a large B. */
static int shares_b(const worker *w, const FN(fnn_product) *s) {
  const size_t rows = s->m / (size_t)w->threads;
  return w->threads > 1 && !s->a_sparse && !s->in_halves && s->n * s->k > SHARED_WEIGHTS &&
         rows > FEW_ROWS_PACKED && FN(fnn_packs_b)(s, rows);
}

/* Where it does, batches do not pass in parts: threads that share B wait for each other. */
int FN(fnn_copies_weights)(const worker *w, const fnn_op *op) {
  const fnn_param *kernel = &w->program->params[op->kernel];
  const FN(fnn_product) s = {.b_row = kernel->ld, .b_transposed = op->backward};
  return kernel->rows * kernel->columns > SHARED_WEIGHTS && FN(fnn_packs_b)(&s, SIZE_MAX);
}

#define FEWEST_ROWS 12 /* that are taken at a time: about two tiles; at most a block of C */

/* The threads pack each block of B together, then take rows as they are done. */
static void multiply_together(worker *w, const FN(fnn_product) *s) {
  const FN(fnn_blocking) block = FN(fnn_choose_blocking)(s, s->m, s->n);
  real *packed = FN(fnn_packed_block)((real *)w->run->scratch);
  const size_t thread = (size_t)w->thread, threads = (size_t)w->threads;
  for (size_t j = 0; j < s->n; j += block.columns)
    for (size_t p = 0; p < s->k; p += block.depth) {
      const size_t j1 = least(j + block.columns, s->n), p1 = least(p + block.depth, s->k);
      size_t from, to;
      enter(w, WHOLE); /* nobody reads the last block any more */
      share(w, j1 - j, block.width, &from, &to);
      FN(fnn_offer)(w, s->m * thread / threads, s->m * (thread + 1) / threads);
      FN(fnn_pack_b)(packed + from * (p1 - p), s, p, p1, j + from, j + to, block.width);
      barrier(w);
      while (FN(fnn_take)(w, FEWEST_ROWS, C_ROWS, &from, &to) >= 0)
        FN(fnn_gemm_block)(s, &block, packed, from, to, j, j1, p, p1, w->scratch);
      w->since = WHOLE;
    }
}

/* This thread's part of a product that has `runs` rows for each sample. */
static void multiply(worker *w, const FN(fnn_product) *s, size_t runs) {
  if (shares_b(w, s)) {
    multiply_together(w, s);
  } else if (divides_weights(w, s) && by_columns(w, s)) {
    size_t from, to;
    enter(w, WHOLE);
    share(w, s->n, FNN_LANES, &from, &to);
    FN(fnn_gemm)(s, 0, s->m, from, to, w->scratch);
  } else {
    enter(w, ROWS);
    FN(fnn_gemm)(s, w->first * runs, w->last * runs, 0, s->n, w->scratch);
  }
}

/* A product in halves, of which the second goes to a place of its own: the first threads do the
 * first half, with weights that they update. */
static void multiply_halves(worker *w, const FN(fnn_product) *s, real *second, size_t runs) {
  const int columns = by_columns(w, s);
  const size_t length = columns ? up(s->n, FNN_LANES) : s->m;
  size_t from, to;
  enter(w, WHOLE);
  share(w, 2 * length, columns ? FNN_LANES : 1, &from, &to);
  for (int half = 0; half < 2; half++) {
    FN(fnn_product) part = FN(fnn_half)(s, half);
    const size_t begin = half ? length : 0;
    const size_t i0 = from > begin ? from - begin : 0;
    const size_t i1 = to > begin ? least(to - begin, length) : 0;
    if (half)
      part.c = second;
    if (columns)
      FN(fnn_gemm)(&part, 0, s->m, i0, least(i1, s->n), w->scratch);
    else
      FN(fnn_gemm)(&part, i0, i1, 0, s->n, w->scratch);
  }
  enter(w, WHOLE);
  w->since = ROWS;
  const size_t first = w->first * runs;
  if (w->first < w->last)
    FN(fnn_add_half)(s, second + first * s->c_row, s->c_row, first, w->last * runs, 0, s->n);
}

#define MANY_INPUTS 512           /* layers of so many sum them in two halves: docs/arithmetic.md; */
#define MOST_WEIGHTS (512 * 1024) /* larger kernels stay in no thread's cache, so they gain nothing */

static int in_halves(const fnn_param *kernel) {
  return kernel->rows >= MANY_INPUTS && kernel->rows * kernel->columns <= MOST_WEIGHTS;
}

/* y = activation(x W + b) */
void FN(fnn_dense_forward)(worker *w, const fnn_op *op) {
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
      .in_halves = in_halves(kernel),
      .epilogue = op->bias >= 0 || op->activation != FNN_LINEAR ? dense_forward_epilogue : NULL,
      .context = &context,
  };
  if (product.in_halves && w->job->mode == FNN_TRAIN && y->grad && divides_weights(w, &product))
    multiply_halves(w, &product, y->grad, runs); /* which the backward pass overwrites first */
  else
    multiply(w, &product, runs);
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
  FN(fnn_update_block)(d->w, kernel, block, row, i0 * kernel->ld + j0, i1 - i0, j1 - j0);
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
    FN(fnn_update_block)(w, bias, db, 0, from, 1, to - from);
}

/* dz = dy f'(y); dx = dz W'. */
void FN(fnn_dense_backward)(worker *w, const fnn_op *op) {
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
  multiply(w, &dx, x->rows);
}

static int trains_kernel(const fnn_op *op) {
  return op->code == FNN_DENSE && op->kernel_mode != FNN_SKIP;
}
static size_t elements_of(const worker *w, const fnn_op *op) {
  const fnn_param *kernel = &w->program->params[op->kernel];
  return kernel->rows * kernel->columns;
}

/* The first element of a kernel that is this thread's to train. */
static size_t part_of(const worker *w, int thread, const fnn_op *op) {
  return elements_of(w, op) * (size_t)thread / (size_t)w->threads;
}

/* The row (or column) of W that its element number e belongs to, rounded down to whole units.
 * Neighbouring parts of the elements thus become neighbouring parts of W. */
static size_t line_of(size_t e, size_t lines, size_t length, size_t unit) {
  return e >= lines * length ? lines : e / length / unit * unit;
}

/* The columns of a kernel in whole vectors, if its rows and those of the layer's output are padded to
 * them: with zeros, whose gradient is zero too (unless x is not finite; nobody reads it). Then nothing
 * is done to a part of a vector. */
static size_t whole_columns(const fnn_param *kernel, const fnn_tensor *y) {
  const size_t whole = up(kernel->columns, FNN_LANES);
  return kernel->ld >= whole && run_stride(y) >= whole ? whole : kernel->columns;
}

/* dW = x' dz, and the optimizer's step, if it needs nothing else. */
static FN(fnn_product) kernel_gradient(worker *w, const fnn_op *op, dense_context *context) {
  const fnn_tensor *x = &w->program->tensors[op->x], *y = &w->program->tensors[op->y];
  const fnn_param *kernel = &w->program->params[op->kernel];
  const int fused = op->kernel_mode == FNN_FUSED;
  *context = (dense_context){w, op};
  return (FN(fnn_product)){
      .a_sparse = sparse(w, op->x, 0, kernel->columns),
      .m = kernel->rows, .n = whole_columns(kernel, y), .k = w->n * x->rows,
      .a = x->value, .a_row = 1, .a_step = run_stride(x),
      .b = y->grad, .b_row = run_stride(y),
      .c = fused ? NULL : kernel->grad, .c_row = kernel->ld,
      .skips_zero_rows = fused && w->program->rule == FNN_SGD && w->c[0] == 0,
      .accumulate = op->kernel_mode == FNN_ACCUMULATE,
      .epilogue = fused ? dense_update_epilogue : NULL,
      .context = context,
      .written = fused && w->threads > 1 ? kernel->value : NULL,
  };
}

/* About its elements from..to. */
static void part_of_gradient(worker *w, const fnn_op *op, const FN(fnn_product) *dw, size_t from,
                             size_t to) {
  const size_t inputs = dw->m, outputs = w->program->params[op->kernel].columns;
  if (inputs >= 2 * FNN_LANES * (size_t)w->threads || inputs >= outputs) {
    const size_t unit = outputs == 1 ? FNN_LANES : w->divided ? (size_t)w->kernels->tile_rows : 1;
    FN(fnn_gemm)(dw, line_of(from, inputs, outputs, unit), line_of(to, inputs, outputs, unit), 0,
                 dw->n, w->scratch);
  } else {
    const size_t end = line_of(to, outputs, inputs, FNN_LANES);
    FN(fnn_gemm)(dw, 0, inputs, line_of(from, outputs, inputs, FNN_LANES),
                 end == outputs ? dw->n : end, w->scratch);
  }
}

void FN(fnn_dense_parameters)(worker *w, const fnn_op *op) {
  const int biased = op->bias >= 0 && op->bias_mode != FNN_SKIP;
  if (!biased && !trains_kernel(op))
    return;
  enter(w, PARAMETERS);
  if (biased)
    dense_bias_gradient(w, op, &w->program->tensors[op->y]);
  if (trains_kernel(op) && !w->divided) {
    dense_context context;
    const FN(fnn_product) dw = kernel_gradient(w, op, &context);
    if (shares_b(w, &dw))
      multiply_together(w, &dw);
    else
      part_of_gradient(w, op, &dw, part_of(w, w->thread, op), part_of(w, w->thread + 1, op));
  }
}

#define LEAST_ELEMENTS 4096 /* that are worth being taken by themselves */

/* Not if the work is too little, if every part of it is to be timed, if a kernel's gradient has
 * several contributions, whose order must stay, or if the threads may share packed gradients. */
int FN(fnn_divides_kernels)(const worker *w) {
  const fnn_program *p = w->program;
  size_t elements = 0;
  for (size_t i = 0; i < p->n_backward; i++)
    if (trains_kernel(&p->backward[i])) {
      const size_t rows = p->params[p->backward[i].kernel].rows / (size_t)w->threads;
      const FN(fnn_product) dw = {.b_row = run_stride(&p->tensors[p->backward[i].y])};
      if (p->backward[i].kernel_mode == FNN_ACCUMULATE ||
          (rows > FEW_ROWS_PACKED && FN(fnn_packs_b)(&dw, rows)))
        return 0;
      elements += elements_of(w, &p->backward[i]);
    }
  return w->threads > 1 && !w->job->times && elements <= UINT32_MAX &&
         elements > 2 * LEAST_ELEMENTS * (size_t)w->threads;
}

/* The gradients of all kernels. A thread's share is its part of every kernel in one row of
 * elements, the first layers in front: what others take from the back is of small kernels. */
void FN(fnn_dense_kernels)(worker *w) {
  const fnn_program *p = w->program;
  size_t size = 0, from, to;
  for (size_t i = 0; i < p->n_backward; i++)
    if (trains_kernel(&p->backward[i]))
      size += part_of(w, w->thread + 1, &p->backward[i]) - part_of(w, w->thread, &p->backward[i]);
  FN(fnn_offer)(w, 0, size);
  for (int owner; (owner = FN(fnn_take)(w, LEAST_ELEMENTS, SIZE_MAX, &from, &to)) >= 0;) {
    size_t begin = 0;
    for (size_t i = p->n_backward; i-- > 0 && begin < to;)
      if (trains_kernel(&p->backward[i])) {
        const size_t first = part_of(w, owner, &p->backward[i]);
        const size_t end = begin + part_of(w, owner + 1, &p->backward[i]) - first;
        if (end > from) {
          dense_context context; /* only every thread's first part may wait, to look for zeros */
          const FN(fnn_product) dw = kernel_gradient(w, &p->backward[i], &context);
          part_of_gradient(w, &p->backward[i], &dw, first + (from > begin ? from - begin : 0),
                           first + least(to, end) - begin);
        }
        begin = end;
      }
  }
}
