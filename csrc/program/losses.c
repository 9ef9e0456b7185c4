/* The values and gradients of losses, the values of metrics, and their running sums. */
#include "worker.h"

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
  const size_t row = run_stride(p), t_row = p->rows == 1 ? t->stride : target_row;
  /* All rows in one go, if they have one weight and are as far from one another. */
  const int alike = term->weights < 0 && (p->rows == 1 || t->stride == size_of(t)) &&
                    (!q || run_stride(q) == row);
  const size_t first = w->first * p->rows, last = w->last * p->rows;
  for (size_t i = first, n = alike ? last - first : 1; i < last; i += n) {
    const size_t sample = i / p->rows, r = i % p->rows;
    const real *prediction = (real *)p->value + i * row;
    const real *target = at(t, sample) + r * target_row;
    real *values = (real *)term->values + i;
    if (is_loss)
      w->kernels->loss_rows(term->kind, values, learn ? (real *)p->grad + i * row : NULL,
                            q ? (real *)q->value + i * run_stride(q) : NULL, target, t_row,
                            prediction, row, (real)(scale * weight_of(w, term, sample, r)),
                            &options, n, p->features, term->mode == FNN_ACCUMULATE);
    else
      w->kernels->row_values(term->kind, values, target, t_row, prediction, row, &options, n,
                             p->features);
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

int FN(fnn_losses_and_metrics)(worker *w) {
  const fnn_program *p = w->program;
  for (size_t i = 0; i < p->n_losses + p->n_metrics; i++) {
    const int is_loss = i < p->n_losses;
    const size_t index = is_loss ? i : i - p->n_losses;
    const fnn_term *term = is_loss ? &p->losses[index] : &p->metrics[index];
    if (term->kind >= 0)
      evaluate_term(w, term, is_loss);
    else if (FN(fnn_call)(w, is_loss ? 2 : 3, index))
      return 1;
  }
  return 0;
}

void FN(fnn_sums)(worker *w) {
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
