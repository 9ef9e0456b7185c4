/* Superops of losses, and the running sums of all losses and metrics. */
#include <string.h>

#include "worker.h"

/* The weight of one of a sample's runs of values: each weight is that of as many as any other. */
static double weight_of(const worker *w, int weights, size_t sample, size_t run, size_t runs) {
  if (weights < 0)
    return 1.0;
  const fnn_tensor *t = &w->program->tensors[weights];
  return (double)at(t, sample)[run * size_of(t) / runs];
}

void FN(fnn_crossentropy)(worker *w, const fnn_op *op) {
  const fnn_tensor *x = &w->program->tensors[op->x], *t = &w->program->tensors[op->z];
  const fnn_tensor *v = &w->program->tensors[op->y];
  const fnn_tensor *q = op->probability < 0 ? NULL : &w->program->tensors[op->probability];
  const size_t target_row = size_of(t) / x->rows;
  const int learn = w->job->mode == FNN_TRAIN && x->grad && op->x_mode != FNN_SKIP;
  const double scale = op->by_samples ? op->a / (double)(w->n * x->rows) : op->a;
  enter(w, ROWS);
  w->values_visible = 0;
  const size_t row = run_stride(x), t_row = x->rows == 1 ? t->stride : target_row;
  /* All rows in one go, if they have one weight and are as far from one another. */
  const int alike = op->weights < 0 && (x->rows == 1 || t->stride == size_of(t)) &&
                    (!q || run_stride(q) == row);
  const size_t first = w->first * x->rows, last = w->last * x->rows;
  for (size_t i = first, n = alike ? last - first : 1; i < last; i += n) {
    const size_t sample = i / x->rows, r = i % x->rows;
    real *d = learn ? (real *)x->grad + i * row : NULL;
    const double weight = weight_of(w, op->weights, sample, r, x->rows);
    if (weight == 0 && d) { /* whatever the row holds */
      if (op->x_mode == FNN_OVERWRITE)
        memset(d, 0, x->features * sizeof(real));
      d = NULL;
    }
    w->kernels->crossentropy(op->kind, (real *)v->value + i, d,
                             q ? (real *)q->value + i * run_stride(q) : NULL,
                             at(t, sample) + r * target_row, t_row, (real *)x->value + i * row, row,
                             (real)(scale * weight), n, x->features, op->x_mode == FNN_ACCUMULATE);
  }
}

/* Adds the batch's values in their order to the running sums. */
static void add_sums(const worker *w, const fnn_sum *s, double *sums) {
  const fnn_tensor *t = &w->program->tensors[s->values];
  const size_t samples = t->stride || s->reduction != FNN_TOTAL ? w->n : 1;
  /* One value for the batch is that of all that has a weight. */
  const size_t runs = t->stride || s->weights < 0 ? size_of(t)
                                                  : size_of(&w->program->tensors[s->weights]);
  double values = 0.0, weights = 0.0;
  for (size_t i = 0; i < samples; i++) {
    const real *v = at(t, i);
    for (size_t r = 0; r < runs; r++) {
      const double weight = weight_of(w, s->weights, i, r, runs);
      weights += weight;
      if (weight != 0)
        values += weight * (double)v[t->stride ? r : 0];
    }
  }
  const double n = (double)w->n;
  switch ((fnn_reduction)s->reduction) {
  case FNN_MEAN:
    sums[0] += values / (double)runs;
    break;
  case FNN_SUM:
    sums[0] += values * n;
    break;
  case FNN_MEAN_WEIGHTED:
    sums[0] += weights != 0 ? values / weights * n : 0.0;
    break;
  case FNN_TOTAL:
    sums[0] += values;
    return;
  }
  sums[1] += n;
}

void FN(fnn_sums)(worker *w) {
  const fnn_program *p = w->program;
  if (!w->values_visible)
    barrier(w);
  if (w->thread == 0 && w->job->sums)
    for (size_t i = 0; i < p->n_sums; i++)
      add_sums(w, &p->sums[i], w->job->sums + 2 * p->sums[i].to);
  w->since = WHOLE; /* the next batch must not overwrite what is still being read */
}
